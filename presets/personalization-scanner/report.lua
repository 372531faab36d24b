--- findings.md and findings.json.
local m = require "moonlet"

local M = {}

local function percent(number)
  return ("%.0f %%"):format(number * 100)
end

local function cell(text)
  return (text:gsub("|", "\\|"):gsub("\n", " "))
end

--- What was left out and why, one line each.
local function left_out(outcome)
  local lines = {}
  local function add(count, text)
    if count > 0 then lines[#lines + 1] = ("- %d %s"):format(count, text) end
  end
  add(outcome.dropped.secret, "left out because a secret stood in the sentence")
  add(outcome.dropped.personal, "left out because something personal stood in the sentence")
  add(outcome.injected, "left out because they try to give orders to whoever reads them: look at the inputs")
  add(outcome.unfounded, "left out because their place is in none of the inputs")
  add(outcome.conflicts, "pairs contradict each other and count as unsure")
  for _, skipped in ipairs(outcome.skipped) do
    lines[#lines + 1] = ("- not read: %s (%s)"):format(m.git.show_path(skipped.path, 120), skipped.why)
  end
  for _, path in ipairs(outcome.cut) do
    lines[#lines + 1] = ("- read in part, it is too large: %s"):format(m.git.show_path(path, 120))
  end
  return lines
end

---@param preferences table[]
---@param outcome table
---@param runner string
---@return string
function M.markdown(preferences, outcome, runner)
  local lines = { "# Preferences to consider", "" }
  lines[#lines + 1] =
    ("%d candidates from %d inputs, by %s. Nothing was written to any memory: what is taken over, and where,"
    .. " is for the main agent to decide."):format(#preferences, outcome.inputs,
    runner == "rules" and "rules without a model" or "the runner " .. runner)
  for _, scope in ipairs { "user", "project", "repository", "tool" } do
    local rows = {}
    for _, item in ipairs(preferences) do
      if item.scope == scope then
        rows[#rows + 1] = ("| %s | %s | %s | %s | %s |"):format(cell(item.text), percent(item.confidence),
          cell(table.concat(item.evidence, ", ")), cell(item.target), cell(item.privacy))
      end
    end
    if #rows > 0 then
      lines[#lines + 1] =
        ("\n## %s\n\n| preference | confidence | seen at | suggested place | privacy |\n|---|---|---|---|---|")
        :format(scope)
      for _, row in ipairs(rows) do lines[#lines + 1] = row end
    end
  end
  local out = left_out(outcome)
  if #out > 0 then
    lines[#lines + 1] = "\n## Left out\n"
    for _, line in ipairs(out) do lines[#lines + 1] = line end
  end
  return table.concat(lines, "\n") .. "\n"
end

---@param result table
---@return string
function M.json(result)
  return m.json.encode(result, 2) .. "\n"
end

return M
