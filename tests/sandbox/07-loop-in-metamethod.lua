-- Loops in metamethods are killed, although Lua cannot yield in some of them.
-- expect: killed time
-- limits: time=200
local spin = function() while true do end end
local t = setmetatable({}, { __index = spin, __tostring = spin, __lt = spin, __concat = spin, __eq = spin, __len = spin })
while true do
  pcall(tostring, t)
  pcall(function() return t.x end)
  pcall(table.sort, { t, t, t })
  pcall(string.format, "%s", t)
end
