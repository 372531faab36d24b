-- Row 2: pending jumps to one label are taken from a list one by one. 32,000 of them take half a second that nothing
-- can interrupt, so a chunk may not have that many.
-- expect: result refused
local f, why = load("do " .. ("goto x "):rep(32000) .. " ::x:: end")
assert(f == nil and why:find("too many jumps", 1, true))
f, why = load("while true do " .. ("if x then break end "):rep(9000) .. " end")
assert(f == nil and why:find("too many jumps", 1, true))
assert(load("while true do " .. ("if x then break end "):rep(7000) .. " end"))
return "refused"
