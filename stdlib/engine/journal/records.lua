--- Lists the fields that each kind of journal record must have. journal.lua explains them.
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"

local M = {}

-- A name with `?` is optional. `result` and `raised` may be any JSON value.
local shapes = {
  drive = {}, over = { verdict = "string" }, decision = {}, review = { state = "string" },
  begin = { key = "string", attempt = "integer", input_hash = "string", ["repair?"] = "boolean",
    ["once?"] = "boolean", ["root?"] = "boolean", ["need?"] = "table", ["runner?"] = "string",
    ["model?"] = "string", ["raw?"] = "string", ["tree?"] = "string" },
  alive = { ["key?"] = "string" }, scope = { key = "string", driven_ms = "integer",
    ["status?"] = "string" },
  ["end"] = { key = "string", input_hash = "string", status = "string", ["whole?"] = "string",
    ["places?"] = "table", ["raw?"] = "string", ["notes?"] = "table" },
  fact = { key = "string", input_hash = "string", ["whole?"] = "string", ["places?"] = "table",
    ["raw?"] = "string" },
  timeout = { key = "string", error = "table" },
  answer = { key = "string", ["places?"] = "table" },
  attempt = { key = "string", outcome = "table" },
  remote = { key = "string", id = "string", nonce = "string", on = "string",
    ["queue_ms?"] = "integer" },
  cleared = { on = "string" },
  spent = { key = "string", ["repair?"] = "boolean" },
  name = { stand_in = "string", raw = "string" },
}

-- Lists fields as { name, type, optional }; a list is checked faster than a map.
local fields_of = {}
for kind, shape in pairs(shapes) do
  local list = {}
  for name, wanted in pairs(shape) do
    local field, optional = name:gsub("%?$", "")
    list[#list + 1] = { field, wanted, optional == 1 }
  end
  fields_of[kind] = list
end

--- Opens the journal of the current run. core.journal must be told its large fields.
---@return fun(): integer, any, string?, boolean? records  order, record, why unreadable, lazy
function M.open()
  return core.journal.open {
    large = { "result", "raised" },
    deadline = { record = { type = "timeout" }, key = "key", error = "error" },
  }
end

--- Reports whether a host has executed the run, or its result was decided about.
function M.has_driver(text)
  for _, kind in ipairs { "drive", "decision", "over" } do
    if text:find(('"type":"%s"'):format(kind), 1, true) then return true end
  end
  return false
end

local function has_type(value, wanted)
  if wanted == "integer" then return math.type(value) == "integer" end
  return type(value) == wanted
end

--- Explains why a record is invalid, or returns nil.
--- The hash chain is already verified, so the cause is another version or a deliberate edit.
local function problem_of(item)
  local fields = type(item) == "table" and type(item.type) == "string" and fields_of[item.type]
  if not fields then
    return ("a record of the type '%s' is not known"):format(
      core.text.printable(type(item) == "table" and tostring(item.type) or "none", 40))
  end
  for i = 1, #fields do
    local field, value = fields[i], item[fields[i][1]]
    if not (has_type(value, field[2]) or (field[3] and value == nil)) then
      return ("the field '%s' of a record '%s' is not a %s"):format(field[1], item.type, field[2])
    end
  end
  if item.type == "end" and item.status == "failed" and type(item.error) ~= "table" then
    return "an end 'failed' has no error"
  end
end

local function refusal(order, problem)
  return { kind = "failed",
    message = ("record %d of the journal cannot be understood: %s"):format(order, problem),
    hint = "resume it with the version of moonlet that started it, or start a new run" }
end

---@param unread string?  why the record could not be read
---@param lazy boolean?  large results stay in the file until they are needed
function M.check(item, order, unread, lazy)
  local problem = unread or problem_of(item)
  if problem then error(refusal(order, problem), 0) end
  item.order, item.lazy = order, lazy
  return item
end

--- Returns a record's value. A large value is read and verified again.
---@param name "result"|"raised"
function M.stored(item, name)
  if not item.lazy or item[name] ~= nil then return item[name] end
  local value, unread = infrastructure_error.call(core.journal.value, item.order, name)
  if unread then error(infrastructure_error.mark(refusal(item.order, unread)), 0) end
  return value
end

return M
