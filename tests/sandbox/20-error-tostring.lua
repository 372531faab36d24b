-- Row 20: an error object whose text never comes; the host does not ask for it.
-- expect: error failed without a message
local _ = ctx
error(setmetatable({}, { __tostring = function() while true do end end, __name = 5, __index = error }))
