--- Patterns of orchestration: plain functions of `(ctx, opts)` that a preset composes. Each has a preset of its name,
--- and each refuses its own misuse before an agent is started.
---
--- All of them take `agent`, a table with further fields for each of their calls (runner, model, timeout, …), `pack`, a
--- context pack, and `data`, material that is fenced in the prompts. Their results have `summary`, `next_action` and
--- `lost`; what the agents wrote stays in the artifacts.
local names = { "triangulated_review", "review_fix", "scout_act_verify", "split_sections", "research", "options_sprint",
  "vote", "judge_panel", "until_green", "until_dry", "tournament", "page" }

---@class moonlet.patterns
local M = {}

local files = { page = "moonlet.patterns.report" }
for _, name in ipairs(names) do files[name] = files[name] or "moonlet.patterns." .. name end

return setmetatable(M, {
  __index = function(_, name)
    if not files[name] then return nil end
    M[name] = require(files[name])[name]
    return M[name]
  end,
  __pairs = function(self)
    for _, name in ipairs(names) do local _ = self[name] end
    return next, self, nil
  end,
})
