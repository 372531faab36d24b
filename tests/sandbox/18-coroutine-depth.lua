-- Nesting fails at about 200 coroutines, and the outer coroutines continue.
-- expect: result bounded
local deepest = 0
local function nest(n)
  deepest = n
  local co = coroutine.create(nest)
  local ok, why = coroutine.resume(co, n + 1)
  if not ok then return why end
  return why
end
local why = nest(1)
assert(tostring(why):find("overflow"), why)
assert(deepest > 50 and deepest < 220, deepest)
assert(nest(1):find("overflow"))
return "bounded"
