-- The length of a step's name is limited, because each line about the step contains it.
-- expect: error invalid a name has 5000 bytes
ctx:step(("x"):rep(5000), function() end)
