--- Reserves the budget of an agent's attempts, and computes their usage and cost.
--- If a runner reports no usage, tokens are estimated at four bytes each.
local budget = require "moonlet.engine.budget.budget"
local prices = require "moonlet.engine.budget.prices"
local record = require "moonlet.record"
local retry = require "moonlet.engine.agent.retry"
local routing = require "moonlet.engine.agent.routing"
local runners = require "moonlet.engine.load.runners"
local usage = require "moonlet.engine.runner.usage"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

local warned_of_run = per_run(function() return {} end)

local default_answer_tokens = 4000
--- The runners `mock` and `cassette` call no model, so they cost nothing.
local is_made = { mock = true, cassette = true }

local function tokens_of(text) return ((type(text) == "number" and text or #text) + 3) // 4 end

local function answer_tokens(job)
  return math.min(job.call.budget and job.call.budget.tokens or default_answer_tokens, budget.most)
end

local function price_of(job)
  return prices.of(job.model, job.run.config.prices)
end

local function dollars(price, input, output)
  return (input * price.input + output * price.output) / 1e6
end

--- Returns a hint that tells the user how to add the price of a model to the config.
---@param model string?  nil if the call names no model
function M.price_hint(model)
  local key = model and ("[%q]"):format(core.text.printable(model, 100)) or '["MODEL"]'
  return ("%sadd to your config: prices = { %s = { input = 1.25, output = 10 } }, in USD for a "
    .. "million tokens")
    :format(model and "" or "name the model with --model, and ", key)
end

--- Builds the error for a USD limit without a reported cost or a known price.
local function unwatched(name, model)
  local message =
    ("the limit in USD cannot be watched: '%s' reports no cost, and the price of %s is unknown")
    :format(name, model or "its model")
  return record.invalid(message,
    M.price_hint(model) .. "; or lift the limit with --budget usd=none")
end

--- Rejects a plan whose USD limit cannot be enforced. A dry run is not rejected; it only warns when
--- it reaches the call.
function M.check_plan(plan)
  if not plan.budget.usd or plan.options.dry_run then return end
  routing.check_some(plan, function(routed)
    local name = routed.runner.name
    -- If the run has no runner, `M.check` tests each call that names a runner.
    if not name or is_made[name] then return end
    local found, runner = pcall(runners.get, name, plan.config)
    local model = plan.options.model or routed.model or (plan.config.runners[name] or {}).model
    if found and runner.reports_cost or prices.of(model, plan.config.prices) then return end
    error(unwatched(name, model), 0)
  end)
end

function M.is_watched(job) return job.runner.reports_cost == true or price_of(job) ~= nil end

--- Rejects a call whose USD limit cannot be enforced. A dry run warns once instead.
function M.check(job, own_budget)
  if M.is_watched(job) or not budget.is_limited(own_budget, "usd") then return end
  local err, run = unwatched(job.runner.name, job.model), job.run
  if not run.dry then error(err, 0) end
  local warned = warned_of_run(run)
  if warned[err.message] then return end
  warned[err.message] = true
  run.emit("warning", { text = ("a run will be refused: %s; %s"):format(err.message, err.hint) })
end

--- Returns the usage that budgets reserve before an attempt starts, for its prompt and answer.
---@param more integer?  tokens that will be added to the prompt
---@return table<string, number>
function M.reserve(job, prompt, more)
  local input, output = tokens_of(prompt) + (more or 0), answer_tokens(job)
  local price = price_of(job)
  return { agents = 1, processes = 1, tokens = input + output,
    usd = price and dollars(price, input, output) or 0 }
end

--- Returns the usage with an estimated cost if the runner reported none.
---@param reported moonlet.Usage?
---@param model string?  the model that answered
function M.priced(job, reported, model)
  return reported and usage.priced(reported, model or job.model, job.run.config.prices)
end

--- Returns the amounts that an attempt has used, with at least the tokens of its prompt.
--- All amounts are 0 if a rate limit refused the attempt and no usage was reported.
---@param class string?  class of the attempt's failure
---@param told moonlet.Usage?
---@param text string|integer   the answer, or its size in bytes
---@return table<string, number>
function M.used(job, prompt, class, told, text)
  local price = price_of(job)
  if class == "rate" and not told then return { agents = 0, processes = 0, tokens = 0, usd = 0 } end
  local tokens = told and told.total_tokens and math.max(told.total_tokens, tokens_of(prompt))
    or tokens_of(prompt) + tokens_of(text)
  local usd = told and told.cost_usd or price
    and dollars(price, tokens_of(prompt), tokens_of(text)) or 0
  return { agents = 1, processes = 1, tokens = tokens, usd = usd }
end

--- Returns the usage that budgets must reserve for an attempt. If an earlier host has already
--- charged usage for this attempt, removes that charge and reserves at least as much instead.
--- Otherwise another agent could start with the freed budget.
---@return table<string, number>
function M.retake(job, attempt, hash, own_budget)
  local need = M.reserve(job, attempt.prompt)
  local amounts = job.run.journal.history:retake(job.key, attempt.number, hash)
  if not amounts then return need end
  if own_budget then budget.forget(own_budget, amounts) end
  for kind, amount in pairs(amounts) do need[kind] = math.max(need[kind] or 0, amount) end
  return need
end

--- Returns how often a prompt may be sent: once if transient failures cannot be recognised.
local function tries_of(job)
  return job.runner.parse and retry.most(job) or 1
end

--- Returns the worst-case usage of a call, with every retry and repair.
---@return table<string, number> amounts  `usd` is nil if the price is unknown
function M.most(job, prompt)
  local tries, most = tries_of(job), { agents = 0, processes = 0, tokens = 0, usd = 0 }
  local function add(amounts)
    for kind, amount in pairs(amounts) do
      most[kind] = budget.plus(most[kind], budget.times(tries, amount))
    end
  end
  add(M.reserve(job, prompt))
  -- A repair round costs more than a retry, because its prompt contains the first answer.
  if job.call.schema then add(M.reserve(job, prompt, answer_tokens(job))) end
  if not price_of(job) then most.usd = nil end
  return most
end

---@param worst table
---@return table<string, number>? most
function M.count_worst_case(worst, job, prompt)
  worst.calls = worst.calls + 1
  if job.runner.name == "mock" then return end
  local most = M.most(job, prompt)
  for kind, amount in pairs(most) do worst[kind] = budget.plus(worst[kind], amount) end
  worst.unpriced = worst.unpriced or most.usd == nil
  return most
end

--- Lists the limits that the worst-case usage exceeds, each as { kind, limit, worst }.
function M.beyond(limits, worst)
  local list = {}
  for _, kind in ipairs { "agents", "processes", "tokens", "usd" } do
    if limits[kind] and budget.exceeds(worst[kind], limits[kind]) then
      list[#list + 1] = { kind = kind, limit = limits[kind], worst = worst[kind] }
    end
  end
  return list
end

return M
