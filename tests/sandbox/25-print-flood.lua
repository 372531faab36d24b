-- The output of print is limited.
-- expect: error limit logged more than
-- limits: time=60000
while true do print(("x"):rep(100000)) end
