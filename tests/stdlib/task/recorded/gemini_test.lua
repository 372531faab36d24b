local gemini = require "moonlet.engine.task.recorded.gemini"

local function read(text, more)
  put_file(scratch, "t.jsonl", text)
  local session = { id = "s", transcript = scratch .. "/t.jsonl", from = 0 }
  for name, value in pairs(more or {}) do session[name] = value end
  return gemini.read(session)
end

test("a real chat gives the model, the usage and the user's prompt", function()
  local found = read(read_case "gemini.jsonl")
  is(found.model, "gemini-2.5-pro", "the model")
  -- Gemini writes each answer with a tool call twice; it counts once.
  is(found.usage.input_tokens, 3000, "input")
  is(found.usage.cached_input_tokens, 600, "cached")
  is(found.usage.output_tokens, 150, "output")
  is(found.usage.reasoning_output_tokens, 30, "reasoning")
  same(found.prompts, { "make it, hushhush" }, "the prompts")
end)

test("an older part of the chat does not count", function()
  local found = read(read_case "gemini.jsonl", { began_ms = core.clock.parse "2026-11-23T21:00:00.000Z" })
  is(found.usage, nil, "the usage")
  same(found.prompts, {}, "the prompts")
end)

test("files that a prompt refers to are left out of it", function()
  local found = read('{"type":"user","content":[{"text":"read @a"},'
    .. '{"text":"\\n--- Content from referenced files ---"},{"text":"the file"}]}\n')
  same(found.prompts, { "read @a" }, "the prompts")
end)

test("a chat that cannot be read leaves the usage unknown", function()
  is(gemini.read({ id = "s", transcript = scratch .. "/none", from = 0 }).usage, nil, "no file")
  is(read('{"type":"gemini","id":"a","tokens":{"input":"many"}}\n{"type":"gemini"\n').usage, nil, "damaged")
end)
