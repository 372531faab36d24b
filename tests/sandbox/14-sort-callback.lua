-- A comparison function that never returns is killed.
-- expect: killed time
-- limits: time=200
while true do
  pcall(table.sort, { 3, 2, 1 }, function() while true do pcall(error) end end)
end
