--- Builds run.json, and the `run` object of the envelope (the JSON output of a command).
local redact_argv = require "moonlet.engine.agent.redact_argv"
local grants = require "moonlet.engine.context.grants"
local repository = require "moonlet.engine.run.repository"
local input_hash = require "moonlet.engine.journal.input_hash"
local traces = require "moonlet.engine.context.traces"
local unreplayed_steps = require "moonlet.engine.run.unreplayed_steps"
local context = require "moonlet.engine.context.context"
local usage = require "moonlet.engine.runner.usage"
local values = require "moonlet.engine.journal.values"

local M = {}

local null = core.json.null

M.exit_codes = {
  ok = 0, prepared = 0,
  failed = 1, ["needs-human"] = 3, degraded = 4, budget = 5, blocked = 6, findings = 7, quota = 75,
  cancelled = 130,
}

--- The runner `mock` calls no model, so its steps have no usage.
local unpaid = { mock = true }

--- Returns the exit code of a verdict; 2 if the run failed because it could not start anything.
function M.exit_code(verdict, error_record)
  local refused = type(error_record) == "table" and rawget(error_record, "nothing_started")
  return refused and verdict == "failed" and 2 or M.exit_codes[verdict]
end

local function or_null(value)
  if value == nil then return null end
  return value
end

function M.error(err)
  if err == nil then return null end
  if type(err) ~= "table" then
    local at, message = tostring(err):match("^(.-:%d+): (.*)$")
    local of_data = message and message:find("(field 'data')", 1, true)
    err = traces.pass({ kind = "failed", message = message or tostring(err), at = at, hint = of_data
      and "an answer has data only where its call has a schema; text is the raw answer" or nil },
      err)
  end
  -- A script may raise any table, so drop fields that are not text.
  local function text(key, otherwise)
    local value = rawget(err, key)
    if type(value) ~= "string" then return otherwise end
    return core.text.cut(value, 4096)
  end
  return traces.pass({
    kind = text("kind", "failed"),
    message = text("message", "an error without a message was raised"),
    hint = text("hint", null), at = text("at", null),
  }, err)
end

--- Reports whether this run caused the step's usage, which `mock` and steps of other runs do not.
local function has_spent(step)
  if step.kind == "session" then return step.usage ~= nil end
  return step.kind == "agent" and not step.from and not unpaid[step.runner or ""]
end

local function step_usage(step, with_model)
  if not has_spent(step) or step.status == "parked" then return null end
  local told = usage.record(step.usage)
  if with_model then told.model = or_null(step.model) end
  return told
end

local function step_records(run, with_model)
  local list, intents = {}, {}
  for _, intent in ipairs(run.journal and run.journal.remote_list or {}) do
    intents[intent.key] = intent
  end
  for i, step in ipairs(run.steps) do
    local intent = intents[step.key] or {}
    list[i] = {
      key = step.key, kind = step.kind, status = step.status, runner = or_null(step.runner),
      on = intent.on, queue_ms = intent.queue_ms,
      cached = step.cached or false, duration_ms = or_null(step.duration_ms),
      usage = step_usage(step, with_model),
      error = M.error(step.error), exit_code = step.exit_code,
      changes = with_model and step.writes and #(step.files_changed or {}) or nil,
      inherits = with_model and step.inherits or nil,
    }
  end
  return core.json.array(list)
end

local function validation_records(run)
  local list = {}
  for i, item in ipairs(run.validation) do
    list[i] = { kind = item.kind, command = item.command, status = item.status,
      exit_code = or_null(item.exit_code), duration_ms = or_null(item.duration_ms) }
  end
  return core.json.array(list)
end

local function total_usage(run)
  local list = {}
  for _, step in ipairs(run.steps) do
    if has_spent(step) then list[#list + 1] = step.usage or false end
  end
  return usage.record(usage.sum(list))
end

--- Merges a field of all steps, such as files_changed, into a sorted list of distinct paths.
local function paths_of(run, field)
  local seen, list = {}, {}
  for _, step in ipairs(run.steps) do
    for _, path in ipairs(step[field] or {}) do
      if not seen[path] then list[#list + 1] = path end
      seen[path] = true
    end
  end
  table.sort(list)
  return core.json.array(list)
end

--- Returns the model that the run requested, or else the model that the config sets for its runner.
---@param runners table?  `runners` of the config
function M.model(model, runner, runners)
  if model ~= nil and model ~= null then return model end
  local entry = type(runners) == "table" and runners[runner]
  return or_null(type(entry) == "table" and entry.model or nil)
end

---@param review table?  field `review` of a run or of its record
function M.review(review)
  if type(review) ~= "table" or review == null then review = { state = "none" } end
  return { state = review.state, reviewed_by = or_null(review.reviewed_by),
    note = or_null(review.note) }
end

function M.envelope(run)
  return {
    id = run.id, task_id = run.task_id, preset = run.preset_name, runner = or_null(run.runner_name),
    offline = run.offline or nil,
    model = M.model(run.model, run.runner_name, run.config and run.config.runners),
    verdict = or_null(run.verdict), exit_code = run.verdict and M.exit_code(run.verdict,
      run.error) or null,
    started_at = run.started_at or core.clock.iso(run.started_wall),
    duration_ms = or_null(run.duration_ms), dir = run.absolute(run.sidecar),
    parent_run_id = or_null(run.parent), replay_reason = or_null(run.options.reason),
    replayed_as = core.json.array {}, steps = step_records(run),
    usage = total_usage(run),
    validation = validation_records(run), review = M.review(run.review),
    files_changed = paths_of(run, "files_changed"), held_back = paths_of(run, "held_back"),
  }
end

local function config_record(run)
  return { runners = redact_argv.of_runners(run.config.runners), prices = run.config.prices or nil,
    limits = run.config.limits or nil, prompts = run.config.prompts or nil }
end

--- Lists the fields of run.json that may contain names in place of secrets. A resume puts the
--- values back (journal/input_hash.lua).
local given = { "path", "top", "target", "args", "runner", "model", "options", "grants" }

--- Returns the text of run.json: the run's start values and, after the run has ended, its outcome.
function M.text(run)
  local rec = {
    version = 1, id = run.id, task_id = run.task_id, preset = run.preset_name,
    target = run.source.name, script = run.preset == nil, origin = run.source.origin,
    path = or_null(run.source.path), top = run.top, linked = repository.is_linked(run.home) or nil,
    preset_sha256 = or_null(run.source.opened),
    args = run.args, runner = or_null(run.runner_spec), model = or_null(run.model),
    options = run.options, runner_name = or_null(run.runner_name),
    route = or_null(run.routed.record), budget = run.budget, limit = run.limit, grants = run.grants,
    granted = core.json.array(grants.describe(run.grants)),
    prepared = run.prepared or nil, cleanup = context.cleanup(run).is_owed, sidecar = run.sidecar,
    started_at = run.started_at or core.clock.iso(run.started_wall),
    traceparent = run.traceparent,
    moonlet = core.system.version, pid = core.system.pid, parent_run_id = or_null(run.parent),
    packet = or_null(run.packet), review = or_null(run.review),
    reviewing = not run.verdict and run.reviewing or nil, parked = core.json.array(run.parked),
    answers = core.json.array(run.answers), degraded = core.json.array(run.degraded),
    ended = run.verdict ~= nil, spent = run.own_budget and run.own_budget.spent or null,
    verdict = or_null(run.verdict), duration_ms = or_null(run.duration_ms),
    exit_code = run.verdict and M.exit_code(run.verdict, run.error) or null,
    ended_at = run.verdict and core.clock.iso(core.clock.wall()) or null,
    validation = validation_records(run), error = M.error(run.error),
    usage = run.verdict and total_usage(run) or null,
    files_changed = paths_of(run, "files_changed"), held_back = paths_of(run, "held_back"),
    until_ms = or_null(run.until_ms), config = config_record(run),
    result = or_null(run.kept_result),
    steps = run.verdict and step_records(run, true) or null,
    attempts = run.verdict and core.json.array(unreplayed_steps.attempts(run)) or null,
    files = or_null(run.files), files_fold = run.files_fold, altered = run.altered,
    keeper_log = run.keeper_log,
  }
  rec.places = input_hash.places(rec, given)
  for _, name in ipairs(given) do
    local packed = values.packed(rec[name])
    if packed ~= nil then
      rec.bytes = rec.bytes or {}
      rec.bytes[name] = packed
    end
  end
  return core.json.encode_record(rec, 2) .. "\n"
end

return M
