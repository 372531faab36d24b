-- Row 16: a script can neither stop nor tune the collector. The memory in use is given roughly.
-- expect: result count
for _, what in ipairs { "stop", "restart", "collect", "step", "incremental", "generational", "setpause", "isrunning", "x" } do
  local ok, err = pcall(collectgarbage, what)
  assert(not ok and err.kind == "denied", what)
end
assert(math.type(collectgarbage("count")) == "integer" and collectgarbage() % 1024 == 0)
return "count"
