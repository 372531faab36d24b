--- Builds JSON Schemas (draft-07) for the answers of agents.
---
---   local s = m.schema
---   schema = s.object { bugs = s.list(s.object { file = s.string(), line = s.optional(s.integer()) }) }
---
--- Fields are required unless they are optional. An object rejects other fields unless it is open.
local check = require "moonlet.schema.check"
local record = require "moonlet.record"

---@class moonlet.schema
local M = {}

local array = core.json.array
local optionals, built = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

-- Checks a hand-written part of a schema; parts made by builder functions are already checked.
-- The part may refer to the schema around it, so that whole schema is checked later.
local function check_part(name, part, where)
  check.check_part(part, ("m.schema.%s: %s"):format(name, where))
end

local function checked(name, schema)
  local ok, err = pcall(check.check, schema, "m.schema." .. name)
  if not ok then record.refuse(err.message, err.hint) end
  built[schema] = true
  return schema
end

--- Builds a schema from options and translates their names to those of JSON Schema.
local function build(name, schema, options, fields, words)
  options = record.check(options or {}, fields, "m.schema." .. name)
  for key, value in pairs(options) do
    if key ~= "open" then schema[words[key] or key] = value end
  end
  return checked(name, schema)
end

---@class moonlet.SchemaOptions
---@field description string?  explanation for the agent

---@class moonlet.ObjectOptions: moonlet.SchemaOptions
---@field open boolean?        other fields are allowed

---@class moonlet.ListOptions: moonlet.SchemaOptions
---@field min integer?         least number of items
---@field max integer?
---@field unique boolean?

---@class moonlet.TextOptions: moonlet.SchemaOptions
---@field min integer?         least number of characters
---@field max integer?
---@field pattern string?      regular expression (RE2)
---@field format "date-time"|"date"|"time"|"email"|"uri"|"uuid"|"ipv4"|"ipv6"|"regex"|nil

---@class moonlet.NumberOptions: moonlet.SchemaOptions
---@field min number?
---@field max number?

local object_fields = { description = "string", open = "boolean" }

--- Returns the schema of an object.
--- Fields are required unless they are optional; other fields are rejected unless `open` is set.
--- Errors: `invalid` a field without a schema, or an unknown option.
--- ```lua
--- local s = m.schema
--- local answer = s.object { file = s.string(), line = s.optional(s.integer { min = 1 }) }
--- answer.required[1] --> "file"
--- ```
---@param fields table<string, moonlet.Schema>
---@param options moonlet.ObjectOptions?
---@return moonlet.Schema schema
function M.object(fields, options)
  if type(fields) ~= "table" or #fields > 0 then
    record.refuse("m.schema.object needs its fields by name",
      "m.schema.object { file = m.schema.string() }")
  end
  local schema = build("object", { type = "object" }, options, object_fields, {})
  local properties, required, all_built = {}, array {}, true
  for name, part in pairs(fields) do
    if not built[part] then
      check_part("object", part, tostring(name))
      all_built = false
    end
    properties[name] = part
    if not optionals[part] then required[#required + 1] = name end
  end
  schema.properties = properties
  if #required > 0 then schema.required = required end
  if not (options and options.open) then schema.additionalProperties = false end
  return all_built and schema or checked("object", schema)
end

--- Returns the schema of a list whose items all follow one schema.
--- Errors: `invalid` the schema of the items is missing.
--- ```lua
--- m.schema.list(m.schema.string(), { max = 5 }).maxItems --> 5
--- ```
---@param item moonlet.Schema
---@param options moonlet.ListOptions?
---@return moonlet.Schema schema
function M.list(item, options)
  if item == nil then
    record.refuse("m.schema.list needs the schema of its items", "m.schema.list(m.schema.string())")
  end
  if not built[item] then check_part("list", item, "the item") end
  local schema = build("list", { type = "array" }, options,
    { description = "string", min = "integer", max = "integer", unique = "boolean" },
    { min = "minItems", max = "maxItems", unique = "uniqueItems" })
  schema.items = item
  return built[item] and schema or checked("list", schema)
end

--- Returns the schema of a text.
--- Errors: `invalid` an unknown option, or one of a wrong type.
--- ```lua
--- m.schema.string({ max = 80 }).maxLength --> 80
--- ```
---@param options moonlet.TextOptions?
---@return moonlet.Schema schema
function M.string(options)
  return build("string", { type = "string" }, options,
    { description = "string", min = "integer", max = "integer", pattern = "string",
      format = "string" },
    { min = "minLength", max = "maxLength" })
end

local number_fields = { description = "string", min = "number", max = "number" }
local number_words = { min = "minimum", max = "maximum" }

--- Returns the schema of a whole number.
--- Errors: `invalid` an unknown option, or one of a wrong type.
--- ```lua
--- m.schema.integer({ min = 1, max = 5 }).maximum --> 5
--- ```
---@param options moonlet.NumberOptions?
---@return moonlet.Schema schema
function M.integer(options)
  return build("integer", { type = "integer" }, options, number_fields, number_words)
end

--- Returns the schema of a number.
--- Errors: `invalid` an unknown option, or one of a wrong type.
--- ```lua
--- m.schema.number({ min = 0 }).minimum --> 0
--- ```
---@param options moonlet.NumberOptions?
---@return moonlet.Schema schema
function M.number(options)
  return build("number", { type = "number" }, options, number_fields, number_words)
end

--- Returns the schema of true or false.
--- Errors: `invalid` an unknown option, or one of a wrong type.
--- ```lua
--- m.schema.boolean().type --> "boolean"
--- ```
---@param options moonlet.SchemaOptions?
---@return moonlet.Schema schema
function M.boolean(options)
  return build("boolean", { type = "boolean" }, options, { description = "string" }, {})
end

--- Returns the schema of an enumeration.
--- Errors: `invalid` an argument that is not a list of values.
--- ```lua
--- m.schema.enum({ "low", "high" }).enum[2] --> "high"
--- ```
---@param values (string|number|boolean)[]
---@param options moonlet.SchemaOptions?
---@return moonlet.Schema schema
function M.enum(values, options)
  if type(values) ~= "table" or #values == 0 or record.hole(values) then
    record.refuse("m.schema.enum needs a list of values", 'm.schema.enum { "low", "high" }')
  end
  return build("enum", { enum = array { table.unpack(values) } }, options,
    { description = "string" }, {})
end

--- Marks a field as optional. A null in the answer counts as absent.
--- Errors: `invalid` a missing schema.
--- ```lua
--- local s = m.schema
--- s.object({ note = s.optional(s.string()) }).required --> nil
--- ```
---@param schema moonlet.Schema
---@return moonlet.Schema schema
function M.optional(schema)
  if schema == nil then
    record.refuse("m.schema.optional needs a schema", "m.schema.optional(m.schema.string())")
  end
  if not built[schema] then check_part("optional", schema, "its schema") end
  local copy = {}
  for key, value in pairs(schema) do copy[key] = value end
  optionals[copy], built[copy] = true, built[schema]
  return copy
end

--- Returns a schema that accepts any value.
--- Errors: `invalid` an unknown option, or one of a wrong type.
--- ```lua
--- local s = m.schema
--- local answer = s.object { note = s.any() }
--- ```
---@param options moonlet.SchemaOptions?
---@return moonlet.Schema schema
function M.any(options)
  return build("any", { [check.any_mark] = true }, options, { description = "string" }, {})
end

return M
