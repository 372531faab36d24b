-- The kill of a script also ends its child processes and their children.
-- expect: killed time
-- limits: time=300
-- allow: run=sh
-- gone: 98765.4321
for _ = 1, 3 do
  ctx:spawn("side", function(c) c:exec { "sh", "-c", "sleep 98765.4321 & trap '' TERM; sleep 98765.4321" } end)
end
ctx:sleep(0.3)
while true do pcall(error) end
