--- Has a scout gather context, an implementer do the work, and a verifier check it. Try:
---   moonlet run scout-act-verify "errors name their line" --scope src --checks test:make --allow run=make
local m = require "moonlet"

return m.preset {
  name = "scout-act-verify",
  summary =
    "A scout gathers the least context, an implementer does the work, and a verifier checks it.",
  args = m.pack.args {
    goal = m.arg.string { positional = true, required = true, help = "what is to be made" },
    scope = m.arg.paths { required = true, help = "the files or folders that may change" },
    question = m.arg.string { help = "what the scout looks for (default: the goal)" },
    checks = m.arg.checks { default = {},
      help = "commands to run after the work, as test:make test" },
  },
  needs = { programs = { "git" }, agents = true, read = { "." }, write = { "." } },
  budget = { tokens = 6000000, agents = 10, wall = "1h" },

  run = function(ctx, args)
    local pack = m.pack.of(ctx, args)
    local result = m.patterns.scout_act_verify(ctx, {
      goal = args.goal, scope = args.scope, question = args.question, checks = args.checks,
      pack = pack,
      success = pack.success and table.concat(pack.success, "; "),
      -- To choose the approach yourself, add: choose = function(c, seen) return "the approach" end
    })
    ctx:write("findings.md", m.patterns.page(result, args.goal))
    return result
  end,
}
