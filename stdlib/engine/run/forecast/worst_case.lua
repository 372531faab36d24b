--- Describes the worst-case cost of the agents that a dry run prepared.
local counted = require "moonlet.engine.base.counted"
local budget = require "moonlet.engine.budget.budget"
local metering = require "moonlet.engine.agent.metering"

local M = {}

--- Returns the number of agent calls that the preset plans, or nil if this number is unknown.
function M.planned(run)
  local worst = run.worst
  if not worst.planned or worst.calls == 0 or #worst.uncounted > 0 then return nil end
  return math.max(worst.planned, worst.calls)
end

--- Describes the prepared calls and their worst-case cost, one sentence per line.
---@return string[]
function M.lines(run)
  local worst = run.worst
  local lines, calls = {}, counted(worst.calls, "agent call")
  local function cost(share)
    return ("%d tokens%s"):format(math.ceil(worst.tokens * share),
      worst.unpriced and "" or (", %s USD"):format(budget.shown("usd", worst.usd * share)))
  end
  if worst.agents > 0 then
    lines[1] = ("Prepared: %s (at worst %s, %s)."):format(calls, counted(worst.agents, "start"),
      cost(1))
  else
    lines[1] = ("Prepared: %s."):format(calls)
    if worst.calls > 0 then
      lines[2] = ("The runner %s costs nothing. Name the real one to see the worst case."):format(
        run.runner_name)
    end
  end
  if worst.agents > 0 and worst.planned and worst.planned > worst.calls then
    lines[2] = ("With what may follow: at most %s, %s."):format(counted(worst.planned, "call"),
      cost(worst.planned / worst.calls))
  elseif worst.agents > 0 and not M.planned(run) then
    lines[2] = "More calls may follow from the answers."
  end
  local commands = {}
  for i, check in ipairs(worst.checks) do
    commands[i] = ("'%s'%s"):format(check.command, check.granted and ""
      or (" (not granted: add --allow run=%s)"):format(check.program))
  end
  if #commands > 0 then
    lines[#lines + 1] = ("It will run %s."):format(table.concat(commands, ", "))
  end
  if #worst.uncounted > 0 then
    lines[#lines + 1] = ("What comes after %s is not counted."):format(
      table.concat(worst.uncounted, ", "))
  end
  return lines
end

--- Warns about the limits that the prepared agents may exceed, and returns them.
function M.beyond(run)
  local beyond = metering.beyond(run.budget, run.worst)
  for _, item in ipairs(beyond) do
    core.event.emit("warning", nil,
      { text = ("the limit %s=%s may not be enough: the prepared agents may come to %s")
      :format(item.kind, budget.shown(item.kind, item.limit),
        budget.shown(item.kind, item.worst)) })
  end
  return core.json.array(beyond)
end

return M
