-- No text contains a memory address, because addresses differ between runs.
-- expect: result table: 1,function: 2,thread: 3,null,table: 1,x: 4
local t = {}
local texts = { tostring(t), ("%s"):format(print), tostring(coroutine.create(print)), tostring(m.null), ("%s"):format(t),
  tostring(setmetatable({}, { __name = "x" })) }
local ok, err = pcall(string.format, "%p", t)
assert(not ok and err.kind == "denied")
assert(not pcall(string.format, "%20p", t) and not pcall(string.format, "%-5.3p", 1))
for _, f in ipairs { function() return t + 1 end, function() return #nil end, function() return ("x")() end, function() t.x.y = 1 end,
    function() error(t) end, function() setmetatable(1, 2) end, function() string.rep() end } do
  local _, why = pcall(f)
  assert(not tostring(why):find("0x"), why)
end
return table.concat(texts, ",")
