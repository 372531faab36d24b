-- A script can neither stop nor tune the garbage collector. It sees the memory in use as a rounded number.
-- expect: result count
for _, what in ipairs { "stop", "restart", "collect", "step", "incremental", "generational", "setpause", "isrunning", "x" } do
  local ok, err = pcall(collectgarbage, what)
  assert(not ok and err.kind == "denied", what)
end
assert(math.type(collectgarbage("count")) == "integer" and collectgarbage() % 1024 == 0)
return "count"
