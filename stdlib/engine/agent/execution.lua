--- One execution of a resolved call as a step. It inherits the fields of the call, which do not change, and declares
--- those that do, each with its one writer.
local M = {}

---@class moonlet.Asked         of an agent that may ask
---@field from moonlet.Waiting?  the worktree in which it asked before

---@class moonlet.Execution: moonlet.ResolvedCall
---@field resolved moonlet.ResolvedCall
---@field key string            of its step
---@field dir string            its folder below .agent
---@field asked moonlet.Asked?  the agent may ask a person
---@field step table            the run's step, once it has begun   (call.lua)
---@field lease moonlet.Lease   its hold on a workspace   (call.lua)
---@field reading moonlet.Reading?  of the output of its last attempt   (attempt.lua)
---@field watch moonlet.Watch?  over the limits of its last attempt   (call.lua)
---@field ended string?         the end of that process; nil if this host has not heard of it   (attempt.lua)
---@field temporary string?     the folder for temporary files of that attempt   (attempt.lua)
---@field rates integer?        how often its account has had too many requests   (retry.lua)
---@field rate_since integer?   ms since 1970: the first time   (retry.lua)
---@field recorded_key string?  the step of the cassette that it plays   (runner/cassette.lua)
---@field kept table<integer, true>?  attempts that its recording holds   (runner/cassette.lua)

local changes = { step = true, lease = true, reading = true, watch = true, ended = true, temporary = true, rates = true,
  rate_since = true, recorded_key = true, kept = true }

--- An execution of a call as the step `key`, with its files in `dir`.
---@param resolved moonlet.ResolvedCall
---@param key string
---@param dir string
---@param asked moonlet.Asked?
---@return moonlet.Execution
function M.new(resolved, key, dir, asked)
  local own = { resolved = resolved, key = key, dir = dir, asked = asked, step = { key = key } }
  return setmetatable(own, {
    __index = resolved,
    __newindex = function(self, name, value)
      if not changes[name] then error(("no field '%s' of an execution changes"):format(tostring(name))) end
      rawset(self, name, value)
    end,
  })
end

return M
