-- Row 2: the parser walks its list of jumps for each `and`: a chunk within the cap takes minutes.
-- expect: killed time
-- limits: time=200
while true do pcall(load, "return " .. ("a and "):rep(170000) .. "a") end
