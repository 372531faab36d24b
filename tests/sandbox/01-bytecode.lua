-- Lua does not verify bytecode, so a script can neither load nor make it.
-- expect: result refused
assert(not pcall(function() return string.dump end) and ("").dump == nil)
local function refused(f, why) assert(f == nil and why:find("binary chunk", 1, true), why) end
refused(load("\27Lua"))
refused(load("\27LuaT\0\25\147\r\n\26\n\4\8\8", "name", "t"))
refused(load("\27Lua", "name", "bt", {}))
local pieces = { "\27", "Lua" }
refused(load(function() return table.remove(pieces, 1) end))
local f, why = load("return 1", "name", "b")
assert(f == nil and why:find("only text", 1, true))
return "refused"
