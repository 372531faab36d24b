--- Routes a run and each of its agent calls: from runner, task type, risk and reason to the runner that is asked,
--- or a refusal. route.lua has the table.
---
--- A call's own words count before those of the command line, and those before the preset's.
local route = require "moonlet.engine.load.route"
local route_table = require "moonlet.engine.load.route_table"
local runners = require "moonlet.engine.load.runners"

local M = {}

local null = core.json.null

---@class moonlet.Work     what is said of a piece of work
---@field task_type string?
---@field risk string?
---@field reason string?   why it is asked although a rule refuses it

---@class moonlet.RouteRecord   as model.json has it
---@field task_type string      by its first name; null where none was said
---@field risk "low"|"medium"|"high"
---@field why string
---@field forced boolean        a rule refuses the work, and a reason was given
---@field chosen boolean        the runner was chosen here: it was asked for as "route"

---@class moonlet.Routed
---@field runner table          as runners.parse() gives it; never "route"; runners.none for none
---@field model string?         the one that was chosen with it
---@field task_type string?     as it was said
---@field record moonlet.RouteRecord?   nil where nothing was said and nothing chosen

local function spoken(text) return text and text:find("%S") and text or nil end

local function work_of_run(run)
  local options = run.options
  return { task_type = spoken(options.task_type) or run.preset and run.preset.task_type, risk = options.risk,
    reason = spoken(options.reason) }
end

local function recorded(work, name, why, forced, chosen)
  return { task_type = name or null, risk = work.risk or "low", why = why, forced = forced, chosen = chosen }
end

--- Without an agent nothing is refused, but a name is checked all the same.
local function without_agent(work, asked, config)
  local name = work.task_type and route_table.normal(work.task_type)
  if name then route_table.check_name(name, config.routes) end
  return { runner = asked, record = recorded(work, name, "no agent is asked", false, false) }
end

local function by_rule(work, asked, config)
  local found = route { task_type = work.task_type, risk = work.risk, reason = work.reason,
    force = work.reason ~= nil, config = config }
  local is_chosen, why = asked.name == "route", found.why
  -- A runner that was named leaves no choice.
  if not is_chosen and not found.forced then why = "the runner was named, and nothing speaks against it" end
  return { runner = is_chosen and runners.parse(found.runner, config) or asked,
    model = is_chosen and found.model or nil,
    record = recorded(work, found.task_type, why, found.forced or false, is_chosen) }
end

local function decide(work, asked, config)
  local routed = { runner = asked }
  if asked.name == "route" or work.task_type or work.risk then
    routed = ((asked.none or asked.name == "mock") and without_agent or by_rule)(work, asked, config)
  end
  routed.task_type = work.task_type
  return routed
end

--- The route of a run, for calls that say nothing else. Raises a refusal before there is a run.
---@param plan table   with runner, options, preset, config
---@return moonlet.Routed
function M.of_run(plan)
  route_table.check_risk(plan.options.risk, "--risk")
  local ok, routed = pcall(decide, work_of_run(plan), plan.runner, plan.config)
  if ok then return routed end
  if type(routed) == "table" then routed.usage, routed.at = true, nil end
  error(routed, 0)
end

--- The route of a call. Raises `denied` for work that is not for a sidecar, before anything is paid.
---@param run table
---@param call table
---@param asked table   the runner that was asked for, as runners.parse() gives it
---@return moonlet.Routed
function M.of_call(run, call, asked)
  if asked == run.runner and not (call.task_type or call.risk or call.reason) then return run.routed end
  route_table.check_risk(call.risk, "ctx:agent.risk")
  local work = work_of_run(run)
  return decide({ task_type = spoken(call.task_type) or work.task_type, risk = call.risk or work.risk,
    reason = spoken(call.reason) or work.reason }, asked, run.config)
end

--- The route of a step when it was begun: it stays with that, wherever its route leads by now. Nil if it cannot, or
--- if the route is the same.
---@param routed moonlet.Routed   as it is now
---@param begun table             the begin of the step's last attempt
---@param model string?           the one that is asked for now
---@param config moonlet.Config
---@return moonlet.Routed?
function M.as_begun(routed, begun, model, config)
  local rec = routed.record
  if not rec or not rec.chosen or not begun.runner then return nil end
  if begun.runner == routed.runner.name and begun.model == model then return nil end
  local ok, runner = pcall(runners.parse, begun.runner, config)
  if not ok then return nil end
  local record = recorded({ risk = rec.risk }, rec.task_type, "it was begun there", rec.forced, true)
  return { runner = runner, model = begun.model, task_type = routed.task_type, record = record }
end

--- Checks the routes that the calls of a run may take: one, unless the type of the work is open. Then a call may
--- name any type that the user's config routes.
---@param plan table
---@return moonlet.Routed[]
local function candidates(plan)
  local list = { plan.routed }
  if plan.runner.name ~= "route" or plan.routed.task_type then return list end
  for name in pairs(plan.config.routes) do
    local work = { task_type = name, risk = plan.options.risk, reason = spoken(plan.options.reason) }
    local ok, routed = pcall(decide, work, plan.runner, plan.config)
    if ok then list[#list + 1] = routed end
  end
  return list
end

--- Raises what `check` raises, unless it finds nothing wrong with one of those that may be asked.
---@param plan table
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

--- A route in words: the runner that was chosen, or the rule that was forced; nil if there is neither.
---@param routed moonlet.Routed
---@param model string?   the one that is asked for
---@return string?
function M.told(routed, model)
  local rec = routed.record
  if not rec or not (rec.chosen or rec.forced) then return nil end
  local who = model and ("%s with %s"):format(routed.runner.name, model) or routed.runner.name
  return core.run.redact(("route: %s: %s"):format(who, core.text.printable(rec.why, 400)))
end

return M
