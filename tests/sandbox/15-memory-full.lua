-- A script that makes garbage in nearly full memory is killed, although each allocation starts a full collection.
-- expect: killed
-- limits: memory=64 time=400
local keep = {}
pcall(function() for i = 1, 1e9 do keep[i] = { i } if collectgarbage("count") > 60 * 1024 then break end end end)
while true do pcall(function() return ("x"):rep(1 << 20) .. #keep end) end
