--- Results are closed: a script that reads a field which is not there, and could not be, gets an error that names the
--- near one. A closed table is a plain one else: it is counted, walked, changed and encoded as any other.
local record = require "moonlet.record"

local M = {}

local function refuse(value, what, known, key)
  local names = {}
  for name in next, value do names[name] = true end
  for name in pairs(known) do names[name] = true end
  error(record.invalid(("%s has no '%s'"):format(what, core.text.printable(tostring(key), 60)),
    record.hint(tostring(key), names)), 0)
end

local function metatable_of(what, known)
  return { __metatable = "closed", __index = core.frames.closed(function(value, key)
    -- pairs and ipairs ask for what comes after the last item.
    if known[key] or math.type(key) == "integer" then return nil end
    refuse(value, what, known, key)
  end) }
end

local kinds = {}

--- Closes a result. `what` names it in messages ("an answer"), `known` are the fields that may be nil.
---@generic T: table
---@param value T
---@param what string
---@param known string[]
---@return T
function M.record(value, what, known)
  local metatable = kinds[what]
  if not metatable then
    local set = {}
    for _, name in ipairs(known) do set[name] = true end
    metatable = metatable_of(what, set)
    kinds[what] = metatable
  end
  return setmetatable(value, metatable)
end

local deepest = 40

local function close(value, schema, what, depth)
  if type(value) ~= "table" or value == core.json.null or type(schema) ~= "table" or depth > deepest then return end
  if core.json.is_array(value) then
    local items = schema.items
    if type(items) ~= "table" or #items > 0 then return end
    for _, item in ipairs(value) do close(item, items, what .. "[]", depth + 1) end
    return
  end
  local fields = schema.properties
  if type(fields) ~= "table" or getmetatable(value) ~= nil then return end
  for name, part in next, fields do close(rawget(value, name), part, what .. "." .. name, depth + 1) end
  if schema.additionalProperties == false then setmetatable(value, metatable_of(what, fields)) end
end

--- Closes the objects of data that a schema describes whole.
---@param data any
---@param schema table?
---@return any data
function M.data(data, schema)
  if schema then close(data, schema, "data", 0) end
  return data
end

--- A deep copy of plain data. A list stays a list.
---@generic T
---@param value T
---@return T
function M.copy(value)
  if type(value) ~= "table" then return value end
  local result = {}
  for key, item in pairs(value) do result[key] = M.copy(item) end
  return core.json.is_array(value) and core.json.array(result) or result
end

--- The arguments of a preset, closed. It is a copy: a preset may change its own, and the record keeps the given ones.
---@param args table<string, any>
---@param declared table<string, any>
---@return table
function M.args(args, declared) return setmetatable(M.copy(args), metatable_of("args", declared)) end

return M
