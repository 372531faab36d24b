-- Feeds the readers of agent output lines that are damaged in one known way, and checks each result.
local stream = require "moonlet.engine.runner.stream"
local done = { why = "exited", code = 0 }
local function read(name, bytes, piece)
  local runner = require("moonlet.engine.runner." .. name)
  local reader, events = stream.reader(runner), {}
  for at = 1, #bytes, piece or 65536 do
    for _, event in ipairs(reader:feed(bytes:sub(at, at + (piece or 65536) - 1))) do events[#events + 1] = event end
  end
  for _, event in ipairs(reader:close()) do events[#events + 1] = event end
  return runner.finish(reader.state, done, { now = 0 }), reader.state, events
end
local function message(text) return '{"type":"item.completed","item":{"type":"agent_message","text":"' .. text .. '"}}' end
local over = '{"type":"turn.completed","usage":{"input_tokens":5,"output_tokens":1}}'
local function codex(...) return read("codex", table.concat({ ... }, "\n") .. "\n") end

is(codex(message "a", over).text, "a", "undamaged")
is(read("codex", message "a" .. "\r\n" .. over .. "\r\n").status, "ok", "CRLF")
is(read("codex", message "a" .. "\n" .. over).status, "ok", "no last line feed")
is(read("codex", message "a" .. "\n" .. over, 1).status, "ok", "a byte at a time")
is(read("codex", "\xef\xbb\xbf" .. message "a" .. "\n" .. over).text, "a", "a byte order mark")
local result, state = codex(message "a\255b\xf0\x9f", over)
is(result.text, "a\u{fffd}b\u{fffd}", "bytes that are no UTF-8")
is(state.repaired, 1, "are noted")
holds(result.warnings[1], "replaced by U+FFFD", "and told")
is(codex(message "a\0b\1c", over).text, "a\u{fffd}b\u{fffd}c", "raw control characters")
is(codex(message "a\\ud83d", over).text, "a\u{fffd}", "half an emoji at the end")
is(codex(message "\\ude00\\ud83d\\ude00x\\ud83dy", over).text, "\u{fffd}\u{1f600}x\u{fffd}y", "halves and a whole")
is(codex(message "\\\\ud83d \\q \\u12", over).text, "\\ud83d \\q \\u12", "backslashes that escape nothing")
is(codex(message "tab\there", over).text, "tab\u{fffd}here", "a raw tab")
result = codex(message "a", '{"type":"turn.completed","usage":{"input_tokens":99999999999999999999999,"output_tokens":1e999,'
  .. '"cached_input_tokens":-4,"reasoning_output_tokens":"7"}}')
is(result.status, "ok", "numbers that no integer holds")
is(result.usage, nil, "are no usage")
for what, line in pairs {
  ["half a line"] = over:sub(1, 30), ["a duplicate key"] = '{"type":"turn.completed","type":"turn.failed"}',
  ["too deep"] = '{"type":"turn.completed","x":' .. ("["):rep(500) .. ("]"):rep(500) .. "}",
  ["a list"] = '["turn.completed"]', ["text"] = "turn.completed", ["a type that is a number"] = '{"type":7}',
  ["a type that is a list"] = '{"type":["turn.completed"]}', ["two on a line"] = over .. over, ["nothing"] = "",
} do is(codex(message "a", line).status, "failed", what .. " is no end") end
for what, line in pairs {
  ["an unknown event"] = '{"type":"turn.new","x":{}}', ["an item that is text"] = '{"type":"item.completed","item":"x"}',
  ["an item without a type"] = '{"type":"item.completed","item":{}}', ["a text that is a table"] =
    '{"type":"item.completed","item":{"type":"agent_message","text":{}}}',
  ["a null"] = '{"type":"item.completed","item":null}', ["changes that are text"] =
    '{"type":"item.completed","item":{"type":"file_change","changes":"x"}}',
  ["changes that are numbers"] = '{"type":"item.completed","item":{"type":"file_change","changes":[1,null,{"path":7}]}}',
  ["an exit code that is text"] = '{"type":"item.completed","item":{"type":"command_execution","exit_code":"0"}}',
} do is(codex(message "a", line, over).text, "a", what) end
result = codex(message "a", '{"type":"turn.completed","usage":[1,2]}')
is(result.status, "ok", "a usage that is a list")

-- Very long lines and answers are truncated and marked.
local big = ("x"):rep(300000)
is(codex(message(big), over).text, big, "300 kB on a line")
result = codex(message(("x"):rep(9 << 19)), over)
is(result.cut, 9 << 19, "an answer of 4.5 MB is cut")
holds(result.text, ("[moonlet: %d bytes cut here]"):format((9 << 19) - (4 << 20)), "and says so")
result = codex(message "a", message(("y"):rep(7 << 20)), over)
is(result.status .. " " .. tostring(result.cut), "ok 4194304", "a line of 7 MB is read in part")
holds(result.text, "yyy\n[cut: the first 4194304 bytes are kept]", "and marked")
holds(result.warnings[1], "was read in part", "and told")
result, state = codex(message "a", '{"type":"item.completed","' .. ("y"):rep(7 << 20) .. '":1}', over)
is(result.status .. " " .. result.class .. " " .. state.skipped, "failed invalid-output 1", "one of which nothing can be read")
is(codex(message "a", '{"type":"item.completed","item":{"type":"agent_mess', over).class, "invalid-output",
  "half an event where the answer may have been")
is(codex('{"type":"item.completed","item":{"type":"agent_mess', message "a", over).text, "a", "half an event before it")
is(codex(message "a", '{"ty', "garbage", over).text, "a", "garbage after it")
local many = {}
for i = 1, 20000 do many[i] = '{"type":"item.started","item":{"id":"' .. i .. '","type":"command_execution","command":"c"}}' end
many[#many + 1] = over
state = select(2, codex(table.unpack(many)))
is(state.open_count <= 256, true, "tools without an end are counted up to a number")
many = {}
for i = 1, 5000 do
  many[i] = '{"type":"item.completed","item":{"id":"i","type":"file_change","status":"completed","changes":[{"path":"f' .. i .. '"}]}}'
end
is(#codex(table.unpack(many)).files_changed, 2000, "files are listed up to a number")
many = {}
for i = 1, 3000 do many[i] = '{"type":"item.completed","item":{"type":"error","message":"m' .. i .. '"}}' end
is(#codex(table.unpack(many)).warnings, 50, "warnings are kept up to a number")
local crumbs = {}
for i = 1, 20000 do crumbs[i] = '{"type":"message","role":"assistant","content":"ab","delta":true}' end
crumbs[#crumbs + 1] = '{"type":"result","status":"success"}'
is(#read("gemini", table.concat(crumbs, "\n")).text, 40000, "an answer in crumbs")
local escape = codex('{"type":"item.started","item":{"id":"1","type":"command_execution","command":"\\u001b[31mred\\n\\u0007"}}')
is(escape.status, "failed", "a stream that stops")
local _, _, events = read("codex", '{"type":"item.started","item":{"id":"1","type":"command_execution","command":"\\u001b[31mred\\n\\u0007"}}\n')
is(events[1].detail:find("[%z\1-\31\127]"), nil, "no control characters in what is shown")
_, _, events = read("codex", message "hi \\u001b[2J" .. "\n")
is(events[1].type, "text", "what it says")

-- The readers of the other formats get values of wrong types in every field.
local junk = { "null", "7", "\"x\"", "[]", "{}", "[[[]]]", "true" }
local shapes = {
  claude = { '{"type":"assistant","message":%s}', '{"type":"assistant","message":{"content":%s}}', '{"type":"assistant","message":{"content":[%s]}}',
    '{"type":"user","message":{"content":[%s]}}', '{"type":"result","result":%s,"usage":%s,"modelUsage":%s,"errors":%s,"permission_denials":%s}',
    '{"type":"result","subtype":"success","is_error":false,"structured_output":%s,"modelUsage":{"a":%s}}', '{"type":"system","subtype":%s}',
    '{"type":"system","subtype":"api_retry","attempt":%s,"retry_delay_ms":%s,"error":%s}', '{"type":"rate_limit_event","rate_limit_info":%s}',
    '{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":%s}}',
    '{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Edit","id":%s,"input":%s}]}}' },
  gemini = { '{"type":"init","model":%s}', '{"type":"message","role":"assistant","content":%s}', '{"type":"tool_use","tool_name":%s,"tool_id":%s,"parameters":%s}',
    '{"type":"tool_result","tool_id":%s,"output":%s,"error":%s}', '{"type":"result","status":%s,"error":%s,"stats":%s}', '{"type":"error","message":%s}',
    '{"response":%s,"stats":%s}', '{"error":%s}' },
  opencode = { '{"type":"text","part":%s}', '{"type":"tool_use","part":{"tool":%s,"state":%s}}', '{"type":"step_finish","part":{"tokens":%s,"reason":%s,"cost":%s}}',
    '{"type":"error","error":%s}', '{"type":"error","error":{"name":%s,"data":{"message":%s,"responseHeaders":%s,"statusCode":%s}}}' },
  moonlet = { '{"type":"text","text":%s}', '{"type":"tool","name":%s,"detail":%s,"status":%s}', '{"type":"usage","input_tokens":%s,"cost_usd":%s}',
    '{"type":"error","message":%s,"reset_at":%s,"retry_after_ms":%s}', '{"type":"done","status":%s,"text":%s}', '{"type":"file","path":%s}' },
}
for name, list in pairs(shapes) do
  for _, shape in ipairs(list) do
    for _, value in ipairs(junk) do
      local line = shape:gsub("%%s", (value:gsub("%%", "%%%%")))
      local ok, outcome, its_state = pcall(read, name, line .. "\n")
      is(ok, true, name .. " raises at " .. line .. ": " .. show(outcome))
      if ok and its_state.malformed > 0 then note(name .. " took as malformed: " .. line .. show(outcome.warnings)) end
    end
  end
end
