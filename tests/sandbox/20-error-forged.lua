-- Row 20: an error table with nonsense in its fields.
-- expect: error failed without a message
local _ = ctx
error({ kind = {}, message = print, hint = 5, at = {}, step = {}, cause = setmetatable({}, { __tostring = error }) })
