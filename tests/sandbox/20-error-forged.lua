-- A script raises an error table whose fields have wrong types.
-- expect: error failed without a message
local _ = ctx
error({ kind = {}, message = print, hint = 5, at = {}, step = {}, cause = setmetatable({}, { __tostring = error }) })
