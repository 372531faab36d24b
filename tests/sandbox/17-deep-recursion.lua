-- Row 17: recursion without end fills the stack, and the message stays short.
-- expect: error failed stack overflow
local function deep(n) return 1 + deep(n + 1) end
local _ = ctx
return deep(1)
