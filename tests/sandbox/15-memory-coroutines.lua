-- The stacks of an endless number of coroutines count as memory.
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
