-- Row 2: load without an environment must not reach the host's globals.
-- expect: result own
assert(load("return _ENV")() == _G)
assert(load("return _ENV", "n", "t", nil)() == _G)
load("leaked = 7")()
assert(leaked == 7 and rawget(_G, "leaked") == 7)
assert(load("return core, io, package, dofile, loadfile, loadstring, require('moonlet') == m")() == nil)
assert(load("return x", "n", "t", { x = 5 })() == 5)
assert(load("return string", "n", "t", {})() == nil)
local f = load("return load('return _ENV')()", "n", "t", { load = load })
assert(f() == _G)
local parts = { "return ", "1 ", "+ 1" }
assert(load(function() return table.remove(parts, 1) end)() == 2)
return "own"
