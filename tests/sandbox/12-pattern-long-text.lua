-- Row 12: patterns that begin anew at each of millions of places and look far ahead.
-- expect: killed time
-- limits: time=200
local text = (" "):rep(4 << 20)
while true do
  pcall(string.find, text, "%s*x")
  pcall(string.find, text, "%b x")
  pcall(string.find, text, ".-x.-y")
  pcall(string.find, text, "( *)%1x")
end
