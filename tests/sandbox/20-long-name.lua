-- Row 20: a name is part of each line about a step, so it has an end.
-- expect: error invalid a name has 5000 bytes
ctx:step(("x"):rep(5000), function() end)
