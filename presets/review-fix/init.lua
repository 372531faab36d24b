--- Has a reviewer rank issues, an implementer fix the top ones, and a verifier check them. Try:
---   moonlet run review-fix src/parser.lua --scope src --checks "test:make test" --allow run=make
local m = require "moonlet"

return m.preset {
  name = "review-fix",
  summary =
    "A review finds issues, an implementer fixes the top ones, and a verifier checks the result.",
  args = m.pack.args {
    artifact = m.arg.path { positional = true, required = true, words = true,
      help = "what to review and fix, in words or as a path" },
    scope = m.arg.paths { required = true, help = "the files or folders that may change" },
    lenses = m.arg.list { default = { "correctness" }, min = 1, max = 4,
      help = "one to four lenses" },
    top = m.arg.integer { default = 3, min = 1, max = 10, help = "how many issues to fix" },
    least = m.arg.string { default = "low", choices = { "critical", "high", "medium", "low",
      "info" }, help = "the least severity that is worth a fix" },
    checks = m.arg.checks { default = {},
      help = "commands to run after the fix, as test:make test" },
  },
  needs = { programs = { "git" }, agents = true, read = { "." }, write = { "." } },
  budget = { tokens = 10000000, agents = 20, wall = "1h" },

  run = function(ctx, args)
    local result = m.patterns.review_fix(ctx, {
      artifact = args.artifact, scope = args.scope, lenses = args.lenses, top = args.top,
      least = args.least,
      checks = args.checks, pack = m.pack.of(ctx, args),
      -- Each worker can get a runner and a model: implementer = { model = "…" }
    })
    ctx:write("findings.md", m.patterns.page(result, "Review and fix of " .. args.artifact))
    return result
  end,
}
