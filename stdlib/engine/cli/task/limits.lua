--- Parses the options --budget and --allow, which set the limits and the rights of a run.
local budget_module = require "moonlet.engine.budget.budget"
local duration = require "moonlet.duration"
local grants = require "moonlet.engine.context.grants"
local options = require "moonlet.engine.cli.options"

local M = {}

--- Adds the rights of --allow to `given`. Returns true if `needs` is one of them.
---@param list string[]?
function M.allow(given, list)
  local accepted = false
  for _, text in ipairs(list or {}) do accepted = grants.parse(given, text) or accepted end
  return accepted
end

--- Parses one limit of --budget; `none` means no limit.
local function budget_value(key, value, item)
  if value == "none" and budget_module.fields[key or ""] then return nil end
  if key == "wall" then
    duration.ms(value, "--budget wall")
    return value
  end
  local number = tonumber(value)
  if key ~= "usd" then number = math.tointeger(number) end
  if not budget_module.fields[key or ""] or not number or number < 0 or number ~= number
      or number == math.huge then
    options.refuse(("--budget '%s' is not understood"):format(core.text.printable(item, 60)),
      "write --budget wall=20m, agents=10, processes=100, tokens=200000 or usd=4; tokens=none "
        .. "lifts a limit")
  end
  return number
end

--- Replaces limits in `budget` by those of --budget. Limits that --budget does not name stay.
function M.change_budget(budget, list)
  local changed = {}
  for key, value in pairs(budget) do changed[key] = value end
  local named = {}
  for _, text in ipairs(list or {}) do
    -- An empty value may be an unset variable, so reject it instead of setting no limit.
    for item in (text .. ","):gmatch("([^,]*),") do
      local key, value = item:match("^%s*(%l+)%s*=%s*(.-)%s*$")
      changed[key or ""] = budget_value(key, value, item)
      if named[key] then
        options.refuse(("--budget names %s twice"):format(key), "keep one of them")
      end
      named[key] = true
    end
  end
  return changed
end

local function tighter(kind, one, other)
  if one == nil or other == nil then return one or other end
  if kind == "wall" then
    return duration.ms(one, "wall") <= duration.ms(other, "wall") and one or other
  end
  return math.min(one, other)
end

--- Returns a run's limits. --budget has priority over the smaller of the config's and the preset's
--- limit. The number of agents is limited unless --budget agents=none is given.
function M.parse_budget(list, preset, own_config)
  local budget = {}
  for key in pairs(budget_module.fields) do
    budget[key] = tighter(key, own_config and own_config.limits[key], preset and preset.budget[key])
  end
  budget.agents = budget.agents or budget_module.default_agents
  return M.change_budget(budget, list)
end

return M
