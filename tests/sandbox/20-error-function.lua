-- Row 20: the message names the type of a value that is no error.
-- expect: error failed function
local _ = ctx
error(print)
