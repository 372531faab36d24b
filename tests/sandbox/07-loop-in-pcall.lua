-- A loop that catches every error is killed.
-- expect: killed time
-- limits: time=200
local function loop() while true do pcall(loop) end end
while true do pcall(loop) pcall(error) end
