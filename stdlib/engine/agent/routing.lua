--- Chooses the runner for a run and its agent calls, or refuses the work.
--- The choice depends on runner, task type, risk and reason; route.lua has the rules.
--- The fields of a call override the command line, and the command line overrides the preset.
local route = require "moonlet.engine.load.route"
local route_table = require "moonlet.engine.load.route_table"
local runners = require "moonlet.engine.load.runners"

local M = {}

local null = core.json.null

---@class moonlet.RouteRecord   route in the form of model.json
---@field task_type string      canonical name of the task type; null if not given
---@field risk "low"|"medium"|"high"
---@field why string
---@field forced boolean        true if a given reason overrode a rule that refuses the work
---@field chosen boolean        true if moonlet chose the runner, because "route" was requested

---@class moonlet.Routed
---@field runner table          result of runners.parse(), never "route"; or runners.none
---@field model string?         model chosen by the route
---@field task_type string?     task type as given
---@field record moonlet.RouteRecord?  nil if neither route, task type nor risk was given

local function spoken(text) return text and text:find("%S") and text or nil end

local function work_of_run(run)
  local options = run.options
  return { task_type = spoken(options.task_type) or run.preset and run.preset.task_type,
    risk = options.risk, reason = spoken(options.reason) }
end

local function recorded(work, name, why, forced, chosen)
  return { task_type = name or null, risk = work.risk or "low", why = why, forced = forced,
    chosen = chosen }
end

--- Work without an agent is never refused, but the name of its task type must be valid.
local function without_agent(work, asked, config)
  local name = work.task_type and route_table.normal(work.task_type)
  if name then route_table.check_name(name, config.routes) end
  return { runner = asked, record = recorded(work, name, "no agent is asked", false, false) }
end

local function by_rule(work, asked, config)
  local found = route { task_type = work.task_type, risk = work.risk, reason = work.reason,
    force = work.reason ~= nil, config = config }
  local is_chosen, why = asked.name == "route", found.why
  -- A runner that the user named is never replaced.
  if not is_chosen and not found.forced then
    why = "the runner was named, and no rule speaks against it"
  end
  return { runner = is_chosen and runners.parse(found.runner, config) or asked,
    model = is_chosen and found.model or nil,
    record = recorded(work, found.task_type, why, found.forced or false, is_chosen) }
end

local function decide(work, asked, config)
  local routed = { runner = asked }
  if asked.name == "route" or work.task_type or work.risk then
    routed = ((asked.none or asked.name == "mock") and without_agent or by_rule)(work,
      asked, config)
  end
  routed.task_type = work.task_type
  return routed
end

--- Returns the default route of a run. Raises an error if a rule refuses the work.
---@param plan table   with runner, options, preset and config
---@return moonlet.Routed
function M.of_run(plan)
  route_table.check_risk(plan.options.risk, "--risk")
  local ok, routed = pcall(decide, work_of_run(plan), plan.runner, plan.config)
  if ok then return routed end
  if type(routed) == "table" then routed.usage, routed.at = true, nil end
  error(routed, 0)
end

--- Returns the route of a call. Raises `denied` for work that agents must not do.
---@param asked table   requested runner, in the form of runners.parse()
---@return moonlet.Routed
function M.of_call(run, call, asked)
  if asked == run.runner and not (call.task_type or call.risk or call.reason) then
    return run.routed
  end
  route_table.check_risk(call.risk, "ctx:agent.risk")
  local work = work_of_run(run)
  return decide({ task_type = spoken(call.task_type) or work.task_type,
    risk = call.risk or work.risk, reason = spoken(call.reason) or work.reason }, asked, run.config)
end

--- Returns the route with which a step began, or nil to use the current one.
---@param routed moonlet.Routed   current route
---@param begun table             begin record of the step's last attempt
---@param model string?           model that the call would use now
---@return moonlet.Routed?
function M.as_begun(routed, begun, model, config)
  local rec = routed.record
  if not rec or not rec.chosen or not begun.runner then return nil end
  if begun.runner == routed.runner.name and begun.model == model then return nil end
  local ok, runner = pcall(runners.parse, begun.runner, config)
  if not ok then return nil end
  local record = recorded({ risk = rec.risk }, rec.task_type, "the work began there",
    rec.forced, true)
  return { runner = runner, model = begun.model, task_type = routed.task_type, record = record }
end

--- Lists the possible routes of a run's calls: without a task type, all routes in the config.
---@return moonlet.Routed[]
local function candidates(plan)
  local list = { plan.routed }
  if plan.runner.name ~= "route" or plan.routed.task_type then return list end
  for name in pairs(plan.config.routes) do
    local work = { task_type = name, risk = plan.options.risk,
      reason = spoken(plan.options.reason) }
    local ok, routed = pcall(decide, work, plan.runner, plan.config)
    if ok then list[#list + 1] = routed end
  end
  return list
end

--- Calls `check` on the possible routes until one passes. If all fail, raises the first error.
---@param check fun(routed: moonlet.Routed)
function M.check_some(plan, check)
  local first
  for _, routed in ipairs(candidates(plan)) do
    local ok, err = pcall(check, routed)
    if ok then return end
    first = first or err
  end
  error(first, 0)
end

--- Explains a route that moonlet chose, or that a reason has forced; else returns nil.
---@param routed moonlet.Routed
---@param model string?   model that the call uses
function M.told(routed, model)
  local rec = routed.record
  if not rec or not (rec.chosen or rec.forced) then return nil end
  local who = model and ("%s with %s"):format(routed.runner.name, model) or routed.runner.name
  return core.run.redact(("route: %s: %s"):format(who, core.text.printable(rec.why, 400)))
end

return M
