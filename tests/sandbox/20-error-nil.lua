-- Row 20: error(nil) raises a text; nil would read as "no error" to a handler.
-- expect: error failed nil
local _ = ctx
error(nil)
