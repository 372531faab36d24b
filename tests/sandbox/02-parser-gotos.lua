-- Lua's parser removes pending jumps to a label from a list one by one. 32,000 of them would take half a
-- second that nothing can interrupt, so the number of jumps in a chunk is limited.
-- expect: result refused
local f, why = load("do " .. ("goto x "):rep(32000) .. " ::x:: end")
assert(f == nil and why:find("too many jumps", 1, true))
f, why = load("while true do " .. ("if x then break end "):rep(9000) .. " end")
assert(f == nil and why:find("too many jumps", 1, true))
assert(load("while true do " .. ("if x then break end "):rep(7000) .. " end"))
return "refused"
