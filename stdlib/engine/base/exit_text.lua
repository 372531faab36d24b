--- Describes in words how a process ended, from the field `why` of its exit.
local duration = require "moonlet.duration"

local M = {}

--- Returns "ended with exit code 1" or "was ended by signal 9".
---@param exit {code: integer, signal: integer?}
function M.of_code(exit)
  if exit.signal and exit.signal ~= 0 then return ("was ended by signal %d"):format(exit.signal) end
  return ("ended with exit code %d"):format(exit.code)
end

local texts = {
  exited = M.of_code, signalled = M.of_code,
  wall = function(_, limit)
    return ("did not finish %s and was ended"):format(limit and "within " .. duration.text(limit)
      or "in time")
  end,
  idle = function(_, limit)
    return ("printed nothing for %s and was ended"):format(limit and duration.text(limit)
      or "too long")
  end,
  -- Something other than moonlet has ended the keeper. If the user cancels a step, its message is
  -- made elsewhere.
  cancelled = function() return "was ended with its keeper" end,
  finished = function() return "was ended by its host" end,
  lost = function() return "was lost: its keeper died" end,
  not_started = function() return "could not be started" end,
}

--- Returns a phrase such as "ended with exit code 1", to follow the program's name.
---@param exit table  result of core.process
---@param limits {wall: integer?, idle: integer?}?  ms
function M.of(exit, limits) return texts[exit.why](exit, limits and limits[exit.why]) end

return M
