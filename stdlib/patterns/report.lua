local M = {}

local function bullets(lines, title, list, text_of)
  if type(list) ~= "table" or #list == 0 then return end
  lines[#lines + 1] = "\n## " .. title .. "\n"
  for _, item in ipairs(list) do lines[#lines + 1] = "- " .. text_of(item) end
end

local function inline(text) return require("moonlet.findings").inline(tostring(text), 2000) end

--- The result of a pattern as a page: what it came to, the one next step, and what was lost. What the agents wrote
--- stays in the artifacts.
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
    return ("%s: %s"):format(inline(item.branch or item.review or "a worker"), inline(item.message or ""))
  end)
  lines[#lines + 1] = "\n## Next\n"
  lines[#lines + 1] = inline(result.next_action or "")
  return table.concat(lines, "\n") .. "\n"
end

return M
