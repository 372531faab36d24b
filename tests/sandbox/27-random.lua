-- Row 27: chance comes from the run, which records it.
-- expect: error denied math.random
assert(not pcall(math.randomseed, 1))
local n = ctx:random(1, 6)
assert(n >= 1 and n <= 6)
return math.random()
