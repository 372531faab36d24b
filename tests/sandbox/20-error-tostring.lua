-- The host does not call __tostring of an error object, which might never return.
-- expect: error failed without a message
local _ = ctx
error(setmetatable({}, { __tostring = function() while true do end end, __name = 5, __index = error }))
