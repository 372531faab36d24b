-- The stack counts as memory.
-- expect: killed memory
-- limits: memory=8
local function deep(...) return 1 + deep(1, 2, 3, 4, 5, 6, 7, 8, ...) end
return deep()
