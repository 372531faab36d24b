--- Holds an attempt to its limits of turns, tokens and dollars: those of its call, and what is left of the budgets
--- around it. progress.lua asks while the agent runs. attempt.lua asks once more at its end, for a quick agent may pass
--- a limit between two looks.
local counted = require "moonlet.engine.base.counted"
local budget = require "moonlet.engine.budget.budget"
local metering = require "moonlet.engine.agent.metering"
local outcome = require "moonlet.engine.runner.outcome"
local stream = require "moonlet.engine.runner.stream"
local usage = require "moonlet.engine.runner.usage"

local M = {}

---@class moonlet.Watch   over the limits of one attempt
---@field is_limited boolean  there is a limit that the agent may pass while it runs
---@field passed table?     the error of the limit that it passed first
---@field private job moonlet.Execution
---@field private prompt string
---@field private most integer?   tokens that its call allows, the prompt included
---@field private grow fun(used: table): table?
local Watch = {}
Watch.__index = Watch

--- A watch over an attempt.
---@param job moonlet.Execution
---@param prompt string
---@param own_budget moonlet.Budget?
---@param grow fun(used: table): table?  of budget.with(): counts what it has used in the budgets around it
---@return moonlet.Watch
function M.new(job, prompt, own_budget, grow)
  local own = job.call.budget and job.call.budget.tokens
  local is_limited = job.limits.turns ~= nil or own ~= nil
  for _, kind in ipairs { "tokens", "usd" } do
    is_limited = is_limited or own_budget ~= nil and budget.is_limited(own_budget, kind)
  end
  return setmetatable({ job = job, prompt = prompt, grow = grow, is_limited = is_limited,
    most = own and metering.reserve(job, prompt).tokens or nil }, Watch)
end

--- Returns an error if the attempt has used more than its call's own turns or budget allow.
local function own_error(watch, state, tokens)
  local job, most = watch.job, watch.job.limits.turns
  local name = job.runner.title or job.runner.name
  if state and stream.is_beyond(state, most) then
    return outcome.error("limit", ("%s took more than %s"):format(name, counted(most, "turn")),
      { hint = "give it more turns, or less to do" })
  end
  -- A program that counts its turns itself ends by itself, and reports its usage.
  if state and not job.runner.limits_turns and stream.asks_beyond(state, most) then
    return outcome.error("limit", ("%s took all of its %d turns and was not done"):format(name, most),
      { hint = "give it more turns, or less to do" })
  end
  if tokens and watch.most and tokens > watch.most then
    return outcome.error("limit", ("%s used %d tokens, and its call allows %d, prompt included"):format(name, tokens,
      watch.most), { hint = "raise budget.tokens of the call, or give it less to do" })
  end
end

local function usage_so_far(watch, state)
  return metering.priced(watch.job, usage.so_far(state, #watch.prompt))
end

--- Counts what a running attempt has used by now. Returns the error of the limit that it has passed, nil if none.
---@param state moonlet.RunnerState?  nil for a program without events
---@param printed integer?  bytes that such a program has printed
---@return table?
function Watch:look(state, printed)
  if self.passed or not self.is_limited then return self.passed end
  local seen = state and usage_so_far(self, state)
  local used = seen and metering.used(self.job, self.prompt, nil, seen, "")
    or printed and metering.used(self.job, self.prompt, nil, nil, printed)
  self.passed = own_error(self, state, used and used.tokens) or used and self.grow(used) or nil
  return self.passed
end

--- Returns an error if a finished attempt has passed a limit of its own call. An answer that has passed only a limit
--- around the call, such as that of the run, is kept; the budget reports the overshoot.
---@param state moonlet.RunnerState?
---@param exit table
---@param answer moonlet.RunnerResult
---@return table?
function Watch:at_end(state, exit, answer)
  local is_done = answer.status == "ok"
  if self.passed and not is_done then return self.passed end
  if not is_done and exit.why ~= "finished" then return nil end
  local seen = answer.usage or not is_done and state and usage.so_far(state, #self.prompt) or nil
  local used = metering.used(self.job, self.prompt, nil, seen, answer.text or "")
  return own_error(self, state, used.tokens)
end

return M
