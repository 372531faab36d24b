-- The size of a chunk is limited, whether it comes whole or in pieces. The error can be caught.
-- expect: result capped
local f, why = load(("x = 1 "):rep(200000))
assert(f == nil and why:find("1 MB", 1, true))
local piece = ("x = 1 "):rep(1000)
local ok, message = pcall(load, function() return piece end)
assert(not ok and message:find("1 MB", 1, true))
return "capped"
