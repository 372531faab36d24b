--- Computes a run's verdict, which reports failures that the script tolerates, too. The end record
--- of a ctx:step lists the checks and failures inside, because a replay skips them.
local severities = require "moonlet.findings"
local budget = require "moonlet.engine.budget.budget"
local record = require "moonlet.record"
local context = require "moonlet.engine.context.context"
local scope = require "moonlet.engine.context.scope"
local traces = require "moonlet.engine.context.traces"
local kept_worktrees = require "moonlet.engine.workspace.kept_worktrees"
local manifest = require "moonlet.engine.run.manifest"

local M = {}

local findings_cap = 64 << 20

function M.first_blocked(validation)
  local last = {}
  for _, item in ipairs(validation) do last[item.kind .. ":" .. item.command] = item end
  for _, item in ipairs(validation) do
    local latest = last[item.kind .. ":" .. item.command]
    if latest.required and latest.status ~= "passed" then return latest end
  end
end

function M.blocked_error(run)
  local item = M.first_blocked(run.validation)
  if item.kind == "verdict" then
    local why = item.why and ": " .. core.text.printable(item.why, 400) or ""
    return { kind = "failed",
      message = ("the verifier '%s' does not pass the work%s"):format(item.command, why),
      hint = "moonlet show " .. run.id }
  end
  local step = run.step_keys[item.at]
  return { kind = "failed", at = step and step.error and step.error.at,
    hint = context.log_of(run, item.at),
    message = ("the %s validation failed: '%s' %s"):format(item.kind, item.command, item.why) }
end

local function is_lost_agent(step)
  local kind = type(step.error) == "table" and rawget(step.error, "kind")
  return step.kind == "agent" and step.status == "failed" and not step.gone and kind ~= "cancelled"
end

--- Returns the quota error that left an agent without an answer, even if the script caught it.
function M.unasked(run)
  for _, step in ipairs(run.steps) do
    if is_lost_agent(step) and type(step.error) == "table"
        and rawget(step.error, "kind") == "quota" then
      return step.error
    end
  end
end

local function note_failed_agents(run)
  for _, item in ipairs(run.degraded) do
    if not item.changed then return end
  end
  for _, step in ipairs(run.steps) do
    if is_lost_agent(step) then
      run.note_degraded(step.key, 0, 1, { { key = step.key, error = step.error } })
    end
  end
end

--- Returns the error of a fan-out in which no branch succeeded, even if the script handled it.
function M.empty_fan_out(run)
  for _, item in ipairs(run.degraded) do
    if type(item.failure) == "table" and item.failure ~= core.json.null then return item.failure end
  end
end

local function reaches(result, severity)
  local list = severity and type(result) == "table" and rawget(result, "findings")
  if type(list) ~= "table" then return false end
  for _, item in ipairs(list) do
    local is_open = type(item) == "table" and rawget(item, "status") ~= "refuted"
    if is_open and severities.rank(rawget(item, "severity")) >= severities.rank(severity) then
      return true
    end
  end
  return false
end

function M.over_budget(run)
  return run.own_budget and (run.own_budget.refused or budget.exceeded(run.own_budget))
end

function M.of(run, ok, err)
  local refused = M.over_budget(run)
  if ok then
    if refused then return "budget" end
    note_failed_agents(run)
    local failure = M.empty_fan_out(run)
    if failure and not failure.blocked then return "failed" end
    if M.first_blocked(run.validation) then return "blocked" end
    if #run.degraded > 0 or run.mocked or run.runner_name == "mock" then return "degraded" end
    return reaches(err, run.options.fail_on) and "findings" or "ok"
  end
  local kind = type(err) == "table" and rawget(err, "kind")
  if kind == "parked" then return "needs-human" end
  if run.quota_error and kind ~= "cancelled" then return "quota" end
  if type(err) == "table" and rawget(err, "blocked") == "agent" and not refused then
    return "blocked"
  end
  if type(err) == "table" and rawget(err, "blocked") == true and not refused
      and M.first_blocked(run.validation) then
    return "blocked"
  end
  if kind == "cancelled" or kind == "quota" or scope.is_spent(err) then return kind end
  return refused and "budget" or "failed"
end

--- Reports whether an error means that a planned check cannot run or that a call has no runner.
local function is_unrunnable(run, err)
  if type(err) ~= "table" then return false end
  if rawget(err, "kind") == "no-runner" then return true end
  local message = rawget(err, "message")
  if run.unrunnable and type(message) == "string" and message:find(run.unrunnable, 1, true) then
    return true
  end
  return is_unrunnable(run, rawget(err, "cause"))
end

--- Returns the error to record. `nothing_started` in it makes the exit code 2.
function M.error_of(run, err)
  if err == nil then
    local frames = traces.of(err) or {}
    return { kind = "failed", message = "nil was raised as an error",
      at = frames[1] and frames[1].at,
      hint = "say what is wrong: error(\"text\"), or m.fail { message = \"text\", hint = \"what "
        .. "to do\" }" }
  end
  -- Omit the place of an `invalid` error in a built-in preset. The user's argument is wrong, not
  -- the preset's code.
  if run.source.builtin and type(err) == "table" and rawget(err, "kind") == "invalid" then
    rawset(err, "at", nil)
  end
  if not is_unrunnable(run, err) then return err end
  for _, step in ipairs(run.steps) do
    if step.kind ~= "function" then return err end
  end
  rawset(err, "nothing_started", true)
  return err
end

local function return_line(run)
  local fn, text = run.preset and run.preset.run, run.source.text
  local file, first, last
  if fn then file, first, last = core.frames.lines(fn) end
  if fn and file ~= run.source.origin then
    return file and first and ("%s:%d"):format(file, first)
  end
  local number, found = 0, first
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    if number >= (first or 1) and number <= (last or math.huge)
        and line:find "%f[%w_]return%f[^%w_]" then
      found = number
    end
  end
  return found and ("%s:%d"):format(run.source.origin, found)
end

---@param err table  error of the JSON encoder
function M.unrecordable(run, result, err)
  local fault = record.fault(result, "result")
  return record.invalid("the result cannot be recorded: " .. (fault or err.message),
    fault and fault:find "is nil$"
    and "a list has no gaps: leave the item out, put m.null there, or use texts as keys"
      or err.hint, return_line(run))
end

function M.beside_text(key, paths)
  return ("%s: no sandbox confined the agent, and %s changed meanwhile: %s"):format(key,
    #paths == 1 and "a file" or ("%d files"):format(#paths), kept_worktrees.shown(paths))
end

local function note(run, name, item, key)
  table.insert(run[name], item)
  local at = key:find("/", 1, true)
  while at do
    local around = run.inside[key:sub(1, at - 1)]
    if around then table.insert(around[name], item) end
    at = key:find("/", at + 1, true)
  end
end

function M.add(run)
  run.degraded, run.validation, run.inside = {}, {}, {}

  function run.note_begin(key)
    run.inside[key] = { steps = {}, validation = core.json.array {}, degraded = core.json.array {} }
  end

  function run.note_recorded(key, notes)
    for _, name in ipairs { "validation", "degraded" } do
      for _, item in ipairs(type(notes[name]) == "table" and notes[name] or {}) do
        note(run, name, item,
          type(item) == "table" and type(item.at) == "string" and item.at or key)
      end
    end
    local text = notes.findings == true and run.read_artifact(run.sidecar .. "/findings.md",
      findings_cap)
    if text then run.note_findings(key, text) end
  end

  function run.note_step(step) note(run, "steps", step, step.key) end

  function run.note_validation(key, result, required)
    note(run, "validation", { at = key, kind = result.kind,
      -- The journal redacts secrets, so redact the command here, too.
      command = (core.secret.hide(result.command)),
      status = result.status, exit_code = result.exit_code, duration_ms = result.duration_ms,
      why = result.why, required = required }, key)
    core.event.emit("validation", key,
      { kind = result.kind, command = (core.secret.hide(result.command)),
      status = result.status, exit_code = result.exit_code, duration_ms = result.duration_ms,
      required = required })
  end

  --- Records failed branches; `failure` is the fan-out's error if none succeeded.
  function run.note_degraded(path, succeeded, total, lost, failure)
    local names = {}
    for i, item in ipairs(lost) do
      names[i] = { key = item.key, error = manifest.error(item.error) }
    end
    note(run, "degraded", { at = path, succeeded = succeeded, total = total,
      lost = core.json.array(names),
      failure = failure and { kind = failure.kind, message = failure.message,
        blocked = failure.blocked } or nil,
    }, path)
    core.event.emit("warning", nil, { reported = true,
      text = ("%s: %d of %d succeeded"):format(path, succeeded, total) })
  end

  --- Records files that changed while no sandbox confined an agent; their author is unknown.
  function run.note_beside(key, paths)
    note(run, "degraded", { at = key, succeeded = 1, total = 1, lost = core.json.array {},
      changed = paths }, key)
    core.event.emit("warning", nil, { reported = true, text = M.beside_text(key, paths) })
  end

  function run.note_findings(path, text) run.findings, run.findings_at = text, path end
end

--- Returns the checks and failures that were collected inside the step `key`.
---@return {validation: table[], degraded: table[], findings: boolean?}? notes
---@return boolean again  true if a part was lost or failed, so that a retrying run repeats the step
function M.within(run, key)
  local inside = run.inside[key]
  run.inside[key] = nil
  local validation, degraded = inside.validation, inside.degraded
  local again = #degraded > 0 or M.first_blocked(validation) ~= nil
  for _, step in ipairs(inside.steps) do
    local failed_before = step.kind == "function" and step.cached and run.journal.failures[step.key]
    again = again or failed_before or is_lost_agent(step)
  end
  local findings = run.findings_at and (run.findings_at .. "/"):sub(1, #key + 1) == key
    .. "/" or nil
  if #validation == 0 and #degraded == 0 and not findings then return nil, again end
  return { validation = validation, degraded = degraded, findings = findings }, again
end

return M
