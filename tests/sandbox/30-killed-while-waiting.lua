-- A looping task is killed while other tasks wait in coroutines and for programs.
-- expect: killed time
-- limits: time=300
-- allow: run=sleep
-- gone: 87654.3210
ctx:finally(function() while true do end end)
ctx:spawn("side", function(c)
  coroutine.wrap(function() c:exec { "sleep", "87654.3210" } end)()
end)
ctx:spawn("side", function(c) c:sleep(60) end)
ctx:sleep(0.2)
coroutine.wrap(function() while true do pcall(error) end end)()
