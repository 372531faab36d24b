local names = require "moonlet.engine.runner.names"
local runners = require "moonlet.engine.load.runners"
local reader = require "moonlet.engine.runner.reader"

test("each name has its runner", function()
  for _, name in ipairs(names.programs) do is(runners.get(name, { runners = {} }).name, name, name) end
  for _, name in ipairs(names.events) do is(type(reader[name].parse), "function", "the events of " .. name) end
  is(names.has(names.agents, "executor"), false, "the executor is no agent CLI")
end)

test("a suggestion leaves the list of names as it was", function()
  local before = table.concat(names.events, " ")
  holds(select(2, pcall(reader.events, "codx")).hint, "codex", "the near name")
  is(table.concat(names.events, " "), before, "the list")
end)
