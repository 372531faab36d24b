-- Row 15: tables without end; every error is swallowed.
-- expect: killed memory
-- limits: memory=32
local keep = {}
local function grow() while true do keep[#keep + 1] = { {}, {}, {} } end end
while true do pcall(grow) end
