--- Represents the execution of a resolved call as a step.
--- An execution inherits the call's immutable fields. Each mutable field is written by a single
--- module, which is named in parentheses.
local M = {}

---@class moonlet.Asked         options of an agent that may ask
---@field from moonlet.Waiting?  worktree in which the agent asked its last question

---@class moonlet.Execution: moonlet.ResolvedCall
---@field resolved moonlet.ResolvedCall
---@field key string            key of the step
---@field dir string            folder of the step, below .agent
---@field asked moonlet.Asked?  set if the agent may ask a person
---@field step table            the run's step, once it has begun   (call.lua)
---@field lease moonlet.Lease   lease of a workspace   (call.lua)
---@field reading moonlet.Reading?  reads the output of the last attempt   (attempt.lua)
---@field watch moonlet.Watch?  checks the limits of the last attempt   (call.lua)
---@field ended string?         why the last process ended, if this host has seen it   (attempt.lua)
---@field temporary string?     folder for temporary files of the last attempt   (attempt.lua)
---@field rates integer?        number of rate limits so far   (retry.lua)
---@field rate_since integer?   Unix time in ms of the first rate limit   (retry.lua)
---@field recorded_key string?  key of the cassette's step that is replayed   (runner/cassette.lua)
---@field kept table<integer, true>?  numbers of recorded attempts   (runner/cassette.lua)

local changes = { step = true, lease = true, reading = true, watch = true, ended = true,
  temporary = true, rates = true, rate_since = true, recorded_key = true, kept = true }

--- Creates the execution of a call. Its step has the key `key` and writes its files into `dir`.
---@param asked moonlet.Asked?
function M.new(resolved, key, dir, asked)
  local own = { resolved = resolved, key = key, dir = dir, asked = asked, step = { key = key } }
  return setmetatable(own, {
    __index = resolved,
    __newindex = function(self, name, value)
      if not changes[name] then
        error(("no field '%s' of an execution changes"):format(tostring(name)))
      end
      rawset(self, name, value)
    end,
  })
end

return M
