--- Manages the budgets of a run and its scopes: agents, processes, tokens and USD.
--- Before a step starts, its worst-case usage is reserved in every enclosing budget.
--- When the step has ended, its real usage replaces the reservation.
--- Budgets only count wall time; the scheduler enforces its limit.
local past_spend = require "moonlet.engine.journal.past_spend"
local record = require "moonlet.record"

local M = {}

--- Lists the limits of an agent call. They apply to one attempt and do not count its prompt.
M.call_fields = { tokens = "integer" }
M.fields = { wall = "duration", agents = "integer", processes = "integer", tokens = "integer",
  usd = "number" }
local counted = { "agents", "processes", "tokens", "usd" }
local names = { agents = "agent starts", processes = "processes", tokens = "tokens", usd = "USD" }
local names_of_one = { agents = "agent start", processes = "process", tokens = "token" }

--- A step needs exactly one agent or process, so messages about a limit do not state the number.
local is_single = { agents = true, processes = true }

local function name_of(kind, amount) return amount == 1 and names_of_one[kind] or names[kind] end

--- Limits the agents of a run whose budget sets no limit on agents.
M.default_agents = 100

M.most = past_spend.most

--- Adds two amounts. Rounds prices to 1e-12 dollars, so that three times 0.1 is 0.3.
function M.plus(one, other)
  local sum = one + other
  -- Large floats are too coarse for rounding to 1e-12.
  if math.type(sum) == "integer" or math.abs(sum) >= 9000 then return sum end
  return math.floor(sum * 1e12 + 0.5) / 1e12
end
local plus = M.plus

--- Multiplies an amount by a count. Returns `M.most` if the product would be larger.
function M.times(count, amount)
  return (count + 0.0) * amount < M.most and plus(count * amount, 0) or M.most
end

--- Reports whether an amount exceeds a limit. Tolerates the rounding error of summed prices.
function M.exceeds(amount, limit)
  return amount > limit + (math.type(amount) == "float" and limit * 1e-9 or 0)
end
local exceeds = M.exceeds

local function bounded(amounts)
  local copy = {}
  for kind, amount in pairs(amounts) do copy[kind] = math.min(amount, M.most) end
  return copy
end

--- Formats an amount for people. Dollars get four digits, and more for tiny amounts.
function M.shown(kind, amount)
  if kind ~= "usd" then return tostring(amount) end
  local function rounded(digits) return ("%%.%df"):format(digits):format(amount) end
  local digits = 4
  while digits < 12 and math.abs(tonumber(rounded(digits)) - amount) > 0.01 * amount do
    digits = digits + 1
  end
  return (rounded(digits):gsub("0+$", ""):gsub("%.$", ""))
end
local shown = M.shown

--- Formats a preset's limits in the form of --budget, such as "wall=20m, agents=10"; "" for none.
function M.text_of(preset)
  local parts = {}
  for _, kind in ipairs { "wall", "agents", "processes", "tokens", "usd" } do
    local limit = preset.budget[kind] or kind == "agents" and preset.needs.agents
      and M.default_agents
    if limit then
      parts[#parts + 1] = ("%s=%s"):format(kind, kind == "wall" and limit or shown(kind, limit))
    end
  end
  return table.concat(parts, ", ")
end

---@class moonlet.Budget
---@field parent moonlet.Budget?
---@field what string            name of the budget in messages
---@field limits table<string, number>
---@field spent table<string, number>
---@field reserved table<string, number>
---@field running table<string, number>  usage that running attempts have reported so far
---@field refused table?         error of the first start that the budget refused
---@field path string            prefix of the keys of the scope's steps
---@field history moonlet.History?  usage under earlier hosts; set in the outermost budget
---@field over table<string, number>  usage of overspent kinds at the last report
---@field exceeded moonlet.Budget[]?  overspent budgets; set in the outermost budget
---@field tell fun(text: string)?  reports overspent budgets
---@field wall {limit: number?, used: fun(): integer?}?  limit in seconds, usage in ms
---@field on_agent fun()?  called when an agent reserves its share; set in the outermost budget

function M.check(limits, what, fields)
  record.check(limits, fields or M.fields, what)
  for _, kind in ipairs(counted) do
    local limit = limits[kind]
    if limit and not (limit >= 0 and limit < math.huge) then
      record.refuse(("%s.%s cannot be %s"):format(what, kind, limit ~= limit and "nan" or limit),
        "give a number, 0 or more")
    end
  end
end

local function around(budget)
  local node = { parent = budget }
  return function()
    node = node.parent
    return node
  end
end

local function outermost(budget)
  while budget.parent do budget = budget.parent end
  return budget
end

--- Records that a limit was overspent. Returns true the first time.
local function note_exceeded(budget, kind)
  local limit = budget.limits[kind]
  if not limit or not exceeds(budget.spent[kind], limit) or budget.over[kind] then return false end
  budget.over[kind] = budget.spent[kind]
  local root = outermost(budget)
  root.exceeded = root.exceeded or {}
  table.insert(root.exceeded, { budget = budget, kind = kind })
  return true
end

---@class moonlet.BudgetOptions
---@field what string     name of the budget in messages
---@field path string     prefix of the keys of the scope's steps
---@field history moonlet.History?   usage under earlier hosts, for the outermost budget
---@field tell fun(text: string)?    reports overspent budgets, for the outermost budget

--- Opens a budget inside `parent`. Its usage includes that of earlier hosts.
---@param parent moonlet.Budget?
---@param options moonlet.BudgetOptions
---@return moonlet.Budget
function M.open(parent, limits, options)
  M.check(limits, "budget")
  local budget = { parent = parent, what = options.what, path = options.path, limits = {},
    spent = {}, reserved = {}, running = {}, over = {}, tell = options.tell,
    history = parent and parent.history or options.history }
  local before = budget.history and budget.history:spent(options.path) or {}
  for _, kind in ipairs(counted) do
    budget.limits[kind], budget.spent[kind], budget.reserved[kind] = limits[kind],
      plus(before[kind] or 0, 0), 0
    budget.running[kind] = 0
    note_exceeded(budget, kind)
  end
  return budget
end

--- Records that a budget has refused work, because the script may catch the error.
function M.note_refusal(budget, err)
  if not budget then return end
  local root = outermost(budget)
  root.refused = root.refused or err
end

local function hint_of(budget, kind, wanted)
  return "finished steps are kept; " .. (budget.parent
    and "raise this limit in the script and resume the run"
    or ("give more with --budget %s=%s and resume the run"):format(kind, shown(kind, wanted)))
end

local function exceeded(budget, kind, amount)
  local spent, reserved = budget.spent[kind], budget.reserved[kind]
  local text = ("%s allows %s %s, and %s %s used%s%s"):format(budget.what,
    shown(kind, budget.limits[kind]), name_of(kind, budget.limits[kind]), shown(kind, spent),
    spent == 1 and "is" or "are",
    reserved > 0 and (", %s reserved"):format(shown(kind, reserved)) or "",
    amount > 0 and not is_single[kind]
      and ("; the next step may need %s"):format(shown(kind, amount)) or "")
  local wanted = math.max(budget.limits[kind] * 2,
    budget.spent[kind] + budget.reserved[kind] + amount)
  local err = { kind = "budget", message = text, hint = hint_of(budget, kind, wanted) }
  M.note_refusal(budget, err)
  return err
end

local function overshoot_of(budget, kind, lead)
  local spent = budget.spent[kind]
  return ("%s: %s%s %s were used, %s more than allowed"):format(budget.what, lead,
    shown(kind, spent), name_of(kind, spent), shown(kind, plus(spent, -budget.limits[kind])))
end

--- Warns once for each kind of usage if attempts have used more than the budget allows.
local function tell_overshoot(budget, kind)
  local root = outermost(budget)
  if note_exceeded(budget, kind) and root.tell then
    root.tell(overshoot_of(budget, kind, "") .. ": attempts under way went beyond their reserve")
  end
end

---@param root moonlet.Budget
function M.exceeded(root)
  for _, item in ipairs(root.exceeded or {}) do
    local budget, kind = item.budget, item.kind
    local limit, spent = budget.limits[kind], budget.spent[kind]
    -- Check again whether the limit is exceeded, because adopted attempts refund their usage.
    if exceeds(spent, limit) then
      return { kind = "budget", message = ("%s allows %s %s"):format(budget.what,
        shown(kind, limit), names[kind]), hint = hint_of(budget, kind, math.max(limit * 2, spent)) }
    end
  end
end

--- Raises an error if an enclosing budget is overspent, so that nothing more starts.
function M.check_spent(budget)
  for node in around(budget) do
    for _, kind in ipairs(counted) do
      local limit = node.limits[kind]
      if limit and exceeds(node.spent[kind], limit) then error(exceeded(node, kind, 0), 0) end
    end
  end
end

--- Returns a line of text for each limit that the usage exceeds. With `grown`, omits limits for
--- which a line was already reported and whose usage has not increased since.
---@param root moonlet.Budget
function M.overshoot(root, grown)
  local lines = {}
  for _, item in ipairs(root.exceeded or {}) do
    local budget, kind = item.budget, item.kind
    if not grown or budget.spent[kind] > budget.over[kind] then
      lines[#lines + 1] = overshoot_of(budget, kind, "in the end ")
    end
  end
  return lines
end

--- Reserves the worst-case usage of work. Raises `budget` if an enclosing one has too little left.
---@param amounts table<string, number>
---@param allowed boolean?  skip the check, because the work is already running
---@return table reservation  reservation that the caller must settle
function M.reserve(budget, amounts, allowed)
  amounts = bounded(amounts)
  for node in around(not allowed and budget or nil) do
    for kind, amount in pairs(amounts) do
      local limit = node.limits[kind]
      if limit and exceeds(plus(plus(node.spent[kind], node.reserved[kind]), amount), limit) then
        error(exceeded(node, kind, amount), 0)
      end
    end
  end
  for node in around(budget) do
    for kind, amount in pairs(amounts) do
      node.reserved[kind] = plus(node.reserved[kind], amount)
    end
  end
  -- Reserved work is not replayed, and it starts after the replay of all recorded steps.
  if budget and budget.history then budget.history.over = true end
  local on_agent = amounts.agents and outermost(budget).on_agent
  if on_agent then on_agent() end
  return { budget = budget, amounts = amounts, used = {} }
end

--- Updates the usage of a running attempt. Returns an error if a limit is exceeded.
---@param used table<string, number>
local function grow(reservation, used)
  local err
  for _, kind in ipairs { "tokens", "usd" } do
    local before, reserved = reservation.used[kind] or 0, reservation.amounts[kind] or 0
    local now = math.max(before, math.min(used[kind] or 0, M.most))
    reservation.used[kind], reservation.amounts[kind] = now, math.max(reserved, now)
    for node in around(reservation.budget) do
      node.running[kind] = plus(node.running[kind], plus(now, -before))
      node.reserved[kind] = plus(node.reserved[kind], plus(reservation.amounts[kind], -reserved))
      local sum, limit = plus(node.spent[kind], node.running[kind]), node.limits[kind]
      if not err and limit and exceeds(sum, limit) then
        err = { kind = "budget", class = "budget",
          hint = hint_of(node, kind, math.max(limit * 2, sum)), message =
            ("%s allows %s %s: about %s are used, and what runs is ended"):format(node.what,
            shown(kind, limit), names[kind], shown(kind, sum)) }
        M.note_refusal(node, err)
      end
    end
  end
  return err
end

--- Replaces a reservation by the real usage. If an amount is unknown, the reserved amount is kept.
local function settle(reservation, used)
  used = used and bounded(used)
  for node in around(reservation.budget) do
    for kind, amount in pairs(reservation.amounts) do
      node.reserved[kind] = plus(node.reserved[kind], -amount)
      node.running[kind] = plus(node.running[kind], -(reservation.used[kind] or 0))
      node.spent[kind] = plus(node.spent[kind], used and used[kind] or amount)
      tell_overshoot(node, kind)
    end
  end
end

--- Refunds the recorded usage of an attempt, because the caller will reserve that usage again.
---@param amounts table<string, number>
function M.forget(budget, amounts)
  for node in around(budget) do
    for kind, amount in pairs(amounts) do node.spent[kind] = plus(node.spent[kind], -amount) end
  end
end

--- Reserves the amounts, calls `fn`, and then replaces the reservation by the real usage. This is
--- the second result of `fn`. If `fn` raises an error, it is the usage that `fn` last passed to its
--- first argument, note(). While the work runs, `fn` reports its usage so far with its second
--- argument, grow(), which returns an error if a limit is exceeded.
---@param amounts table<string, number>
---@param fn fun(note: fun(used: table?), grow: fun(used: table): table?): any, table?
---@param allowed boolean?  see reserve()
function M.with(budget, amounts, fn, allowed)
  local reservation = M.reserve(budget, amounts, allowed)
  local noted
  local ok, result, used = pcall(fn, function(amount) noted = amount end,
    function(amounts_now) return grow(reservation, amounts_now) end)
  settle(reservation, ok and used or noted)
  if not ok then error(result, 0) end
  return result
end

function M.is_limited(budget, kind)
  for node in around(budget) do
    if node.limits[kind] then return true end
  end
  return false
end

--- Returns the usage that the script may read. During a replay, excludes the recorded usage of
--- steps not yet reached, so that the script reads the same numbers as in its first execution.
local function spent(budget, kind)
  return plus(budget.spent[kind], budget.history and -budget.history:ahead(budget.path, kind) or 0)
end

---@param used fun(): integer?  returns milliseconds used so far
function M.start_wall(budget, limit_ms, used)
  if budget then budget.wall = { limit = limit_ms and limit_ms / 1000, used = used } end
end

local function wall_used(budget) return (budget.wall.used() or 0) / 1000 end

local function limit_of(budget, kind)
  if kind == "wall" then return budget.wall and budget.wall.limit end
  return budget.limits[kind]
end

---@return number  math.huge without a limit
function M.limit(budget, kind)
  local limit = math.huge
  for node in around(budget) do limit = math.min(limit, limit_of(node, kind) or math.huge) end
  return limit
end

function M.used(budget, kind)
  if kind == "wall" then
    while budget and not budget.wall do budget = budget.parent end
    return budget and math.max(0, wall_used(budget)) or 0
  end
  return budget and math.max(0, spent(budget, kind)) or 0
end

---@return number  math.huge without a limit
function M.left(budget, kind)
  local left = math.huge
  for node in around(budget) do
    local limit = limit_of(node, kind)
    if limit and kind == "wall" then
      left = math.min(left, limit - wall_used(node))
    elseif limit then
      left = math.min(left, plus(plus(limit, -spent(node, kind)), -node.reserved[kind]))
    end
  end
  return math.max(0, left)
end

return M
