-- A script that makes tables without end is killed, although it catches every error.
-- expect: killed memory
-- limits: memory=32
local keep = {}
local function grow() while true do keep[#keep + 1] = { {}, {}, {} } end end
while true do pcall(grow) end
