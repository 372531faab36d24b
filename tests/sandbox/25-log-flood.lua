-- Row 25: ctx:log has the same bound, and the error is not caught.
-- expect: error limit logged more than
-- limits: time=60000
while true do ctx:log(("x"):rep(100000)) end
