--- Makes up answers that fit a call's schema, for `--runner mock`, so that no agent is needed.
--- The same step gets the same answer each time. The texts of an answer say that they are made up.
local context = require "moonlet.engine.context.context"
local mock_pattern = require "moonlet.engine.runner.mock_pattern"
local record = require "moonlet.record"
local schemas = require "moonlet.engine.runner.schema"

local M = {}

local null = core.json.null
local tries = 24
local deep = 6
local too_deep = 40

local samples = { ["date-time"] = "2026-01-01T00:00:00Z", date = "2026-01-01", time = "00:00:00Z",
  email = "mock@example.com", uri = "https://example.com/mock",
  uuid = "00000000-0000-4000-8000-000000000000", ipv4 = "192.0.2.1", ipv6 = "2001:db8::1",
  regex = "mock" }

--- Returns a deterministic source of numbers, seeded with a text.
local function numbers_of(seed)
  local count, digits = 0, ""
  local function next_number()
    if #digits < 8 then
      count = count + 1
      digits = core.text.sha256(("%s %d"):format(seed, count))
    end
    local number = tonumber(digits:sub(1, 8), 16)
    digits = digits:sub(9)
    return number
  end
  return function(most) return next_number() % most + 1 end
end

local make

local function type_of(schema)
  local given = schema.type
  if type(given) == "table" then
    for _, name in ipairs(given) do
      if name ~= "null" then return name end
    end
    return "null"
  end
  if given then return given end
  if schema.properties or schema.required then return "object" end
  if schema.items then return "array" end
  if schema.minimum or schema.maximum then return "number" end
  return "string"
end

local function make_object(schema, at)
  local result, needed = {}, {}
  for _, name in ipairs(schema.required or {}) do needed[name] = true end
  for name, part in pairs(schema.properties or {}) do
    if needed[name] or at.depth < deep then result[name] = make(part, at, name) end
    needed[name] = nil
  end
  local rest = type(schema.additionalProperties) == "table" and schema.additionalProperties or {}
  for name in pairs(needed) do result[name] = make(rest, at, name) end
  local count = 0
  for _ in pairs(result) do count = count + 1 end
  for i = 1, (schema.minProperties or 0) - count do
    result["mock" .. i] = make(rest, at, "mock" .. i)
  end
  return result
end

local function make_list(schema, at, name)
  local items, result = schema.items, core.json.array {}
  local tuple = type(items) == "table" and #items > 0 and items or nil
  local count = math.max(schema.minItems or 0,
    at.depth < deep and (tuple and #tuple or 1 + at.pick(2)) or 0)
  if schema.contains then count = math.max(count, 1) end
  count = math.min(count, schema.maxItems or count)
  for i = 1, count do
    local part = tuple and (tuple[i] or schema.additionalItems) or not tuple and items or nil
    if i == 1 and schema.contains then part = schema.contains end
    result[i] = make(type(part) == "table" and part or {}, at, ("%s %d"):format(name, i))
  end
  return result
end

local function make_text(schema, at, name)
  if schema.format and samples[schema.format] then return samples[schema.format] end
  if schema.pattern then return mock_pattern.text(schema.pattern, at.pick) end
  local text = "mock " .. name
  local least, most = schema.minLength or 0, schema.maxLength or 1 << 20
  if #text < least then text = text .. ("."):rep(least - #text) end
  return #text > most and text:sub(1, most) or text
end

local function make_number(schema, at, whole)
  local step = schema.multipleOf or whole and 1 or 0.25
  local low, high = schema.minimum, schema.maximum
  if type(schema.exclusiveMinimum) == "number" then low = schema.exclusiveMinimum + step end
  if type(schema.exclusiveMaximum) == "number" then high = schema.exclusiveMaximum - step end
  low = low or high and math.min(0, high) or 0
  local first = math.ceil(low / step)
  local last = math.max(first, math.floor((high or low + 9 * step) / step))
  local number = (first + at.pick(math.min(last - first + 1, 1000)) - 1) * step
  if first * step > (high or math.huge) then number = (low + high) / 2 end
  return whole and math.tointeger(number) or number
end

local function merged(parts)
  local all = {}
  for _, part in ipairs(parts) do
    for key, value in pairs(part) do
      if key == "properties" and all.properties then
        local both = {}
        for name, one in pairs(all.properties) do both[name] = one end
        for name, one in pairs(value) do both[name] = one end
        all.properties = both
      elseif key == "required" and all.required then
        all.required = table.move(value, 1, #value, #all.required + 1,
          { table.unpack(all.required) })
      else
        all[key] = value
      end
    end
  end
  return all
end

local makers = {
  object = make_object, array = make_list,
  integer = function(schema, at) return make_number(schema, at, true) end,
  number = function(schema, at) return make_number(schema, at, false) end,
  boolean = function(_, at) return at.pick(2) == 1 end,
  null = function() return null end,
}

function make(schema, at, name)
  if type(schema) ~= "table" then return "mock " .. name end
  schema = schemas.resolve(schema, at.root)
  if schema.const ~= nil then return schema.const end
  if schema.enum then return schema.enum[at.pick(#schema.enum)] end
  -- Prefer the schema's examples, because only its author knows which values fit together.
  local shown = type(schema.examples) == "table" and schema.examples or {}
  if #shown > 0 then return shown[at.pick(#shown)] end
  if at.depth > too_deep then return null end
  at.depth = at.depth + 1
  local branches = schema.anyOf or schema.oneOf
  local made
  if schema.allOf or branches then
    local parts, rest = {}, {}
    for key, value in pairs(schema) do
      if key ~= "allOf" and key ~= "anyOf" and key ~= "oneOf" then rest[key] = value end
    end
    for i, part in ipairs(schema.allOf or {}) do parts[i] = schemas.resolve(part, at.root) end
    parts[#parts + 1] = rest
    if branches then parts[#parts + 1] = schemas.resolve(branches[at.pick(#branches)], at.root) end
    made = make(merged(parts), at, name)
  else
    made = (makers[type_of(schema)] or make_text)(schema, at, name)
  end
  at.depth = at.depth - 1
  return made
end

---@return {text: string, data: any}
function M.answer(schema, key)
  if not schema then
    return { text = ("[mock] no agent was asked: this stands for the answer of '%s'"):format(
      context.plain(key)) }
  end
  local problems
  for i = 1, tries do
    local at = { root = schema, pick = numbers_of(("%s %d"):format(key, i)), depth = 0 }
    local ok, value = pcall(make, schema, at, "text")
    problems = not ok and tostring(type(value) == "table" and value.message or value)
      or core.json.validate(schema, value)
    if not problems then return { text = core.json.encode(value, 2), data = value } end
  end
  record.refuse(("the runner mock cannot make an answer that fits the schema of '%s': %s"):format(
    context.plain(key), schemas.in_words(tostring(problems))),
    "play a cassette in a test, or give the preset an answer without an agent")
end

return M
