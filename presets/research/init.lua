--- Has workers collect sources, and one agent write a brief from them. This command runs it:
---   moonlet run research "which queue do we take?" --questions "what is lock-free?,who uses it?"
local m = require "moonlet"

return m.preset {
  name = "research",
  summary = "Workers collect sources side by side; a synthesis makes a brief of them that ends "
    .. "in next actions.",
  args = m.pack.args {
    topic = m.arg.string { positional = true, required = true,
      help = "what is to be decided or understood" },
    questions = m.arg.list { required = true, min = 1, max = 6,
      help = "one to six, one worker each" },
    need = m.arg.integer { default = 1, min = 1, help = "how many must be answered" },
    scholarly = m.arg.boolean { default = false, help = "cite the sources in APA 7" },
  },
  needs = { agents = true, read = { "." } },
  budget = { tokens = 5000000, agents = 20, wall = "1h" },

  run = function(ctx, args)
    local result = m.patterns.research(ctx, { topic = args.topic, questions = args.questions,
      need = args.need, scholarly = args.scholarly, pack = m.pack.of(ctx, args) })
    ctx:write("findings.md", m.patterns.page(result, args.topic))
    return result
  end,
}
