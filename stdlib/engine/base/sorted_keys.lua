--- Returns the keys of a table in order.
---@param map table<string, any>
---@param is_wanted nil|fun(value: any, key: string): boolean  default: all keys
---@return string[]
return function(map, is_wanted)
  local keys = {}
  for key, value in pairs(map) do
    if not is_wanted or is_wanted(value, key) then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys
end
