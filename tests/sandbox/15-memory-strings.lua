-- Row 15: a text that doubles; every error is swallowed.
-- expect: killed memory
-- limits: memory=32
local s = "x"
while true do pcall(function() s = s .. s end) end
