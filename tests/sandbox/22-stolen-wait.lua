-- Only the task that waits in a coroutine may resume or close that coroutine. Another task of the script
-- cannot steal the wait, and gets an error instead.
-- expect: result kept 1
local co = coroutine.create(function() ctx:sleep(0.05) return "kept" end)
local result
local first = ctx:spawn("side", function() local ok, value = coroutine.resume(co) result = value return ok end)
local second = ctx:spawn("side", function(c)
  c:sleep(0.01)
  assert(coroutine.status(co) == "normal")
  local ok, why = coroutine.resume(co)
  assert(ok == false and why:find("non%-suspended"), why)
  assert(not pcall(coroutine.close, co))
  return 1
end)
assert(first:join() == true)
return result .. " " .. second:join()
