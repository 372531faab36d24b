-- Calls that each take long, because they work on a long string, are killed.
-- expect: killed time
-- limits: time=200
local s = ("aB"):rep(8 << 20)
while true do
  pcall(string.upper, s)
  pcall(string.reverse, s)
  pcall(string.rep, "x", 32 << 20)
  pcall(string.gsub, s, "B", "b")
end
