-- Errors of the host pass through its C++ frames thousands of times, and no object leaks. Lua is built as C
-- (longjmp) or as C++ (exceptions); the sanitizers find the leaks.
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
