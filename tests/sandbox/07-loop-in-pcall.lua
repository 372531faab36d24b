-- Row 7: a loop that swallows every error.
-- expect: killed time
-- limits: time=200
local function loop() while true do pcall(loop) end end
while true do pcall(loop) pcall(error) end
