--- Budgets of a run and of the scopes in it: agents, processes, tokens, USD. What a start may need is
--- reserved before it, in every budget around it, and settled by what was used. Wall-clock budgets are
--- the scheduler's.
local past_spend = require "moonlet.engine.journal.past_spend"
local record = require "moonlet.record"

local M = {}

--- The limits of an agent call: one attempt may use so much beside its prompt.
M.call_fields = { tokens = "integer" }
M.fields = { wall = "duration", agents = "integer", processes = "integer", tokens = "integer", usd = "number" }
local counted = { "agents", "processes", "tokens", "usd" }
local names = { agents = "agent starts", processes = "processes", tokens = "tokens", usd = "USD" }
local names_of_one = { agents = "agent start", processes = "process", tokens = "token" }

local function name_of(kind, amount) return amount == 1 and names_of_one[kind] or names[kind] end

--- The agents that a run may start whose budget does not name them.
M.default_agents = 100

M.most = past_spend.most

--- A sum of amounts. Those of prices are kept to a millionth of a millionth of a dollar: three times 0.1 is 0.3.
---@param one number
---@param other number
---@return number
function M.plus(one, other)
  local sum = one + other
  -- From here on a float is no finer than that.
  if math.type(sum) == "integer" or math.abs(sum) >= 9000 then return sum end
  return math.floor(sum * 1e12 + 0.5) / 1e12
end
local plus = M.plus

--- `count` times an amount, as far as it is counted.
---@param count integer
---@param amount number
---@return number
function M.times(count, amount)
  return (count + 0.0) * amount < M.most and plus(count * amount, 0) or M.most
end

--- True if an amount is more than a limit. A sum of fractions of prices may miss it by a rounding error.
---@param amount number
---@param limit number
---@return boolean
function M.exceeds(amount, limit)
  return amount > limit + (math.type(amount) == "float" and limit * 1e-9 or 0)
end
local exceeds = M.exceeds

local function bounded(amounts)
  local copy = {}
  for kind, amount in pairs(amounts) do copy[kind] = math.min(amount, M.most) end
  return copy
end

--- An amount as people read it: sums of prices to a hundredth of a cent, smaller ones as far as they say something.
---@param kind string
---@param amount number
---@return string
function M.shown(kind, amount)
  if kind ~= "usd" then return tostring(amount) end
  local function rounded(digits) return ("%%.%df"):format(digits):format(amount) end
  local digits = 4
  while digits < 12 and math.abs(tonumber(rounded(digits)) - amount) > 0.01 * amount do digits = digits + 1 end
  return (rounded(digits):gsub("0+$", ""):gsub("%.$", ""))
end
local shown = M.shown

--- The limits of a preset as a person reads and types them: "wall=20m, agents=10"; "" if it has none.
---@param preset moonlet.Preset
---@return string
function M.text_of(preset)
  local parts = {}
  for _, kind in ipairs { "wall", "agents", "processes", "tokens", "usd" } do
    local limit = preset.budget[kind] or kind == "agents" and preset.needs.agents and M.default_agents
    if limit then parts[#parts + 1] = ("%s=%s"):format(kind, kind == "wall" and limit or shown(kind, limit)) end
  end
  return table.concat(parts, ", ")
end

---@class moonlet.Budget
---@field parent moonlet.Budget?
---@field what string            whose it is, for messages
---@field limits table<string, number>
---@field spent table<string, number>
---@field reserved table<string, number>
---@field running table<string, number>  used by attempts that run, as far as they have reported it
---@field refused table?         the error of the first start that one of the budgets in it did not allow
---@field path string            whose steps count in it
---@field history moonlet.History?  what earlier hosts have spent; of the outermost one
---@field over table<string, number>  kinds of which more was spent than allowed: how much, when last reported
---@field exceeded moonlet.Budget[]?  of the outermost one: those of which more was spent than allowed
---@field tell fun(text: string)?  is called with those
---@field wall {limit: number?, used: fun(): integer?}?  its time on the wall: the limit in seconds, what was used in ms
---@field on_agent fun()?  of the outermost one: hears that an agent has reserved its share

--- Raises where the limits are none.
---@param limits table
---@param what string
---@param fields table<string, string>?
function M.check(limits, what, fields)
  record.check(limits, fields or M.fields, what)
  for _, kind in ipairs(counted) do
    local limit = limits[kind]
    if limit and not (limit >= 0 and limit < math.huge) then
      error(record.invalid(("%s.%s cannot be %s"):format(what, kind, limit ~= limit and "nan" or limit),
        "give a number, 0 or more"), 0)
    end
  end
end

local function outermost(budget)
  while budget.parent do budget = budget.parent end
  return budget
end

--- Notes that more was spent than a limit allows. True if that is new.
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
---@field what string     whose it is, for messages
---@field path string     whose steps count in it
---@field history moonlet.History?   of the outermost one: what earlier hosts have spent
---@field tell fun(text: string)?    of the outermost one

--- A budget inside `parent`; nil limits are no limits. What earlier hosts have spent there is spent.
---@param parent moonlet.Budget?
---@param limits table
---@param options moonlet.BudgetOptions
---@return moonlet.Budget
function M.open(parent, limits, options)
  M.check(limits, "budget")
  local budget = { parent = parent, what = options.what, path = options.path, limits = {}, spent = {}, reserved = {},
    running = {}, over = {}, tell = options.tell, history = parent and parent.history or options.history }
  local before = budget.history and budget.history:spent(options.path) or {}
  for _, kind in ipairs(counted) do
    budget.limits[kind], budget.spent[kind], budget.reserved[kind] = limits[kind], plus(before[kind] or 0, 0), 0
    budget.running[kind] = 0
    note_exceeded(budget, kind)
  end
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

--- The advice for a limit that was reached.
local function hint_of(budget, kind, wanted)
  return "finished steps are kept; " .. (budget.parent and "raise this limit in the script and resume the run"
    or ("give more with --budget %s=%s and resume the run"):format(kind, shown(kind, wanted)))
end

local function exceeded(budget, kind, amount)
  local text = ("%s allows %s %s: %s are spent, %s reserved, %s more were asked for"):format(budget.what,
    shown(kind, budget.limits[kind]), name_of(kind, budget.limits[kind]), shown(kind, budget.spent[kind]),
    shown(kind, budget.reserved[kind]), shown(kind, amount))
  local wanted = math.max(budget.limits[kind] * 2, budget.spent[kind] + budget.reserved[kind] + amount)
  local err = { kind = "budget", message = text, hint = hint_of(budget, kind, wanted) }
  M.note_refusal(budget, err)
  return err
end

--- Attempts in flight may use more than was reserved for them: that is said when it begins, for each kind.
local function tell_overshoot(budget, kind)
  local root, limit = outermost(budget), budget.limits[kind]
  if note_exceeded(budget, kind) and root.tell then
    root.tell(("%s: %s %s were used, %s more than allowed: attempts under way went beyond their reserve")
      :format(budget.what, shown(kind, budget.spent[kind]), name_of(kind, budget.spent[kind]),
        shown(kind, plus(budget.spent[kind], -limit))))
  end
end

--- The error of a limit of which more was spent than allowed; nil if there is none.
---@param root moonlet.Budget
---@return table?
function M.exceeded(root)
  for _, item in ipairs(root.exceeded or {}) do
    local budget, kind = item.budget, item.kind
    local limit, spent = budget.limits[kind], budget.spent[kind]
    -- An attempt that is under way since an earlier host is taken off, and reserved anew.
    if exceeds(spent, limit) then
      return { kind = "budget", message = ("%s allows %s %s"):format(budget.what, shown(kind, limit), names[kind]),
        hint = hint_of(budget, kind, math.max(limit * 2, spent)) }
    end
  end
end

--- Raises if one of the budgets around has spent more than it allows: nothing more is started there.
---@param budget moonlet.Budget?
function M.check_spent(budget)
  while budget do
    for _, kind in ipairs(counted) do
      local limit = budget.limits[kind]
      if limit and exceeds(budget.spent[kind], limit) then error(exceeded(budget, kind, 0), 0) end
    end
    budget = budget.parent
  end
end

--- By how much the limits were exceeded in the end, as lines; `grown` leaves out the lines that were reported already.
---@param root moonlet.Budget
---@param grown boolean?
---@return string[]
function M.overshoot(root, grown)
  local lines = {}
  for _, item in ipairs(root.exceeded or {}) do
    local budget, kind = item.budget, item.kind
    if not grown or budget.spent[kind] > budget.over[kind] then
      lines[#lines + 1] = ("%s: in the end %s %s were used, %s more than allowed"):format(budget.what,
        shown(kind, budget.spent[kind]), name_of(kind, budget.spent[kind]),
        shown(kind, plus(budget.spent[kind], -budget.limits[kind])))
    end
  end
  return lines
end

--- Reserves what a start may use. Raises `budget` and reserves nothing when one of the budgets around
--- it does not hold that much.
---@param budget moonlet.Budget
---@param amounts table<string, number>
---@param allowed boolean?  it was allowed before: it is under way
---@return table reservation  to be settled
function M.reserve(budget, amounts, allowed)
  amounts = bounded(amounts)
  local node = budget
  while node and not allowed do
    for kind, amount in pairs(amounts) do
      local limit = node.limits[kind]
      if limit and exceeds(plus(plus(node.spent[kind], node.reserved[kind]), amount), limit) then
        error(exceeded(node, kind, amount), 0)
      end
    end
    node = node.parent
  end
  node = budget
  while node do
    for kind, amount in pairs(amounts) do node.reserved[kind] = plus(node.reserved[kind], amount) end
    node = node.parent
  end
  -- A start ends the replay: all recorded steps have been replayed.
  if budget and budget.history then budget.history.over = true end
  local on_agent = amounts.agents and outermost(budget).on_agent
  if on_agent then on_agent() end
  return { budget = budget, amounts = amounts, used = {} }
end

--- Counts what an attempt has used while it runs: against the limits around it, and as reserved where that is more than
--- was. Returns the error of the first limit that is passed; nil if none is.
---@param reservation table
---@param used table<string, number>
---@return table? err
local function grow(reservation, used)
  local err
  for _, kind in ipairs { "tokens", "usd" } do
    local before, reserved = reservation.used[kind] or 0, reservation.amounts[kind] or 0
    local now = math.max(before, math.min(used[kind] or 0, M.most))
    reservation.used[kind], reservation.amounts[kind] = now, math.max(reserved, now)
    local node = reservation.budget
    while node do
      node.running[kind] = plus(node.running[kind], plus(now, -before))
      node.reserved[kind] = plus(node.reserved[kind], plus(reservation.amounts[kind], -reserved))
      local sum = plus(node.spent[kind], node.running[kind])
      if not err and node.limits[kind] and exceeds(sum, node.limits[kind]) then
        err = { kind = "budget", class = "budget", message = ("%s allows %s %s: about %s are used, and what runs is "
          .. "ended"):format(node.what, shown(kind, node.limits[kind]), names[kind], shown(kind, sum)),
          hint = hint_of(node, kind, math.max(node.limits[kind] * 2, sum)) }
        M.note_refusal(node, err)
      end
      node = node.parent
    end
  end
  return err
end

--- Puts what was used in place of what was reserved. What is not known counts as reserved.
local function settle(reservation, used)
  local node = reservation.budget
  used = used and bounded(used)
  while node do
    for kind, amount in pairs(reservation.amounts) do
      node.reserved[kind] = plus(node.reserved[kind], -amount)
      node.running[kind] = plus(node.running[kind], -(reservation.used[kind] or 0))
      node.spent[kind] = plus(node.spent[kind], used and used[kind] or amount)
      tell_overshoot(node, kind)
    end
    node = node.parent
  end
end

--- Forgets what was counted for an attempt that will be reserved anew.
---@param budget moonlet.Budget
---@param amounts table<string, number>
function M.forget(budget, amounts)
  local node = budget
  while node do
    for kind, amount in pairs(amounts) do node.spent[kind] = plus(node.spent[kind], -amount) end
    node = node.parent
  end
end

--- Reserves, does, settles: `fn` gives its result and what it used. Where it raises it may have noted that. While it
--- works it may call `grow` with what is used by then, and gets the error of a limit that is passed.
---@param budget moonlet.Budget?
---@param amounts table<string, number>
---@param fn fun(note: fun(used: table?), grow: fun(used: table): table?): any, table?
---@param allowed boolean?  see reserve()
---@return any
function M.with(budget, amounts, fn, allowed)
  local reservation = M.reserve(budget, amounts, allowed)
  local noted
  local ok, result, used = pcall(fn, function(amount) noted = amount end,
    function(amounts_now) return grow(reservation, amounts_now) end)
  settle(reservation, ok and used or noted)
  if not ok then error(result, 0) end
  return result
end

--- True if a limit of that kind holds anywhere around.
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

--- The spend up to the present point of the replay: a resumed script finds its budgets as it did before.
local function spent(budget, kind)
  return plus(budget.spent[kind], budget.history and -budget.history:ahead(budget.path, kind) or 0)
end

--- Counts the time on the wall in a budget.
---@param budget moonlet.Budget
---@param limit_ms integer?
---@param used fun(): integer?  milliseconds that were used by now
function M.start_wall(budget, limit_ms, used)
  if budget then budget.wall = { limit = limit_ms and limit_ms / 1000, used = used } end
end

local function wall_used(budget)
  return (budget.wall.used() or 0) / 1000
end

local function limit_of(budget, kind)
  if kind == "wall" then return budget.wall and budget.wall.limit end
  return budget.limits[kind]
end

--- The smallest limit around.
---@param budget moonlet.Budget?
---@param kind string
---@return number  math.huge without a limit
function M.limit(budget, kind)
  local limit = math.huge
  while budget do
    limit = math.min(limit, limit_of(budget, kind) or math.huge)
    budget = budget.parent
  end
  return limit
end

--- The usage in the innermost budget.
---@param budget moonlet.Budget?
---@param kind string
---@return number
function M.used(budget, kind)
  if kind == "wall" then
    while budget and not budget.wall do budget = budget.parent end
    return budget and math.max(0, wall_used(budget)) or 0
  end
  return budget and math.max(0, spent(budget, kind)) or 0
end

--- The rest of the tightest budget around, without reserves.
---@param budget moonlet.Budget?
---@param kind string
---@return number  math.huge without a limit
function M.left(budget, kind)
  local left = math.huge
  while budget do
    local limit = limit_of(budget, kind)
    if limit and kind == "wall" then
      left = math.min(left, limit - wall_used(budget))
    elseif limit then
      left = math.min(left, plus(plus(limit, -spent(budget, kind)), -budget.reserved[kind]))
    end
    budget = budget.parent
  end
  return math.max(0, left)
end

return M
