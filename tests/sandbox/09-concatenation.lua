-- One instruction may copy 32 MB, so a limit on time cannot count instructions.
-- expect: killed time
-- limits: time=200 memory=512
local big = ("x"):rep(32 << 20)
while true do pcall(function() local s = big .. "y" return #s end) end
