--- Adopts the processes that an earlier host started. If the adoption fails, that is an infrastructure error, not a
--- failure of the step that asks.
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

--- `is_whole`: keeper.log was compared with the journal.
local state_of = per_run(function() return { is_whole = false } end)

--- none (it never ran) | running | exited | lost (it ran and was ended, or its end is unknown).
---@param key string
---@param id string       of the attempt
---@param present boolean?  one that this host started too; the log of the keeper is read anew
---@return string state
function M.state(key, id, present) return infrastructure_error.call(core.process.attempt, key, id, present) end

--- Waits for the end of one that is running, or has exited.
---@param key string
---@param id string
---@return table exit
function M.take(key, id) return infrastructure_error.call(core.process.take, key, id) end

--- The same, and one that is running is ended first.
---@param key string
---@param id string
---@return table exit
function M.stop(key, id) return infrastructure_error.call(core.process.stop, key, id) end

--- The name of an attempt in keeper.log.
function M.id(key, number) return ("%s@%d"):format(key, number) end

--- Checks keeper.log before an attempt is started that is on record but unknown to any keeper: raises if the log has
--- lost the starts of other attempts, whose results the journal has. It may have lost the start of this one, too.
---@param run table
function M.check_unknown(run)
  local state = state_of(run)
  if state.is_whole then return end
  local story = core.audit.story(run.home.handle, run.id)
  local gap = story and story.unlogged[1]
  if gap then
    error(infrastructure_error.mark { kind = "failed", at = run.absolute("runs/" .. run.id .. "/keeper.log"),
      message = ("keeper.log was lost or cut off: it has no start of step '%s', whose result is in the journal"):format(
        core.text.printable(gap.key, 120)),
      hint = "bring the file back from a copy, or start a new run; to go on might pay for what was started again" }, 0)
  end
  state.is_whole = true
end

return M
