-- Row 25: the output of a script is bounded.
-- expect: error limit logged more than
-- limits: time=60000
while true do print(("x"):rep(100000)) end
