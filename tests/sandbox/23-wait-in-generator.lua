-- A wait inside nested generators reaches the scheduler.
-- expect: result 1 2 3 4
local function inner(n)
  return coroutine.wrap(function()
    for i = 1, n do
      ctx:sleep(0.001)
      coroutine.yield(i)
    end
  end)
end
local outer = coroutine.wrap(function()
  for i in inner(4) do
    ctx:sleep(0.001)
    coroutine.yield(i)
  end
end)
local seen = {}
for i in outer do seen[#seen + 1] = i end
return table.concat(seen, " ")
