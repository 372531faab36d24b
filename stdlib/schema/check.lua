--- Checks schemas before an agent call costs money. The error for an unknown keyword says where in
--- the schema the keyword is.
local record = require "moonlet.record"

local M = {}

local null = core.json.null
--- This keyword marks a schema that m.schema.any() returned.
M.any_mark = "x-any"

local builders = { object = true, list = true, string = true, integer = true, number = true,
  boolean = true, any = true }
local deepest = 100

--- Lists the keywords whose value is one schema, a list of schemas, or a map of names to schemas.
local one = { additionalItems = true, additionalProperties = true, contains = true,
  propertyNames = true, ["not"] = true, ["if"] = true, ["then"] = true, ["else"] = true }
local several = { allOf = true, anyOf = true, oneOf = true }
local named = { properties = true, patternProperties = true, definitions = true, ["$defs"] = true }

--- A schema needs a keyword that constrains its value. Annotations do not count.
local keywords, annotations = { items = true, dependencies = true }, {}
for _, set in ipairs { one, several, named } do
  for name in pairs(set) do keywords[name] = true end
end
for name in ("type enum const multipleOf maximum exclusiveMaximum minimum exclusiveMinimum "
  .. "maxLength minLength pattern "
  .. "maxItems minItems uniqueItems maxProperties minProperties required format "
    .. "contentMediaType contentEncoding $ref")
  :gmatch "%S+" do keywords[name] = true end
for name in ("title description default examples readOnly writeOnly $comment $id $schema "
  .. "definitions $defs")
  :gmatch "%S+" do annotations[name] = true end

local function known_words()
  local names = {}
  for name in pairs(keywords) do names[#names + 1] = name end
  for name in pairs(annotations) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function refuse(what, place, message, hint)
  record.refuse(("%s: %s (at %s)"):format(what, message, place), hint)
end

local function step(place, name)
  if name:find "[~/]" then name = name:gsub("~", "~0"):gsub("/", "~1") end
  return place .. "/" .. name
end

local check

local function check_words(schema, what, place)
  local says, unknown = schema[M.any_mark] == true, nil
  for key in pairs(schema) do
    if type(key) ~= "string" then
      refuse(what, place, "a schema has named keywords, but this is a list",
        "put the list under enum, required "
        .. "or anyOf")
    end
    if not keywords[key] and not annotations[key] and not key:find "^x%-" then
      unknown = unknown or key
    end
    says = says or keywords[key] and not annotations[key]
  end
  if unknown then
    local near = record.nearest(unknown, known_words())
    refuse(what, place,
      ("'%s' is not a keyword of a schema"):format(core.text.printable(unknown, 60)),
      near and ("did you mean '%s'?"):format(near)
        or "put the fields under properties, or write m.schema.object { " .. unknown .. " = … }")
  end
  if not says then
    refuse(what, place, "a schema without a keyword accepts any value",
      "write m.schema.any() if that is intended")
  end
end

local function check_part(part, what, place, depth)
  if type(part) == "function" then
    refuse(what, place, "it is a function, not a schema", "call the builder: m.schema.string()")
  end
  if type(part) == "string" then
    refuse(what, place, ("it is the text '%s', not a schema"):format(core.text.printable(part, 40)),
      builders[part] and ("write m.schema.%s()"):format(part)
        or "write m.schema.string(), or another builder")
  end
  if part == true then
    refuse(what, place, "it accepts any value", "write m.schema.any() if that is intended")
  end
  if part ~= false then check(part, what, place, depth + 1) end
end

function check(schema, what, place, depth)
  if type(schema) ~= "table" or schema == null then
    refuse(what, place, ("it is a %s, not a schema"):format(type(schema)),
      "write m.schema.string(), or another builder")
  end
  if depth > deepest then refuse(what, place, "it nests too deep") end
  check_words(schema, what, place)
  for key, value in pairs(schema) do
    local at = step(place, key)
    if one[key] then
      if type(value) ~= "boolean" then check_part(value, what, at, depth) end
    elseif several[key] or key == "items" and type(value) == "table" and #value > 0 then
      for i, part in ipairs(type(value) == "table" and value or {}) do
        check_part(part, what, step(at, tostring(i - 1)), depth)
      end
    elseif key == "items" then
      check_part(value, what, at, depth)
    elseif named[key] and type(value) == "table" then
      for name, part in pairs(value) do check_part(part, what, step(at, tostring(name)), depth) end
    elseif key == "dependencies" and type(value) == "table" then
      for name, part in pairs(value) do
        if type(part) == "table" and #part == 0 and not core.json.is_array(part) then
          check_part(part, what, step(at, tostring(name)), depth)
        end
      end
    end
  end
end

--- Raises `invalid` for a schema that no answer can be checked against.
---@param what string  name of the schema in messages
function M.check(schema, what)
  check(schema, what, "#", 0)
  local ok, err = pcall(core.json.validate, schema, null)
  if ok then return end
  local text = type(err) == "table" and err.message or tostring(err)
  local at = type(err) == "table" and type(err.at) == "string" and err.at or nil
  if at and at ~= "" and not text:find(at, 1, true) then text = ("%s (at %s)"):format(text, at) end
  record.refuse(("%s is not a usable JSON Schema: %s"):format(what, text),
    type(err) == "table" and type(err.hint) == "string" and err.hint ~= "" and err.hint
      or "nothing was started; correct the schema")
end

function M.check_part(part, what) check_part(part, what, "#", 0) end

return M
