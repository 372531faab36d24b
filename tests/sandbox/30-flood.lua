-- The captured output of a program is limited.
-- expect: result cut
-- allow: run=sh
local out = ctx:exec { "sh", "-c", "yes | head -c 20000000", cap = 1000 }
assert(out.code == 0 and out.cut and #out.stdout < 2000, #out.stdout)
return "cut"
