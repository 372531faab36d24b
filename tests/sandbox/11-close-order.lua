-- To-be-closed variables are closed in order, with the error. coroutine.wrap closes a coroutine that failed.
-- expect: result b:boom a:boom
local seen = {}
local function guard(name)
  return setmetatable({}, { __close = function(_, err) seen[#seen + 1] = name .. ":" .. tostring(err):gsub(".*: ", "") end })
end
local ok = pcall(coroutine.wrap(function()
  local a <close> = guard "a"
  local b <close> = guard "b"
  error("boom")
end))
assert(not ok)
return table.concat(seen, " ")
