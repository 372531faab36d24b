-- A close handler that loops when coroutine.close runs it is killed.
-- expect: killed time
-- limits: time=200
local meta = { __close = function() while true do pcall(error) end end }
local co = coroutine.create(function()
  local guard <close> = setmetatable({}, meta)
  coroutine.yield()
end)
coroutine.resume(co)
pcall(coroutine.close, co)
while true do end
