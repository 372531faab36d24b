--- Adopts processes that an earlier host started.
--- A failed adoption is an infrastructure error and does not fail the step.
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

--- `is_whole` is true once keeper.log has been compared with the journal.
local state_of = per_run(function() return { is_whole = false } end)

--- Returns the recorded state and exit of an attempt, without waiting for its end.
--- This field is nil except during a forecast, when another process may drive the run.
---@type (fun(key: string, id: string): string, table?)?
M.observer = nil

--- Functions for attempts on other machines; they return nil for a local attempt.
---@type {state: function, take: function, stop: function}?
M.far = nil

local function far(verb, key, id) return M.far and M.far[verb](key, id) end

--- Returns none (never started), running, exited or lost (killed, or the end is unknown).
---@param id string       id of the attempt
---@param present boolean?  read keeper.log again, because the attempt may be this host's
function M.state(key, id, present)
  if M.observer then return (infrastructure_error.call(M.observer, key, id)) end
  return far("state", key, id) or infrastructure_error.call(core.process.attempt, key, id, present)
end

--- Waits for the exit of an adopted attempt. A forecast does not wait.
---@return table exit
function M.take(key, id)
  if M.observer then
    return (select(2, infrastructure_error.call(M.observer, key, id))) or { why = "lost" }
  end
  return far("take", key, id) or infrastructure_error.call(core.process.take, key, id)
end

function M.stop(key, id)
  return far("stop", key, id) or infrastructure_error.call(core.process.stop, key, id)
end

function M.id(key, number) return ("%s@%d"):format(key, number) end

--- Raises an error if keeper.log lacks the start of a step whose result is in the journal.
--- Such a keeper.log may also lack the attempt that the caller is about to start.
function M.check_unknown(run)
  local state = state_of(run)
  if state.is_whole then return end
  local home = run.forecast and run.forecast.home or run.home
  local story = core.audit.story(home.handle, run.id)
  local gap = story and story.unlogged[1]
  if gap then
    error(infrastructure_error.mark { kind = "failed",
      at = run.absolute("runs/" .. run.id .. "/keeper.log"),
      message = ("keeper.log was lost or cut off: it has no start of step '%s', whose result is "
        .. "in the journal"):format(
        core.text.printable(gap.key, 120)),
      hint = "restore the file from a backup, or start a new run; a resume might pay for a "
        .. "step twice" }, 0)
  end
  state.is_whole = true
end

return M
