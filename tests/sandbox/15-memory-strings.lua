-- A string that doubles is killed, although the script catches every error.
-- expect: killed memory
-- limits: memory=32
local s = "x"
while true do pcall(function() s = s .. s end) end
