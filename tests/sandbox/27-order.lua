-- pairs and next use the same order in every run.
-- expect: result -3 -1.5 0 1 2 2.5 3 10 A a aa b false true
local t = { "x", "y", "z" }
for _, key in ipairs { "b", "aa", 10, -3, "a", 0, 2.5, "A", -1.5 } do t[key] = 1 end
t[true], t[false] = 1, 1
local a, b = {}, {}
for key in pairs(t) do a[#a + 1] = tostring(key) end
local key = next(t)
while key ~= nil do
  b[#b + 1] = tostring(key)
  key = next(t, key)
end
assert(table.concat(a, " ") == table.concat(b, " "))
-- Large tables, and tables that change during the iteration.
local large = {}
for i = 1, 5000 do large["key" .. i * 7919 % 5000] = i end
local last, count = "", 0
for name in pairs(large) do
  assert(last < name)
  last, count = name, count + 1
  large[name] = nil
  large["new" .. name] = 1
end
assert(count == 5000 and next(large):sub(1, 3) == "new")
local first = {}
for name in pairs(large) do first[#first + 1] = name end
local second = {}
for name in pairs(large) do second[#second + 1] = name end
large.newer, large[first[1]] = 1, nil
for name in pairs(large) do second[#second + 1] = name end
assert(#second == 10000 and second[1] == first[1] and second[5001] == "newer" and second[5002] == first[2])
local list = {}
for i = 1, 1000 do list[i] = i end
list[500], list[1000] = nil, nil
local sum = 0
for i, v in pairs(list) do
  assert(i == v)
  sum = sum + 1
end
assert(sum == 998)
assert(not pcall(pairs) and not pcall(pairs, nil) and not pcall(next, 1))
-- Keys that are objects are ordered by their number.
local x, y, z = {}, {}, {}
tostring(y) tostring(z) tostring(x)
local objects = {}
for object in pairs { [x] = 1, [z] = 1, [y] = 1 } do objects[#objects + 1] = object end
assert(objects[1] == y and objects[2] == z and objects[3] == x)
return table.concat(a, " ")
