-- A string that doubles with each gsub is killed at the memory limit.
-- expect: killed memory
-- limits: memory=32
local s = "x"
while true do s = s:gsub(".", "%0%0") end
