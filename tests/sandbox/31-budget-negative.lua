-- A negative or infinite budget is refused.
-- expect: error invalid budget
for _, bad in ipairs { -1, 0, math.huge, -math.huge, 0 / 0 } do
  assert(not pcall(m.preset, { name = "x", summary = "x", budget = { tokens = bad }, run = function() end }), bad)
end
return m.preset { name = "x", summary = "x", budget = { wall = "-5m" }, run = function() end }
