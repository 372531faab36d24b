--- Budgets of a run and of the scopes in it: agents, processes, tokens, USD. What a start may need is
--- reserved before it, in every budget around it, and settled by what was used. Wall-clock budgets are
--- the scheduler's.
local record = require "moonlet.record"

local M = {}

M.fields = { wall = "duration", agents = "integer", processes = "integer", tokens = "integer", usd = "number" }
local counted = { "agents", "processes", "tokens", "usd" }
local names = { agents = "agent starts", processes = "processes", tokens = "tokens", usd = "USD" }

--- Sums of prices are told to a hundredth of a cent.
local function shown(kind, amount)
  if kind ~= "usd" then return tostring(amount) end
  return (("%.4f"):format(amount):gsub("0+$", ""):gsub("%.$", ""))
end

---@class moonlet.Budget
---@field parent moonlet.Budget?
---@field what string            whose it is, for messages
---@field limits table<string, number>
---@field spent table<string, number>
---@field reserved table<string, number>
---@field refused table?         the error of the first start that one of the budgets in it did not allow
---@field over table<string, boolean>  kinds of which more was spent than allowed, and told
---@field tell fun(text: string)?  hears of those
---@field on_agent fun()?  of the outermost one: hears that an agent has reserved its share

--- A budget inside `parent`; nil limits are no limits.
---@param parent moonlet.Budget?
---@param limits table
---@param what string
---@param tell fun(text: string)?  of the outermost one
---@return moonlet.Budget
function M.open(parent, limits, what, tell)
  local budget = { parent = parent, what = what, limits = {}, spent = {}, reserved = {}, over = {}, tell = tell }
  for _, kind in ipairs(counted) do
    local limit = limits[kind]
    if limit and limit < 0 then error(record.invalid(("budget.%s must not be negative"):format(kind)), 0) end
    budget.limits[kind], budget.spent[kind], budget.reserved[kind] = limit, 0, 0
  end
  return budget
end

local function outermost(budget)
  while budget.parent do budget = budget.parent end
  return budget
end

--- Puts on record that a limit was reached, whatever the script makes of it.
---@param budget moonlet.Budget?
---@param err table
function M.note_refusal(budget, err)
  if not budget then return end
  local root = outermost(budget)
  root.refused = root.refused or err
end

local function exceeded(budget, kind, amount)
  local text = ("%s allows %s %s: %s are spent, %s reserved, %s more were asked for"):format(budget.what,
    shown(kind, budget.limits[kind]), names[kind], shown(kind, budget.spent[kind]),
    shown(kind, budget.reserved[kind]), shown(kind, amount))
  local err = { kind = "budget", message = text,
    hint = "what has finished is kept; give more with --budget and resume the run" }
  M.note_refusal(budget, err)
  return err
end

--- Attempts in flight may use more than was reserved for them: that is said, once for each kind.
local function tell_overshoot(budget, kind)
  local limit = budget.limits[kind]
  if not limit or budget.spent[kind] <= limit or budget.over[kind] then return end
  budget.over[kind] = true
  local tell = outermost(budget).tell
  if tell then
    tell(("%s: %s %s were used, %s more than allowed: attempts under way went beyond their reserve")
      :format(budget.what, shown(kind, budget.spent[kind]), names[kind], shown(kind, budget.spent[kind] - limit)))
  end
end

--- Reserves what a start may use. Raises `budget` and reserves nothing when one of the budgets around
--- it does not hold that much.
---@param budget moonlet.Budget
---@param amounts table<string, number>
---@return table reservation  to be settled
function M.reserve(budget, amounts)
  local node = budget
  while node do
    for kind, amount in pairs(amounts) do
      local limit = node.limits[kind]
      if limit and node.spent[kind] + node.reserved[kind] + amount > limit then
        error(exceeded(node, kind, amount), 0)
      end
    end
    node = node.parent
  end
  node = budget
  while node do
    for kind, amount in pairs(amounts) do node.reserved[kind] = node.reserved[kind] + amount end
    node = node.parent
  end
  local on_agent = amounts.agents and outermost(budget).on_agent
  if on_agent then on_agent() end
  return { budget = budget, amounts = amounts }
end

--- Puts what was used in place of what was reserved. What is not known counts as reserved.
---@param reservation table
---@param used table<string, number>?
function M.settle(reservation, used)
  local node = reservation.budget
  while node do
    for kind, amount in pairs(reservation.amounts) do
      node.reserved[kind] = node.reserved[kind] - amount
      node.spent[kind] = node.spent[kind] + (used and used[kind] or amount)
      tell_overshoot(node, kind)
    end
    node = node.parent
  end
end

--- Counts what an earlier host had spent; never raises.
---@param budget moonlet.Budget
---@param used table<string, number>
function M.count(budget, used)
  local node = budget
  while node do
    for kind, amount in pairs(used) do node.spent[kind] = node.spent[kind] + amount end
    node = node.parent
  end
end

--- Reserves, does, settles: `fn` gives its result and what it used.
---@param budget moonlet.Budget?
---@param amounts table<string, number>
---@param fn fun(): any, table?
---@return any
function M.with(budget, amounts, fn)
  local reservation = M.reserve(budget, amounts)
  local ok, result, used = pcall(fn)
  M.settle(reservation, ok and used or nil)
  if not ok then error(result, 0) end
  return result
end

--- Whether a limit of that kind holds anywhere around.
---@param budget moonlet.Budget
---@param kind string
---@return boolean
function M.is_limited(budget, kind)
  local node = budget
  while node do
    if node.limits[kind] then return true end
    node = node.parent
  end
  return false
end

--- ctx.budget: what is left of the tightest budget around, by kind; null without a limit.
---@param budget moonlet.Budget
---@return table
function M.view(budget)
  local view = { spent = {}, left = {} }
  if not budget then return view end
  for _, kind in ipairs(counted) do
    local left, node = nil, budget
    while node do
      if node.limits[kind] then
        left = math.min(left or math.huge, node.limits[kind] - node.spent[kind] - node.reserved[kind])
      end
      node = node.parent
    end
    view.left[kind] = left or core.json.null
    view.spent[kind] = budget.spent[kind]
  end
  return view
end

return M
