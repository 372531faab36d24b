-- Row 11: a thousand handlers to close, each of which loops.
-- expect: killed time
-- limits: time=200
local meta = { __close = function() while true do pcall(error) end end }
local function frame(n)
  local guard <close> = setmetatable({}, meta)
  if n > 0 then return (frame(n - 1)) end
  while true do end
end
while true do pcall(frame, 1000) end
