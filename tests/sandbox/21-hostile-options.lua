-- Host functions refuse arguments with metamethods, and run nothing twice.
-- expect: result unharmed
local function trap() error("trapped", 0) end
local hostile = setmetatable({}, { __index = trap, __newindex = trap, __pairs = trap, __len = trap, __tostring = trap,
  __call = trap, __eq = trap, __lt = trap, __le = trap, __concat = trap, __unm = trap, __name = "x", __close = trap })
for _, verb in ipairs { "exec", "agent", "log", "phase", "sleep", "random", "read", "list", "write", "scope", "spawn",
    "parallel", "pipeline", "finally", "now" } do
  for _, argument in ipairs { { hostile }, { hostile, hostile }, { {}, hostile }, { "x", hostile }, { function() end, hostile } } do
    if not ((verb == "finally" or verb == "spawn") and type(argument[1]) == "function") then
      pcall(ctx[verb], ctx, table.unpack(argument))
    end
  end
  pcall(ctx[verb], hostile)
end
for _, f in ipairs { m.json.encode, m.json.decode, m.array, m.preset, m.arg.string, m.arg.list, m.arg.integer } do
  pcall(f, hostile)
  pcall(f, { hostile, x = hostile })
end
-- The program that is checked is the program that would run, even if __index returns another one later.
local asked = 0
local call = setmetatable({}, { __index = function(_, key)
  if key == 1 then asked = asked + 1 return asked == 1 and "true" or "rm" end
end })
local ok, err = pcall(ctx.exec, ctx, call)
assert(not ok and err.kind ~= "failed")
return "unharmed"
