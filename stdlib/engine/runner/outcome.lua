--- Decides the outcome of an agent's attempt.
--- Success needs the terminal success event, no failure after it, and exit code 0.
--- If the host ends an agent after its success event, this counts as exit code 0.
--- Every other outcome is a failure with one of these classes:
---
---   quota           the account's limit is exhausted: no calls until `reset_at`
---   rate            too many requests: retry after a delay
---   auth            the credential is missing or rejected: no calls until a person acts
---   context         the prompt and the files read exceed the model's context window
---   refused         the provider or the CLI rejected this request: a retry changes nothing
---   network         the provider was unreachable or had an internal error: retry after a delay
---   interrupted     the agent ended before it was done and gave no reason
---   invalid-output  the agent is done, but its answer is unusable or truncated
---   killed          another process killed the agent
---   crashed         the agent crashed
---   limit           the agent exceeded a limit of its own call: turns or tokens
---   budget          the agent exceeded a budget of the run or of an enclosing scope
---   timeout         the agent's time limit passed; `cause` is the class of what delayed it
---   lost            the keeper that owned the agent died
---   failed          the agent reported a failure that no other class fits
---
--- The workspace adds the error classes `outside`, `conflict` and `gone`.
--- The run adds the error classes `cancelled` and `abandoned`.
local exit_text = require "moonlet.engine.base.exit_text"
local classify = require "moonlet.engine.runner.classify"
local quota_reset = require "moonlet.engine.runner.quota_reset"
local stream = require "moonlet.engine.runner.stream"
local timezones = require "moonlet.engine.runner.timezones"

local M = {}

--- In a hint, this text is later replaced by the command that shows the step's log.
M.read_log = "read its log"

M.classes = { "quota", "rate", "auth", "context", "refused", "network", "interrupted",
  "invalid-output", "killed", "crashed", "limit", "budget", "timeout", "lost", "failed" }

local retryable = { rate = true, network = true }
local stops_others = { quota = true, auth = true }
local kinds = { quota = "quota", timeout = "timeout", lost = "lost", limit = "budget",
  budget = "budget" }
local hints = {
  quota = "wait for the reset, or name another runner or model",
  rate = "moonlet asks again by itself; --limit lowers how many agents run at once",
  auth = "log in with the agent's own program, or set its key; moonlet doctor shows what is found",
  context = "give it less: fewer inputs, a narrower prompt, or a model with a larger window",
  refused = "read the message; the same request would be refused again",
  network = "check the connection, the proxy and the provider's status",
  interrupted = M.read_log,
  ["invalid-output"] = M.read_log .. "; ask for less at once",
  killed = "find out what ended it: lack of memory, a person, or a shutdown of the system",
  crashed = M.read_log,
  limit = "raise the limit of the call, or give it less to do",
}
local node_hint =
  "its program needs a newer Node.js than the one that started it: see node --version"
local local_hint =
  "free space on this machine's disk, or raise the user's disk quota, then resume the run"

local function hint_of(said)
  if not said then return nil end
  return classify.is_local(said) and local_hint or said:find("SyntaxError: ", 1, true)
    and node_hint or nil
end

local stuck_hints = {
  quota = hints.quota, auth = hints.auth,
  rate = "its provider is limiting the rate: moonlet resume asks again; --limit lowers how many "
    .. "agents run at once",
  network = hints.network .. "; moonlet resume asks again",
}

local usage_words = { "unexpected argument", "unknown option", "unknown argument", "unrecognized",
  "invalid value", "cannot be used", "must be provided", "requires --",
  "not inside a trusted directory", "no prompt provided", "failed to read output schema",
  "is already in use", "no conversation found", "no rollout found", "error loading",
  "usage:", "config", "model provider", "invalid type" }
local crash_words = { "panicked at", "segmentation fault", "core dumped", "heap out of memory",
  "fatal error:", "bun has crashed", "unhandled", "uncaught", "stack overflow",
  "assertion", "aborted" }

M.status_in, M.classify = classify.status_in, classify.classify
local any = classify.any

--- Matches lines of standard error that do not describe a failure.
local noise = { "^Reading additional input from stdin", "^Reading prompt from stdin",
  "^%s*[Ww][Aa][Rr][Nn]", "^%s+at ", "^%s*[{}%]]*%s*$", "^%s*[%d,.]+%s*$", "^tokens used$",
  "^Ripgrep is not available", "^%[STARTUP%]", "^YOLO mode is", "^Bun v%d" }

local function last_line(text)
  local last
  for line in (text or ""):gmatch("[^\r\n]+") do
    local from = line:find("%S")
    -- Search only the beginning of a line, because an error may quote a script of one long line.
    local head = from and line:sub(math.max(1, from - 8), from + 1000)
    for _, pattern in ipairs(noise) do head = head and not head:find(pattern) and head end
    if head then last = line:sub(from) end
  end
  return last
end

--- Returns two texts: the last error message that the agent printed to standard error (its last
--- line, if no line looks like an error message), and the last 64 KB of standard error.
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

--- Returns the time in a message at which the provider accepts requests again, or nil.
--- If the message has no seconds, returns the end of the minute.
local function moment_of(text, now)
  local found = quota_reset.parse(text, now, timezones.here(), timezones.named)
  if found and found.coarse then
    found.reset_at = found.reset_at + 60 * 1000
    found.retry_after_ms = math.max(0, found.reset_at - now)
  end
  return found
end

local signal_names = { [1] = "HUP", [2] = "INT", [3] = "QUIT", [4] = "ILL", [6] = "ABRT",
  [7] = "BUS", [8] = "FPE", [9] = "KILL", [11] = "SEGV", [13] = "PIPE", [14] = "ALRM",
  [15] = "TERM", [24] = "XCPU", [25] = "XFSZ", [31] = "SYS" }

--- Maps signals to classes of failures. A signal without an entry means that the agent crashed.
local signal_classes = { [1] = "interrupted", [2] = "interrupted", [3] = "interrupted",
  [9] = "killed", [14] = "killed", [15] = "killed", [24] = "killed", [25] = "killed" }

--- Maps the exit codes with which a shell reports a signal.
local shell_signals = { [129] = 1, [130] = 2, [131] = 3, [134] = 6, [137] = 9, [139] = 11,
  [143] = 15 }

--- Builds the error of an attempt, with the kind, the hint and the flags of its class.
---@param extra table?  more fields: retry_after_ms, reset_at, cause, hint
function M.error(class, message, extra)
  local err = { kind = kinds[class] or "failed", class = class, message = message,
    hint = hints[class], retryable = retryable[class] or false,
    stops_others = stops_others[class] and not (class == "auth" and classify.is_setup(message))
      or false }
  for key, value in pairs(extra or {}) do err[key] = value end
  return err
end

--- Builds the error for a failure that the agent's program has reported.
local function told(name, told_failure, now)
  local said = told_failure.message or ""
  local message = stream.message(told_failure.message or "no reason given")
  local wait = told_failure.retry_after_ms
    and { retry_after_ms = told_failure.retry_after_ms, reset_at = told_failure.reset_at }
      or moment_of(said, now) or {}
  local class = told_failure.class or M.classify(said, told_failure.status, told_failure.code,
    wait.retry_after_ms)
  -- An HTTP body without a status means that the provider refused the request.
  class = class or said:find('^%s*{.*"error"') and "refused" or "failed"
  if class ~= "quota" and class ~= "rate" and class ~= "network" then wait = {} end
  local text = message:find("%S") and message or "no reason given"
  return M.error(class, ("%s failed: %s"):format(name, text), {
    retry_after_ms = wait.retry_after_ms, reset_at = wait.reset_at, status = told_failure.status,
    hint = class == "failed" and classify.is_local(text) and local_hint or nil })
end

--- Finds the error that kept an agent busy until the host ended it. Returns a text, its class,
--- whether an event reported it (standard error only suggests it), and the wait that it asks for.
local function stuck_in(state, exit, now)
  local stuck = state.failure or state.waiting or state.retry or state.last_error
  if stuck and stuck.message then
    local wait = moment_of(stuck.message, now)
    return "; it was stuck in: " .. stream.printable(stream.message(stuck.message), 300),
      stuck.class or M.classify(stuck.message, stuck.status, stuck.code,
        wait and wait.retry_after_ms), true, wait
  end
  -- Some CLIs retry without printing an event, and report the error only on standard error.
  local said = stderr_message(exit)
  local cause = said and M.classify(exit.stderr_tail:sub(-8000)) or nil
  return "", stuck_hints[cause or ""] and cause or nil, false
end

--- Builds the error of an attempt that exceeded its time or idle limit.
local function time_error(name, state, exit, limits, now)
  local idle = exit.why == "idle"
  local more, cause, certain, wait = stuck_in(state, exit, now)
  local message = ("%s %s%s"):format(name, exit_text.of(exit, limits), more)
  -- Some CLIs wait silently until the provider's reset time, but only the host should wait.
  if idle and cause and (retryable[cause] or certain and stops_others[cause]) then
    wait = (retryable[cause] or cause == "quota") and wait or {}
    return M.error(cause, message, { retry_after_ms = wait.retry_after_ms,
      reset_at = wait.reset_at })
  end
  return M.error("timeout", message,
    { cause = cause, stops_others = stops_others[cause or ""] or false,
    hint = stuck_hints[cause or ""] or hints[cause or ""]
      or idle and not state.pieces and state.tools == 0
      and "it may have waited for its provider in silence: moonlet resume asks again"
      or "give it more time with timeout, or less to do" })
end

--- Builds the error of an attempt that the host ended because the agent seemed to be done.
local function finished_error(name, state)
  return M.error("interrupted",
    name .. (state.begun_again and " said that it was done, began something else and was"
    .. " ended" or " was ended by its host before it was done"))
end

--- Builds the error of an attempt that the host ended or could not start.
local function host_error(name, state, exit, limits, now)
  local why = exit.why
  if why == "wall" or why == "idle" then return time_error(name, state, exit, limits, now) end
  if why == "finished" then return finished_error(name, state) end
  local err, message = exit.error or {}, ("%s %s"):format(name, exit_text.of(exit))
  if why == "cancelled" or why == "lost" then return M.error("lost", message) end
  if err.message and err.message ~= "" then message = message .. ": " .. err.message end
  return M.error("failed", message, { kind = err.kind or "failed", hint = err.hint })
end

--- Builds the error of an attempt whose process has ended without an event that explains why.
local function exit_error(name, state, exit, now)
  local said, tail = stderr_message(exit)
  local shown = said and ": " .. stream.printable(said, 300) or ""
  local code = exit.code
  local signal = exit.why == "signalled" and exit.signal or shell_signals[code or 0]
  if signal then
    local class = signal_classes[signal] or "crashed"
    return M.error(class, ("%s was ended by signal %s"):format(name, signal_names[signal] or signal)
      .. (class == "crashed" and shown or ""))
  end
  if code == 0 then
    if state.events > 0 then
      local cut = state.malformed > 0 and "; the last of its output cannot be read" or ""
      local again = state.begun_again
        and ", began something else and ended without saying that it was done with that"
        or " ended without saying that it was done"
      return M.error("interrupted", (state.begun_again and name .. " said that it was done"
        or name) .. again .. cut)
    end
    if state.plain + state.malformed + state.skipped > 0 then
      return M.error("invalid-output",
        name .. " ended with exit code 0, but printed no event that can be read",
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
  local waits = wait and (retryable[class] or class == "quota")
  return M.error(class, message .. shown, { retry_after_ms = waits and wait.retry_after_ms or nil,
    reset_at = waits and wait.reset_at or nil, hint = hint_of(said) })
end

--- The answer of an agent that reported success counts even if the host then ended its process.
local ended_by_host = { finished = true, wall = true, idle = true }

---@param name string                the agent's name in messages
function M.conclude(name, state, exit, answers, usage)
  answers = answers or {}
  local now = answers.now or core.clock.wall()
  local text, cut = stream.text(state)
  if answers.file and answers.file ~= "" then text, cut = answers.file, answers.cut or false end
  local files = {}
  for path in pairs(state.files) do files[#files + 1] = path end
  table.sort(files)
  local result = { status = "failed", text = text or "", cut = cut, usage = usage,
    model = state.model, files_changed = core.json.array(files),
    denied = core.json.array(state.denied), warnings = core.json.array(state.warnings) }
  local ended_well = exit.why == "exited" and exit.code == 0
    or state.done and ended_by_host[exit.why]
  local waited = exit.why == "finished" and (state.failure or state.waiting)
  if waited and not ended_well then
    result.error = told(name, waited, now)
  elseif exit.why ~= "exited" and exit.why ~= "signalled" and not ended_well then
    result.error = host_error(name, state, exit, answers.limits, now)
  elseif state.failure then
    result.error = told(name, state.failure, now)
  elseif state.done and ended_well and state.unread
    and not (answers.file and answers.file ~= "") then
    result.error = M.error("invalid-output",
      name .. " is done, but an event after the last text could not be read: the answer may "
        .. "have been in it")
  elseif state.done and ended_well then
    result.status = "ok"
    if state.open_count > 0 then
      stream.warn(state, {}, ("%d of its tool calls reported no end"):format(state.open_count))
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
