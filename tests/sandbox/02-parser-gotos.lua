-- Row 2: 32,000 pending jumps to one label are taken from a list one by one.
-- expect: killed time
-- limits: time=200
local text = "do " .. ("goto x "):rep(32000) .. " ::x:: end"
while true do pcall(load, text) end
