-- Row 8: hooks belong to one coroutine; the kill has to reach whichever runs.
-- expect: killed time
-- limits: time=200
local function nest(n)
  local co = coroutine.wrap(function()
    if n == 0 then while true do pcall(error) end end
    nest(n - 1)
  end)
  while true do pcall(co) end
end
nest(20)
