-- A long error message is truncated.
-- expect: error failed xxxxxxxx
local _ = ctx
error(("x"):rep(1 << 20), 0)
