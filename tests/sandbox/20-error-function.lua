-- Row 20: values that are no error are told by their type.
-- expect: error failed function
local _ = ctx
error(print)
