--- What an agent call costs: what is reserved for an attempt before it starts, what it used, what that
--- cost. Runners that report no usage are counted by their text, four bytes a token.
local budget = require "moonlet.internal.budget"
local prices = require "moonlet.internal.prices"
local record = require "moonlet.record"
local usage = require "moonlet.internal.usage"

local M = {}

local default_answer_tokens = 4000

local function tokens_of(text) return (#text + 3) // 4 end

local function price_of(job)
  return prices.of(job.model, job.run.config.prices)
end

local function dollars(price, input, output)
  return (input * price.input + output * price.output) / 1e6
end

local function refuse(who)
  error(record.invalid(("a USD budget needs to know what %s costs, and that is unknown"):format(who),
    "put the model's price into prices of your config and name it with --model, or limit agents= or tokens="), 0)
end

local function who_of(runner, model)
  return model and ("%s with the runner %s"):format(model, runner.name) or ("the runner '%s'"):format(runner.name)
end

--- Refuses, before anything is started, a limit in USD that could not be kept.
---@param plan table  what the command line came to
function M.check_plan(plan)
  local name = plan.runner.name
  if name == "rules" then return end
  local entry = plan.config.runners[name] or {}
  local model = plan.options.model or entry.model
  if not prices.of(model, plan.config.prices) then refuse(who_of(plan.runner, model)) end
end

--- Raises where a limit in USD must hold and nobody knows the price. One that a preset brings along is
--- not watched then, and that is said.
---@param job moonlet.Job
---@param own_budget moonlet.Budget?
function M.check(job, own_budget)
  if not own_budget or not budget.is_limited(own_budget, "usd") or price_of(job) then return end
  local run = job.run
  local who = who_of(job.runner, job.model)
  if run.options.usd_asked then refuse(who) end
  if run.price_told then return end
  run.price_told = true
  run.emit("warning", { text = ("what %s costs is unknown: the preset's limit in USD is not watched"):format(who) })
end

--- What an attempt may use.
---@param job moonlet.Job
---@param prompt string
---@return table<string, number>
function M.reserve(job, prompt)
  local input = tokens_of(prompt)
  local output = job.call.budget and job.call.budget.tokens or default_answer_tokens
  local price = price_of(job)
  return { agents = 1, processes = 1, tokens = input + output, usd = price and dollars(price, input, output) or 0 }
end

--- Adds an estimate to a usage whose cost nobody reported.
---@param job moonlet.Job
---@param result moonlet.RunnerResult
function M.price(job, result)
  if result.usage then
    result.usage = usage.priced(result.usage, result.model or job.model, job.run.config.prices)
  end
end

--- What an attempt used.
---@param job moonlet.Job
---@param prompt string
---@param result moonlet.RunnerResult
---@return table<string, number>
function M.used(job, prompt, result)
  local told = result.usage
  local price = price_of(job)
  local tokens = told and told.total_tokens or tokens_of(prompt) + tokens_of(result.text)
  local usd = told and told.cost_usd or price and dollars(price, tokens_of(prompt), tokens_of(result.text)) or 0
  return { agents = 1, processes = 1, tokens = tokens, usd = usd }
end

--- Counts what the attempts that are on record have used.
---@param own_budget moonlet.Budget?
---@param attempts table[]
function M.count_attempts(own_budget, attempts)
  for _, entry in ipairs(attempts) do
    if own_budget and type(entry.used) == "table" and entry.used ~= core.json.null then
      budget.count(own_budget, entry.used)
    end
  end
end

--- Adds what a call that is only prepared may come to: each attempt that it may need.
---@param worst table
---@param job moonlet.Job
function M.count_worst_case(worst, job)
  worst.calls = worst.calls + 1
  if job.runner.name == "rules" then return end
  local attempts = job.call.returns and 2 or 1
  for kind, amount in pairs(M.reserve(job, job.call.prompt)) do
    worst[kind] = (worst[kind] or 0) + attempts * amount
  end
end

return M
