-- Row 13: a text that doubles by replacement.
-- expect: killed memory
-- limits: memory=32
local s = "x"
while true do s = s:gsub(".", "%0%0") end
