-- math.random is refused. Scripts get random numbers from the run, which records them.
-- expect: error denied math.random
assert(not pcall(math.randomseed, 1))
local n = ctx:random(1, 6)
assert(n >= 1 and n <= 6)
return math.random()
