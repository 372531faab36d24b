-- Row 20: nil as an error still has a text.
-- expect: error failed nil
local _ = ctx
error(nil)
