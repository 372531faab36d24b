-- A script that catches the error of slow patterns and retries them is killed.
-- expect: killed time
-- limits: time=200
local text = ("a"):rep(4000)
while true do
  pcall(string.find, text, ".-.-.-.-b")
  pcall(string.match, text, "(.-)(.-)(.-)%1%2%3b")
  pcall(string.gsub, text, "a*a*a*a*b", "")
  pcall(function() for _ in text:gmatch(".-.-.-.-b") do end end)
end
