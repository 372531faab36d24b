local names = require "moonlet.engine.runner.names"
local runners = require "moonlet.engine.load.runners"
local reader = require "moonlet.engine.runner.reader"

test("each name has its runner", function()
  for _, name in ipairs(names.programs) do is(runners.get(name, { runners = {} }).name, name, name) end
  for _, name in ipairs(names.events) do is(type(reader[name].parse), "function", "the events of " .. name) end
  is(names.has(names.agents, "executor"), false, "the executor is no agent CLI")
end)

test("each agent's runner declares every required field", function()
  for _, name in ipairs(names.agents) do
    local runner = runners.get(name, { runners = {} })
    for field, kind in pairs { program = "string", title = "string", role = "string", refused_args = "table",
      secrets = "table", env_names = "table", instructions = "table", startup_files = "table", lines = "string",
      detect = "function", command = "function", parse = "function", begin = "function", finish = "function",
      home_instructions = "function", login_files = "function" } do
      is(type(runner[field]), kind, name .. "." .. field)
    end
    for _, path in ipairs(runner.startup_files) do is(core.file.is_startup(path .. "/x"), true, path) end
  end
end)

test("a suggestion does not change the list of names", function()
  local before = table.concat(names.events, " ")
  holds(select(2, pcall(reader.events, "codx")).hint, "codex", "the near name")
  is(table.concat(names.events, " "), before, "the list")
end)
