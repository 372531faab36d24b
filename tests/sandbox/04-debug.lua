-- The debug library has only traceback, whose text is short.
-- expect: result traceback
local names = {}
for name in pairs(debug) do names[#names + 1] = name end
local function deep(n) if n == 0 then return debug.traceback("here") end return (deep(n - 1)) end
local text = deep(5000)
assert(#text < 4096 and text:find("^here\n") and text:find("skipping", 1, true))
assert(not text:find("0x", 1, true))
assert(debug.traceback(nil) and debug.traceback({}) and debug.traceback("x", 1e6))
assert(not pcall(debug.traceback, "x", {}))
assert(debug.traceback(coroutine.create(function() end)):find("stack traceback"))
return table.concat(names, ",")
