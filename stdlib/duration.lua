--- Converts durations such as "8m", "1.5s", "200ms", "1h30m", or a number of seconds.
local record = require "moonlet.record"

---@class moonlet.duration
local M = {}

local units = { ms = 1, s = 1000, m = 60 * 1000, h = 3600 * 1000, d = 24 * 3600 * 1000 }
local longest = 366 * 24 * 3600 * 1000

--- Returns a duration in milliseconds.
--- Errors: `invalid` a text that does not parse as a duration.
--- ```lua
--- m.duration.ms "1h30m" --> 5400000
--- m.duration.ms(2) --> 2000
--- ```
---@param value string|number
---@param what string? name of the value in error messages
---@return integer ms
function M.ms(value, what)
  what = what or "duration"
  local total
  if type(value) == "number" then
    total = value * 1000
  elseif type(value) == "string" then
    local rest = value:gsub("%s", "")
    total = rest ~= "" and 0 or nil
    while rest ~= "" and total do
      local number, unit, after = rest:match("^(%d+%.?%d*)(%a*)(.*)$")
      local factor = units[unit == "" and "s" or unit]
      total = number and factor and total + tonumber(number) * factor or nil
      rest = after or ""
    end
  end
  if not total or total ~= total or total < 0 or total > longest then
    record.refuse(("%s '%s' is not a duration"):format(what, tostring(value)),
      'write "90s", "8m", "1h30m" or a number of seconds, at most a year')
  end
  return math.floor(total + 0.5)
end

--- Formats milliseconds for people, such as "1h 02m", "3m 05s", "4.2s", "2s" or "120ms".
--- ```lua
--- m.duration.text(185000) --> "3m 05s"
--- ```
---@param ms integer
---@return string
function M.text(ms)
  if ms < 1000 then return ("%dms"):format(ms) end
  if ms < 60000 then return (("%.1fs"):format(ms / 1000):gsub("%.0s", "s")) end
  local seconds = ms // 1000
  if ms < 3600000 then return ("%dm %02ds"):format(seconds // 60, seconds % 60) end
  return ("%dh %02dm"):format(seconds // 3600, seconds % 3600 // 60)
end

return M
