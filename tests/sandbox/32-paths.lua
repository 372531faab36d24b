-- No path leads out of the repository.
-- expect: result jailed
-- allow: read=.
for _, path in ipairs { "..", "../x", "a/../../x", "/etc/passwd", "/", "", "a\0b", ("x"):rep(10000), "./../x", "a/./../../etc",
    "//etc/passwd", "out-link", "out-link/passwd" } do
  local ok, text, err = pcall(ctx.read, ctx, path)
  assert(not ok or (text == nil and type(err) == "table"), path)
end
for _, name in ipairs { "../x", "/tmp/x", "a/b", "", ".", "..", ".hidden", "a\0b", "prompt.md", "out", "x\n" } do
  assert(not pcall(ctx.write, ctx, name, "x"), name)
end
return "jailed"
