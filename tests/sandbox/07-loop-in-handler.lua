-- A loop in a message handler is killed, although Lua cannot yield there.
-- expect: killed time
-- limits: time=200
while true do
  pcall(xpcall, error, function() while true do pcall(error) end end)
end
