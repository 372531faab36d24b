-- Row 21: a log line whose text never comes.
-- expect: killed time
-- limits: time=200
ctx:log(setmetatable({}, { __tostring = function() while true do pcall(error) end end }))
