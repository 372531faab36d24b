-- An endless loop is killed.
-- expect: killed time
-- limits: time=200
while true do end
