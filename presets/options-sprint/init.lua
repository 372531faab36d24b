--- Has workers propose alternatives, a judge choose one, and a worker refine it. Try:
---   moonlet run options-sprint "an outline of the guide" --criteria "it is short,it is complete"
local m = require "moonlet"

return m.preset {
  name = "options-sprint",
  summary = "Two or three options are proposed, one is chosen by stated criteria, and refined.",
  args = m.pack.args {
    goal = m.arg.string { positional = true, required = true, help = "what the options are for" },
    criteria = m.arg.list { required = true, min = 1, help = "what the choice goes by" },
    angles = m.arg.list { default = { "the simplest", "the most thorough" }, min = 2, max = 3,
      help = "two or three directions, one worker each" },
  },
  needs = { agents = true, read = { "." } },
  budget = { tokens = 4000000, agents = 15, wall = "1h" },

  run = function(ctx, args)
    local result = m.patterns.options_sprint(ctx, { goal = args.goal,
      criteria = args.criteria, angles = args.angles, pack = m.pack.of(ctx, args) })
    ctx:write("option.md", result.text .. "\n")
    ctx:write("findings.md", m.patterns.page(result, args.goal))
    return result
  end,
}
