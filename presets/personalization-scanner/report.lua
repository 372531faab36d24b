--- findings.md and findings.json.
local m = require "moonlet"

local M = {}

local places_shown = 5

local function percent(number)
  return ("%.0f %%"):format(number * 100)
end

local function plain(text)
  return (text:gsub("%s+", " "))
end

local function counted(number, one, many)
  return ("%d %s"):format(number, number == 1 and one or many)
end

--- The omissions and their reasons, one line each.
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

local TITLES = { user = "About the user", project = "About the project", repository = "About the repository",
  tool = "About tools" }

local function places(evidence)
  local shown = table.concat(evidence, ", ", 1, math.min(#evidence, places_shown))
  if #evidence > places_shown then shown = ("%s and %d more"):format(shown, #evidence - places_shown) end
  return plain(shown)
end

local function add_item(lines, item)
  lines[#lines + 1] = ("- **%s** (%s)\n  seen at %s\n  for %s\n  privacy: %s"):format(plain(item.text),
    percent(item.confidence), places(item.evidence), plain(item.target), plain(item.privacy))
end

---@param preferences table[]
---@param outcome table
---@param runner string
---@return string
function M.markdown(preferences, outcome, runner)
  local lines = { "# Preferences to consider", "" }
  local by = not runner and "rules without an agent" or "the runner " .. runner
  if #preferences == 0 then
    lines[#lines + 1] = ("No standing preference was found in %s, by %s."):format(counted(outcome.inputs, "input",
      "inputs"), by)
  else
    lines[#lines + 1] = ("%s from %s, by %s. Nothing was written to any memory: what is taken over, and where, is for"
      .. " the main agent to decide."):format(counted(#preferences, "candidate", "candidates"),
      counted(outcome.inputs, "input", "inputs"), by)
  end
  -- Preferences that stand already where agents read them come last: there is little to decide about them.
  local already = {}
  for _, scope in ipairs { "user", "project", "repository", "tool" } do
    local items = {}
    for _, item in ipairs(preferences) do
      local stands = item.target:find("(stands there already)", 1, true)
      if item.scope == scope then table.insert(stands and already or items, item) end
    end
    if #items > 0 then lines[#lines + 1] = ("\n## %s\n"):format(TITLES[scope]) end
    for _, item in ipairs(items) do add_item(lines, item) end
  end
  if #already > 0 then lines[#lines + 1] = "\n## Written down already\n" end
  for _, item in ipairs(already) do
    lines[#lines + 1] = ("- **%s** (%s, %s)\n  seen at %s; privacy: %s"):format(plain(item.text), item.scope,
      percent(item.confidence), places(item.evidence), plain(item.privacy))
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
