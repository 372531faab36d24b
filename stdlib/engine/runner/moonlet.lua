--- Parses moonlet's own event format: JSON lines with a "type", as moonlet-executor prints them.
---
---   {"type":"session","model":"m","id":"s"}
---   {"type":"text","text":"…"}                      a message of the agent; the last one is the answer
---   {"type":"tool","name":"shell","detail":"ls","status":"running|ok|failed|denied","exit_code":0}
---                                                   a running tool pauses the idle timeout
---                                                   "result" of an ended tool detects loops
---   {"type":"file","path":"src/a.c"}                a file that the agent changed
---   {"type":"usage","input_tokens":10,…,"cost_usd":0.1}  of the whole attempt so far: the last one counts
---   {"type":"retry","message":"…","attempt":1,"delay_ms":500}
---   {"type":"warning","message":"…"}
---   {"type":"error","message":"…","class":"rate","status":429,"retry_after_ms":2000,"reset_at":1730000000}
---   {"type":"done","status":"ok"}                   or "failed", with a message; "text" is the answer
---
--- An error is fatal unless "done" follows with status ok.
--- Success needs "done" and exit code 0, and no session, text or running tool after "done".
local stream = require "moonlet.engine.runner.stream"
local outcome = require "moonlet.engine.runner.outcome"
local quota_reset = require "moonlet.engine.runner.quota_reset"
local usage = require "moonlet.engine.runner.usage"

local M = { name = "moonlet", title = "the agent", begin = stream.begin }

local classes = {}
for _, class in ipairs(outcome.classes) do classes[class] = true end
-- Agents cannot report the class `budget`, because only the host knows the budgets of its run.
classes.budget = nil

local function failure_of(event)
  local wait = {}
  if stream.count(event.retry_after_ms) then
    wait = { retry_after_ms = event.retry_after_ms,
      reset_at = core.clock.wall() + event.retry_after_ms }
  elseif event.reset_at ~= nil then
    wait = quota_reset.moment(event.reset_at, core.clock.wall()) or {}
  end
  local class = stream.str(event.class)
  return { message = core.text.cut(stream.str(event.message) or "no reason given", 8000),
    status = stream.count(event.status), class = classes[class] and class or nil,
    retry_after_ms = wait.retry_after_ms, reset_at = wait.reset_at }
end

local tool_states = { running = true, ok = true, failed = true, denied = true }

--- Updates the state by one event of moonlet's format, and adds the resulting events to `events`.
---@param events moonlet.RunnerEvent[]
function M.apply(state, events, event)
  local kind = stream.str(event.type)
  if not kind then return end
  state.events = state.events + 1
  local text, message = stream.said(state, events, event.text), stream.str(event.message)
  if kind == "session" then
    stream.begin_again(state)
    state.model, state.session = stream.str(event.model), stream.str(event.id)
    stream.begin_session(state, events)
  elseif kind == "text" and text then
    stream.begin_again(state)
    stream.close_tools(state)
    stream.keep_text(state, text)
    stream.say(state, events, text)
  elseif kind == "tool" then
    local status = tool_states[event.status] and event.status or "ok"
    local name, detail = stream.str(event.name) or "tool", stream.str(event.detail)
    local id = ("%s %s"):format(name, detail or ""):sub(1, 200)
    if status == "running" then
      stream.begin_again(state)
      stream.open_tool(state, id, name)
    else
      stream.close_tool(state, id)
    end
    if status == "denied" then stream.deny(state, name, detail) end
    stream.tool(state, events,
      { name = name, detail = detail, status = status, exit_code = stream.int(event.exit_code),
        call = detail, result = stream.str(event.result) })
  elseif kind == "file" then
    stream.changed_file(state, event.path)
  elseif kind == "usage" then
    local before = state.usage and state.usage.input_tokens or 0
    state.usage = usage.of(event) or state.usage
    -- An answer's usage can arrive before its tool calls. `turns` does not count this answer yet.
    state.reports, state.reported = true, state.turns + (state.awaits_model and 1 or 0)
    state.reported_bytes = state.bytes
    local input = state.usage and state.usage.input_tokens
    state.last_input = input and math.max(0, input - before) or nil
    if state.usage then events[#events + 1] = { type = "usage", usage = state.usage } end
  elseif kind == "retry" then
    state.retry = { message = core.text.cut(message or "it tries again", 8000),
      status = stream.count(event.status) }
    events[#events + 1] = { type = "retry", text = stream.printable(state.retry.message, 300),
      attempt = stream.count(event.attempt), delay_ms = stream.count(event.delay_ms) }
  elseif kind == "warning" and message then
    stream.warn(state, events, message)
  elseif kind == "error" then
    state.last_error = failure_of(event)
    state.done = false
    events[#events + 1] = { type = "error", text = stream.printable(state.last_error.message, 300) }
  elseif kind == "done" then
    if text then stream.keep_text(state, text) end
    stream.close_tools(state)
    state.retry = nil
    if event.status == "ok" or event.status == nil then
      state.last_error = nil
      stream.succeed(state, events)
    else
      state.done = false
      state.failure = (message or event.class ~= nil) and failure_of(event) or state.last_error
        or failure_of(event)
      events[#events + 1] = { type = "done", status = "failed" }
    end
  end
end

M.lines = "object"
M.parse = stream.guarded(function(state, line, events)
  local event = stream.object(state, events, line)
  if event then M.apply(state, events, event) end
end)

function M.finish(state, exit, answers)
  if state.last_error and not state.done then state.failure = state.failure or state.last_error end
  return outcome.conclude(M.title, state, exit, answers, state.usage)
end

return M
