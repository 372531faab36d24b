-- Endless recursion raises a stack overflow with a short message.
-- expect: error failed stack overflow
local function deep(n) return 1 + deep(n + 1) end
local _ = ctx
return deep(1)
