local opencode = require "moonlet.engine.task.recorded.opencode"

local tokens = { total = 1050, input = 800, output = 40, reasoning = 10, cache = { write = 0, read = 200 } }

local function read(answers, prompts) return opencode.read { id = "s", answers = answers, prompts = prompts, from = 0 } end

test("the plugin's counts are the usage of a turn", function()
  local found = read({ { id = "a", model = "mock-1", tokens = tokens, cost = 0 },
    { id = "a", model = "mock-1", tokens = tokens }, { id = "b", model = "other", tokens = tokens, sub = true,
      cost = 0.5 } }, { "make it", 7, "" })
  is(found.model, "mock-1", "the model, not that of a subagent")
  is(found.usage.input_tokens, 2000, "input")
  is(found.usage.cached_input_tokens, 400, "cached")
  is(found.usage.output_tokens, 100, "output")
  is(found.usage.cost_usd, 0.5, "cost")
  same(found.prompts, { "make it" }, "the prompts")
end)

test("invalid counts leave the usage unknown", function()
  is(read({ 7, {}, { id = "a" }, { id = "a", tokens = { input = -1 } } }).usage, nil, "the usage")
  is(read(nil).usage, nil, "no answers")
end)
