-- A script that catches stack overflows and recurses again is killed.
-- expect: killed time
-- limits: time=200
local function deep(n) return 1 + deep(n + 1) end
while true do pcall(deep, 1) end
