--- An agent changes files until the host has seen the tests pass, at most `rounds` times.
local m = require "moonlet"

return m.preset {
  name = "until-green",
  summary = "An agent works until the tests pass.",
  args = {
    test = m.arg.string { default = "sh test.sh", help = "the command that must pass" },
    rounds = m.arg.integer { default = 3, min = 1, help = "how many attempts" },
  },
  needs = { agents = true, programs = { "sh" }, read = { "." }, write = { "." } },
  budget = { agents = 10, wall = "1h" },

  run = function(ctx, args)
    local check
    for round = 0, args.rounds do
      check = ctx:validate { kind = "test", command = args.test, name = "test", required = round == args.rounds }
      if check.status == "passed" then return { rounds = round } end
      if round < args.rounds then
        ctx:agent {
          name = "fix", sandbox = "workspace-write",
          prompt = ("%s fails. Mend the cause, not the test.\n\n"):format(args.test)
            .. m.prompt.fence("the end of its output", check.stdout .. check.stderr, 8000),
        }
      end
    end
    m.fail { message = ("the tests still fail after %d rounds: %s"):format(args.rounds, check.why) }
  end,
}
