local output = require "moonlet.engine.agent.output"

local schema = { type = "object", required = { "n" }, properties = { n = { type = "integer" } } }

test("an answer is the whole text, or its only fenced block", function()
  is(output.check(schema, '{"n": 1}').n, 1, "the whole text")
  is(output.check(schema, 'Here it is:\n```json\n{"n": 2}\n```\nDone.').n, 2, "a fenced block")
  is(output.check(schema, 'Here it is:\r\n```\r\n{"n": 3}\r\n```').n, 3, "a block with CR LF")
  local data, why = output.check(schema, '```\n{"n": 1}\n```\n```\n{"n": 2}\n```')
  is(data, nil, "two blocks")
  holds(why, "the answer is not JSON", "two blocks")
  local told
  data, why, told = output.check(schema, "I cannot do that")
  is(data, nil, "no JSON")
  holds(why, "the answer is not JSON", "no JSON")
  is(told, "it is not JSON: line 1, column 1: invalid literal", "no JSON, for people")
  data, why, told = output.check(schema, " \n")
  is(data, nil, "nothing")
  is(why, "the answer is empty", "nothing")
  is(told, "it is empty", "nothing, for people")
end)

test("an answer that violates its schema is refused with the reason", function()
  local data, why = output.check(schema, '{"n": "one"}')
  is(data, nil, "the data")
  holds(why, "n", "the place")
  data, why = output.check(schema, "{}")
  is(data, nil, "a missing field")
  holds(why, "n", "its name")
end)

test("an answer to a strict schema is normalised before the check", function()
  local seen
  local data = output.check(schema, '{"n": 1, "x": null}', function(value, asked)
    seen = asked
    value.x = nil
    return value
  end)
  same(data, { n = 1 }, "the data")
  is(seen, schema, "the schema")
end)

test("an empty object counts as a list, and null as absent, if the schema asks for that", function()
  local s = require "moonlet.schema"
  local loose = s.object { bugs = s.list(s.string()), note = s.optional(s.string()) }
  local data = output.check(loose, '{"bugs": {}, "note": null}')
  is(core.json.encode(data), '{"bugs":[]}', "the data")
end)

test("a repair prompt contains the prompt, the problems and the start of the answer", function()
  local text = output.repair_prompt("Count them.", ("x"):rep(100000), "n is missing")
  is(text:sub(1, 11), "Count them.", "the prompt")
  holds(text, "n is missing", "the problems")
  holds(text, ("x"):rep(1000), "the answer")
  is(#text < 10000, true, "its length")
end)
