-- Patterns that start at each of millions of positions and scan far ahead are killed.
-- expect: killed time
-- limits: time=200
local text = (" "):rep(4 << 20)
while true do
  pcall(string.find, text, "%s*x")
  pcall(string.find, text, "%b x")
  pcall(string.find, text, ".-x.-y")
  pcall(string.find, text, "( *)%1x")
end
