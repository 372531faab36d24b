-- Row 15: coroutines without end, each with a stack, inside each other's reach.
-- expect: killed memory
-- limits: memory=32
local keep = {}
while true do
  pcall(function()
    local co = coroutine.create(function(...) coroutine.yield(...) end)
    coroutine.resume(co, ("x"):rep(1000 + #keep))
    keep[#keep + 1] = co
  end)
end
