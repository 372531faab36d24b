-- The io and package libraries are absent. os has only the functions that need no clock.
-- expect: result absent
for _, name in ipairs { "io", "package", "dofile", "loadfile", "loadstring" } do
  assert(rawget(_G, name) == nil and not pcall(function() return _G[name] end), name)
end
local names = {}
for name in pairs(os) do names[#names + 1] = name end
assert(table.concat(names, " ") == "clock date time")
for _, name in ipairs { "exit", "execute", "remove", "rename", "tmpname", "getenv", "setlocale", "difftime" } do
  local ok, err = pcall(function() return os[name] end)
  assert(not ok and err.kind == "invalid", name)
end
for _, look in ipairs { os.time, os.clock, os.date, function() return os.date "%F" end } do
  local ok, err = pcall(look)
  assert(not ok and err.kind == "denied" and err.hint:find("ctx:now", 1, true))
end
assert(os.time { year = 2000, month = 1, day = 1, hour = 0 } == 946684800)
assert(os.time { year = 2024, month = 14, day = -3 } == os.time { year = 2025, month = 1, day = 28 })
assert(os.date("!%Y-%m-%dT%H:%M:%SZ", 951782400) == "2000-02-29T00:00:00Z")
assert(os.date("%c", 0) == "Thu Jan  1 00:00:00 1970" and os.date("%F %T", -1) == "1969-12-31 23:59:59")
local t = os.date("*t", 86400 * 365)
assert(t.year == 1971 and t.month == 1 and t.day == 1 and t.yday == 1 and t.wday == 6 and t.isdst == false)
assert(not pcall(os.date, "%Q") and not pcall(os.date, "%") and not pcall(os.date, "%Ey"))
assert(not pcall(os.date, "%Y", math.maxinteger) and not pcall(os.date, "%Y", math.mininteger))
assert(not pcall(os.time, { year = math.maxinteger, month = 1, day = 1 }) and not pcall(os.time, { year = 2000 }))
assert(not pcall(os.date, ("x"):rep(2000)))
return "absent"
