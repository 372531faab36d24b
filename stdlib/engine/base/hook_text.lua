--- Reports user hooks that are slow or fail, and sets their time limit.
local background = require "moonlet.engine.base.background"
local duration = require "moonlet.duration"

local M = {}

M.wall_ms = 10000
local told_after_ms = 1000

--- Returns a text such as "the hook done (notify-send) did not finish within 10s and was ended".
function M.failed(name, argv, why) return ("the hook %s (%s) %s"):format(name, argv[1], why) end

--- Calls fn(…), which runs a hook. Prints a note to standard error if it takes long.
---@return any ...
function M.during(name, argv, fn, ...)
  return background.during(function()
    core.task.watch_sleep(told_after_ms)
    core.system.print(2, ("moonlet: waits for the hook %s (%s), %s at most\n"):format(name,
      core.text.printable(argv[1], 200), duration.text(M.wall_ms)))
  end, fn, ...)
end

return M
