local claude = require "moonlet.engine.task.recorded.claude"

local real = read_case "claude.jsonl"

local function read(text, more)
  put_file(scratch, "t.jsonl", text)
  local session = { id = "s", transcript = scratch .. "/t.jsonl", from = 0 }
  for name, value in pairs(more or {}) do session[name] = value end
  return claude.read(session)
end

local function counts(found)
  local usage = found.usage or {}
  return ("%s %s %s"):format(usage.input_tokens, usage.cached_input_tokens, usage.output_tokens)
end

local function answer(id, output, more)
  local entry = { type = "assistant", timestamp = "2026-11-23T20:20:30.000Z", message = { id = id, role = "assistant",
    model = "claude-x", usage = { input_tokens = 10, cache_read_input_tokens = 5, cache_creation_input_tokens = 1,
      output_tokens = output }, content = core.json.array {} } }
  for name, value in pairs(more or {}) do entry[name] = value end
  return core.json.encode_record(entry):gsub('^{', '{"type":"assistant",', 0) .. "\n"
end

local function said(content, more)
  local entry = { type = "user", timestamp = "2026-11-23T20:20:30.000Z", message = { role = "user", content = content } }
  for name, value in pairs(more or {}) do entry[name] = value end
  return core.json.encode_record(entry) .. "\n"
end

test("a real transcript gives the model, the usage and the user's prompt", function()
  local found = read(real)
  is(found.model, "claude-test", "the model")
  is(counts(found), "3000 600 150", "the usage")
  same(found.prompts, { "make it, hushhush" }, "the prompts")
end)

test("the entries of one message count once, with its last usage", function()
  is(counts(read(answer("a", 1) .. answer("a", 7) .. answer("b", 2))), "32 10 9", "two messages")
end)

test("entries from before the session do not count", function()
  local began = core.clock.parse "2026-11-23T20:30:00.000Z"
  local found = read(real .. answer("new", 3, { timestamp = "2026-11-23T20:31:00.000Z" }), { began_ms = began })
  is(counts(found), "16 5 3", "the usage")
  same(found.prompts, {}, "the prompts")
  is(counts(read(real .. answer("new", 3), { from = #real })), "16 5 3", "what was appended")
  is(counts(read(real, { from = #real + 100 })), "3000 600 150", "a file that has been replaced")
end)

test("only what the user typed is a prompt", function()
  local meta = said("<system-reminder>x</system-reminder>") .. said("to itself", { isMeta = true })
    .. said("to a subagent", { isSidechain = true }) .. said("a summary", { isCompactSummary = true })
    .. said({ { type = "tool_result", content = "output" } }, { toolUseResult = { stdout = "output" } })
    .. said("<local-command-stdout>printed</local-command-stdout>") .. said "[Request interrupted by user]"
  local found = read(meta .. said { { type = "text", text = "typed" } }
    .. said "<command-name>/review</command-name>\n<command-args>7</command-args>")
  same(found.prompts, { "typed", "/review 7" }, "the prompts")
end)

test("subagents count, their prompts do not", function()
  put_file(scratch .. "/t/subagents", "agent-1.jsonl", answer("sub", 4, { isSidechain = true }) .. said "do it")
  local found = read(real)
  is(counts(found), "3016 605 154", "the usage")
  same(found.prompts, { "make it, hushhush" }, "the prompts")
  is(found.model, "claude-test", "the model")
end)

test("a transcript that cannot be read leaves the usage unknown", function()
  put_file(scratch, "real.jsonl", real)
  sh "ln -s real.jsonl link.jsonl; mkfifo fifo.jsonl; mkdir folder.jsonl"
  for _, path in ipairs { "/link.jsonl", "/fifo.jsonl", "/folder.jsonl", "/missing.jsonl", "/missing/x", "" } do
    local found = claude.read { id = "s", transcript = scratch .. path, from = 0 }
    is(found.usage, nil, path)
    same(found.prompts, {}, path)
  end
  is(claude.read({ id = "s", transcript = "relative.jsonl", from = 0 }).usage, nil, "no absolute path")
  is(claude.read({ id = "s", from = 0 }).usage, nil, "no path")
end)

test("damaged lines are skipped", function()
  local junk = '{"type":"assistant"\n[1]\n\0\255\n{"type":"assistant","message":7}\n'
    .. '{"type":"assistant","message":{"id":"x","usage":{"input_tokens":-4}}}\n'
    .. '{"type":"assistant","message":{"id":{},"usage":{"input_tokens":4}}}\n'
    .. '{"type":"user","message":{"content":{"a":[1]}}}\n' .. ("["):rep(500) .. "\n"
  local found = read(junk .. answer("a", 1) .. '{"type":"assistant","message":{"id":"cut')
  is(counts(found), "16 5 1", "the usage")
  same(found.prompts, {}, "the prompts")
end)

test("a line that is too long makes the usage a lower bound", function()
  local found = read('{"type":"assistant","x":"' .. ("x"):rep(9 << 20) .. '"}\n' .. answer("a", 1))
  is(counts(found), "16 5 1", "the usage")
  is(found.usage.partial, true, "partial")
end)

test("only a hook's input is an event", function()
  local event = claude.event { session_id = "s", hook_event_name = "PostToolUse", tool_name = "Write",
    tool_input = { file_path = "/a" } }
  same({ event.kind, event.tool, event.file }, { "tool", "Write", "/a" }, "a tool")
  is(claude.event { session_id = "s", hook_event_name = "Stop" }.kind, "other", "an event without a meaning here")
  is(claude.event { session_id = "s", hook_event_name = "Notification",
    notification_type = "permission_prompt" }.kind, "denied", "a prompt for a permission")
  is(claude.event { hook_event_name = "SessionEnd" }, nil, "no session")
  is(claude.event { session_id = 7, hook_event_name = "SessionEnd" }, nil, "a session that is a number")
end)
