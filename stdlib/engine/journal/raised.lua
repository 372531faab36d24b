local records = require "moonlet.engine.journal.records"
local values = require "moonlet.engine.journal.values"
local task = core.task

local M = {}

local longest_text = 4096

local function form(err)
  if type(err) ~= "table" then
    return { kind = "failed", message = core.text.cut(tostring(err), longest_text) }
  end
  local kept = {}
  for _, key in ipairs { "kind", "message", "hint", "at", "blocked" } do
    local value = rawget(err, key)
    if type(value) == "string" then value = core.text.cut(value, longest_text) end
    if type(value) == "string" or type(value) == "boolean" then kept[key] = value end
  end
  return kept
end

local deepest_error = 16

local function plain_of(value, depth)
  local kind = type(value)
  if kind == "string" or kind == "boolean" or math.type(value) == "integer" then return value end
  if value == core.json.null or core.lost.record(value) then return value end
  if kind == "number" then
    return value == value and math.abs(value) < math.huge and value or nil
  end
  if kind ~= "table" or depth > deepest_error then return nil end
  local is_list = core.json.is_array(value) or rawlen(value) > 0
  local copy = is_list and core.json.array {} or {}
  for key, item in next, value do
    if math.type(key) == "integer" == is_list and (is_list or type(key) == "string") then
      copy[is_list and #copy + 1 or key] = plain_of(item, depth + 1)
    end
  end
  return copy
end

local function printing(value)
  local is_error = type(value) == "table" and type(value.kind) == "string"
    and type(value.message) == "string"
  return is_error and task.as_error(value) or value
end

--- Stores a raised value in an end record, and returns it as a replay would raise it.
---@param item table     record of the end
---@param durable boolean?  write the value to disk before returning
function M.put(item, err, durable)
  local plain = plain_of(err, 1)
  if plain == nil then plain = tostring(err) end
  item.error, item.raised = form(plain), values.put(plain, durable)
  return printing(plain)
end

--- Returns the value that a step raised. Old records have only its short form.
function M.get(item)
  local stored = records.stored(item, "raised")
  local plain = stored ~= nil and values.get(stored)
  if plain == nil or plain == false and stored ~= false then plain = item.error end
  return printing(plain)
end

return M
