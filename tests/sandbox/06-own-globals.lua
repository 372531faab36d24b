-- A script may replace its own global functions. The host does not use the replacements.
-- expect: result mine
function pairs() error("evil") end
function error() return "evil" end
function type() return "evil" end
tostring, pcall, setmetatable, next, select = nil, nil, nil, nil, nil
_G.string = nil
_G._G = nil
_ENV = { ctx = ctx, m = m }
ctx:log("still there")
local values = ctx:parallel({ 1, 2 }, function(_, n) return n * 2 end)
if values[2] ~= 4 then return "broken" end
return "mine"
