-- The handle of a task exposes its methods and nothing else.
-- expect: result sealed
local h = ctx:spawn("side", function() return 5 end)
for _, name in ipairs { "__index", "__metatable", "__gc", "__name", "wait" } do
  assert(not pcall(function() return h[name] end))
end
local ok, err = pcall(function() h.join = 1 end)
assert(not ok and err.kind == "denied")
assert(getmetatable(h) == false)
assert(not pcall(h.join, {}) and not pcall(h.join, ctx) and not pcall(h.join, nil))
assert(not pcall(h.join, setmetatable({}, { __index = h })))
assert(h:join() == 5)
return "sealed"
