--- Prevents agents from starting agents: with MOONLET_WORKER=1 a run refuses to start an agent.
local M = {}

--- Marks every agent's environment, so that a moonlet that the agent starts does not start agents.
M.environment = { MOONLET_WORKER = "1" }

function M.is_one()
  local value = core.system.env "MOONLET_WORKER"
  return value ~= nil and value ~= "" and value ~= "0"
end

local starts_none = { mock = true, cassette = true }

--- Raises an error if this runner would start an agent from within an agent.
function M.check(runner)
  if not runner or starts_none[runner] or not M.is_one() then return end
  error({ kind = "denied", usage = true,
    message = ("a worker may not start agents: MOONLET_WORKER is set, and the runner '%s' would "
      .. "start an agent")
      :format(core.text.printable(runner, 60)),
    hint = "do the task yourself, or report what else is needed; mock and cassettes start "
      .. "no agent" }, 0)
end

--- Raises an error if a plan may start agents from within an agent.
---@param plan table  plan with grants, routed and options
function M.check_plan(plan)
  if plan.options.dry_run or not (plan.grants.agents or plan.grants.all) then return end
  M.check(plan.routed.runner.name)
end

return M
