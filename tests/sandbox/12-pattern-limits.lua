-- A very large pattern is refused. A long search text without pattern characters is not.
-- expect: result bounded
local function fails(why, ...)
  local ok, message = pcall(string.find, ...)
  assert(not ok and tostring(message):find(why, 1, true), message)
end
fails("too complex", ("a"):rep(1000), ("a?"):rep(1000))
fails("32 KB", "x", ("[a]"):rep(100000))
fails("too many captures", "x", ("()"):rep(40))
fails("unfinished capture", "x", "(")
fails("malformed", "x", "[a")
fails("malformed", "x", "%")
local big = ("a"):rep(1 << 20)
assert(big:find(big .. "b", 1, true) == nil)
assert((big .. "b"):find(("a"):rep(1 << 19) .. "b", 1, true) == (1 << 19) + 1)
return "bounded"
