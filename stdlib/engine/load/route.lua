--- m.route returns the runner and model for a kind of work.
local record = require "moonlet.record"
local route_table = require "moonlet.engine.load.route_table"

local fields = { task_type = "string", risk = "string", force = "boolean", reason = "string",
  config = "table" }

local function merged(base, over)
  local result = {}
  for key, value in pairs(base) do result[key] = value end
  for key, value in pairs(over or {}) do result[key] = value end
  return result
end

local function own_entry(own, name)
  if own[name] then return own[name] end
  for key, entry in pairs(own) do
    if route_table.normal(key) == name then return entry end
  end
  return nil
end

--- Chooses the runner and model for a task. Work for a stronger reviewer raises `denied` with
--- `escalate = true`, unless `force` gives a reason, which becomes part of `why`.
---@param spec {task_type: string?, risk: "low"|"medium"|"high"|nil, force: boolean?, reason: string?, config: table?}
---@return {runner: string, model: string?, why: string, task_type: string?, forced: boolean?}
return function(spec)
  record.check(spec, fields, "m.route")
  local risk = spec.risk or "low"
  route_table.check_risk(risk, "m.route.risk")
  local config = spec.config or require("moonlet.engine.load.config").current()
  local own = config.routes
  if own == nil then own = {} end
  if spec.config then route_table.check(own, "m.route.config.routes") end
  local name = spec.task_type and spec.task_type:find("%S")
    and route_table.normal(spec.task_type) or nil
  if name then route_table.check_name(name, own) end
  local entry = name and own_entry(own, name)
  local at_risk = entry and entry[risk]
  local given = merged(entry or {}, at_risk)
  local chosen = merged(route_table.sidecar, given)
  -- Another runner does not get the default runner's model.
  if chosen.runner ~= route_table.sidecar.runner then chosen.model = given.model end

  local escalate
  if at_risk and at_risk.escalate ~= nil then
    escalate = at_risk.escalate and (at_risk.why or "your config says so") or nil
  elseif entry and entry.escalate ~= nil then
    escalate = entry.escalate and (entry.why or "your config says so") or nil
  elseif name and route_table.escalate[name] and not given.runner then
    escalate = route_table.escalate[name]
  elseif risk == "high" and not (at_risk and (at_risk.runner or at_risk.model)) then
    escalate = "work of high risk needs you, or a strong and fresh reviewer"
  end
  local reason = spec.reason and spec.reason:find("%S") and spec.reason or nil
  if escalate and not (spec.force and reason) then
    error({ kind = "denied", escalate = true, at = core.text.place(),
      message = ("escalate: %s"):format(escalate),
      hint = spec.force and "to force it, give a reason"
        or 'do it yourself, or force it with a reason: --reason TEXT, or reason = "…" of the '
          .. 'call' }, 0)
  end
  local why
  if escalate then
    why = ("forced although %s: %s"):format(escalate, reason)
  elseif entry then
    why = ("your config routes %s to %s"):format(name, chosen.runner)
  elseif name and route_table.good[name] then
    why = ("%s (%s) suits a fast sidecar model"):format(name, route_table.good[name])
  elseif name then
    why = ("no rule for '%s': the fast sidecar model"):format(core.text.printable(name, 60))
  else
    why = "no task type: the fast sidecar model"
  end
  return { runner = chosen.runner, model = chosen.model, why = why, task_type = name,
    forced = escalate and true or nil }
end
