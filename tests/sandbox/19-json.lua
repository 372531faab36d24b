-- A value that JSON cannot represent (too deep, circular, mixed keys, too large) is an error that gives the reason.
-- expect: result refused
local function fails(why, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok and err.message:find(why, 1, true), type(err) == "table" and err.message or err)
end
local circle = {}
circle.self = circle
fails("64 levels", m.json.encode, circle)
local deep = {}
for _ = 1, 100 do deep = { deep } end
fails("64 levels", m.json.encode, deep)
fails("a function", m.json.encode, { print })
fails("NaN", m.json.encode, { 0 / 0 })
assert(m.json.encode { math.huge } == "[null]")
fails("below all others", m.json.encode, { -math.huge })
fails("holes", m.json.encode, { 1, 2, nil, 4 })
fails("named key", m.json.encode, { 1, x = 2 })
fails("a key is", m.json.encode, { [{}] = 1 })
fails("nested deeper", m.json.decode, ("["):rep(100000))
local text = ("x"):rep(1 << 20)
local many = {}
for i = 1, 1000 do many[i] = text end
fails("MB", m.json.encode, many)
fails("are read", m.json.decode, '["' .. ("x"):rep(40 << 20) .. '"]')
fails("values", m.json.decode, "[" .. ("0,"):rep(2000000) .. "0]")
local hostile = setmetatable({}, { __index = error, __len = error, __pairs = error, __tostring = error })
assert(m.json.encode(hostile) == "{}")
return "refused"
