-- A chunk that is loaded without an environment gets the script's globals, not the host's.
-- expect: result own
assert(load("return _ENV")() == _G)
assert(load("return _ENV", "n", "t", nil)() == _G)
load("function leaked() return 7 end")()
assert(leaked() == 7 and rawget(_G, "leaked")() == 7)
for _, name in ipairs { "core", "io", "package", "dofile", "loadfile", "loadstring" } do
  local ok, err = pcall(load("return " .. name))
  assert(not ok and err.kind == "invalid", name)
end
assert(load("return x", "n", "t", { x = 5 })() == 5)
assert(load("return string", "n", "t", {})() == nil)
local f = load("return load('return _ENV')()", "n", "t", { load = load })
assert(f() == _G)
local parts = { "return ", "1 ", "+ 1" }
assert(load(function() return table.remove(parts, 1) end)() == 2)
return "own"
