-- ctx:log of a table that JSON cannot represent calls __tostring. An endless one is killed.
-- expect: killed time
-- limits: time=200
ctx:log(setmetatable({ print }, { __tostring = function() while true do pcall(error) end end }))
