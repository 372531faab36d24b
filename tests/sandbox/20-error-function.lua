-- A script raises a function. The message names its type.
-- expect: error failed function
local _ = ctx
error(print)
