-- A script shares the libraries with the host, so it gets read-only views that raw access cannot bypass.
-- expect: result frozen
local function denied(f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok and type(err) == "table" and err.kind == "denied", tostring(err))
end
for _, library in ipairs { string, table, math, utf8, coroutine, os, debug, m, ctx, m.json, m.arg } do
  denied(function() library.evil = 1 end)
  denied(rawset, library, "evil", 1)
  denied(rawget, library, "evil")
  denied(table.insert, library, 1)
  denied(table.move, { 1 }, 1, 1, 1, library)
  assert(getmetatable(library) == false)
  assert(not pcall(setmetatable, library, {}))
  assert(next(library) == nil)
  assert(rawlen(library) == 0)
end
local count = 0
for name, value in pairs(string) do
  assert(type(name) == "string" and string[name] == value)
  count = count + 1
end
assert(count == 16, count)
local step, shown = pairs(string)
assert(shown == string)
for name in pairs(m) do assert(type(name) == "string") end
-- A library table stays frozen after its first use.
local encode = m.json.encode
denied(function() m.json.encode = 1 end)
assert(m.json.encode == encode)
-- A script may change its own copy of plain data.
assert(pcall(function() local t = { 1 } table.insert(t, 2) rawset(t, "x", 1) end))
return "frozen"
