-- ctx:log has the same limit on output as print, and pcall cannot catch the error.
-- expect: error limit logged more than
-- limits: time=60000
while true do ctx:log(("x"):rep(100000)) end
