-- Row 21: a log line whose text never comes: that of a table that is no JSON.
-- expect: killed time
-- limits: time=200
ctx:log(setmetatable({ print }, { __tostring = function() while true do pcall(error) end end }))
