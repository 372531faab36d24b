-- Tests the evidence that a resumed session shows its conversation, on recorded screens of real
-- agents.
local conversation = require "moonlet.engine.session.conversation"
local grammars = require "moonlet.engine.session.grammars"

local folder = "/home/user/ws"

local function screen(lines, row)
  return { lines = lines, history = {}, cursor = { row = row or #lines, col = 0 } }
end

--- Returns the recorded screens of an agent by their times.
local function recorded(name)
  local root, screens = assert(core.file.root(cases .. "/../../data/screens")), {}
  local text = assert(core.file.read(root, name, 1 << 20))
  for head, body in (text .. "===== "):gmatch "===== ([^\n]*)\n(.-)%f[=]%f[=]" do
    local lines = {}
    for line in body:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
    screens[head] = screen(lines)
  end
  return screens
end

local function evidence(old, new, agent, more)
  more = more or {}
  local grammar = grammars.named(agent)
  local known = conversation.known(old, grammar, more.typed or {}, more.texts or {}, { folder,
    table.unpack(more.argv or { "codex" }) })
  return conversation.find(known, new, grammar)
end

test("text that Codex prints at every start is not evidence", function()
  local talk, trust = recorded "codex-approval.txt", recorded "codex-trust.txt"
  local old, fresh = talk["t=10.4s end"], talk["t=3.0s before send 'please run [[tool:exec_command:{\"cmd\":"
    .. "\"touch ptyfile\",\"sandbox_permissions\":\"require_escalated\",\"justification\":\"May I touch ptyfile "
    .. "outside the sandbox?\"}]]'"]
  is(evidence(old, fresh, "codex"), nil, "a fresh start")
  is(evidence(talk["t=10.0s mark"], trust["t=3.0s mark"], "codex"), nil, "a fresh start that asks for trust")
  is(evidence(fresh, fresh, "codex"), nil, "two fresh starts")
  is(evidence(old, trust["t=10.0s mark"], "codex"), nil, "another conversation in the same folder")
end)

test("a line of the user or of the agent is evidence", function()
  local talk, claude = recorded "codex-approval.txt", recorded "claude-trust.txt"
  holds(evidence(talk["t=10.4s end"], talk["t=10.0s mark"], "codex"), "› please run [[tool:exec_command", "codex")
  is(evidence(claude["t=15.0s end"], claude["t=13.0s mark"], "claude"), "❯ please [[shell:touch clpty.txt]]", "claude")
  is(evidence(claude["t=15.0s end"], claude["t=7.0s mark"], "claude"), nil, "a fresh Claude")
  is(evidence(screen { "› hi" }, screen { "› hi" }, "codex"), "› hi", "a short line")
  is(evidence(screen { "› hi" }, screen { "› hi, there" }, "codex"), nil, "another short line")
end)

test("the words of the new command and an empty input line are not evidence", function()
  is(evidence(screen { "› fix the bug" }, screen { "› fix the bug" }, "codex", { argv = { "codex", "fix the bug" } }),
    nil, "a prompt that starts anew")
  is(evidence(screen { "› some new hint" }, screen({ "› some new hint" }, 0), "codex"), nil, "the line of the cursor")
  is(evidence(screen {}, screen { "Folder: " .. folder }, nil, { typed = { folder } }), nil, "a folder that was typed")
end)

test("a transcript recognizes lines that the old screen did not show", function()
  local texts = { "Please **explain** how the parser recovers from an error.\nIn detail.", "It works in " .. folder
    .. "/a/folder/with/a/long/name and drops tokens until the next semicolon." }
  local function found(line) return evidence(screen {}, screen { line }, "codex", { texts = texts }) end
  is(found "› Please explain how the parser", "› Please explain how the parser", "the wrapped line of the user")
  is(found "  and drops tokens until the next semicolon.", "and drops tokens until the next semicolon.", "an answer")
  is(found("  " .. folder), nil, "the folder, which the answer names")
  is(found "• Please", nil, "too little of a line")
end)

test("lines that a program echoed are evidence if its agent is unknown", function()
  local typed = { typed = { "remember number 42", "y" } }
  is(evidence(screen {}, screen { "agent 1.0", "> remember number 42" }, nil, typed), "> remember number 42", "typed")
  is(evidence(screen {}, screen { "agent 1.0", "ready" }, nil, typed), nil, "a fresh start")
end)

test("the messages of a transcript are found by the id of the conversation", function()
  local lines = {
    { type = "session_meta", payload = { id = "01-ab", cwd = folder } },
    { type = "response_item", payload = { type = "message", role = "user",
      content = { { type = "input_text", text = "<environment_context>" .. folder } } } },
    { type = "event_msg", payload = { type = "user_message", message = "say hello" } },
    { type = "response_item", payload = { type = "message", role = "assistant",
      content = { { type = "output_text", text = "Hello from the model." } } } },
  }
  for i, line in ipairs(lines) do lines[i] = core.json.encode(line) end
  put_file(scratch .. "/.codex/sessions/2026/11/23", "rollout-2026-01-ab.jsonl", table.concat(lines, "\n") .. "\n")
  local codex = grammars.named "codex"
  local transcript = conversation.transcript(codex, "01-ab")
  same(conversation.messages(transcript, codex), { "say hello", "Hello from the model." }, "codex")
  is(conversation.has_grown(transcript), false, "nobody has added to it")
  put_file(scratch .. "/.codex/sessions/2026/11/23", "rollout-2026-01-ab.jsonl", table.concat(lines, "\n") .. "\n\n\n")
  is(conversation.has_grown(transcript), true, "the agent has added to it")
  is(conversation.transcript(codex, "02-cd"), nil, "another conversation")
  put_file(scratch .. "/.claude/projects/-home-user-ws", "03-ef.jsonl", core.json.encode { type = "user",
    message = { role = "user", content = "say hello" } } .. "\n" .. core.json.encode { type = "user", isMeta = true,
    message = { role = "user", content = "a caveat" } } .. "\n")
  local claude = grammars.named "claude"
  same(conversation.messages(conversation.transcript(claude, "03-ef"), claude), { "say hello" }, "claude")
end)
