--- Compares candidates, each of which is a file, in pairs. This command runs it:
---   moonlet run tournament --candidates drafts/a.md,drafts/b.md,drafts/c.md --criteria "it is short"
local m = require "moonlet"

return m.preset {
  name = "tournament",
  summary =
    "Candidates meet in pairs, and the better one by stated criteria stays, until one is left.",
  args = m.pack.args {
    candidates = m.arg.paths { positional = true, required = true, exists = true, min = 2, max = 16,
      help = "files, two to 16" },
    criteria = m.arg.list { required = true, min = 1, help = "what the judges go by" },
  },
  needs = { agents = true, read = { "." } },
  budget = { tokens = 6000000, agents = 30, wall = "1h" },

  run = function(ctx, args)
    local candidates = {}
    for i, path in ipairs(args.candidates) do
      candidates[i] = { name = path, text = ctx:read(path) }
    end
    local result = m.patterns.tournament(ctx, { candidates = candidates, criteria = args.criteria,
      goal = args.goal ~= "" and args.goal or nil, pack = m.pack.of(ctx, args) })
    ctx:write("findings.md", m.patterns.page(result, "The best of " .. #args.candidates))
    return result
  end,
}
