--- What hosts before this one have spent on the run, by the records of its journal: every attempt that was begun,
--- also those that failed, were cancelled or lie within a step that is only told again, and every program. It is
--- known before the run is driven on, so that no budget forgets it; a script sees it grow as the story is told.
local M = {}

---@class moonlet.Charge
---@field number integer?
---@field hash string?       of the input of the step
---@field amounts table<string, number>  what it used; as long as that is not known, what was reserved for it
---@field entry table?       what the attempt came to
---@field runner string?
---@field model string?

---@class moonlet.History
---@field charges table<string, moonlet.Charge[]>  by the key of the step
---@field ends table<string, table>   key -> how its step ended last
---@field driven integer              milliseconds for which hosts have driven the run
---@field over boolean                the story is told: something is done that is not on record
---@field private total table<string, table>  path -> what was spent there and below
---@field private told table<string, table>   path -> what of it the story has come to
local History = {}
History.__index = History

local kinds = { "agents", "processes", "tokens", "usd" }

---@return moonlet.History
function M.new()
  return setmetatable({ charges = {}, ends = {}, driven = 0, over = false, total = {}, told = {} }, History)
end

--- Amounts as a record has them; what is none is left out.
local function amounts_of(given)
  local amounts = {}
  for _, kind in ipairs(kinds) do
    local amount = type(given) == "table" and given[kind]
    if math.type(amount) and amount >= 0 and amount < math.huge then amounts[kind] = amount end
  end
  return amounts
end

--- Calls fn for the key and for each path around it, the run's own last.
local function each_path(key, fn)
  fn(key)
  for at = #key, 1, -1 do
    if key:byte(at) == 47 then fn(key:sub(1, at - 1)) end
  end
  if key ~= "" then fn "" end
end

local function add(sums, path, amounts, sign)
  local sum = sums[path]
  if not sum then
    sum = {}
    sums[path] = sum
  end
  for kind, amount in pairs(amounts) do sum[kind] = (sum[kind] or 0) + sign * amount end
end

local function charge_of(history, key)
  local list = history.charges[key] or {}
  history.charges[key] = list
  return list
end

local function find(list, number)
  for i = #list, 1, -1 do
    if list[i].number == number then return list[i] end
  end
end

local readers = {
  begin = function(history, item)
    if item.once then return end -- a command: its end counts
    local list = charge_of(history, item.k)
    local charge = find(list, item.a)
    -- The intent may be on record twice where nothing was started in between.
    if not charge or charge.entry or charge.hash ~= item.h then
      charge = { number = item.a, hash = item.h }
      list[#list + 1] = charge
    end
    charge.amounts = amounts_of(item.need or { agents = 1, processes = 1 })
    charge.runner, charge.model = item.runner, item.model
  end,
  attempt = function(history, item)
    local list = charge_of(history, item.k)
    local charge = find(list, item.v.number)
    if not charge then
      charge = { number = item.v.number, amounts = { agents = 1, processes = 1 } }
      list[#list + 1] = charge
    end
    charge.entry = item.v
    if type(item.v.used) == "table" and item.v.used ~= core.json.null then charge.amounts = amounts_of(item.v.used) end
  end,
  ["end"] = function(history, item)
    history.ends[item.k] = item
    if item.verb ~= "exec" then return end
    local list = charge_of(history, item.k)
    list[#list + 1] = { amounts = { processes = 1 } }
  end,
}

--- Takes in a record of the journal.
---@param item table
function History:read(item)
  if math.type(item.ms) == "integer" and item.ms > self.driven then self.driven = item.ms end
  local reader = readers[item.t]
  if reader then reader(self, item) end
end

--- All records are read.
function History:close()
  for key, list in pairs(self.charges) do
    for _, charge in ipairs(list) do
      each_path(key, function(path) add(self.total, path, charge.amounts, 1) end)
    end
  end
end

--- What was spent below a path.
---@param path string
---@return table<string, number>
function History:spent(path) return self.total[path] or {} end

--- What of it the story has not come to yet.
---@param path string
---@param kind string
---@return number
function History:ahead(path, kind)
  local total = not self.over and self.total[path]
  if not total then return 0 end
  local told = self.told[path]
  return (total[kind] or 0) - (told and told[kind] or 0)
end

--- The story has come to the end of a step, and so of all that was done within.
---@param key string
function History:tell(key)
  local total = not self.over and self.total[key]
  if not total then return end
  local rest, told = {}, self.told[key] or {}
  for kind, amount in pairs(total) do rest[kind] = amount - (told[kind] or 0) end
  each_path(key, function(path) add(self.told, path, rest, 1) end)
end

--- What an attempt is on record with that is about to be taken up, once: it is not to be counted twice.
---@param key string
---@param number integer
---@param hash string
---@return table<string, number>?
function History:retake(key, number, hash)
  local list = self.charges[key] or {}
  local charge = find(list, number)
  if not charge or charge.hash ~= hash or charge.taken then return nil end
  charge.taken = true
  return charge.amounts
end

return M
