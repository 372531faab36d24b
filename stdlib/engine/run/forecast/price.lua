--- Estimates a step's cost as a range, from earlier steps of the same preset, runner and model,
--- else from the config's prices.
local budget = require "moonlet.engine.budget.budget"
local usage = require "moonlet.engine.runner.usage"

local M = {}

local most_attempts = 5000  -- maximum number of rows read from the ledger, newest first
--- If this many known costs are from steps with the same name, costs of other steps are ignored.
local enough = 4

---@class moonlet.Range
---@field low number
---@field high number
---@field from string   source of the estimate, for people

---@class moonlet.CostSample   the cost of a step, with all its attempts
---@field name string
---@field runner string
---@field model string?  the model that answered
---@field asked string?  the requested model
---@field usd number?
---@field tokens integer?

---@class moonlet.Costs
---@field samples moonlet.CostSample[]
---@field runs table<string, {usd: number?, tokens: number?}>  cost of each finished run
---@field prices table?
local Costs = {}
Costs.__index = Costs

local function name_of(key) return (key:match "[^/]*$":gsub("#%d+$", "")) end

local function text_or_nil(value) return type(value) == "string" and value or nil end

--- Adds an attempt's cost to a sum; one that failed to start has none.
local function add(sum, usd, tokens)
  if usd then sum.usd = budget.plus(sum.usd or 0, usd) end
  if tokens then sum.tokens = (sum.tokens or 0) + tokens end
end

local function from_ledger(costs, home, preset, own)
  local ended = {}
  for _, run in ipairs(core.ledger.present(home.handle)
    and core.ledger.list(home.handle, { preset = preset, status = "finished" }, most_attempts)
      or {}) do
    if run.id ~= own then ended[run.id] = true end
  end
  if not next(ended) then return end
  local by_step = {}
  for _, item in ipairs(core.ledger.attempts(home.handle, { preset = preset }, most_attempts)
      or {}) do
    local usd, tokens = tonumber(item.cost_usd), math.tointeger(item.total_tokens)
    if ended[item.run] then
      local id = item.run .. "\0" .. item.step
      local sample = by_step[id]
      if not sample then
        sample = { name = name_of(item.step), runner = text_or_nil(item.runner),
          model = text_or_nil(item.model) }
        by_step[id] = sample
        costs.samples[#costs.samples + 1] = sample
      end
      add(sample, usd, tokens)
      local run = costs.runs[item.run] or {}
      costs.runs[item.run] = run
      add(run, usd, tokens)
    end
  end
end

---@return {usd: number?, tokens: integer?}?
function M.of_step(run, key)
  local attempts = run.journal.attempts[key]
  local sum = attempts and usage.of_attempts(attempts)
  return sum and { usd = sum.cost_usd, tokens = sum.total_tokens }
end

--- Runs with these verdicts executed their whole script, so their cost is comparable.
local is_whole = { degraded = true, blocked = true }

local function from_journal(costs, run, record)
  local own = {}
  if record and record.ended and is_whole[record.verdict] then costs.runs[run.id] = own end
  for key, charges in pairs(run.journal.history.charges) do
    local last, spent = charges[#charges], M.of_step(run, key)
    if spent and (spent.usd or spent.tokens) then
      add(own, spent.usd, spent.tokens)
      local model = usage.model_of(run.journal.attempts[key]) or last.model
      table.insert(costs.samples, { name = name_of(key), runner = last.runner or run.runner_name,
        model = model or run.model, asked = last.model, usd = spent.usd, tokens = spent.tokens })
    end
  end
end

---@param before {run: string, record: table}?  the run that is resumed
---@return moonlet.Costs
function M.read(home, run, before)
  local costs = setmetatable({ samples = {}, runs = {}, prices = run.config.prices }, Costs)
  from_ledger(costs, home, run.preset_name, before and before.run)
  from_journal(costs, run, before and before.record)
  return costs
end

--- Estimates the lowest and the highest cost from the costs of earlier steps. With few earlier
--- steps, widens the range, because an expensive step may not have occurred yet.
local function range_of(values, from)
  table.sort(values)
  local factor = 1 + 3 / #values
  return { low = values[1] / factor, high = values[#values] * factor, from = from }
end

local function known(samples, kind, accepts)
  local values = {}
  for _, sample in ipairs(samples) do
    if sample[kind] and accepts(sample) then values[#values + 1] = sample[kind] end
  end
  return values
end

--- Reports whether a sample is from the requested model, or a dated version of it.
local function is_of_model(sample, model)
  if not model or sample.asked == model then return true end
  return sample.model ~= nil and sample.model:find(model, 1, true) ~= nil
end

local function from_history(costs, row, kind)
  local function is_alike(sample)
    return sample.runner == row.runner and is_of_model(sample, row.model)
  end
  local name = name_of(row.key)
  local values = known(costs.samples, kind, function(sample)
    return sample.name == name and is_alike(sample)
  end)
  if #values < enough then values = known(costs.samples, kind, is_alike) end
  if #values == 0 then return nil end
  return range_of(values, ("from %d %s"):format(#values, #values == 1 and "step" or "steps"))
end

---@param kind "usd"|"tokens"
---@return moonlet.Range?
function Costs:of(row, kind)
  local found, need, most = from_history(self, row, kind), row.need, row.most
  if found then
    -- The budget reserves `need` before an agent starts, so the range must include `need`.
    found.high = math.max(found.high, need and need[kind] or 0)
    return found
  end
  if row.runner == "cassette" then return { low = 0, high = 0, from = "a cassette" } end
  if not need or not most or not most[kind] then return nil end
  return { low = kind == "usd" and 0 or need[kind], high = most[kind],
    from = kind == "usd" and "config's prices" or "its size" }
end

--- Returns an upper bound for the steps that the forecast did not reach, from the preset's most
--- expensive run or their own earlier cost; nil without earlier costs.
---@param kind "usd"|"tokens"
---@param reached number    cost of the known steps
---@param unreached number  earlier cost of the steps that were not reached
---@return number?
function Costs:rest(kind, reached, unreached)
  local values = {}
  for _, run in pairs(self.runs) do values[#values + 1] = run[kind] end
  if #values == 0 then return unreached > 0 and unreached * 4 or nil end
  return math.max(range_of(values, "").high - reached, unreached)
end

return M
