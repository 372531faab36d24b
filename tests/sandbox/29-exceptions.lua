-- Row 29: errors of the host pass through its C++ frames thousands of times, and nothing is lost on
-- the way. Built with Lua as C (longjmp) and as C++ (exceptions); a sanitizer sees what leaks.
-- expect: result passed
local deep = {}
for _ = 1, 70 do deep = { deep, ("text"):rep(20) } end
for i = 1, 2000 do
  assert(not pcall(m.json.decode, '{"a": [1, 2, {"b": "' .. ("long "):rep(20) .. '"}, }'))
  assert(not pcall(m.json.encode, deep))
  assert(not pcall(ctx.read, ctx, "../" .. i))
  assert(not pcall(ctx.write, ctx, "../" .. i, "x"))
  assert(not pcall(string.gsub, "x", "x", function() error({}) end))
  assert(not pcall(table.sort, { 1, 2 }, function() error("x") end))
  assert(not pcall(coroutine.wrap(function() m.json.decode("[") end)))
end
return "passed"
