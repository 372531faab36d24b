--- Sums up the usage of earlier hosts. Every started attempt and program counts, even if it is
--- replayed. Budgets count this usage from the start. The script sees the usage grow step by step
--- during the replay, as in its first execution.

local M = {}

--- Limits every sum, so that integers never overflow.
M.most = 1 << 40

---@class moonlet.Charge
---@field number integer?
---@field hash string?       input hash of the step
---@field amounts table<string, number>  usage of the attempt, or its reservation until then
---@field entry table?       outcome of the attempt
---@field runner string?
---@field model string?

---@class moonlet.History
---@field charges table<string, moonlet.Charge[]>  charges by the key of their step
---@field ends table<string, table>   key -> last end of its step
---@field driven integer              ms for which hosts have driven the run
---@field over boolean                true once an unrecorded step runs
---@field private keys string[]           keys with charges or programs, in journal order
---@field private programs table<string, integer>  key -> number of programs that the step has run
---@field private once table<string, integer>      key -> last attempt of an at-most-once command
---@field private told table<string, boolean>      keys that the replay has reached
---@field private sums table<string, table>        path -> { total, told (replayed) }
---@field private nested boolean?                   true if a nested path was requested
---@field private inner table<string, string|string[]>  path -> keys below it
local History = {}
History.__index = History

local kinds = { "agents", "processes", "tokens", "usd" }

--- Lists the kinds of steps that run exactly one program: those of ctx:exec and ctx:require, and
--- every kind of ctx:validate.
local is_program = { exec = true, typecheck = true, lint = true, test = true, build = true,
  custom = true, require = true }

---@return moonlet.History
function M.new()
  return setmetatable({ charges = {}, ends = {}, driven = 0, over = false, keys = {},
    programs = {}, once = {}, told = {}, sums = {}, inner = {} }, History)
end

local function amounts_of(given)
  local amounts = {}
  for _, kind in ipairs(kinds) do
    local amount = type(given) == "table" and given[kind]
    if math.type(amount) and amount >= 0 and amount < math.huge then
      amounts[kind] = math.min(amount, M.most)
    end
  end
  return amounts
end

--- Calls fn(path, …) for each scope that contains a step, except the run itself, outermost first.
---@param fn fun(path: string, ...: any)
function M.each_around(key, fn, ...)
  local at = key:find("/", 1, true)
  while at do
    fn(key:sub(1, at - 1), ...)
    at = key:find("/", at + 1, true)
  end
end

local function note_key(history, key)
  if not history.charges[key] and not history.programs[key] then
    history.keys[#history.keys + 1] = key
  end
end

local function note_program(history, key)
  note_key(history, key)
  history.programs[key] = (history.programs[key] or 0) + 1
end

local function charge_of(history, key)
  local list = history.charges[key]
  if not list then
    note_key(history, key)
    list = {}
    history.charges[key] = list
  end
  return list
end

local function find(list, number)
  for i = #list, 1, -1 do
    if list[i].number == number then return list[i] end
  end
end

local readers = {
  begin = function(history, item)
    history.once[item.key] = item.once and item.attempt or nil
    if item.once then return end  -- an at-most-once command is counted when it ends
    local list = charge_of(history, item.key)
    local charge = find(list, item.attempt)
    -- An attempt that did not start has two `begin` records, but counts once.
    if not charge or charge.entry or charge.hash ~= item.input_hash then
      charge = { number = item.attempt, hash = item.input_hash }
      list[#list + 1] = charge
    end
    charge.amounts = amounts_of(item.need or { agents = 1, processes = 1 })
    charge.runner, charge.model = item.runner, item.model
  end,
  attempt = function(history, item)
    if history.once[item.key] and history.once[item.key] == item.outcome.number then
      -- An abandoned at-most-once command has no end record, but it was started, so count it.
      if not history.ends[item.key] then note_program(history, item.key) end
      return
    end
    local list = charge_of(history, item.key)
    local charge = find(list, item.outcome.number)
    if not charge then
      charge = { number = item.outcome.number, amounts = { agents = 1, processes = 1 } }
      list[#list + 1] = charge
    end
    charge.entry = item.outcome
    local used = item.outcome.used
    if type(used) == "table" and used ~= core.json.null then charge.amounts = amounts_of(used) end
  end,
  ["end"] = function(history, item)
    history.ends[item.key] = item
    if is_program[item.verb] and not item.from then note_program(history, item.key) end
  end,
}

function History:read(item)
  if math.type(item.driven_ms) == "integer" and item.driven_ms > self.driven then
    self.driven = item.driven_ms
  end
  local reader = readers[item.type]
  if reader then reader(self, item) end
end

local function note_inner(path, inner, key)
  local known = inner[path]
  if known == nil then
    inner[path] = key
  elseif type(known) == "string" then
    inner[path] = { known, key }
  else
    known[#known + 1] = key
  end
end

function History:close()
  for _, key in ipairs(self.keys) do M.each_around(key, note_inner, self.inner, key) end
end

local function add_key(history, sum, key)
  local charges = history.charges[key]
  for i = 1, charges and #charges or 0 do
    for kind, amount in pairs(charges[i].amounts) do sum[kind] = (sum[kind] or 0) + amount end
  end
  local programs = history.programs[key]
  if programs then sum.processes = (sum.processes or 0) + programs end
end

local function each_below(history, path, fn)
  if path == "" then
    for _, key in ipairs(history.keys) do fn(key) end
    return
  end
  if history.charges[path] or history.programs[path] then fn(path) end
  local inner = history.inner[path]
  if type(inner) == "string" then return fn(inner) end
  for _, key in ipairs(inner or {}) do fn(key) end
end

local function sums_of(history, path)
  local sums = history.sums[path]
  if sums then return sums end
  sums = { total = {}, told = {} }
  history.sums[path] = sums
  history.nested = history.nested or path ~= ""
  each_below(history, path, function(key)
    add_key(history, sums.total, key)
    if history.told[key] then add_key(history, sums.told, key) end
  end)
  return sums
end

---@return table<string, number>
function History:spent(path) return sums_of(self, path).total end

--- Returns the recorded usage below a path that the replay has not reached yet.
function History:ahead(path, kind)
  if self.over then return 0 end
  local sums = sums_of(self, path)
  return (sums.total[kind] or 0) - (sums.told[kind] or 0)
end

local function tell_around(path, history, key)
  local sums = history.sums[path]
  if sums then add_key(history, sums.told, key) end
end

local function tell_key(history, key)
  if history.told[key] then return end
  history.told[key] = true
  tell_around("", history, key)
  tell_around(key, history, key)
  if history.nested then M.each_around(key, tell_around, history, key) end
end

function History:tell(path)
  if self.over then return end
  if self.charges[path] or self.programs[path] then tell_key(self, path) end
  local inner = self.inner[path]
  if type(inner) == "string" then return tell_key(self, inner) end
  if inner then
    for _, key in ipairs(inner) do tell_key(self, key) end
  end
end

--- Returns the recorded usage of an attempt that this host adopts. Later calls for this attempt
--- return nil.
---@return table<string, number>?
function History:retake(key, number, hash)
  local list = self.charges[key] or {}
  local charge = find(list, number)
  if not charge or charge.hash ~= hash or charge.taken then return nil end
  charge.taken = true
  return charge.amounts
end

return M
