-- A string that no memory could hold is refused at once, with an error that can be caught.
-- expect: result bounded
local function fails(why, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok and tostring(message):find(why, 1, true), message)
end
assert(("").rep("", math.maxinteger) == "" and ("x"):rep(-1) == "" and ("x"):rep(math.mininteger) == "")
fails("too large", string.rep, "x", math.maxinteger)
fails("too large", string.rep, "x", 1 << 40)
fails("too large", string.rep, "", 1 << 40, "sep")
assert(("a"):rep(3, ",") == "a,a,a" and ("ab"):rep(1, ",") == "ab")
fails("invalid", string.format, "%1000d", 1)
fails("invalid", string.format, "%.1000f", 1)
assert(#("%99.99f"):format(1e308) > 300)
fails("1 MB", string.format, ("%"):rep(2 << 20))
fails("16 MB", string.pack, "c1000000000", "")
fails("16 MB", string.pack, ("c9000000"):rep(2), "", "")
fails("64 KB", string.pack, ("x"):rep(1 << 20))
assert(string.unpack("<i4", string.pack("<i4", -7)) == -7)
fails("16 MB", utf8.len, ("x"):rep(17 << 20))
fails("string slice too long", function() return ("x"):rep(1 << 22):byte(1, -1) end)
return "bounded"
