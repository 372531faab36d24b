--- Enforces the limits of an attempt: those of its own call, and the budgets around the call.
--- progress.lua checks the limits while the agent runs. attempt.lua checks them again at the end,
--- because the agent may have exceeded a limit between two checks.
local counted = require "moonlet.engine.base.counted"
local budget = require "moonlet.engine.budget.budget"
local metering = require "moonlet.engine.agent.metering"
local outcome = require "moonlet.engine.runner.outcome"
local stream = require "moonlet.engine.runner.stream"
local usage = require "moonlet.engine.runner.usage"

local M = {}

---@class moonlet.Watch   checks the limits of one attempt
---@field is_limited boolean  true if a limit must be checked while the agent runs
---@field passed table?     error of the limit that was exceeded first
---@field private job moonlet.Execution
---@field private prompt string
---@field private most integer?   token limit of the call, including the prompt
---@field private grow fun(used: table): table?
local Watch = {}
Watch.__index = Watch

---@param grow fun(used: table): table?  adds usage to the outer budgets, see budget.with()
---@return moonlet.Watch
function M.new(job, prompt, own_budget, grow)
  local own = job.call.budget and job.call.budget.tokens
  local is_limited = job.limits.turns ~= nil or own ~= nil
    or budget.is_limited(own_budget, "tokens")
    or budget.is_limited(own_budget, "usd")
  return setmetatable({ job = job, prompt = prompt, grow = grow, is_limited = is_limited,
    most = own and metering.reserve(job, prompt).tokens or nil }, Watch)
end

--- Returns an error if the attempt has used more turns or tokens than its own call allows.
local function own_error(watch, state, tokens)
  local job, most = watch.job, watch.job.limits.turns
  local name = job.runner.title or job.runner.name
  if state and stream.is_beyond(state, most) then
    return outcome.error("limit", ("%s took more than %s"):format(name, counted(most, "turn")),
      { hint = "give it more turns, or less to do" })
  end
  -- A program that limits its own turns need not be stopped: it ends and reports its usage.
  if state and not job.runner.limits_turns and stream.asks_beyond(state, most) then
    return outcome.error("limit",
      ("%s took all of its %d turns and was not done"):format(name, most),
      { hint = "give it more turns, or less to do" })
  end
  if tokens and watch.most and tokens > watch.most then
    return outcome.error("limit",
      ("%s used %d tokens, and its call allows %d, prompt included"):format(name, tokens,
      watch.most), { hint = "raise budget.tokens of the call, or give it less to do" })
  end
end

---@param err table
function Watch:stop(err) self.passed = self.passed or err end

--- Adds the usage of a running attempt to the budgets. Returns an error if a limit is exceeded.
---@param state moonlet.RunnerState?  nil for a program without an event stream
---@param printed integer?  bytes printed so far by a program without an event stream
function Watch:look(state, printed)
  if self.passed or not self.is_limited then return self.passed end
  local seen = state and metering.priced(self.job, usage.so_far(state, #self.prompt))
  local used = seen and metering.used(self.job, self.prompt, nil, seen, "")
    or printed and metering.used(self.job, self.prompt, nil, nil, printed)
  self.passed = own_error(self, state, used and used.tokens) or used and self.grow(used) or nil
  return self.passed
end

--- Returns an error if a finished attempt has exceeded a limit of its own call.
--- If only an outer limit is exceeded, the answer is kept and the budget reports the overshoot.
---@param state moonlet.RunnerState?
---@param answer moonlet.RunnerResult
function Watch:at_end(state, exit, answer)
  local is_done = answer.status == "ok"
  if self.passed and not is_done then return self.passed end
  if not is_done and exit.why ~= "finished" then return nil end
  local seen = answer.usage or not is_done and state and usage.so_far(state, #self.prompt) or nil
  local used = metering.used(self.job, self.prompt, nil, seen, answer.text or "")
  return own_error(self, state, used.tokens)
end

return M
