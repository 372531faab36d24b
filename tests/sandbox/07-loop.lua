-- Row 7: an endless loop.
-- expect: killed time
-- limits: time=200
while true do end
