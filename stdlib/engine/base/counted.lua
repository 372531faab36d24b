--- Formats a number with its noun: counted(2, "process", "processes") --> "2 processes"
---@param many string?  default: `one` with an s
return function(count, one, many)
  return ("%d %s"):format(count, count == 1 and one or many or one .. "s")
end
