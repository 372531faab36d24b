-- A debug hook belongs to one coroutine, so the kill has to reach the coroutine that runs.
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
