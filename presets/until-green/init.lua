--- Has an implementer work until the host sees the checks pass. This command runs it:
---   moonlet run until-green --checks "test:make test" --scope src --allow run=make
local m = require "moonlet"

return m.preset {
  name = "until-green",
  summary = "The host runs the checks, and an implementer works on what fails, until all pass "
    .. "or the rounds are over.",
  args = m.pack.args {
    checks = m.arg.checks { positional = true, required = true, min = 1,
      help = "commands that must pass, as test:make test" },
    scope = m.arg.paths { required = true, help = "the files or folders that may change" },
    rounds = m.arg.integer { default = 3, min = 1, max = 10,
      help = "how often an implementer may work" },
  },
  needs = { programs = { "git" }, agents = true, read = { "." }, write = { "." } },
  budget = { tokens = 10000000, agents = 25, wall = "2h" },

  run = function(ctx, args)
    local result = m.patterns.until_green(ctx, { checks = args.checks, scope = args.scope,
      rounds = args.rounds, goal = args.goal ~= "" and args.goal or nil,
      pack = m.pack.of(ctx, args) })
    ctx:write("findings.md", m.patterns.page(result, table.concat(args.checks, ", ")))
    return result
  end,
}
