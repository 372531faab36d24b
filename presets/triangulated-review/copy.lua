--- Has reviewers with different lenses read one artifact in parallel. This command runs it:
---   moonlet run triangulated-review src/parser.lua --lenses correctness,risks
local m = require "moonlet"

return m.preset {
  name = "triangulated-review",
  summary =
    "Reviewers with different lenses read the same thing; their findings become one ranked list.",
  args = m.pack.args {
    artifact = m.arg.path { positional = true, required = true, words = true,
      help = "what to review, in words or as a path" },
    lenses = m.arg.list { default = { "correctness", "risks", "tests" }, min = 2, max = 4,
      help = "two to four lenses" },
    need = m.arg.integer { default = 2, min = 1, help = "how many reviews must succeed" },
  },
  needs = { agents = true, read = { "." } },
  budget = { tokens = 4000000, agents = 20, wall = "20m" },

  run = function(ctx, args)
    local result = m.patterns.triangulated_review(ctx, { artifact = args.artifact,
      lenses = args.lenses, need = args.need, merge = { root = ctx.repo },
      pack = m.pack.of(ctx, args) })
    ctx:write("findings.json", m.findings.json(result))
    ctx:write("findings.md", m.findings.markdown(result, {
      title = "Findings in " .. args.artifact, checked = result.summary }))
    return result
  end,
}
