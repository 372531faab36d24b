--- Has judges score candidates, each of which is a file. This command runs it:
---   moonlet run judge-panel --candidates drafts/a.md,drafts/b.md --criteria "it is short,it is true"
local m = require "moonlet"

return m.preset {
  name = "judge-panel",
  summary = "Judges score the same candidates independently; their means rank them, and "
    .. "disagreements are named.",
  args = m.pack.args {
    candidates = m.arg.paths { positional = true, required = true, exists = true, min = 2, max = 8,
      help = "files, two to 8" },
    criteria = m.arg.list { required = true, min = 1, help = "what the judges go by" },
    judges = m.arg.integer { default = 3, min = 2, max = 5, help = "how many" },
  },
  needs = { agents = true, read = { "." } },
  budget = { tokens = 6000000, agents = 30, wall = "1h" },

  run = function(ctx, args)
    local candidates = {}
    for i, path in ipairs(args.candidates) do
      candidates[i] = { name = path, text = ctx:read(path) }
    end
    local result = m.patterns.judge_panel(ctx, { candidates = candidates, judges = args.judges,
      criteria = args.criteria,
      goal = args.goal ~= "" and args.goal or nil, pack = m.pack.of(ctx, args) })
    ctx:write("findings.md", m.patterns.page(result, "The best of " .. #args.candidates))
    return result
  end,
}
