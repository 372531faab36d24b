--- Reports at the end of a run which limits were exceeded, and how to continue.
local budget = require "moonlet.engine.budget.budget"
local cassette = require "moonlet.engine.runner.cassette"

local M = {}

--- Warns if the run has used more than its budget allows, and by how much. This happens when agents
--- that already run use more than was reserved for them.
function M.overshoot(run)
  if not run.own_budget then return end
  for _, text in ipairs(budget.overshoot(run.own_budget, true)) do
    core.event.emit("warning", nil, { text = text })
  end
  local lines = budget.overshoot(run.own_budget)
  if run.verdict == "budget" and run.error and #lines > 0 then
    local err = {}
    for key, value in pairs(run.error) do err[key] = value end
    err.message = ("%s; %s"):format(err.message, table.concat(lines, "; "))
    run.error = err
  end
end

--- Completes the hint of a run over its wall-clock limit: suggests twice the limit, or 1 minute.
function M.name_more_time(run)
  local amount, unit = (run.budget.wall or ""):match "^([%d.]+)(%a+)$"
  local hint = run.verdict == "budget" and tonumber(amount) and run.error
    and rawget(run.error, "hint")
  if type(hint) ~= "string" then return end
  local is_tiny = unit == "ms" or tonumber(amount) == 0
  run.error.hint = hint:gsub("wall=…",
    is_tiny and "wall=1m" or ("wall=%g%s"):format(tonumber(amount) * 2, unit))
end

--- Warns about a cassette's faults that no step triggered, unless a resume may still do so.
function M.idle_faults(run)
  if run.verdict == "needs-human" or run.verdict == "quota" or run.verdict == "cancelled" then
    return
  end
  for _, text in ipairs(cassette.idle_faults(run.runner, run.steps)) do
    core.event.emit("warning", nil, { text = text })
  end
end

return M
