-- Parses forty damaged streams, made of recordings in data/ and a seed. No reader may raise, exceed
-- its memory limit, or report a truncated stream as success. An answer is either correct or marked
-- as incomplete.
local m = require "moonlet"

local seed = 1
local function random(n)
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed // 65536 % n + 1
end

local done = { why = "exited", code = 0 }
local wrong, streams, reads = {}, 0, 0
local function note(...) wrong[#wrong + 1] = string.format(...) end

local function finish(name, reader)
  reads = reads + 1
  return m.runner[name].finish(reader.state, done, { now = 0 })
end

local function read(name, bytes)
  local reader = m.runner.reader(name)
  local ok, err = pcall(function()
    local at = 1
    while at <= #bytes do
      local size = random(20000)
      reader:feed(bytes:sub(at, at + size - 1))
      at = at + size
    end
    reader:close()
  end)
  if not ok then note("%s raised: %s", name, type(err) == "table" and err.message or tostring(err)) end
  return finish(name, reader), reader.state
end

-- Estimates the size of a reader's state in bytes.
local function size_of(value, depth)
  if type(value) == "string" then return #value + 40 end
  if type(value) ~= "table" then return 16 end
  if depth > 8 then return 0 end
  local sum = 56
  for key, item in pairs(value) do sum = sum + size_of(key, depth + 1) + size_of(item, depth + 1) end
  return sum
end
local text_cap = 4 << 20
local function bounded(what, state)
  local size = size_of(state, 0)
  if size > text_cap + (2 << 20) then note("%s: the state holds %d bytes", what, size) end
end

local small = {
  { "codex", "codex-json-shell" }, { "codex", "codex-json-applypatch" }, { "claude", "claude-sj-bash-allowed" },
  { "claude", "claude-json-ok" }, { "gemini", "gemini-sj-shell" }, { "gemini", "gemini-json-ok" },
  { "opencode", "opencode-json-bash" }, { "opencode", "opencode-json-ok" },
}
local failing = {
  { "codex", "codex-json-429" }, { "claude", "claude-sj-429-r1" }, { "gemini", "gemini-sj-400" },
  { "opencode", "opencode-json-400" },
}
local function data(name) return m.asset("data/" .. name .. ".stdout") end

-- Streams 1 to 8 are truncated at every byte.
for _, case in ipairs(small) do
  streams = streams + 1
  local bytes = data(case[2])
  local whole = m.runner.read(case[1], bytes, done, { now = 0 })
  if whole.status ~= "ok" then note("%s is no good stream", case[2]) end
  local enough = #bytes:gsub("%s+$", "")
  for length = 0, #bytes do
    local reader = m.runner.reader(case[1])
    reader:feed(bytes:sub(1, length))
    reader:close()
    local result = finish(case[1], reader)
    if result.status == "ok" and (length < enough or result.text ~= whole.text) then
      note("%s cut after %d bytes: ok, %q", case[2], length, result.text)
    elseif result.status ~= "ok" and length >= enough then
      note("%s cut after %d bytes: %s", case[2], length, result.class)
    end
  end
  ctx:sleep(0)
end

-- Streams 9 to 12 record failures, which remain failures wherever they are truncated.
for _, case in ipairs(failing) do
  streams = streams + 1
  local bytes = data(case[2])
  for length = 0, #bytes, 3 do
    local result = m.runner.read(case[1], bytes:sub(1, length), done, { now = 0 })
    reads = reads + 1
    if result.status == "ok" then note("%s cut after %d bytes: ok", case[2], length) end
  end
  ctx:sleep(0)
end

-- Streams 13 to 20 have flipped bits.
for _, case in ipairs(small) do
  streams = streams + 1
  local bytes = data(case[2])
  for _ = 1, 60 do
    local flipped = bytes
    for _ = 1, random(6) do
      local at = random(#flipped)
      flipped = flipped:sub(1, at - 1) .. string.char(flipped:byte(at) ~ (1 << random(8) - 1)) .. flipped:sub(at + 1)
    end
    local _, state = read(case[1], flipped)
    bounded(case[2] .. " flipped", state)
  end
  ctx:sleep(0)
end

-- Streams 21 to 28 have garbage between their lines, which must not change the result.
local garbage = { "\0\0\0", "\255\254", "{", "}", "[1,2", "null", "\27[2J", ("\200"):rep(3000), "{\"type\":\"x\"}",
  "{\"type\":7}", "\r", "{\"a\":" .. ("["):rep(5000), "data: {}", "NaN", "{'type':'result'}" }
-- A truncated line after the last text may have been the event with the answer.
local halves = { "{\"type\":", "{\"type\":\"turn.completed\"", "{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"te" }
for _, case in ipairs(small) do
  streams = streams + 1
  local bytes = data(case[2])
  -- A JSON object over several lines is one event, so the garbage goes in front of it.
  local one = case[2] == "gemini-json-ok"
  local whole = m.runner.read(case[1], bytes, done, { now = 0 })
  for _ = 1, 20 do
    local parts = {}
    for line in bytes:gmatch("[^\n]+") do
      if not one or #parts == 0 then
        local junk = garbage[random(#garbage)]
        if not (one and junk == "{") then parts[#parts + 1] = junk end
      end
      parts[#parts + 1] = line
    end
    local ending = random(2) == 1 and "\r\n" or "\n"
    local result, state = read(case[1], table.concat(parts, ending))
    if not one and (result.status ~= "ok" or result.text ~= whole.text) then
      note("%s with garbage: %s %s", case[2], result.status, result.class or "another text")
    end
    bounded(case[2] .. " with garbage", state)
    if not one then
      local at = random(#parts)
      table.insert(parts, at, halves[random(#halves)])
      result = read(case[1], table.concat(parts, ending))
      if result.status == "ok" and result.text ~= whole.text then note("%s with half an event: another text", case[2]) end
      if result.status ~= "ok" and result.class ~= "invalid-output" then
        note("%s with half an event: %s", case[2], result.class)
      end
    end
  end
  ctx:sleep(0)
end

-- Streams 29 to 40 are large or deep. They are fed in pieces, so that only the reader can
-- accumulate them.
local piece = ("x"):rep(1 << 20)
local heavy = {
  { "codex", "one line without an end, 40 MB", function(feed) for _ = 1, 40 do feed(piece) end end },
  { "codex", "a message of 40 MB", function(feed)
    feed '{"type":"item.completed","item":{"type":"agent_message","text":"'
    for _ = 1, 40 do feed(piece) end
    feed '"}}\n{"type":"turn.completed"}\n'
  end, "ok", nil, true },
  { "codex", "a message, and 40 MB that are none", function(feed)
    feed '{"type":"item.completed","item":{"type":"agent_message","text":"early"}}\n{"type":"item.completed","'
    for _ = 1, 40 do feed(piece) end
    feed '":1}\n{"type":"turn.completed"}\n'
  end },
  { "codex", "twelve messages of 3 MB", function(feed)
    for _ = 1, 12 do
      feed '{"type":"item.completed","item":{"type":"agent_message","text":"'
      for _ = 1, 3 do feed(piece) end
      feed '"}}\n'
    end
    feed '{"type":"turn.completed"}\n'
  end, "ok", 3 << 20 },
  { "claude", "a result of 9 MB", function(feed)
    feed '{"type":"result","subtype":"success","is_error":false,"result":"'
    for _ = 1, 9 do feed(piece) end
    feed '"}\n'
  end, "ok", nil, true },
  { "gemini", "an answer in 60,000 crumbs", function(feed)
    for _ = 1, 60000 do feed '{"type":"message","role":"assistant","content":"0123456789","delta":true}\n' end
    feed '{"type":"result","status":"success"}\n'
  end, "ok", 600000 },
  { "gemini", "an object of 20 MB over lines", function(feed)
    feed "{\n"
    for _ = 1, 20 do feed(piece) feed "\n" end
    feed "}\n"
  end },
  { "opencode", "10,000 tools", function(feed)
    for i = 1, 10000 do
      feed('{"type":"tool_use","part":{"tool":"write","callID":"' .. i .. '","state":{"status":"completed","input":{"filePath":"f'
        .. i .. '"}}}}\n')
    end
  end },
  { "claude", "10,000 tools that never end", function(feed)
    for i = 1, 10000 do
      feed('{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Bash","id":"' .. i .. '","input":{"command":"'
        .. ("c"):rep(500) .. '"}}]}}\n')
    end
  end },
  { "moonlet", "300,000 lines that are no events", function(feed)
    local lines = ("noise\n"):rep(1000)
    for _ = 1, 300 do feed(lines) end
  end },
  { "codex", "2,000 lines, each 10,000 deep", function(feed)
    local line = '{"type":"turn.completed","x":' .. ("["):rep(10000) .. "\n"
    for _ = 1, 2000 do feed(line) end
  end },
  { "codex", "100,000 warnings, all different", function(feed)
    for i = 1, 100000 do feed('{"type":"item.completed","item":{"type":"error","message":"w' .. i .. '"}}\n') end
  end },
}
for _, case in ipairs(heavy) do
  streams = streams + 1
  local reader = m.runner.reader(case[1])
  local fed = 0
  local ok, err = pcall(case[3], function(bytes)
    reader:feed(bytes)
    fed = fed + #bytes
    if fed > 4 << 20 then
      fed = 0
      ctx:sleep(0)
    end
  end)
  if ok then ok, err = pcall(reader.close, reader) end
  if not ok then note("%s raised: %s", case[2], type(err) == "table" and err.message or tostring(err)) end
  local result = finish(case[1], reader)
  if result.status ~= (case[4] or "failed") then note("%s: %s %s", case[2], result.status, result.class or "") end
  if case[5] and #result.text ~= case[5] then note("%s: a text of %d bytes", case[2], #result.text) end
  if case[6] and not (result.cut and result.text:find("\n[cut: ", 1, true)) then note("%s: it was cut without a note", case[2]) end
  if #result.text > text_cap + 100 then note("%s: a text of %d bytes", case[2], #result.text) end
  bounded(case[2], reader.state)
  ctx:sleep(0)
end

if #wrong > 0 then
  error { kind = "failed", message = ("%d wrong: %s"):format(#wrong, table.concat(wrong, "; ", 1, math.min(#wrong, 12))) }
end
return { streams = streams, reads = reads }
