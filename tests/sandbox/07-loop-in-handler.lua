-- Row 7: a loop in a message handler, where Lua cannot yield.
-- expect: killed time
-- limits: time=200
while true do
  pcall(xpcall, error, function() while true do pcall(error) end end)
end
