-- Row 20: an error message is for reading: it is cut.
-- expect: error failed xxxxxxxx
error(("x"):rep(1 << 20), 0)
