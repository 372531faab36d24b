-- Row 20: an error message is for reading: it is cut.
-- expect: error failed xxxxxxxx
local _ = ctx
error(("x"):rep(1 << 20), 0)
