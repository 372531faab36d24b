-- Row 9: one instruction that copies 32 MB; a count of instructions is no clock.
-- expect: killed time
-- limits: time=200 memory=512
local big = ("x"):rep(32 << 20)
while true do pcall(function() local s = big .. "y" return #s end) end
