--- Converts JSON Schemas for providers with strict structured output.
--- Strict mode closes every object, requires every field and has no free-form parts.
--- An optional field becomes nullable in the request; its null is removed from the answer.
--- The host validates the answer against the original schema.
local M = {}

local null = core.json.null
local deepest = 40

--- Lists the keywords of a strict schema. The host checks those that only narrow it in the answer.
local plain = { type = true, description = true, title = true, enum = true, const = true,
  minimum = true, maximum = true, minItems = true, maxItems = true }
local unsayable = { "not", "if", "then", "else", "patternProperties", "dependencies",
  "propertyNames", "contains" }
local refs = { definitions = true, ["$defs"] = true }

local function fail(why) error({ why = why }, 0) end

local function contains(list, wanted)
  for _, item in ipairs(type(list) == "table" and list or {}) do
    if item == wanted then return true end
  end
  return false
end

local function has_type(schema, name) return schema.type == name or contains(schema.type, name) end

local function is_required(schema, name) return contains(schema.required, name) end

local function copy(value, depth)
  if type(value) ~= "table" then return value end
  if (depth or 0) > deepest then fail "it nests too deep" end
  local result = core.json.is_array(value) and core.json.array {} or {}
  for key, item in pairs(value) do result[key] = copy(item, (depth or 0) + 1) end
  return result
end

local function nullable(schema)
  if schema.anyOf and not schema["$ref"] and not schema.type then
    schema.anyOf[#schema.anyOf + 1] = { type = "null" }
    return schema
  end
  if schema["$ref"] or schema.anyOf or not schema.type then
    return { anyOf = core.json.array { schema, { type = "null" } } }
  end
  if has_type(schema, "null") then return schema end
  if type(schema.type) == "string" then
    schema.type = core.json.array { schema.type, "null" }
  else
    schema.type[#schema.type + 1] = "null"
  end
  if schema.enum then schema.enum[#schema.enum + 1] = null end
  if schema.const ~= nil then
    schema.enum, schema.const = core.json.array { schema.const, null }, nil
  end
  return schema
end

local convert

local function convert_object(schema, result, depth)
  local properties = schema.properties
  if type(properties) ~= "table" or next(properties) == nil then
    fail "it has an object whose fields are not named"
  end
  if type(schema.additionalProperties) == "table" then
    fail "it has an object with fields of any name"
  end
  result.properties, result.additionalProperties = {}, false
  local names = {}
  for name, part in pairs(properties) do
    local made = convert(part, depth + 1)
    result.properties[name] = is_required(schema, name) and made or nullable(made)
    names[#names + 1] = name
  end
  for _, name in ipairs(type(schema.required) == "table" and schema.required or {}) do
    if properties[name] == nil then fail "it requires a field that it does not describe" end
  end
  table.sort(names)
  result.required = core.json.array(names)
end

function convert(schema, depth)
  if depth > deepest then fail "it nests too deep" end
  if type(schema) ~= "table" or next(schema) == nil then
    fail "it has a part that may be anything"
  end
  for _, word in ipairs(unsayable) do
    if schema[word] ~= nil then fail(("it uses '%s'"):format(word)) end
  end
  local result = {}
  for key, value in pairs(schema) do
    if plain[key] then result[key] = copy(value) end
  end
  local ref = schema["$ref"]
  if ref then
    if type(ref) ~= "string" or not (ref == "#" or ref:find("^#/")) then
      fail "it refers to another document"
    end
    return { ["$ref"] = ref }
  end
  if schema.allOf ~= nil then
    if type(schema.allOf) ~= "table" or #schema.allOf ~= 1 or result.type then
      fail "it uses 'allOf'"
    end
    return convert(schema.allOf[1], depth + 1)
  end
  local branches = schema.anyOf or schema.oneOf
  if branches then
    if schema.properties then fail "it mixes fields and alternatives" end
    result.anyOf = core.json.array {}
    for i, part in ipairs(branches) do result.anyOf[i] = convert(part, depth + 1) end
    result.type = nil
  elseif has_type(schema, "object") or schema.properties then
    if not result.type then result.type = "object" end
    convert_object(schema, result, depth)
  elseif has_type(schema, "array") then
    if type(schema.items) ~= "table" or #schema.items > 0 then fail "it has a list of anything" end
    result.items = convert(schema.items, depth + 1)
  elseif not result.type and result.enum == nil and result.const == nil then
    fail "it has a part that may be anything"
  end
  for key in pairs(refs) do
    if type(schema[key]) == "table" then
      result[key] = {}
      for name, part in pairs(schema[key]) do result[key][name] = convert(part, depth + 1) end
    end
  end
  return result
end

--- Restricts a root of several types to object, because providers accept only that.
local function narrowed(schema)
  if type(schema.type) ~= "table" or not has_type(schema, "object")
      or type(schema.properties) ~= "table" then
    return schema
  end
  local made = {}
  for key, value in pairs(schema) do made[key] = value end
  made.type, made.items = "object", nil
  return made
end

local function is_object_root(schema)
  return schema.type == "object" or schema.type == nil and type(schema.properties) == "table"
end

--- Wraps a schema whose root is not an object under the field "value".
local function wrap(made)
  local root = { type = "object", properties = { value = made },
    required = core.json.array { "value" }, additionalProperties = false }
  for key in pairs(refs) do root[key], made[key] = made[key], nil end
  return root
end

local function refers_to_root(schema, depth)
  if type(schema) ~= "table" or depth > deepest then return false end
  if schema["$ref"] == "#" then return true end
  for _, part in pairs(schema) do
    if refers_to_root(part, depth + 1) then return true end
  end
  return false
end

--- Returns a schema with an object at the root, or nil and the reason why that is impossible.
function M.object(schema)
  schema = narrowed(schema)
  if is_object_root(schema) then return schema end
  if refers_to_root(schema, 0) then
    return nil, "it refers to its own root, which is not an object"
  end
  local ok, made = pcall(copy, schema)
  if not ok then return nil, "it nests too deep" end
  made["$schema"] = nil
  return wrap(made)
end

--- Returns the field `value` of an answer if M.object() had to wrap the answer's schema.
function M.unwrap(value, schema)
  schema = narrowed(schema)
  if not is_object_root(schema) and type(value) == "table" and not core.json.is_array(value)
    and value.value ~= nil and next(value, next(value)) == nil then
    return value.value
  end
  return value
end

--- Converts a schema for strict mode, with an object as root, or returns nil and a reason.
function M.strict(schema)
  schema = narrowed(schema)
  local ok, result = pcall(function()
    local made = convert(schema, 0)
    if is_object_root(schema) then return made end
    if refers_to_root(schema, 0) then fail "it refers to its own root, which is not an object" end
    return wrap(made)
  end)
  if ok then return result end
  return nil, type(result) == "table" and result.why or "it is not a schema"
end

function M.resolve(schema, root)
  for _ = 1, 16 do
    local ref = type(schema) == "table" and schema["$ref"]
    if type(ref) ~= "string" then break end
    local target = root
    for part in ref:gmatch("/([^/]+)") do
      part = part:gsub("~1", "/"):gsub("~0", "~")
      target = type(target) == "table" and target[part] or nil
    end
    if target == nil then return schema end
    schema = target
  end
  return schema
end

local function with_refs(schema, root)
  local whole = { allOf = core.json.array { schema } }
  for key in pairs(refs) do whole[key] = root[key] end
  return whole
end

local function fits(schema, root, value)
  local ok, problems = pcall(core.json.validate, with_refs(schema, root), value)
  return ok and problems == nil
end

local strip

local function strip_object(value, schema, root, depth)
  local properties = type(schema.properties) == "table" and schema.properties or {}
  local result = {}
  for name, item in pairs(value) do
    local part = properties[name]
    if item == null and part ~= nil and not is_required(schema, name)
        and not fits(part, root, null) then
      result[name] = nil
    else
      result[name] = part ~= nil and strip(item, part, root, depth + 1) or item
    end
  end
  return result
end

function strip(value, schema, root, depth)
  if type(value) ~= "table" or type(schema) ~= "table" or depth > deepest then return value end
  schema = M.resolve(schema, root)
  if type(schema) ~= "table" then return value end
  if next(value) == nil and not core.json.is_array(value) and has_type(schema, "array")
    and not has_type(schema, "object") then
    return core.json.array {}
  end
  local branches = schema.anyOf or schema.oneOf or schema.allOf
  if type(branches) == "table" then
    for _, part in ipairs(branches) do
      local stripped = strip(value, part, root, depth + 1)
      if fits(part, root, stripped) then return stripped end
    end
    return value
  end
  if core.json.is_array(value) or #value > 0 then
    if type(schema.items) ~= "table" or #schema.items > 0 then return value end
    local result = core.json.array {}
    for i, item in ipairs(value) do result[i] = strip(item, schema.items, root, depth + 1) end
    return result
  end
  return strip_object(value, schema, root, depth)
end

--- Adapts a value to the schema: an empty object becomes an empty list where the schema requires a
--- list, and optional fields that are null are removed.
function M.shaped(value, schema)
  if fits(schema, schema, value) then return value end
  return strip(value, schema, schema, 0)
end

--- Removes from an answer what strict mode added: the wrapper, and null in optional fields.
function M.normalise(value, schema)
  if M.strict(schema) == nil then return value end
  return strip(M.unwrap(value, schema), schema, schema, 0)
end

local most_problems = 5

--- Rewords a problem from core.json.validate, without its position in the schema.
local function problem_in_words(line)
  line = line:gsub("^%- ", ""):gsub(" %(#[^ ]*%)$", "")
  local place, names, rest = line:match '^(.-) lacks the propert%a+ ("[^;]*")(.*)$'
  local verb = names and names:find('" ', 1, true) and "are missing" or "is missing"
  if not names then
    place, names, rest = line:match '^(.-) has the unexpected property (".-[^\\]")(.*)$'
    verb, rest = "is unexpected", rest and rest:gsub("^; expected only .*", "")
  end
  if not names then return (line:gsub("^the value ", "it ")) end
  return ("%s %s%s%s"):format(names:gsub('"', "'"), verb,
    place ~= "the value" and " in " .. place or "", rest)
end

function M.in_words(problems)
  local list, count = {}, 0
  for line in problems:gmatch "[^\n]+" do
    count = count + 1
    if count <= most_problems then list[count] = problem_in_words(line) end
  end
  if count > most_problems then list[#list + 1] = ("and %d more"):format(count - most_problems) end
  return table.concat(list, "; ")
end

return M
