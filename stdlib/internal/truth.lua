--- What an attempt of an agent came to. Success is exit code 0 and the terminal success event and
--- nothing that failed after it; all else is a failure with a class that says what to do next.
---
---   quota           the account's limit is used up: nothing more until `reset_at`
---   rate            too many requests at once: again after a while
---   auth            no credential, or one that is not accepted: no start until a person acts
---   context         the prompt and what was read do not fit into the model's window
---   refused         the provider or the CLI said no to this request: asking again changes nothing
---   network         the provider was not reached, or it had a failure of its own: again after a while
---   interrupted     it ended before it was done, without saying why
---   invalid-output  it is done, but what it gave is not usable or was cut short
---   killed          another process ended it
---   crashed         it died of its own failure
---   timeout         the host ended it because its time was up (`cause`: the class of what it was stuck in)
---   lost            its keeper died
---   failed          it told a failure that no other class fits
local duration = require "moonlet.duration"
local reset = require "moonlet.internal.runner.reset"
local stream = require "moonlet.internal.runner.stream"
local zone = require "moonlet.internal.runner.zone"

local M = {}

M.classes = { "quota", "rate", "auth", "context", "refused", "network", "interrupted", "invalid-output", "killed",
  "crashed", "timeout", "lost", "failed" }

local retryable = { rate = true, network = true }
local stops_others = { quota = true, auth = true }
local kinds = { quota = "quota", timeout = "timeout", lost = "lost" }
local hints = {
  quota = "wait for the reset, or name another runner or model",
  rate = "it is tried again by itself; --limit lowers how many run at once",
  auth = "log in with the agent's own program, or set its key; moonlet doctor shows what is found",
  context = "give it less: fewer inputs, a narrower prompt, or a model with a larger window",
  refused = "read the message; the same request would be refused again",
  network = "look at the connection, the proxy and the provider's status",
  interrupted = "read stderr.log and stdout.log",
  ["invalid-output"] = "read stdout.log; ask for less at once",
  killed = "look for what ended it: memory, a person, the system going down",
  crashed = "read stderr.log and stdout.log",
}

--- Does `text` (lower case) hold one of the words? They are plain text.
local function any(text, words)
  for _, word in ipairs(words) do
    if text:find(word, 1, true) then return true end
  end
  return false
end

local context_words = { "context window", "context length", "context_length", "prompt is too long", "maximum context",
  "prompt_too_long", "too many tokens", "input is too long", "exceeds the maximum number of tokens",
  "input token count", "request too large", "request_too_large", "payload too large" }
local cut_words = { "max_output_tokens", "output token maximum", "output_token_limit", "max_tokens" }
local quota_words = { "usage limit", "usage_limit", "quota", "billing", "credit balance", "out of credits",
  "out of extra usage", "hit your limit", "limit reached", "spending limit", "spend limit", "insufficient_quota",
  "insufficient funds", "insufficient balance", "payment required", "monthly limit", "weekly limit", "daily limit",
  "session limit", "5-hour limit", "exhausted your capacity" }
local firm_quota_words = { "usage limit", "usage_limit", "insufficient_quota", "insufficient funds",
  "insufficient balance", "credit balance", "out of credits", "out of extra usage", "hit your limit",
  "limit reached", "monthly limit", "weekly limit", "daily limit", "perday", "per day" }
local rate_words = { "rate limit", "rate_limit", "ratelimit", "too many requests", "resource_exhausted",
  "resource has been exhausted", "per minute", "perminute", "throttl" }
local auth_words = { "unauthorized", "not logged in", "please run /login", "invalid api key", "invalid x-api-key",
  "invalid_api_key", "incorrect api key", "api key not valid", "authentication", "missing environment variable",
  "no api key", "api key is missing", "token expired", "expired token", "token has expired", "oauth",
  "invalid auth method", "please log in", "login required", "log in again", "not authenticated", "unauthenticated",
  "invalid bearer token", "could not load the default credentials", "set an auth method" }
local network_words = { "stream disconnected", "connection failed", "connection refused", "connectionrefused",
  "connection reset", "connection closed", "connection error", "connection timed out", "unable to connect",
  "error sending request", "lookup address", "name does not resolve", "enotfound", "econnrefused", "econnreset",
  "eai_again", "etimedout", "epipe", "socket hang up", "fetch failed", "network", "high demand", "overloaded",
  "internal server error", "bad gateway", "service unavailable", "gateway timeout", "server error", "server-side issue",
  "temporarily unavailable", "timed out", "waiting for network", "tls handshake", "certificate", "cannot connect" }
local refused_words = { "content policy", "usage policy", "safety", "flagged", "invalid_prompt", "refusal",
  "refused to", "content_filter", "blocked", "invalid_request", "not supported", "unsupported", "model not found",
  "model_not_found", "does not exist", "unknown model", "permission_denied", "forbidden", "not found" }
local usage_words = { "unexpected argument", "unknown option", "unknown argument", "unrecognized", "invalid value",
  "cannot be used", "must be provided", "requires --", "not inside a trusted directory", "no prompt provided",
  "failed to read output schema", "is already in use", "no conversation found", "no rollout found", "error loading",
  "usage:", "config", "model provider", "invalid type" }
local crash_words = { "panicked at", "segmentation fault", "core dumped", "heap out of memory", "fatal error:",
  "bun has crashed", "unhandled", "uncaught", "stack overflow", "assertion", "aborted" }

--- The HTTP status that a message names.
---@param text string
---@return integer?
function M.status_in(text)
  local lower = text:lower()
  for _, pattern in ipairs { "status:? ([45]%d%d)%f[%D]", "status code:? ([45]%d%d)%f[%D]",
    "api error:? ([45]%d%d)%f[%D]", "error ([45]%d%d)%f[%D]", "%(([45]%d%d)%)", '"code":%s*([45]%d%d)%f[%D]',
    "http ([45]%d%d)%f[%D]", '"status":%s*([45]%d%d)%f[%D]', "statuscode\"?[:=]%s*([45]%d%d)%f[%D]" } do
    local found = lower:match(pattern)
    if found then return tonumber(found) end
  end
  return nil
end

--- The class of a failure that an agent told; nil when the words say nothing.
---@param message string
---@param status integer?   the HTTP status, where it was told apart from the message
---@param code string?      a code such as "rate_limit" or "insufficient_quota"
---@param waits integer?    ms after which one may ask again, where that was told
---@return string?
function M.classify(message, status, code, waits)
  -- Claude's code for each and every status 429, and its words for it, say no more than that.
  if code == "rate_limit" and (not status or status == 429) then code, status = nil, 429 end
  local text = ((code or "") .. " " .. message:sub(1, 8000)):lower():gsub("request rejected %(429%)", "status 429")
  text = text:gsub("rate[ _-]limit reached", "rate limit")   -- not one of those that are used up
  status = status or M.status_in(message)
  if any(text, context_words) or status == 413 then return "context" end
  if any(text, cut_words) then return "invalid-output" end
  if any(text, quota_words) or status == 402 then
    -- "quota" is also what some call a limit for each minute.
    local soft = any(text, rate_words) or (waits and waits <= 300000)
    if not soft or any(text, firm_quota_words) then return "quota" end
    return "rate"
  end
  if status == 401 or status == 403 then return "auth" end
  if status == 429 or any(text, rate_words) then return "rate" end
  if status == 408 or status and status >= 500 then return "network" end
  if any(text, auth_words) then return "auth" end
  if status then return "refused" end
  if any(text, network_words) then return "network" end
  if any(text, refused_words) then return "refused" end
  return nil
end

--- Lines of standard error that say nothing of a failure.
local noise = { "^Reading additional input from stdin", "^Reading prompt from stdin", "^%s*[Ww][Aa][Rr][Nn]", "^%s+at ",
  "^%s*[{}%]]*%s*$", "^%s*[%d,.]+%s*$", "^tokens used$", "^Ripgrep is not available", "^%[STARTUP%]", "^YOLO mode is" }

local function last_line(text)
  local last
  for line in (text or ""):gmatch("[^\r\n]+") do
    local says = line:find("%S")
    for _, pattern in ipairs(noise) do says = says and not line:find(pattern) end
    if says then last = line end
  end
  return last
end

--- What the CLI's standard error says of its failure.
local function stderr_message(exit)
  local tail = core.text.clean((exit.stderr_tail or ""):sub(-64 * 1024))
  tail = tail:gsub("\27%[[%d;?]*%a", "")
  local found
  for line in tail:gmatch("[^\r\n]+") do
    local said = line:match("^%s*[Ee][Rr][Rr][Oo][Rr]:%s*(.+)") or line:match("^%s*Fatal:?%s*(.+)")
    if said then found = said end
  end
  return found or last_line(tail), tail
end

--- When a text says that one may ask again. Of a moment told without its seconds only the end is late
--- enough.
local function moment_of(text, now)
  local found = reset.parse(text, now, zone.here(), zone.named)
  if found and found.coarse then
    found.reset_at = found.reset_at + 60 * 1000
    found.retry_after_ms = math.max(0, found.reset_at - now)
  end
  return found
end

local signal_names = { [1] = "HUP", [2] = "INT", [3] = "QUIT", [4] = "ILL", [6] = "ABRT", [7] = "BUS", [8] = "FPE",
  [9] = "KILL", [11] = "SEGV", [13] = "PIPE", [14] = "ALRM", [15] = "TERM", [24] = "XCPU", [25] = "XFSZ", [31] = "SYS" }

local function signal_class(signal)
  if signal == 2 or signal == 1 or signal == 3 then return "interrupted" end
  if signal == 9 or signal == 15 or signal == 24 or signal == 25 or signal == 14 then return "killed" end
  return "crashed"
end

--- An error of an attempt, whole.
---@param class string
---@param message string
---@param extra table?  further fields: retry_after_ms, reset_at, cause, hint
---@return table error
function M.error(class, message, extra)
  local err = { kind = kinds[class] or "failed", class = class, message = message, hint = hints[class],
    retryable = retryable[class] or false, stops_others = stops_others[class] or false }
  for key, value in pairs(extra or {}) do err[key] = value end
  return err
end

--- The error that a failure event stands for.
local function told(name, failure, now)
  local message = stream.message(failure.message or "it told no reason")
  local wait = failure.retry_after_ms and { retry_after_ms = failure.retry_after_ms, reset_at = failure.reset_at }
    or moment_of(failure.message or "", now) or {}
  local class = failure.class or M.classify(failure.message or "", failure.status, failure.code, wait.retry_after_ms)
  -- The body of an HTTP answer without its status: the provider did not take the request.
  class = class or (failure.message or ""):find('^%s*{.*"error"') and "refused" or "failed"
  if class ~= "quota" and class ~= "rate" and class ~= "network" then wait = {} end
  local text = message:find("%S") and message or "it told no reason"
  return M.error(class, ("%s failed: %s"):format(name, text), {
    retry_after_ms = wait.retry_after_ms, reset_at = wait.reset_at, status = failure.status })
end

local function wording(limits, key)
  return limits and limits[key] and " within " .. duration.text(limits[key]) or " in time"
end

--- Why the host itself ended the attempt, or could not start it.
local function host_error(name, state, exit, limits, now)
  local why = exit.why
  if why == "wall" or why == "idle" then
    local stuck = state.failure or state.retry or state.last_error
    local message = why == "wall" and name .. " did not finish" .. wording(limits, "wall") .. " and was ended"
      or ("%s printed nothing%s and was ended"):format(name, limits and limits.idle
        and " for " .. duration.text(limits.idle) or " for too long")
    local cause
    if stuck and stuck.message then
      message = message .. "; it was stuck in: " .. stream.printable(stream.message(stuck.message), 300)
      local wait = moment_of(stuck.message, now)
      cause = M.classify(stuck.message, stuck.status, stuck.code, wait and wait.retry_after_ms)
    else
      -- CLIs that retry without an event still grumble on standard error.
      local said = stderr_message(exit)
      cause = said and M.classify(exit.stderr_tail:sub(-8000)) or nil
      if cause ~= "network" and cause ~= "rate" and cause ~= "auth" and cause ~= "quota" then cause = nil end
    end
    return M.error("timeout", message, { cause = cause, stops_others = stops_others[cause or ""] or false,
      hint = cause and hints[cause] or "give it more time with timeout, or less to do" })
  end
  if why == "cancelled" then return M.error("lost", name .. " was ended with its keeper") end
  if why == "lost" then return M.error("lost", name .. " was lost: its keeper died") end
  local err = exit.error or {}
  local message = name .. " could not be started"
  if err.message and err.message ~= "" then message = message .. ": " .. err.message end
  return M.error("failed", message, { kind = err.kind or "failed", hint = err.hint })
end

--- The error of an exit that no event explains.
local function exit_error(name, state, exit, now)
  local said, tail = stderr_message(exit)
  local shown = said and ": " .. stream.printable(said, 300) or ""
  local signal = exit.why == "signalled" and exit.signal or nil
  local code = exit.code
  if not signal and code and code > 128 and code <= 128 + 31 and signal_names[code - 128]
    and (code == 129 or code == 130 or code == 131 or code == 137 or code == 143 or code == 139 or code == 134) then
    signal = code - 128
  end
  if signal then
    local class = signal_class(signal)
    return M.error(class, ("%s was ended by signal %s"):format(name, signal_names[signal] or signal)
      .. (class == "crashed" and shown or ""))
  end
  if code == 0 then
    if state.events > 0 then
      local cut = state.malformed > 0 and "; the last of its output cannot be read" or ""
      return M.error("interrupted", name .. " ended without saying that it was done" .. cut)
    end
    if state.plain + state.malformed + state.skipped > 0 then
      return M.error("invalid-output", name .. " ended with exit code 0, but printed no event that can be read",
        { hint = "its command line must ask for events: read stdout.log" })
    end
    return M.error("interrupted", name .. " ended with exit code 0 and printed nothing" .. shown)
  end
  local message = ("%s ended with exit code %s"):format(name, tostring(code))
  local lower = tail:lower()
  if lower:find("\nturn interrupted\n", 1, true) then
    return M.error("interrupted", message .. " before it was done")
  end
  local wait = said and moment_of(said, now)
  local class = said and M.classify(said, nil, nil, wait and wait.retry_after_ms)
  if any(lower, crash_words) then
    class = class and class ~= "refused" and class or "crashed"
  elseif not class or class == "refused" then
    local loose = state.events == 0
    if loose and (any(lower, usage_words) or class == "refused" or code == 2) then
      class = "refused"
    elseif state.plain > 0 and loose and not said then
      class = M.classify(state.plain_tail or "") or "crashed"
      shown = ": " .. stream.printable(state.plain_tail or "", 300)
    elseif state.events > 0 and not class then
      class = said and "crashed" or "interrupted"
    else
      class = class or "crashed"
    end
  end
  if class == "interrupted" then message = message .. " before it was done" end
  local waits = retryable[class] or class == "quota"
  return M.error(class, message .. shown, wait and waits and {
    retry_after_ms = wait.retry_after_ms, reset_at = wait.reset_at } or nil)
end

---@class moonlet.RunnerExit
---@field why "exited"|"signalled"|"wall"|"idle"|"cancelled"|"lost"|"not_started"
---@field code integer?
---@field signal integer?
---@field stderr_tail string?   the last 64 KB of standard error
---@field error table?          of one that could not be started

---@class moonlet.RunnerAnswers
---@field file string?     what the program wrote to command().answer_file
---@field stdout string?   what it printed, for programs that print no events
---@field cut boolean?     one of them is not whole
---@field limits {wall: integer?, idle: integer?}?  ms, for messages
---@field now integer?     ms since 1970

---@class moonlet.RunnerResult
---@field status "ok"|"failed"
---@field class string?        one of M.classes, of a failed one
---@field text string          the answer, "" where there is none
---@field cut boolean          the answer is not whole
---@field usage table?         see usage.lua; nil where nothing was reported
---@field model string?        the model that the agent named
---@field error table?         kind, class, message, hint, retryable, stops_others, retry_after_ms?, reset_at?, cause?
---@field files_changed string[]  what the agent says that it changed
---@field denied table[]       { tool, detail? }: what it was not allowed to do
---@field warnings string[]

--- Puts together what an attempt came to.
---@param name string                how messages call the agent
---@param state moonlet.RunnerState
---@param exit moonlet.RunnerExit
---@param answers moonlet.RunnerAnswers?
---@param usage table?
---@return moonlet.RunnerResult
function M.conclude(name, state, exit, answers, usage)
  answers = answers or {}
  local now = answers.now or core.clock.wall()
  local text, cut = stream.text(state)
  if answers.file and answers.file ~= "" then text, cut = answers.file, answers.cut or false end
  local files = {}
  for path in pairs(state.files) do files[#files + 1] = path end
  table.sort(files)
  local result = { status = "failed", text = text or "", cut = cut, usage = usage, model = state.model,
    files_changed = core.json.array(files), denied = core.json.array(state.denied),
    warnings = core.json.array(state.warnings) }
  if exit.why ~= "exited" and exit.why ~= "signalled" then
    result.error = host_error(name, state, exit, answers.limits, now)
  elseif state.failure then
    result.error = told(name, state.failure, now)
  elseif state.done and exit.why == "exited" and exit.code == 0 and state.unread
    and not (answers.file and answers.file ~= "") then
    result.error = M.error("invalid-output",
      name .. " is done, but an event after the last text could not be read: the answer may have been in it")
  elseif state.done and exit.why == "exited" and exit.code == 0 then
    result.status = "ok"
    if state.open_count > 0 then
      stream.warn(state, {}, ("%d of its tools never told their end"):format(state.open_count))
    end
    if result.text == "" then stream.warn(state, {}, "the answer is empty") end
    return result
  elseif state.done then
    local err = exit_error(name, state, exit, now)
    if err.class == "interrupted" then err.class, err.hint = "crashed", hints.crashed end
    err.message = err.message .. "; it had said that it was done"
    result.error = err
  elseif state.last_error and not (exit.why == "exited" and exit.code == 0) then
    result.error = told(name, state.last_error, now)
  else
    result.error = exit_error(name, state, exit, now)
  end
  result.class = result.error.class
  return result
end

return M
