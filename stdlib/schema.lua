--- Schemas of answers: builders of JSON Schema (draft-07).
---
---   local s = m.schema
---   schema = s.object { bugs = s.list(s.object { file = s.string(), line = s.optional(s.integer()) }) }
---
--- A field is required unless it is optional, and an object has no further fields unless it is open.
local check = require "moonlet.schema.check"
local record = require "moonlet.record"

---@class moonlet.schema
local M = {}

local array = core.json.array
local optionals, built = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

-- A builder has checked what it returns. An author's own part is checked twice: its words alone, and then with the
-- schema around it, because it may refer to that.
local function check_part(name, part, where)
  check.check_part(part, ("m.schema.%s: %s"):format(name, where))
end

local function checked(name, schema)
  local ok, err = pcall(check.check, schema, "m.schema." .. name)
  if not ok then error(record.invalid(err.message, err.hint), 0) end
  built[schema] = true
  return schema
end

--- A schema without its parts: the options of a builder, under the names that JSON Schema has for them.
local function build(name, schema, options, fields, words)
  options = record.check(options or {}, fields, "m.schema." .. name)
  for key, value in pairs(options) do
    if key ~= "open" then schema[words[key] or key] = value end
  end
  return checked(name, schema)
end

---@class moonlet.SchemaOptions
---@field description string?  a note for the agent

---@class moonlet.ObjectOptions: moonlet.SchemaOptions
---@field open boolean?        further fields are allowed

---@class moonlet.ListOptions: moonlet.SchemaOptions
---@field min integer?         how many items at least
---@field max integer?
---@field unique boolean?

---@class moonlet.TextOptions: moonlet.SchemaOptions
---@field min integer?         how many characters at least
---@field max integer?
---@field pattern string?      a regular expression (RE2)
---@field format "date-time"|"date"|"time"|"email"|"uri"|"uuid"|"ipv4"|"ipv6"|"regex"|nil

---@class moonlet.NumberOptions: moonlet.SchemaOptions
---@field min number?
---@field max number?

local object_fields = { description = "string", open = "boolean" }

--- An object. Its fields are required unless they are optional, and there are no others unless it is open.
---
--- Errors: `invalid` a field that is no schema, or an unknown option.
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
    error(record.invalid("m.schema.object needs its fields by name", "m.schema.object { file = m.schema.string() }"), 0)
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

--- A list of one kind of item.
---
--- Errors: `invalid` no schema of its items.
--- ```lua
--- m.schema.list(m.schema.string(), { max = 5 }).maxItems --> 5
--- ```
---@param item moonlet.Schema
---@param options moonlet.ListOptions?
---@return moonlet.Schema schema
function M.list(item, options)
  if item == nil then
    error(record.invalid("m.schema.list needs the schema of its items", "m.schema.list(m.schema.string())"), 0)
  end
  if not built[item] then check_part("list", item, "the item") end
  local schema = build("list", { type = "array" }, options,
    { description = "string", min = "integer", max = "integer", unique = "boolean" },
    { min = "minItems", max = "maxItems", unique = "uniqueItems" })
  schema.items = item
  return built[item] and schema or checked("list", schema)
end

--- Text.
---
--- Errors: `invalid` a wrong option.
--- ```lua
--- m.schema.string({ max = 80 }).maxLength --> 80
--- ```
---@param options moonlet.TextOptions?
---@return moonlet.Schema schema
function M.string(options)
  return build("string", { type = "string" }, options,
    { description = "string", min = "integer", max = "integer", pattern = "string", format = "string" },
    { min = "minLength", max = "maxLength" })
end

local number_fields = { description = "string", min = "number", max = "number" }
local number_words = { min = "minimum", max = "maximum" }

--- A whole number.
---
--- Errors: `invalid` a wrong option.
--- ```lua
--- m.schema.integer({ min = 1, max = 5 }).maximum --> 5
--- ```
---@param options moonlet.NumberOptions?
---@return moonlet.Schema schema
function M.integer(options) return build("integer", { type = "integer" }, options, number_fields, number_words) end

--- A number.
---
--- Errors: `invalid` a wrong option.
--- ```lua
--- m.schema.number({ min = 0 }).minimum --> 0
--- ```
---@param options moonlet.NumberOptions?
---@return moonlet.Schema schema
function M.number(options) return build("number", { type = "number" }, options, number_fields, number_words) end

--- True or false.
---
--- Errors: `invalid` a wrong option.
--- ```lua
--- m.schema.boolean().type --> "boolean"
--- ```
---@param options moonlet.SchemaOptions?
---@return moonlet.Schema schema
function M.boolean(options) return build("boolean", { type = "boolean" }, options, { description = "string" }, {}) end

--- One of some values.
---
--- Errors: `invalid` no list of values.
--- ```lua
--- m.schema.enum({ "low", "high" }).enum[2] --> "high"
--- ```
---@param values (string|number|boolean)[]
---@param options moonlet.SchemaOptions?
---@return moonlet.Schema schema
function M.enum(values, options)
  if type(values) ~= "table" or #values == 0 or record.hole(values) then
    error(record.invalid("m.schema.enum needs a list of values", 'm.schema.enum { "low", "high" }'), 0)
  end
  return build("enum", { enum = array { table.unpack(values) } }, options, { description = "string" }, {})
end

--- A field that may be left out; null means that it is absent.
---
--- Errors: `invalid` no schema.
--- ```lua
--- local s = m.schema
--- s.object({ note = s.optional(s.string()) }).required --> nil
--- ```
---@param schema moonlet.Schema
---@return moonlet.Schema schema
function M.optional(schema)
  if schema == nil then
    error(record.invalid("m.schema.optional needs a schema", "m.schema.optional(m.schema.string())"), 0)
  end
  if not built[schema] then check_part("optional", schema, "its schema") end
  local copy = {}
  for key, value in pairs(schema) do copy[key] = value end
  optionals[copy], built[copy] = true, built[schema]
  return copy
end

--- Anything at all.
---
--- Errors: `invalid` a wrong option.
--- ```lua
--- local s = m.schema
--- local answer = s.object { note = s.any() }
--- ```
---@param options moonlet.SchemaOptions?
---@return moonlet.Schema schema
function M.any(options) return build("any", { [check.any_mark] = true }, options, { description = "string" }, {}) end

return M
