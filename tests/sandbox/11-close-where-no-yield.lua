-- Close handlers that loop get no time of their own, even where the kill must raise an error instead of yielding.
-- expect: killed time
-- limits: time=200
local meta = { __close = function() while true do pcall(error) end end }
local function frame(n)
  local guard <close> = setmetatable({}, meta)
  if n > 0 then return (frame(n - 1)) end
  while true do end
end
table.sort({ 1, 2, 3 }, function() frame(150) end)
