-- Row 25: the same by ctx:log, which nobody catches.
-- expect: error limit logged more than
-- limits: time=60000
while true do ctx:log(("x"):rep(100000)) end
