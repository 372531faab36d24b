-- Recursion through C functions raises an error in every form, and never crashes the process.
-- expect: result overflow
local count = 0
local function overflows(f)
  local ok, err = pcall(f)
  assert(not ok, "no error")
  local text = tostring(type(err) == "table" and err.message or err):gsub("^.*%.lua:%d+: ", "")
  assert(text:find("overflow") or text:find("too deep") or text:find("too complex") or text:find("nest") or text:find("too long")
    or text:find("error in error handling"), text)
  assert(#text < 4096)
  count = count + 1
end
local function gsub() return (("x"):gsub(".", gsub)) end
overflows(gsub)
local function sort() table.sort({ 1, 2 }, sort) end
overflows(sort)
local function protected() local ok, err = pcall(protected) if not ok then error(err, 0) end end
pcall(protected)
local function wrapped() return coroutine.wrap(wrapped)() end
overflows(wrapped)
local function handled() return xpcall(handled, handled) end
pcall(handled)
local t = setmetatable({}, {})
getmetatable(t).__index = function(_, k) return t[k + 1] end
overflows(function() return t[1] end)
getmetatable(t).__tostring = function() return tostring(t) end
overflows(function() return tostring(t) end)
local a = {}
for _ = 1, 3000 do a = setmetatable({}, { __index = a }) end
overflows(function() return a.x end)
overflows(function() assert(load("return " .. ("("):rep(1000) .. "1" .. (")"):rep(1000))) end)
overflows(function() assert(load(("do "):rep(1000) .. ("end "):rep(1000))) end)
overflows(function() assert(load("return " .. ("{"):rep(1000) .. ("}"):rep(1000))) end)
overflows(function() assert(load("return " .. ("-"):rep(0) .. ("not "):rep(1000) .. "x")) end)
local function loads() return load(loads)() end
overflows(function() local function reader() local f, why = load(reader) error(why or "x", 0) end reader() end)
return count > 8 and "overflow" or "?"
