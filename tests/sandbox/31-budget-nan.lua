-- A budget that is not a number is refused before anything starts.
-- expect: error invalid budget
return m.preset { name = "x", summary = "x", budget = { usd = 0 / 0 }, run = function() end }
