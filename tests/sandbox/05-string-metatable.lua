-- A script cannot reach the metatable of strings, because the host calls the same methods.
-- expect: result closed
assert(getmetatable("") == false)
assert(not pcall(setmetatable, "", {}))
assert(not pcall(function() ("").evil = 1 end))
assert(("x").evil == nil and ("").__index == nil)
assert(("abc"):upper() == "ABC")
local ok, err = pcall(function() string.upper = function() return "evil" end end)
assert(not ok and err.kind == "denied" and ("abc"):upper() == "ABC")
assert("10" + 1 == 11)
return "closed"
