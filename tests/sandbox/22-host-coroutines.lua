-- A task cannot close or resume the coroutine that the scheduler runs it in.
-- expect: result apart
local main = coroutine.running()
if main then
  assert(not pcall(coroutine.close, main))
  assert(coroutine.resume(main) == false)
  assert(coroutine.status(main) == "running")
end
ctx:spawn("side", function()
  local own, is_main = coroutine.running()
  assert(own == nil and is_main == true)
  assert(not coroutine.isyieldable())
  coroutine.wrap(function()
    if main then
      assert(coroutine.status(main) ~= "dead" and not pcall(coroutine.close, main))
      assert(coroutine.resume(main) == false)
    end
  end)()
end):join()
return "apart"
