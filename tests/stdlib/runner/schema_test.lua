local schema = require "moonlet.engine.runner.schema"
local list = core.json.array
local null = core.json.null

local finding = { type = "object", additionalProperties = true, required = list { "claim" }, properties = {
  claim = { type = "string", minLength = 1, default = "x" }, line = { type = "integer", minimum = 1 },
  severity = { type = "string", enum = list { "high", "low" } }, note = { type = list { "string", "null" } },
  tags = { type = "array", items = { type = "string" } }, one = { const = 1 } } }
local whole = { ["$schema"] = "http://json-schema.org/draft-07/schema#", type = "object",
  properties = { findings = { type = "array", items = { ["$ref"] = "#/definitions/finding" } } },
  required = list { "findings" }, definitions = { finding = finding } }
local strict = schema.strict(whole)
local made = strict.definitions.finding
is(made.additionalProperties, false, "closed")
same(made.required, list { "claim", "line", "note", "one", "severity", "tags" }, "all are required")
same(made.properties.line.type, list { "integer", "null" }, "optional becomes nullable")
same(made.properties.severity.enum, list { "high", "low", null }, "and so does a choice")
same(made.properties.note.type, list { "string", "null" }, "nullable stays")
same(made.properties.claim, { type = "string" }, "what strict mode does not know is left out")
is(strict["$schema"], nil, "so is the dialect")
is(finding.properties.severity.enum[3], nil, "the schema itself is left alone")

local answer = { findings = list { { claim = "a", line = null, severity = null, note = null, tags = null, one = null },
  { claim = "b", line = 3, severity = "low", note = "n", tags = list {}, one = 1 } } }
local plain = schema.normalise(answer, whole)
same(plain, { findings = list { { claim = "a", note = null }, { claim = "b", line = 3, severity = "low", note = "n",
  tags = list {}, one = 1 } } }, "what was made null is gone")
is(core.json.validate(whole, plain), nil, "and is what was asked for")
is(answer.findings[1].line, null, "the answer itself is left alone")

same(schema.strict({ type = "array", items = { type = "integer" } }).required, list { "value" }, "a list as the root")
same(schema.normalise({ value = list { 1, 2 } }, { type = "array", items = { type = "integer" } }), list { 1, 2 }, "and back")
same(schema.object({ type = "array", items = { ["$ref"] = "#/definitions/a" }, definitions = { a = { type = "string" } } }),
  { type = "object", additionalProperties = false, required = list { "value" }, definitions = { a = { type = "string" } },
    properties = { value = { type = "array", items = { ["$ref"] = "#/definitions/a" } } } }, "an object around a list")
is(schema.object({ type = "array", items = { ["$ref"] = "#" } }), nil, "a list of itself")
local loose = { type = list { "object", "array" }, items = { type = "string" }, required = list { "a" },
  properties = { a = { type = "string" } } }
same(schema.object(loose), { type = "object", required = list { "a" }, properties = { a = { type = "string" } } },
  "what may be an object is one")
is(schema.strict(loose).type, "object", "and so it is in strict mode")
same(schema.unwrap({ value = "x" }, loose), { value = "x" }, "and nothing is around it")
is(#loose.type, 2, "the schema itself is left alone")
same(schema.unwrap({ value = list { 1 } }, { type = "array" }), list { 1 }, "and back")
same(schema.unwrap({ value = 1 }, { type = "object" }), { value = 1 }, "an object stays")
local either = { type = "object", properties = { a = { oneOf = list { { type = "string" }, { type = "object", properties =
  { b = { type = "integer" }, c = { type = "string" } }, required = list { "b" } } } } }, required = list { "a" } }
is(schema.strict(either).properties.a.anyOf[2].properties.c.type[2], "null", "alternatives")
same(schema.normalise({ a = { b = 1, c = null } }, either), { a = { b = 1 } }, "and back")
for why, bad in pairs {
  ["not named"] = { type = "object" }, ["any name"] = { type = "object", properties = { a = { type = "string" } },
    additionalProperties = { type = "string" } },
  ["be anything"] = { type = "object", properties = { a = {} } }, ["'if'"] = { type = "object", ["if"] = {}, properties =
    { a = { type = "string" } } },
  ["another document"] = { type = "object", properties = { a = { ["$ref"] = "other.json" } } },
  ["list of anything"] = { type = "object", properties = { a = { type = "array" } } },
  ["does not describe"] = { type = "object", properties = { a = { type = "string" } }, required = list { "b" } },
} do
  local none, told_why = schema.strict(bad)
  is(none, nil, why)
  holds(told_why, why, "why not")
  same(schema.normalise({ a = null }, bad), { a = null }, "nothing is taken out: " .. why)
end
local deep = { type = "string" }
for _ = 1, 60 do deep = { type = "array", items = deep } end
is(schema.strict(deep), nil, "too deep")
local loop = { type = "object", properties = { next = { ["$ref"] = "#" } }, required = list {} }
is(schema.strict(loop) ~= nil, true, "a schema that holds itself")
same(schema.normalise({ next = { next = null } }, loop), { next = {} }, "and back")
is(schema.strict(require("moonlet.findings").schema) ~= nil, true, "the schema of findings")

test("schema violations are described in one line", function()
  local s = require "moonlet.schema"
  local bugs = s.object { bugs = s.list(s.object { line = s.integer() }), n = s.optional(s.integer()) }
  local function said(value) return schema.in_words(core.json.validate(bugs, value)) end
  gives(function() return said { functions = core.json.array {} } end, "'bugs' is missing; 'functions' is unexpected")
  gives(function() return said { bugs = core.json.array { { lin = 1 } }, n = 1 } end,
    "'line' is missing in /bugs/0; is \"lin\" meant to be \"line\"?; 'lin' is unexpected in /bugs/0; did you mean \"line\"?")
  gives(function() return said { bugs = core.json.array {}, n = "x" } end, '/n is "x"; expected an integer')
  gives(function() return said { bugs = core.json.array {}, a = 1, b = 1, c = 1, d = 1, e = 1, f = 1 } end,
    "'a' is unexpected; 'b' is unexpected; 'c' is unexpected; 'd' is unexpected; 'e' is unexpected; and 1 more")
end)
