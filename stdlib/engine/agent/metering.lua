--- Meters an agent call: the reserve of an attempt before it starts, its usage, and its cost. Runners that report
--- no usage are counted by their text, four bytes a token. It lies in this room because it reads those reports.
local budget = require "moonlet.engine.budget.budget"
local prices = require "moonlet.engine.budget.prices"
local record = require "moonlet.record"
local retry = require "moonlet.engine.agent.retry"
local routing = require "moonlet.engine.agent.routing"
local usage = require "moonlet.engine.runner.usage"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

local state_of = per_run(function() return { is_unwatched = false } end)

local default_answer_tokens = 4000

local function tokens_of(text) return (#text + 3) // 4 end

local function answer_tokens(job)
  return math.min(job.call.budget and job.call.budget.tokens or default_answer_tokens, budget.most)
end

local function price_of(job)
  return prices.of(job.model, job.run.config.prices)
end

local function dollars(price, input, output)
  return (input * price.input + output * price.output) / 1e6
end

local function refuse(who)
  error(record.invalid(("a USD budget needs the price of %s, and that is unknown"):format(who),
    "put the model's price into prices of your config and name it with --model, or limit agents= or tokens="), 0)
end

local function who_of(runner, model)
  return model and ("%s with the runner %s"):format(model, runner.name) or ("the runner '%s'"):format(runner.name)
end

--- Refuses, before anything is started, a limit in USD that could not be kept.
---@param plan table  what the command line came to
function M.check_plan(plan)
  routing.check_some(plan, function(routed)
    local name = routed.runner.name
    if name == "rules" or name == "mock" then return end
    local entry = plan.config.runners[name] or {}
    local model = plan.options.model or routed.model or entry.model
    if not prices.of(model, plan.config.prices) then refuse(who_of(routed.runner, model)) end
  end)
end

--- True if a scope of the script has a limit in USD.
local function is_limited_within(own_budget)
  while own_budget.parent do
    if own_budget.limits.usd then return true end
    own_budget = own_budget.parent
  end
  return false
end

--- True if the limit in USD of a run is not watched, because a price is unknown.
---@param run moonlet.Run
---@return boolean
function M.is_unwatched(run) return state_of(run).is_unwatched end

--- Raises where a limit in USD must hold and nobody knows the price. One that a preset brings along for all of the
--- run is not watched then, and that is said.
---@param job moonlet.ResolvedCall
---@param own_budget moonlet.Budget?
function M.check(job, own_budget)
  if not own_budget or not budget.is_limited(own_budget, "usd") or price_of(job) then return end
  local run = job.run
  local who = who_of(job.runner, job.model)
  if run.options.usd_asked or is_limited_within(own_budget) then refuse(who) end
  local state = state_of(run)
  if state.is_unwatched then return end
  state.is_unwatched = true
  run.emit("warning", { text = ("the price of %s is unknown: the preset's limit in USD is not watched"):format(who) })
end

--- The amounts that an attempt may use.
---@param job moonlet.ResolvedCall
---@param prompt string
---@param more integer?  tokens that the prompt will have beside
---@return table<string, number>
function M.reserve(job, prompt, more)
  local input, output = tokens_of(prompt) + (more or 0), answer_tokens(job)
  local price = price_of(job)
  return { agents = 1, processes = 1, tokens = input + output, usd = price and dollars(price, input, output) or 0 }
end

--- The usage with an estimate of its cost, if the runner reported none.
---@param job moonlet.ResolvedCall
---@param reported moonlet.Usage?
---@param model string?  that answered
---@return moonlet.Usage?
function M.priced(job, reported, model)
  return reported and usage.priced(reported, model or job.model, job.run.config.prices)
end

--- The amounts that an attempt used. One that its provider refused for too many requests counts for nothing.
---@param job moonlet.ResolvedCall
---@param prompt string
---@param class string?  of its failure
---@param told moonlet.Usage?
---@param text string   its answer
---@return table<string, number>
function M.used(job, prompt, class, told, text)
  local price = price_of(job)
  if class == "rate" and not told then return { agents = 0, processes = 0, tokens = 0, usd = 0 } end
  local tokens = told and told.total_tokens or tokens_of(prompt) + tokens_of(text)
  local usd = told and told.cost_usd or price and dollars(price, tokens_of(prompt), tokens_of(text)) or 0
  return { agents = 1, processes = 1, tokens = tokens, usd = usd }
end

--- Takes the recorded amounts of an attempt that is about to be adopted, or begun once more, off the budget: they
--- are reserved anew.
---@param job moonlet.ResolvedCall
---@param number integer
---@param hash string
---@param own_budget moonlet.Budget?
function M.retake(job, number, hash, own_budget)
  local amounts = job.run.journal.history:retake(job.key, number, hash)
  if amounts and own_budget then budget.forget(own_budget, amounts) end
end

--- How often a prompt may be asked: programs whose words nobody understands cannot say that it was a refusal that
--- passes.
local function tries_of(job)
  return job.runner.parse and retry.most(job) or 1
end

--- Adds what a call that is only prepared may come to: each attempt that it may need.
---@param worst table
---@param job moonlet.ResolvedCall
function M.count_worst_case(worst, job)
  worst.calls = worst.calls + 1
  if job.runner.name == "mock" or job.runner.name == "rules" and job.call.rules then return end
  local tries = tries_of(job)
  local function add(amounts)
    for kind, amount in pairs(amounts) do worst[kind] = budget.plus(worst[kind], budget.times(tries, amount)) end
  end
  local prompt = job.call.prompt
  add(M.reserve(job, prompt))
  -- The prompt of a repair round holds the first answer.
  if job.call.schema then add(M.reserve(job, prompt, answer_tokens(job))) end
  worst.unpriced = worst.unpriced or price_of(job) == nil
end

--- The limits that the prepared agents may come to: { kind, limit, worst }.
---@param limits table
---@param worst table
---@return table[]
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
