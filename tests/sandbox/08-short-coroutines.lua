-- An endless tree of coroutines is killed, although each ends before its hook checks the clock.
-- expect: killed time
-- limits: time=200
local function tree(depth)
  for _ = 1, 50 do
    coroutine.wrap(function() if depth > 0 then pcall(tree, depth - 1) end end)()
  end
end
while true do pcall(tree, 60) end
