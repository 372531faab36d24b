--- Checks how many bytes of a file a script may read at once.
local record = require "moonlet.record"

local default_cap, largest_cap = 1 << 20, 256 << 20

---@param verb string  names the call in the error
---@param cap integer?
---@return integer
return function(verb, cap)
  if type(cap) == "number" and (cap < 0 or cap > largest_cap) then
    record.refuse(("%s: cap is %s bytes"):format(verb, cap), ("give 0 to %d"):format(largest_cap))
  end
  return cap or default_cap
end
