--- Computes what changes to a repository have cost, and which steps inherited an expensive model.
local budget = require "moonlet.engine.budget.budget"
local prices = require "moonlet.engine.budget.prices"
local store = require "moonlet.engine.run.store"

local M = {}

local null = core.json.null
local sums = { "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens",
  "reasoning_output_tokens", "total_tokens", "cost_usd" }

local most_looked_at = 200  -- maximum number of runs to examine, the newest first

local function known(value) return math.type(value) and value or nil end

local function list_of(value) return type(value) == "table" and value ~= null and value or {} end

---@class moonlet.ChangeTotals
---@field dispatched integer
---@field merged integer
---@field cost_usd number?            cost of all runs with changes
---@field per_merged_usd number?

---@class moonlet.UsageFilter
---@field run string?
---@field runner string?
---@field model string?
---@field since string?
---@field until string?

local function records(home, filter, most)
  local list, root = {}, store.root(home)
  for _, id in ipairs(filter.run and { filter.run } or store.ids(root)) do
    if #list == most then break end
    local rec = store.look(root, id)
    local day = rec and type(rec.started_at) == "string" and rec.started_at:sub(1, 10) or ""
    if rec and day >= (filter.since or "") and day <= (filter["until"] or "9999") then
      list[#list + 1] = rec
    end
  end
  return list
end

--- Returns "merged", "held" (waits for a review, or was rejected), "nothing" or "failed".
local function state_of(rec, step)
  if step.status ~= "ok" then return "failed" end
  if (known(step.changes) or 0) == 0 then return "nothing" end
  local review = type(rec.review) == "table" and rec.review ~= null and rec.review or nil
  return review and review.state ~= "approved" and "held" or "merged"
end

local function accepts(filter, step)
  local model = type(step.usage) == "table" and step.usage.model
  return (not filter.runner or step.runner == filter.runner)
    and (not filter.model or model == filter.model)
end

local function add_attempts(row, attempts)
  for _, attempt in ipairs(attempts) do
    local told = list_of(attempt.usage)
    row.attempts = row.attempts + 1
    if not known(told.total_tokens) then row.unreported = row.unreported + 1 end
    if not known(told.cost_usd) then row.unpriced = row.unpriced + 1 end
    if told.cost_is == "estimate" then row.estimated = row.estimated + 1 end
    for _, name in ipairs(sums) do
      local value = known(told[name])
      if value then row[name] = row[name] == null and value or budget.plus(row[name], value) end
    end
  end
end

local function attempts_of(rec, key)
  local list = {}
  for _, attempt in ipairs(list_of(rec.attempts)) do
    if attempt.step == key then list[#list + 1] = attempt end
  end
  return list
end

local function empty_row(group)
  local row = { group = group, attempts = 0, unreported = 0, unpriced = 0, estimated = 0 }
  for _, name in ipairs(sums) do row[name] = null end
  return row
end

local function row_of(rec, step)
  local row = empty_row(("%s %s"):format(rec.id, step.key))
  row.run, row.step, row.state = rec.id, step.key, state_of(rec, step)
  add_attempts(row, attempts_of(rec, step.key))
  return row
end

--- Sums up the usage of the attempts for each machine. The local machine is named "here".
---@return table[] rows
function M.by_machine(home, filter)
  local rows, by_name = {}, {}
  for _, rec in ipairs(records(home, filter)) do
    for _, attempt in ipairs(list_of(rec.attempts)) do
      local model = list_of(attempt.usage).model or attempt.model
      local is_wanted = (filter.runner or attempt.runner ~= "cassette")
        and accepts(filter, { runner = attempt.runner, usage = { model = model } })
      if is_wanted then
        local name = type(attempt.on) == "string" and attempt.on or "here"
        if not by_name[name] then
          by_name[name] = empty_row(name)
          rows[#rows + 1] = by_name[name]
        end
        add_attempts(by_name[name], { attempt })
      end
    end
  end
  table.sort(rows, function(a, b) return a.group < b.group end)
  return rows
end

--- Returns each step that could change files. Averages include all agents, such as reviewers.
---@return table[] rows
---@return moonlet.ChangeTotals
function M.by_change(home, filter)
  local rows, total = {}, { dispatched = 0, merged = 0, cost_usd = null, per_dispatched_usd = null,
    per_merged_usd = null }
  for _, rec in ipairs(records(home, filter)) do
    local found = 0
    for _, step in ipairs(list_of(rec.steps)) do
      if known(step.changes) and step.runner ~= "cassette" and accepts(filter, step) then
        local row = row_of(rec, step)
        rows[#rows + 1], found = row, found + 1
        total.merged = total.merged + (row.state == "merged" and 1 or 0)
      end
    end
    local cost = found > 0 and type(rec.usage) == "table" and known(rec.usage.cost_usd)
    if cost then
      total.cost_usd = total.cost_usd == null and cost or budget.plus(total.cost_usd, cost)
    end
    total.dispatched = total.dispatched + found
  end
  if total.cost_usd ~= null then
    total.per_dispatched_usd = budget.plus(total.cost_usd / total.dispatched, 0)
    if total.merged > 0 then
      total.per_merged_usd = budget.plus(total.cost_usd / total.merged, 0)
    end
  end
  return rows, total
end

local function siblings_of(key) return key:match "^(.+)/[^/]+/[^/]+$" end

--- Returns the price of a million output tokens by the config, else the step's average price.
local function price_of(step, all_prices)
  local price = prices.of(step.usage.model, all_prices)
  if price then return price.output end
  local tokens, cost = known(step.usage.total_tokens), known(step.usage.cost_usd)
  return tokens and tokens > 0 and cost and cost * 1e6 / tokens or nil
end

--- Finds steps that used the run's model although another branch had set a cheaper one.
---@param all_prices table?
---@return {run: string, step: string, model: string, beside: string}[]
function M.inherited(home, filter, all_prices)
  local found = {}
  for _, rec in ipairs(records(home, filter, most_looked_at)) do
    local groups = {}
    for _, step in ipairs(list_of(rec.steps)) do
      local around = type(step.usage) == "table" and type(step.usage.model) == "string"
        and siblings_of(step.key)
      local price = around and price_of(step, all_prices)
      if price then
        groups[around] = groups[around] or {}
        table.insert(groups[around], { step = step, price = price })
      end
    end
    for _, group in pairs(groups) do
      local cheapest
      for _, item in ipairs(group) do
        if not item.step.inherits and (not cheapest or item.price < cheapest.price) then
          cheapest = item
        end
      end
      for _, item in ipairs(cheapest and group or {}) do
        local is_other = cheapest and item.step.usage.model ~= cheapest.step.usage.model
        if item.step.inherits and is_other and item.price > cheapest.price then
          found[#found + 1] = { run = rec.id, step = item.step.key, model = item.step.usage.model,
            beside = cheapest.step.usage.model }
        end
      end
    end
  end
  table.sort(found, function(a, b) return a.run .. a.step < b.run .. b.step end)
  return found
end

return M
