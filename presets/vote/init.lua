--- Has voters answer a question independently. A tie has no winner. This command runs it:
---   moonlet run vote "Is src/parser.lua ready to merge?" --choices yes,no --voters 5
local m = require "moonlet"

return m.preset {
  name = "vote",
  summary = "Voters answer a question independently; a choice wins with enough votes, and a tie "
    .. "has no winner.",
  args = m.pack.args {
    question = m.arg.string { positional = true, required = true, help = "the question" },
    choices = m.arg.list { default = { "yes", "no" }, min = 2, max = 10, help = "two to ten" },
    voters = m.arg.integer { default = 3, min = 2, max = 9, help = "how many" },
    need = m.arg.integer { min = 1,
      help = "how many votes a choice must have (default: more than half)" },
  },
  needs = { agents = true, read = { "." } },
  budget = { tokens = 4000000, agents = 20, wall = "30m" },

  run = function(ctx, args)
    local result = m.patterns.vote(ctx, { question = args.question, choices = args.choices,
      voters = args.voters, need = args.need, pack = m.pack.of(ctx, args) })
    ctx:write("findings.md", m.patterns.page(result, args.question))
    return result
  end,
}
