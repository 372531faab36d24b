-- A thousand close handlers that loop are killed together, within one time limit.
-- expect: killed time
-- limits: time=200
local meta = { __close = function() while true do pcall(error) end end }
local function frame(n)
  local guard <close> = setmetatable({}, meta)
  if n > 0 then return (frame(n - 1)) end
  while true do end
end
while true do pcall(frame, 1000) end
