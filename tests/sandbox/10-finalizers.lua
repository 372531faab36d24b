-- A finalizer could run at any moment and could not be stopped, so a script cannot set one.
-- expect: result none
local function refused(value)
  local ok, err = pcall(setmetatable, {}, { __gc = value })
  assert(not ok and err.kind == "denied", tostring(value))
end
refused(function() while true do end end)
refused(true)
refused(0)
refused({})
-- A finalizer that is added to a metatable later never runs.
local fired = false
local function fire() fired = true end
for i = 1, 100 do
  local meta = {}
  local t = setmetatable({}, meta)
  if i % 2 == 0 then meta.__gc = fire else rawset(meta, "__gc", fire) end
  assert(not pcall(setmetatable, t, meta) and not pcall(setmetatable, {}, meta))
end
local inherited = setmetatable({}, { __index = { __gc = fire } })
setmetatable({}, inherited)
for _ = 1, 200 do local _ = ("x"):rep(100000) .. _ end
assert(not fired)
return "none"
