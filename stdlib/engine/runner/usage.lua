--- Normalizes the token usage of attempts, which each provider reports differently.
--- input_tokens includes cached tokens, output_tokens includes reasoning; total_tokens is the sum.
--- A count that was not reported is nil in Lua and null in records.
--- If an agent ends before it has reported the usage of an answer, that usage is estimated, and the
--- sum is marked as estimated.
local stream = require "moonlet.engine.runner.stream"
local prices = require "moonlet.engine.budget.prices"
local budget = require "moonlet.engine.budget.budget"

local M = {}

local null = core.json.null

M.counts = { "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens",
  "total_tokens" }

local function plus(a, b)
  if a == nil then return b end
  if b == nil then return a end
  return a + b
end

--- Builds a usage record from counts, of which some may be missing. Computes the total if possible.
function M.of(given)
  local usage, any = {}, false
  for _, name in ipairs(M.counts) do
    usage[name] = stream.count(given[name])
    any = any or usage[name] ~= nil
  end
  if usage.input_tokens and usage.output_tokens then
    usage.total_tokens = usage.input_tokens + usage.output_tokens
  end
  usage.cache_write_tokens = stream.count(given.cache_write_tokens)
  usage.cost_usd = stream.amount(given.cost_usd)
  usage.cost_is = usage.cost_usd and (given.cost_is or "reported") or nil
  if not any and not usage.cost_usd then return nil end
  return usage
end

--- Returns the usage since `before`, because Codex reports the usage of the whole thread.
---@param given table   the usage of a turn.completed event
---@param before table? an earlier usage of the same thread
function M.codex(given, before)
  local function since(name)
    local value = stream.count(given[name])
    local earlier = before and stream.count(before[name])
    if value and earlier and earlier <= value then return value - earlier end
    return value
  end
  return M.of { input_tokens = since "input_tokens",
    cached_input_tokens = since "cached_input_tokens", output_tokens = since "output_tokens",
    reasoning_output_tokens = since "reasoning_output_tokens" }
end

--- Returns the usage of Claude's message, whose input tokens exclude cached tokens.
function M.claude(given)
  local input, read = stream.count(given.input_tokens),
    stream.count(given.cache_read_input_tokens) or 0
  local made = stream.count(given.cache_creation_input_tokens) or 0
  return M.of { input_tokens = input and input + read + made, cached_input_tokens = input and read,
    cache_write_tokens = made > 0 and made or nil,
    output_tokens = stream.count(given.output_tokens) }
end

local function copy_of(usage)
  local copy = {}
  for key, value in pairs(usage) do copy[key] = value end
  return copy
end

--- Returns the sum of two usage records. If one cost is an estimate, so is the cost of the sum.
---@param a moonlet.Usage?
---@param b moonlet.Usage?
function M.add(a, b)
  if not a or not b then return (a or b) and copy_of(a or b) end
  local function known(usage)
    return usage.total_tokens or plus(usage.input_tokens, usage.output_tokens)
  end
  local sum = { partial = a.partial or b.partial or nil,
    estimated = a.estimated or b.estimated or nil }
  for _, name in ipairs(M.counts) do
    sum[name] = plus(a[name], b[name])
    if (a[name] == nil) ~= (b[name] == nil) and name ~= "reasoning_output_tokens"
        and name ~= "cached_input_tokens" then
      sum.partial = true
    end
  end
  sum.total_tokens = plus(known(a), known(b))
  sum.cache_write_tokens = plus(a.cache_write_tokens, b.cache_write_tokens)
  sum.cost_usd = a.cost_usd and b.cost_usd and budget.plus(a.cost_usd, b.cost_usd) or a.cost_usd
    or b.cost_usd
  if sum.cost_usd then
    sum.cost_is = (a.cost_is == "estimate" or b.cost_is == "estimate") and "estimate" or "reported"
    if (a.cost_usd == nil) ~= (b.cost_usd == nil) then sum.partial = true end
  end
  return sum
end

--- An unknown program's own instructions and tools use about this many tokens of each request.
local own_tokens = 1000
M.bytes_a_token = 4
local bytes_a_token = M.bytes_a_token

--- Reports whether a request to the provider is unanswered.
local function is_asking(state)
  if state.requests then return state.requests > state.turns end
  return state.events > 0 and state.awaits_model and not state.done
end

--- Estimates unreported usage. Each request sends the instructions, the prompt and all messages.
local function estimate_of(state, prompt_bytes, answers, is_under_way)
  local input, output
  if state.last_input then
    local since = state.bytes - state.reported_bytes
    input = (answers + is_under_way) * (state.last_input + since // bytes_a_token)
    output = since // (2 * bytes_a_token)
  else
    local first = (state.own_tokens or own_tokens) + prompt_bytes // bytes_a_token
    input = (answers + is_under_way) * first
      + (state.sent_again + is_under_way * state.bytes) // bytes_a_token
    -- Assume that half of the events' bytes are the model's own text.
    output = state.bytes // (2 * bytes_a_token)
  end
  local estimate = M.of { input_tokens = input, output_tokens = output }
  estimate.estimated = true
  return estimate
end

--- Returns the usage of an attempt so far, which may be partly estimated; nil if nothing was used.
---@param ended boolean?  true if the agent was ended: also estimate its open request
function M.so_far(state, prompt_bytes, ended)
  local said = M.add(state.usage or state.so_far, nil)
  local answers = (ended or not state.reports) and math.max(0, state.turns - state.reported) or 0
  local is_under_way = ended and is_asking(state) and 1 or 0
  if said and not state.done then said.partial = true end
  if answers + is_under_way == 0 then return said end
  return M.add(said, estimate_of(state, prompt_bytes, answers, is_under_way))
end

--- Returns the sum of a list of usage records. In the list, `false` means an attempt without usage.
---@param list (moonlet.Usage|false)[]
function M.sum(list)
  local sum, missing = nil, false
  for _, usage in ipairs(list) do
    if usage and next(usage) ~= nil then sum = M.add(sum, usage) else missing = true end
  end
  if sum and missing then sum.partial = true end
  return sum
end

---@param attempts table[]?  each with its `usage`
function M.of_attempts(attempts)
  local list = {}
  for i, attempt in ipairs(attempts or {}) do
    list[i] = attempt.usage ~= nil and attempt.usage ~= null and attempt.usage or false
  end
  return M.sum(list)
end

--- Returns the model of the last attempt that reported one, or nil.
function M.model_of(attempts)
  for i = #(attempts or {}), 1, -1 do
    local model = attempts[i].model
    if type(model) == "string" then return model end
  end
end

--- Returns the usage with a cost from the user's price table, if the agent reported no cost.
---@param usage moonlet.Usage?
function M.priced(usage, model, table_of_prices)
  if not usage or usage.cost_usd then return usage end
  local cost = prices.estimate(usage, model, table_of_prices)
  if not cost then return usage end
  local priced = copy_of(usage)
  priced.cost_usd, priced.cost_is = cost, "estimate"
  return priced
end

--- Returns the usage in the form of model.json, with null for unknown counts. `cache_write_tokens`,
--- a part of the input tokens, is present only if it was reported.
---@param usage moonlet.Usage?
function M.record(usage)
  usage = usage or {}
  local record = { cost_usd = usage.cost_usd or null, cost_is = usage.cost_is or null,
    partial = usage.partial, estimated = usage.estimated,
    cache_write_tokens = usage.cache_write_tokens }
  for _, name in ipairs(M.counts) do record[name] = usage[name] or null end
  return record
end

return M
