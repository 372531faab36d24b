-- Calls that each walk a list of 300,000 elements are killed.
-- expect: killed time
-- limits: time=200
local t = {}
for i = 1, 300000 do t[i] = i * 7919 % 300007 end
while true do
  pcall(table.insert, t, 1, 0)
  pcall(table.remove, t, 1)
  pcall(table.concat, t, ",")
  pcall(table.move, t, 1, #t, 2, {})
  pcall(table.sort, t, function(a, b) return a > b end)
end
