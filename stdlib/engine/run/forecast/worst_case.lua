--- Describes the worst cost of the agents that a dry run prepared.
local counted = require "moonlet.engine.base.counted"
local budget = require "moonlet.engine.budget.budget"
local metering = require "moonlet.engine.agent.metering"

local M = {}

function M.text(run)
  local worst = run.worst
  local function cost(usd) return worst.unpriced and "" or (" (%s USD)"):format(budget.shown("usd", usd)) end
  local text = worst.calls == 1 and "1 agent call is prepared" or ("%d agent calls are prepared"):format(worst.calls)
  if worst.calls > 0 and worst.agents == 0 then
    text = ("%s; the runner %s costs nothing: give the real one to see the worst case"):format(text, run.runner_name)
  elseif worst.calls > 0 then
    text = ("%s: at worst %s and about %d tokens%s, and then what the script does with the answers")
      :format(text, counted(worst.agents, "agent start"), worst.tokens, cost(worst.usd))
  end
  if worst.planned and worst.planned > worst.calls and worst.agents > 0 then
    local share = worst.planned / worst.calls
    text = ("%s; it plans at most %s in all: at worst about %d tokens%s"):format(text,
      counted(worst.planned, "agent call"),
      math.ceil(worst.tokens * share), cost(worst.usd * share))
  end
  if #worst.checks > 0 then
    local commands = {}
    for i, check in ipairs(worst.checks) do
      commands[i] = ("'%s'%s"):format(check.command, check.granted and ""
        or (" (not granted: add --allow run=%s)"):format(check.program))
    end
    text = ("%s; it will run %s"):format(text, table.concat(commands, ", "))
  end
  if #worst.uncounted == 0 then return text end
  return ("%s; what comes after %s is not counted"):format(text, table.concat(worst.uncounted, ", "))
end

--- Reports the limits that the prepared agents may exceed.
function M.beyond(run)
  local beyond = metering.beyond(run.budget, run.worst)
  for _, item in ipairs(beyond) do
    core.event.emit("warning", nil, { text = ("the limit %s=%s may not be enough: the prepared agents may come to %s")
      :format(item.kind, budget.shown(item.kind, item.limit), budget.shown(item.kind, item.worst)) })
  end
  return core.json.array(beyond)
end

return M
