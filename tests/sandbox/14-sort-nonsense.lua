-- table.sort survives a comparison that contradicts itself, fails, or changes the list.
-- expect: result 1 2 3 4 5 6 7 8
local n = 0
local list = {}
for i = 1, 500 do list[i] = i end
table.sort(list, function() n = n + 1 return n % 3 == 0 end)
local seen = {}
for _, v in ipairs(list) do seen[v] = true end
assert(#list == 500 and #seen == 500)
table.sort(list, function() return true end)
local fixed = { 3, 1, 2 }
assert(not pcall(table.sort, fixed, error) and fixed[1] == 3)
assert(not pcall(table.sort, { 1, "x" }) and not pcall(table.sort, { {}, {} }))
local shrinking = { 5, 4, 3, 2, 1 }
table.sort(shrinking, function(a, b) shrinking[5] = nil return a < b end)
-- table.sort is stable.
local pairs_of = {}
for i = 1, 100 do pairs_of[i] = { key = i % 5, at = i } end
table.sort(pairs_of, function(a, b) return a.key < b.key end)
for i = 2, 100 do
  local a, b = pairs_of[i - 1], pairs_of[i]
  assert(a.key < b.key or (a.key == b.key and a.at < b.at))
end
local numbers = { 8, 3, 1, 2, 7, 5.0, 6, 4 }
table.sort(numbers)
for i, v in ipairs(numbers) do numbers[i] = math.tointeger(v) end
return table.concat(numbers, " ")
