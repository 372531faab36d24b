--- Formats the line that ctx:log writes, with tables as JSON.
local M = {}

local longest = 4000

local function shown(value)
  if type(value) ~= "table" then return tostring(value) end
  local ok, text = pcall(core.json.encode, value)
  return ok and text or tostring(value)
end

function M.of(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = shown(parts[i]) end
  return core.text.cut(table.concat(parts, " ", 1, parts.n), longest)
end

return M
