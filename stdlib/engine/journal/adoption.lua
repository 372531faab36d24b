--- Adopts processes that an earlier host started. A failed adoption is an infrastructure error and
--- does not fail the step.
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

--- `is_whole` is set after keeper.log was compared with the journal.
local state_of = per_run(function() return { is_whole = false } end)

--- Reads attempts from the record of a run that this process does not drive, while a forecast is
--- made: observer(key, id) -> state, exit.
---@type (fun(key: string, id: string): string, table?)?
M.observer = nil

--- Returns the state of an attempt: none (never started), running, exited, or lost (killed, or its
--- end is unknown).
---@param id string       id of the attempt
---@param present boolean?  the attempt may belong to this host, so keeper.log is read again
function M.state(key, id, present)
  if M.observer then return (infrastructure_error.call(M.observer, key, id)) end
  return infrastructure_error.call(core.process.attempt, key, id, present)
end

--- Waits for the end of an adopted attempt, and returns its exit. A forecast does not wait.
---@param id string
---@return table exit
function M.take(key, id)
  if M.observer then return (select(2, infrastructure_error.call(M.observer, key, id))) or { why = "lost" } end
  return infrastructure_error.call(core.process.take, key, id)
end

function M.stop(key, id) return infrastructure_error.call(core.process.stop, key, id) end

function M.id(key, number) return ("%s@%d"):format(key, number) end

--- Checks keeper.log before starting an attempt that is in the journal but not in that log. Raises
--- an error if the log lost other attempts' starts, because it may have lost this start too.
function M.check_unknown(run)
  local state = state_of(run)
  if state.is_whole then return end
  local home = run.forecast and run.forecast.home or run.home
  local story = core.audit.story(home.handle, run.id)
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
