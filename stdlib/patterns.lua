--- Defines orchestration patterns: plain functions of `(ctx, opts)` that a preset composes.
--- Each pattern has a preset of its name, and checks its options before it starts an agent.
---
--- Every pattern accepts `agent` (fields for each of its calls, such as runner or model).
--- All patterns accept `pack` (a context pack) and `data` (material that prompts fence).
--- Each result has `summary`, `next_action` and `lost`. The agents' texts stay in the artifacts.
local names = { "triangulated_review", "review_fix", "scout_act_verify", "split_sections",
  "research", "options_sprint", "vote", "judge_panel", "until_green", "until_dry", "tournament" }

---@class moonlet.patterns
local M = {}

local function bullets(lines, title, list, text_of)
  if type(list) ~= "table" or #list == 0 then return end
  lines[#lines + 1] = "\n## " .. title .. "\n"
  for _, item in ipairs(list) do lines[#lines + 1] = "- " .. text_of(item) end
end

local function inline(text) return require("moonlet.findings").inline(tostring(text), 2000) end

--- Formats the result of a pattern as a Markdown page: summary, next step, failed branches.
--- The agents' texts stay in the artifacts.
--- ```lua
--- local page = m.patterns.page({ summary = "2 of 3 agree", next_action = "Take it.", lost = {} }, "The vote")
--- page:match "[^\n]+" --> "# The vote"
--- ```
---@param result {summary: string?, next_action: string?, details: string[]?, lost: table[]?}
---@param title string?
---@return string
function M.page(result, title)
  local lines = { "# " .. inline(title or "Result"), "", inline(result.summary or "") }
  bullets(lines, "Details", result.details, inline)
  bullets(lines, "Lost", result.lost, function(item)
    local who = item.branch or item.review or "a worker"
    return ("%s: %s"):format(inline(who), inline(item.message or ""))
  end)
  lines[#lines + 1] = "\n## Next\n"
  lines[#lines + 1] = inline(result.next_action or "")
  return table.concat(lines, "\n") .. "\n"
end

local known = {}
for _, name in ipairs(names) do known[name] = true end

return setmetatable(M, {
  __index = function(_, name)
    if not known[name] then return nil end
    M[name] = require("moonlet.patterns." .. name)[name]
    return M[name]
  end,
  __pairs = function(self)
    for _, name in ipairs(names) do local _ = self[name] end
    return next, self, nil
  end,
})
