-- Row 30: when Lua is killed its children and their children are ended.
-- expect: killed time
-- limits: time=300
-- allow: run=sh
-- gone: 98765.4321
for _ = 1, 3 do
  ctx:spawn("side", function(c) c:exec { "sh", "-c", "sleep 98765.4321 & trap '' TERM; sleep 98765.4321" } end)
end
ctx:sleep(0.3)
while true do pcall(error) end
