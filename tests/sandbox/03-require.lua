-- There is no package library. require loads the public standard library and the script's own folder only.
-- expect: result jailed
for _, name in ipairs { "package", "loadlib", "module" } do assert(rawget(_G, name) == nil, name) end
for _, name in ipairs { "moonlet.engine.run.run", "moonlet.internal", "io", "os", "package", "_G", "../01-bytecode",
    "..", "/etc/passwd", "a/b", "modules\0.plain", "", ".", "moonlet.", "moonlet.run\0", "ffi", "01-bytecode.lua" } do
  local ok, err = pcall(require, name)
  assert(not ok, name)
  assert(type(err) == "table" and err.kind == "invalid", name)
end
assert(not pcall(require) and not pcall(require, {}) and not pcall(require, 1e300))
assert(require "moonlet" == m)
local plain = require "modules.plain"
assert(plain.answer == 42 and require "modules.plain" == plain)
assert(plain.environment == _G.tostring and not plain.sees_core)
assert(not pcall(require, "modules.circle"))
return "jailed"
