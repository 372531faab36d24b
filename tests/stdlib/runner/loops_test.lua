--- Tests loop detection on recorded and generated tool streams of all runners. An agent that learns nothing
--- new is reported; one that repeats itself for a reason is not.
local loops = require "moonlet.engine.runner.loops"
local readers = require "moonlet.engine.runner.reader"
local stream = require "moonlet.engine.runner.stream"

--- Returns the evidence of a loop in an agent's output, or nil.
local function loop_in(runner, text)
  local reader, tracker, found = stream.reader(readers.events(runner)), loops.tracker(), nil
  local events = reader:feed(text)
  for _, event in ipairs(reader:close()) do events[#events + 1] = event end
  for _, event in ipairs(events) do
    if event.type == "tool" then found = found or tracker:see(event) end
  end
  return found, #events
end

local json = core.json.encode

--- Formats a tool call with its result in each runner's output format.
local write = {
  codex = function(i, call, result, failed)
    local item = { id = "item_" .. i, type = "command_execution", command = call, aggregated_output = result,
      exit_code = failed and 1 or 0, status = failed and "failed" or "completed" }
    return json { type = "item.started", item = { id = item.id, type = item.type, command = call,
      status = "in_progress" } } .. "\n" .. json { type = "item.completed", item = item } .. "\n"
  end,
  claude = function(i, call, result, failed)
    local use = { type = "tool_use", id = "toolu_" .. i, name = "Bash", input = { command = call } }
    return json { type = "assistant", message = { content = core.json.array { use } } } .. "\n"
      .. json { type = "user", message = { content = core.json.array { { type = "tool_result",
        tool_use_id = use.id, content = result, is_error = failed or false } } } } .. "\n"
  end,
  gemini = function(i, call, result, failed)
    return json { type = "tool_use", tool_name = "run_shell_command", tool_id = "t" .. i,
      parameters = { command = call } } .. "\n" .. json { type = "tool_result", tool_id = "t" .. i,
        status = failed and "error" or "success", output = result } .. "\n"
  end,
  opencode = function(i, call, result, failed)
    return json { type = "tool_use", part = { id = "p" .. i, tool = "bash", state = { status = failed and "error"
      or "completed", input = { command = call }, output = result } } } .. "\n"
  end,
  moonlet = function(_, call, result, failed)
    return json { type = "tool", name = "shell", detail = call, status = failed and "failed" or "ok",
      result = result } .. "\n"
  end,
}

--- Formats a stream of `count` calls; fn(i) returns the call, its result and whether it failed.
local function made(runner, count, fn)
  local parts = {}
  for i = 1, count do parts[i] = write[runner](i, fn(i)) end
  return table.concat(parts)
end

--- These streams repeat themselves for a reason.
local reasonable = {
  { "polling a build whose log grows", "codex", 30, function(i) return "make status", ("%d of 30 files"):format(i) end },
  { "polling a job that prints the time", "claude", 20, function(i) return "squeue", ("running 0:%02d"):format(i) end },
  { "a retry whose message differs", "gemini", 12, function(i)
    return "curl localhost", "connection refused after " .. i * 7 .. " ms", true
  end },
  { "tests between edits", "codex", 24, function(i)
    if i % 2 == 0 then return "make test", "1 failed", true end
    return "apply patch " .. i, "done"
  end },
  { "a look at the state between new files", "claude", 24, function(i)
    if i % 2 == 0 then return "git status", "nothing to commit" end
    return "cat src/" .. i .. ".lua", "return " .. i
  end },
  { "five looks at the same file", "moonlet", 5, function() return "cat a.lua", "return 1" end },
  { "the same command in growing folders", "opencode", 20, function(i) return "ls", ("a\n"):rep(i) end },
  { "the same test of many seeds", "moonlet", 40, function(i) return "fuzz --seed " .. i, "ok" end },
  { "paging through a long file", "gemini", 40, function(i) return "sed -n " .. i .. "p big", "line" end },
  { "a flaky test that alternates at first", "opencode", 8, function(i)
    return "make test", i % 2 == 0 and i < 5 and "ok" or "failed " .. i
  end },
}

--- These streams loop.
local circles = {
  { "one call", "codex", 6, function() return "make test", "1 failed", true end },
  { "a call that says nothing", "claude", 6, function() return "true", "" end },
  { "two calls in turn", "moonlet", 12, function(i)
    if i % 2 == 0 then return "cat a", "1" end
    return "cat b", "2"
  end },
  { "three calls in turn, after work", "opencode", 40, function(i)
    if i < 10 then return "cat " .. i, "new " .. i end
    return "ls " .. i % 3, "the same"
  end },
  { "a refused call", "gemini", 7, function() return "rm -rf x", "not allowed", true end },
}

test("ten artificial streams with justified repetitions are not loops", function()
  for _, item in ipairs(reasonable) do
    local found, count = loop_in(item[2], made(item[2], item[3], item[4]))
    is(found and loops.text(found), nil, item[1])
    is(count >= item[3], true, item[1] .. " is read")
  end
end)

test("five artificial streams that repeat themselves are loops", function()
  for _, item in ipairs(circles) do
    local found = loop_in(item[2], made(item[2], item[3], item[4]))
    is(found and found.count, loops.most, item[1])
  end
  local found = loop_in("moonlet", made("moonlet", 12, circles[3][4]))
  holds(loops.text(found), "the same call 6 times with the same 1 bytes of result: shell cat", "its evidence")
  holds(loops.text(found), "in a loop of 2 calls", "its evidence")
end)

test("recorded streams with tools are not loops", function()
  local root, looked = core.file.root(cases .. "/../../data/recordings"), 0
  for _, entry in ipairs(core.file.list(root, ".")) do
    local runner = entry.name:match "^(%l+)%-.*%.stdout$"
    local text = write[runner or ""] and core.file.read(root, entry.name, 4 << 20)
    if text and (text:find '"tool_use"' or text:find '"command_execution"') then
      looked = looked + 1
      is(loop_in(runner, text), nil, entry.name)
    end
  end
  is(looked >= 5, true, "recorded streams: " .. looked)
end)

test("a tool without a reported result cannot form a loop", function()
  is(loop_in("moonlet", json({ type = "tool", name = "edit", detail = "a.lua", status = "ok" }):rep(20, "\n")), nil,
    "twenty edits")
end)
