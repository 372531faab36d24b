-- Lua's parser walks a list of jumps for each `and`, so a chunk within the size limit can take minutes to parse.
-- expect: killed time
-- limits: time=200
while true do pcall(load, "return " .. ("a and "):rep(170000) .. "a") end
