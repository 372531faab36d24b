-- A script that reaches the memory limit inside a callback, where Lua cannot yield, is killed.
-- expect: killed memory
-- limits: memory=32
local keep = {}
while true do
  pcall(string.gsub, "abc", ".", function() while true do pcall(function() keep[#keep + 1] = ("x"):rep(1e5) .. #keep end) end end)
end
