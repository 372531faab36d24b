local checks = require "moonlet.schema.check"
local s = require "moonlet.schema"

local function refused(schema, message)
  local err = raises(function() checks.check(schema, "ctx:agent: schema") end, message, message)
  is(err.kind, "invalid", "the kind of: " .. message)
end

test("builders produce draft-07 schemas that pass the check", function()
  local made = s.object({
    text = s.string { min = 1, max = 9, pattern = "^a" }, size = s.integer { min = 0 }, share = s.number { max = 1 },
    sure = s.boolean(), kind = s.enum { "a", "b" }, list = s.list(s.any(), { min = 1, max = 3, unique = true }),
    note = s.optional(s.string()),
  }, { open = true, description = "all" })
  checks.check(made, "made")
  is(made.additionalProperties, nil, "an open object")
  same(made.required, { "kind", "list", "share", "size", "sure", "text" }, "all but the optional one")
  is(s.object({}).additionalProperties, false, "a closed object")
  is(core.json.validate(s.any(), 5), nil, "anything")
end)

test("a schema with an unknown keyword, or a part without one, is refused with its place", function()
  refused({ type = "object", properties = { a = { typ = "string" } } }, "'typ' is not a keyword of a schema (at #/properties/a)")
  refused({ bugs = { type = "array" } }, "'bugs' is not a keyword of a schema (at #)")
  refused({ type = "array", items = {} }, "a schema without a keyword accepts any value (at #/items)")
  refused({ anyOf = { { type = "string" }, { title = "x" } } }, "accepts any value (at #/anyOf/1)")
  refused({ properties = { a = true } }, "it accepts any value (at #/properties/a)")
  refused({ type = "nothing" }, "not a usable JSON Schema")
  checks.check({ ["$defs"] = { a = { type = "string" } }, ["$ref"] = "#/$defs/a", ["x-own"] = 1, title = "t" }, "allowed")
end)

test("a builder refuses a value that is not a schema", function()
  raises(function() s.list(s.string) end, "it is a function, not a schema", "a builder that was not called")
  raises(function() s.object { a = "string" } end, "it is the text 'string'", "a text")
  raises(function() s.string { mni = 3 } end, "no key 'mni'", "an option")
  raises(function() s.string { pattern = "(" } end, "m.schema.string", "a pattern")
end)
