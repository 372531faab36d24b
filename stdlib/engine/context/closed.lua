--- Makes reading an unknown field of a result an error that suggests a similar name.
local record = require "moonlet.record"

local M = {}

local function refuse(value, what, known, key)
  local names = {}
  for name in next, value do names[name] = true end
  for name in pairs(known) do names[name] = true end
  record.refuse(("%s has no '%s'"):format(what, core.text.printable(tostring(key), 60)),
    record.hint(tostring(key), names))
end

local function metatable_of(what, known)
  return { __metatable = "closed", __index = core.frames.closed(function(value, key)
    -- The iterators of pairs and ipairs read one index past the last item.
    if known[key] or math.type(key) == "integer" then return nil end
    refuse(value, what, known, key)
  end) }
end

local kinds = {}

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

--- Returns the metatable of a read-only object with methods. The methods are in a table of their own,
--- because a script could read `__index` and add a finalizer (__gc).
---@param name string   type of the object
---@param what string   the object in messages
---@param hints table<string, string>?  hint for a wrong name
function M.object(name, what, methods, hints)
  return {
    __index = function(_, key)
      if methods[key] then return core.frames.keep(methods[key]) end
      record.refuse(("%s has no '%s'"):format(what, tostring(key)),
        hints and hints[key] or record.hint(tostring(key), methods))
    end,
    __newindex = function() error({ kind = "denied", message = what .. " is read-only" }, 0) end,
    __metatable = false,
    __name = name,
  }
end

local deepest = 40

local function close(value, schema, what, depth)
  if type(value) ~= "table" or value == core.json.null or type(schema) ~= "table"
      or depth > deepest then
    return
  end
  if core.json.is_array(value) then
    local items = schema.items
    if type(items) ~= "table" or #items > 0 then return end
    for _, item in ipairs(value) do close(item, items, what .. "[]", depth + 1) end
    return
  end
  local fields = schema.properties
  if type(fields) ~= "table" or getmetatable(value) ~= nil then return end
  for name, part in next, fields do
    close(rawget(value, name), part, what .. "." .. name, depth + 1)
  end
  if schema.additionalProperties == false then setmetatable(value, metatable_of(what, fields)) end
end

function M.data(data, schema)
  if schema then close(data, schema, "data", 0) end
  return data
end

function M.copy(value)
  if type(value) ~= "table" then return value end
  local result = {}
  for key, item in pairs(value) do result[key] = M.copy(item) end
  return core.json.is_array(value) and core.json.array(result) or result
end

--- Copies a preset's arguments, so that a preset that changes them does not change the run's
--- record.
function M.args(args, declared)
  return setmetatable(M.copy(args), metatable_of("args", declared))
end

return M
