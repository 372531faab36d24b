-- error(nil) raises a text, because a handler would take nil for "no error".
-- expect: error failed nil
local _ = ctx
error(nil)
