--- Reads the plan of a task, and reports which sections of a good plan it lacks.
local find, gmatch, lower, match = string.find, string.gmatch, string.lower, string.match

local M = {}

local plan_cap = 1 << 20

local SECTIONS = {
  { "Requirements", { "requirement", "acceptance" } },
  { "Existing patterns", { "pattern", "existing code", "style", "examples" } },
  { "Integration points", { "integration", "where to" } },
  { "Edge cases", { "edge case", "error handling", "handle" } },
  { "Expectations", { "expectation", "non-goals", "out of scope", "scope" } },
}

local function has(text, words)
  for line in gmatch(text, "[^\n]+") do
    local bare = match(line, "^[%s%-%*]*(.*)$")
    local title = match(bare, "^#.*$") or match(bare, "^([^:]*):")
    if title and #title < 200 then
      for _, word in ipairs(words) do
        if find(title, word, 1, true) then return true end
      end
    end
  end
  return false
end

--- Returns the sections that both the task and the plan lack.
---@param text string  task and plan together
function M.missing(text)
  local list, low = {}, lower(text)
  for _, section in ipairs(SECTIONS) do
    if not has(low, section[2]) then list[#list + 1] = section[1] end
  end
  return list
end

--- Reads the plan from a file of the repository. Raises an error if it does not exist.
---@param look table   ctx, or the view for a preset's check
function M.read(look, path)
  local text, err, cut = look:read(path, { cap = plan_cap })
  local kind = err and err.kind
  if not text then
    error({ kind = "invalid", at = path, message = "Plan file not found: " .. path,
      hint = kind == "denied" and err.message
        or "name a file of the repository, relative to its top" }, 0)
  end
  if cut or not utf8.len(text) then
    error({ kind = "invalid", at = path,
      message = ("the plan %s is larger than 1 MB, or is not UTF-8 text"):format(path),
      hint = "moonlet-executor --plan-template prints a plan to fill in" }, 0)
  end
  return text
end

return M
