--- Budgets of a run and of the scopes in it: agents, processes, tokens, USD. What a start may need is
--- reserved before it, in every budget around it, and settled by what was used. Wall-clock budgets are
--- the scheduler's.
local record = require "moonlet.record"

local M = {}

M.fields = { wall = "duration", agents = "integer", processes = "integer", tokens = "integer", usd = "number" }
local counted = { "agents", "processes", "tokens", "usd" }
local names = { agents = "agent starts", processes = "processes", tokens = "tokens", usd = "USD" }

---@class moonlet.Budget
---@field parent moonlet.Budget?
---@field what string            whose it is, for messages
---@field limits table<string, number>
---@field spent table<string, number>
---@field reserved table<string, number>

--- A budget inside `parent`; nil limits are no limits.
---@param parent moonlet.Budget?
---@param limits table
---@param what string
---@return moonlet.Budget
function M.open(parent, limits, what)
  local budget = { parent = parent, what = what, limits = {}, spent = {}, reserved = {} }
  for _, kind in ipairs(counted) do
    local limit = limits[kind]
    if limit and limit < 0 then error(record.invalid(("budget.%s must not be negative"):format(kind)), 0) end
    budget.limits[kind], budget.spent[kind], budget.reserved[kind] = limit, 0, 0
  end
  return budget
end

local function exceeded(budget, kind, amount)
  return { kind = "budget", message = ("%s allows %s %s: %s are spent, %s reserved, %s more were asked for"):format(
    budget.what, tostring(budget.limits[kind]), names[kind], tostring(budget.spent[kind]),
    tostring(budget.reserved[kind]), tostring(amount)),
    hint = "what has finished is kept; give more with --budget and resume the run" }
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
