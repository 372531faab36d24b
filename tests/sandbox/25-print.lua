-- print writes to the run's log, not to the standard output of the command. There is no warn.
-- expect: result quiet
assert(rawget(_G, "warn") == nil)
print("a line of print", 1, nil, true, { } ~= nil, { a = { 1 } }, { f = print })
print()
print(("x"):rep(1 << 20))
print("\27[2J\0\r\n")
assert(not pcall(print, setmetatable({}, { __tostring = function() return 1 end })) or true)
return "quiet"
