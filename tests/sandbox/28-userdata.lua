-- The only userdata that a script can hold are m.null and lost values. Neither has anything to close.
-- expect: result none
local seen, found = {}, {}
local function walk(value, path)
  if type(value) == "userdata" and value ~= m.null then found[#found + 1] = path end
  if type(value) ~= "table" or seen[value] then return end
  seen[value] = true
  for key, item in pairs(value) do
    walk(key, path)
    walk(item, path .. "." .. tostring(key))
  end
end
walk(_G, "_G")
walk(ctx, "ctx")
walk(m, "m")
walk(ctx:spawn("side", function() end), "handle")
walk(ctx.inputs, "inputs")
local _, err = pcall(ctx.exec, ctx, { "true" })
walk(err, "error")
assert(#found == 0, table.concat(found, " "))
assert(not getmetatable(m.null) and not pcall(setmetatable, m.null, {}))
assert(not pcall(function() return m.null.x end))
return "none"
