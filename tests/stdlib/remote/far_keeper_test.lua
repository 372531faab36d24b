-- Tests how the output of the keeper on a remote machine is read. A fake connection returns the
-- output, which may be damaged or hostile.
local far_keeper = require "moonlet.engine.remote.far_keeper"
local exits = require "moonlet.engine.remote.exit"

local reader = getmetatable(far_keeper.new({}, { dir = "/far", on = "ssh:big" })).__index

--- Returns a keeper whose machine prints `text`.
local function answering(text, code)
  return setmetatable({ on = "ssh:big", dir = "/far", path = "/far/bin/keeper", sent = {}, was_checked = true, link = {
    exec = function() return { code = code or 0, stdout = text, stderr = code and text or "" } end } },
    { __index = reader })
end

local function look(text)
  local seen = {}
  answering(text):look({}, function(nonce, _, out, err) seen[#seen + 1] = { nonce, out, err } end)
  return seen
end

test("an answer with logs is read whole", function()
  local head = '{"nonce":"a1","out":3,"err":1,"state":"running"}\n'
  same(look(head .. "x\ny" .. "e" .. head .. "123" .. "4"), { { "a1", "x\ny", "e" }, { "a1", "123", "4" } }, "logs")
end)

test("an answer that is no JSON is refused in the machine's name", function()
  for _, text in ipairs { "Welcome!\n", "[]x\n", '"text"\n', "17\n", "\0\27[2J\n" } do
    raises(function() look(text) end, "ssh:big gives an answer that cannot be read", show(text))
    raises(function() answering(text):lines("start", { attempts = {} }) end, "ssh:big gives an answer that cannot be read", show(text))
  end
end)

test("an answer with control bytes is shown without them", function()
  local err = raises(function() look "\27]0;hit\7\n" end, "ssh:big", "an escape")
  is(err.message:find "%c", nil, "control bytes in the message")
end)

test("an answer about more than was asked is refused", function()
  raises(function() answering('{"nonce":"a1"}\n{"nonce":"a2"}\n'):lines("end", { nonces = { "a1" } }) end,
    "ssh:big answers more than it was asked", "two lines")
end)

test("a truncated answer is refused in the machine's name", function()
  raises(function() look '{"nonce":"a1","out":3,"er' end, "ssh:big gives an answer that cannot be read", "cut in the head")
  raises(function() look '{"nonce":"a1","out":0,"err":0}' end, "ssh:big: its answer is cut off",
    "cut before the line's end")
  raises(function() look '{"nonce":"a1","out":9,"err":0}\nabc' end, "ssh:big: its answer is cut off", "cut in the logs")
end)

test("sizes that no log can have are refused in the machine's name", function()
  for _, sizes in ipairs { '"out":-1,"err":0', '"out":1.5,"err":0', '"out":9223372036854775807,"err":1', '"err":0',
    '"out":"3","err":0' } do
    raises(function() look('{"nonce":"a1",' .. sizes .. "}\nabc") end, "ssh:big: its answer is cut off", sizes)
  end
end)

test("a keeper that fails is named with its machine", function()
  raises(function() answering("no space left", 3):call("start", { attempts = {} }) end, "ssh:big: the keeper there failed (3)",
    "failure")
end)

test("an end that says nothing known is none", function()
  for _, record in ipairs { "text", {}, { why = "free" }, { why = 3 }, { why = {} } } do
    is(exits.of(record, "", ""), nil, show(record))
  end
end)

test("an end with fields of other types is read with defaults", function()
  local exit = exits.of({ why = "exited", code = "0", ms = 1.5, out = {}, machine = { "x" } }, "o", "e")
  same({ exit.code, exit.duration_ms, exit.stdout_total, exit.machine or false }, { -1, 0, 0, false }, "fields")
end)
