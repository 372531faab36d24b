local mock = require "moonlet.engine.runner.mock"
local s = require "moonlet.schema"

local function fits(schema, key)
  local made = mock.answer(schema, key)
  is(core.json.validate(schema, made.data), nil, key)
  return made.data
end

test("an answer without a schema says that it is made up", function()
  holds(mock.answer(nil, "look").text, "[mock]", "the mark")
  holds(mock.answer(nil, "look").text, "'look'", "the step")
end)

test("answers fit their schemas, and are the same each time", function()
  local schema = s.object {
    path = s.enum { "fast", "slow" }, text = s.string { min = 20, max = 22 }, id = s.string { pattern = "^[A-Z]{2}-\\d{3}(a|b)$" },
    when = s.string { format = "date-time" }, n = s.integer { min = 3, max = 4 }, x = s.number { min = 0.5, max = 0.75 },
    list = s.list(s.object { a = s.boolean() }, { min = 2, max = 2 }), maybe = s.optional(s.string()), free = s.any(),
  }
  for i = 1, 20 do fits(schema, "key" .. i) end
  same(fits(schema, "same"), fits(schema, "same"), "twice")
  fits({ type = "object", required = { "k", "next" }, properties = { k = { const = 3 },
    next = { anyOf = { { ["$ref"] = "#" }, { type = "null" } } } } }, "recursive")
  fits({ allOf = { { type = "object", required = { "a" } }, { properties = { a = { type = "integer", multipleOf = 5, minimum = 7 } } } } }, "allOf")
  fits({ type = "array", uniqueItems = true, minItems = 3, items = { type = "integer", minimum = 0, maximum = 50 } }, "unique")
end)

test("a schema that no made-up answer fits is invalid", function()
  local err = raises(function() mock.answer({ enum = { "a" }, minLength = 3 }, "never") end, "cannot make an answer", "the message")
  is(err.kind, "invalid", "its kind")
end)

test("parts that belong together come from the schema's examples", function()
  local schema = s.object { from = s.integer(), to = s.integer() }
  schema.examples = { { from = 3, to = 4 } }
  same(fits(schema, "k"), { from = 3, to = 4 }, "the example")
end)
