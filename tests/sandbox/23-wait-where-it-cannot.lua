-- A preset that waits inside a callback of Lua's own functions, such as table.sort, gets an error
-- that says why it may not wait there.
-- expect: result told
local ctx = ctx
local function told(f, ...)
  local ok, err = pcall(f, ...)
  local text = type(err) == "table" and err.message or tostring(err)
  assert(not ok and text:find("may not wait", 1, true), text)
end
told(table.sort, { 2, 1 }, function() ctx:sleep(0.001) end)
told(string.gsub, "x", "x", function() ctx:sleep(0.001) end)
told(tostring, setmetatable({}, { __tostring = function() ctx:sleep(0.001) return "" end }))
return "told"
