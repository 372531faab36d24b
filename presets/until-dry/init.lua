--- Has reviewers search in rounds for problems that earlier rounds missed. This command runs it:
---   moonlet run until-dry src/parser.lua --rounds 8
local m = require "moonlet"

return m.preset {
  name = "until-dry",
  summary = "Rounds of reviewers look for findings, until some rounds in a row find nothing new.",
  args = m.pack.args {
    artifact = m.arg.path { positional = true, required = true, words = true,
      help = "where to look, in words or as a path" },
    lenses = m.arg.list { default = { "correctness", "risks", "tests" }, min = 1, max = 11,
      help = "one for each round, in turn" },
    rounds = m.arg.integer { default = 6, min = 2, max = 20, help = "how many rounds at most" },
    dry = m.arg.integer { default = 2, min = 1,
      help = "stop after this many rounds in a row with nothing new" },
  },
  needs = { agents = true, read = { "." } },
  budget = { tokens = 8000000, agents = 45, wall = "2h" },

  run = function(ctx, args)
    local result = m.patterns.until_dry(ctx, { artifact = args.artifact, lenses = args.lenses,
      rounds = args.rounds, dry = args.dry, pack = m.pack.of(ctx, args) })
    ctx:write("findings.json", m.findings.json(result))
    ctx:write("findings.md", m.findings.markdown(result, {
      title = "Findings in " .. args.artifact, checked = result.summary }))
    return result
  end,
}
