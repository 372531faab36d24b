--- Drives a run of a preset or script: its directories, its steps, its verdict and its record.
local journal = require "moonlet.engine.journal.journal"
local scope = require "moonlet.engine.context.scope"
local closed = require "moonlet.engine.context.closed"
local gate = require "moonlet.engine.effects.gate"
local remote_steps = require "moonlet.engine.remote.steps"
local sidecar = require "moonlet.engine.agent.sidecar"
local inputs = require "moonlet.engine.run.inputs"
local prompt_budget = require "moonlet.prompt.budget"
local budget = require "moonlet.engine.budget.budget"
local duration = require "moonlet.duration"
local values = require "moonlet.engine.journal.values"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local heartbeat = require "moonlet.engine.journal.heartbeat"
local hooks = require "moonlet.engine.run.hooks"
local loader = require "moonlet.engine.load.loader"
local unreplayed_steps = require "moonlet.engine.run.unreplayed_steps"
local routing = require "moonlet.engine.agent.routing"
local sandbox = require "moonlet.engine.agent.sandbox"
local grants = require "moonlet.engine.context.grants"
local silent = require "moonlet.engine.context.silent"
local usage = require "moonlet.engine.runner.usage"
local context = require "moonlet.engine.context.context"
local orphans = require "moonlet.engine.run.orphans"
local manifest = require "moonlet.engine.run.manifest"
local seal = require "moonlet.engine.run.seal"
local ledger = require "moonlet.engine.run.ledger"
local class = require "moonlet.engine.run.class"
local closing = require "moonlet.engine.run.closing"
local verdict = require "moonlet.engine.run.verdict"
local worst_case = require "moonlet.engine.run.forecast.worst_case"
local environment = require "moonlet.engine.run.environment"
local removed = require "moonlet.engine.base.removed"
local resume_checks = require "moonlet.engine.run.resume_checks"
local interrupted_merge = require "moonlet.engine.workspace.interrupted_merge"

local M = {}

local null = core.json.null
local model_cap = 4 << 20

--- Stores the run that this host executes. The engine ends it if Lua is killed.
M.current = nil

local function write_file(...) return infrastructure_error.call(core.run.write, ...) end
local function make_dirs(...) return infrastructure_error.call(core.run.make_dirs, ...) end

local function add_paths(run)
  function run.absolute(path) return run.home.agent_path .. "/" .. path end

  local written, folders = {}, {}
  --- Writes a file of the run. With `later`, does not wait for the disk: the end of the run syncs
  --- the file.
  function run.write_artifact(path, text, later)
    written[path:sub(#run.sidecar + 2)] = true
    write_file(path, text, later)
  end
  --- Reports whether this host wrote a file of the sidecar, or executed the step that owns it.
  function run.has_written(path)
    local step = path:match "^steps/[^/]+"
    return written[path] or folders[step or ""] or false
  end
  function run.read_artifact(path, cap) return core.run.read(path, cap) end
  function run.input_list() return run.inputs end
  function run.emit(kind, fields) core.event.emit(kind, fields.step, fields) end

  --- Returns the directory of an agent call: the sidecar folder for the first call in the run's own
  --- body, a folder under steps/ for each other call. A recorded attempt keeps its directory.
  function run.claim_directory(top_level, key)
    local begun = run.journal and run.journal.begins[key]
    if top_level and not begun then run.root_key = run.root_key or key end
    return run.directory_of(key)
  end

  function run.directory_of(key)
    return key == run.root_key and run.sidecar
      or run.sidecar .. "/steps/" .. core.run.step_name(key)
  end

  --- Creates a call's directory. With `kept`, for a replay, its files are not this host's.
  function run.open_directory(dir, kept)
    if not kept then folders[dir:sub(#run.sidecar + 2)] = true end
    make_dirs(dir .. "/out", true)
    core.run.sweep(dir)
  end

  function run.step_directory(key)
    local dir = run.sidecar .. "/steps/" .. core.run.step_name(key)
    folders[dir:sub(#run.sidecar + 2)] = true
    make_dirs(dir)
    return dir
  end

  function run.resolve_cwd(cwd)
    if not cwd then return run.top end
    if cwd:sub(1, 1) == "/" then return cwd end
    return run.top .. "/" .. cwd
  end
end

--- Reports whether a budget event lists a limit. It omits the default limit of agents.
local function is_telling(run, kind)
  return kind ~= "agents" or run.budget.agents ~= budget.default_agents
end

local function tell_budget(run)
  if not run.own_budget then return end
  local some = run.told_budget ~= nil
  for kind in pairs(run.budget) do some = some or is_telling(run, kind) end
  if not some then return end
  local left = {}
  for kind, limit in pairs(run.own_budget.limits) do
    if limit and is_telling(run, kind) then left[kind] = budget.left(run.own_budget, kind) end
  end
  local text = core.json.encode(left)
  if text == run.told_budget then return end
  run.told_budget = text
  core.event.emit("budget", nil, { left = left,
    wall_left_ms = run.wall and run.wall - (core.clock.monotonic() - run.started) or nil })
end

local function was_taken_over(step)
  for _, attempt in ipairs(not step.cached and step.attempts or {}) do
    if attempt.taken_over then return true end
  end
end

--- Returns the status of a step that raised an error: "parked" if it waits for a person,
--- "cancelled" if it is no longer needed, else "failed". A timeout counts as "failed".
local function status_of(err)
  if type(err) == "table" and rawget(err, "kind") == "parked" then return "parked" end
  local pending = core.task.pending_error()
  return pending and pending.kind ~= "timeout" and "cancelled" or "failed"
end

local function of_sibling(err)
  if type(err) ~= "table" or rawget(err, "kind") == "cancelled" then return nil end
  return { kind = "cancelled",
    message = "ended with the steps beside it: " .. tostring(err.message) }
end

--- Returns how many ms a step's last attempt waited in a scheduler's queue, or nil.
local function queue_ms(run, step)
  local list = step.on and run.journal.remote_list or {}
  for i = #list, 1, -1 do
    if list[i].key == step.key then return list[i].queue_ms end
  end
end

local function asks(kind, runner) return kind == "agent" and runner ~= "mock" or nil end

local function add_steps(run)
  --- Executes or replays a step. Returns its value and the step. The caller must call run.end_step.
  function run.step(key, kind, runner, input, options, live)
    local step, is_live = run.begin_step(key, kind, runner), false
    local ok, value, cached = pcall(journal.step, run, key, input, options, function(last, hash)
      is_live = true
      step.on = input.on
      core.event.emit("step.started", key,
        { kind = kind, runner = runner, on = input.on, asked = asks(kind, runner) })
      return live(last, hash, step)
    end)
    run.journal.history:tell(key)
    if not ok then
      local ended = not is_live and run.journal and run.journal.ends[key]
      step.cached = ended and ended.status == "failed" or nil
      if kind == "agent" then step.usage = usage.of_attempts(journal.attempts(run, key)) end
      run.end_step(step, status_of(value), { error = value })
      error(value, 0)
    end
    step.cached = cached
    -- `moonlet run replay` copies steps of other runs. `from` names the run that executed the step.
    step.from = cached and run.journal and run.journal.ends[key]
      and run.journal.ends[key].from or nil
    return value, step
  end

  function run.begin_step(key, kind, runner)
    if run.step_keys[key] then
      error({ kind = "failed", message = ("two steps have the key '%s'"):format(key) }, 0)
    end
    local step = { key = key, kind = kind, runner = runner, status = "running",
      started_wall = core.clock.wall(), started = core.clock.monotonic() }
    run.step_keys[key] = step
    run.note_step(step)
    return step
  end

  function run.end_step(step, status, outcome)
    step.status = status
    step.error = status == "cancelled" and of_sibling(outcome.error) or outcome.error
    if outcome.exit_code ~= 0 then step.exit_code = outcome.exit_code end
    step.duration_ms = core.clock.monotonic() - step.started
    core.event.emit("step.finished", step.key, { kind = step.kind, status = status,
      cached = step.cached or nil, duration_ms = step.duration_ms, exit_code = outcome.exit_code,
      error = type(step.error) == "table" and step.error.message or step.error,
      error_kind = type(step.error) == "table" and rawget(step.error, "kind") or nil,
      runner = step.runner, usage = step.usage, attempts = step.attempts and #step.attempts,
      on = step.on, queue_ms = queue_ms(run, step),
      taken_over = was_taken_over(step), asked = asks(step.kind, step.runner),
      paid = asks(step.kind, step.runner) and not step.cached
        and step.runner ~= "cassette" or nil })
    tell_budget(run)
  end

  function run.note_quota(err) run.quota_error = run.quota_error or err end

  function run.end_parked()
    run.is_parking = true
    local err = { kind = "parked",
      message = ("%d %s for a person"):format(#run.parked,
        #run.parked == 1 and "point waits" or "points wait") }
    core.task.cancel_scope(run.scope, err)
    -- Cancel running clean-ups, too, so that their gates and questions are on record.
    for _, shield in ipairs(context.cleanup(run).shields) do core.task.cancel_scope(shield, err) end
  end

  --- Reports whether the user has cancelled the run. A clean-up continues nevertheless, because it
  --- is shielded.
  function run.is_cancelled()
    local err = core.task.pending_error(run.scope)
    return err ~= nil and err.kind == "cancelled"
  end

  --- Ends a run that the user cancels. Only its clean-up still runs.
  function run.end_cancelled()
    core.task.cancel_scope(run.scope, { kind = "cancelled", message = "cancelled by the user" })
    core.task.check()
  end
end

--- Reads the sidecar folder's step from model.json; a mocked call has no begin record.
local function written_key(run)
  local text = run.read_artifact(run.sidecar .. "/model.json", model_cap)
  local ok, model = pcall(core.json.decode, text or "")
  return ok and type(model) == "table" and type(model.step) == "string" and model.step or nil
end

local function begin_record(run, plan)
  if plan.seed then plan.seed(run, plan.options.step) end
  run.journal = journal.open(plan.fresh, plan.before and plan.before.record.ended,
    plan.source.body ~= nil or plan.review ~= nil)
  run.root_key = run.journal.root_key or written_key(run)
  run.driven_before = math.max(run.driven_before, run.journal.history.driven)
  resume_checks.check(run, plan)
  if plan.answer then journal.answer(run, plan.answer) end
  -- A killed host may already have recorded the review's decision, so do not record it twice.
  if plan.review and (run.journal.review or {}).at ~= plan.review.at then
    run.journal.review = plan.review
    journal.append(plan.review)
  end
  run.record = manifest.text(run)
  journal.append { type = "drive", pid = core.system.pid, at = core.clock.iso(run.started_wall),
    moonlet = core.system.version, names = journal.names, retry = run.journal.retry,
    fresh = run.journal.fresh or nil,
    record = seal.hash_of_record(run.record) }
  -- Update the ledger before run.json: readers trust a ledger row that says that a run has ended.
  if plan.before then ledger.put_run(run) end
  core.run.write_run(run.record)
  local resumed = plan.before and plan.before.resumed
  -- Remove incomplete files of the earlier host. Each step's folder is cleaned when it starts.
  if resumed then core.run.sweep(run.sidecar) end
  if resumed and run.had_sidecar then return end
  run.write_artifact(run.sidecar .. "/input-manifest.md", core.run.manifest(run.inputs or {}))
  run.write_artifact(run.sidecar .. "/decision.md", sidecar.decision_form(run))
end

--- Raises the error and leaves the run unfinished and its processes alive, as a killed host would.
local function leave(run, err)
  if type(err) == "table" and core.run.still_runs() then
    local still = ("the steps under way still run: moonlet ps shows them, moonlet resume %s "
      .. "takes their results")
      :format(run.id)
    err.hint = err.hint and err.hint .. "; " .. still or still
  end
  core.run.finish(true)
  M.current = nil
  error(err, 0)
end

--- Creates the directories of a run, after every check that may reject it.
function M.create(plan)
  local run = class.new {
    home = plan.home, top = plan.home.top, source = plan.source, preset = plan.preset,
    preset_name = plan.preset and plan.preset.name or plan.source.name, args = plan.args,
    runner = plan.runner, routed = plan.routed, runner_name = plan.routed.runner.name,
    runner_spec = plan.runner_spec, config = plan.config,
    model = plan.options.model or plan.routed.model, options = plan.options, grants = plan.grants,
    budget = plan.budget, prompt_tokens = prompt_budget.of_run(plan.options, plan.packet,
      plan.preset),
    limit = plan.limit, inputs = plan.inputs, input_specs = plan.options.inputs,
    resume = plan.resume, packet = plan.packet, holds = plan.holds, after = plan.after,
    parent = plan.parent, reviewing = plan.review,
    offline = plan.options.offline, may_ask = plan.may_ask, asks_again = plan.asks_again,
    parked = {}, answers = {}, cancels = plan.cancels,
    traceparent = require("moonlet.engine.run.trace").given(plan.before
      and plan.before.record),
    steps = {}, step_keys = {},
    started_wall = core.clock.wall(), started = core.clock.monotonic(),
  }
  add_paths(run)
  environment.add(run)
  add_steps(run)
  verdict.add(run)
  run.settle_cleanups = function(keys) orphans.settle_cleanups(run, keys) end
  local before = plan.before
  local created = core.run.create {
    home = plan.home.handle, task_id = before and before.id or plan.task_id,
    -- The folder's name contains the preset's name, so a secret in it must be hidden.
    preset = (core.secret.hide(run.preset_name)), packet = plan.packet and plan.packet.id,
    run = before and before.run, take_over = before and before.take_over,
  }
  run.id, run.task_id, run.sidecar = created.id, created.task_id, created.sidecar
  -- The `.agent` of a linked worktree is outside of the worktree.
  local agent = core.file.root(plan.home.agent_path)
  run.had_sidecar = agent ~= nil and core.file.stat(agent, run.sidecar) ~= nil
  if not run.had_sidecar then core.run.make_dirs(run.sidecar .. "/out") end
  run.recorded = plan.recorded
  run.started_at = before and before.record.started_at or plan.recorded and plan.recorded.started_at
  run.sealed = before and before.resumed and before.record or nil
  run.driven_before = before and before.resumed and math.tointeger(before.record.duration_ms) or 0
  run.prepared = before and (not before.resumed or before.record.prepared) or false
  local begun, err = pcall(begin_record, run, plan)
  if not begun then
    -- Discard a new run, whose incomplete record would block the next attempt.
    if before then leave(run, err) end
    core.run.discard()
    error(err, 0)
  end
  M.current = run
  remote_steps.attach(run, gate.unreachable)
  grants.are_declared[plan.grants] = plan.preset ~= nil and not plan.source.builtin or nil
  loader.use_prompts(plan.source, function() return plan.config end)
  if plan.begun then plan.begun(run) end
  core.event.start(run.sidecar .. "/events.jsonl")
  core.event.emit(before and before.resumed and "run.resumed" or "run.started", nil, {
    preset = run.preset_name, runner = run.runner_name, offline = run.offline or nil,
    task_id = run.task_id, dir = run.absolute(run.sidecar),
    unconfined = sandbox.absence_at_start(run) })
  if type(run.journal.decided) == "string" then
    core.event.emit("warning", nil,
      { text = ("decision.md ('%s') is about an earlier result: run `moonlet decide %s` "
      .. "again"):format(core.text.printable(run.journal.decided, 40), run.id) })
  end
  local unindexed = removed.warning()
  if unindexed then core.event.emit("warning", nil, { text = unindexed }) end
  for _, name in ipairs(plan.lost or {}) do
    core.event.emit("warning", nil,
      { text = ("%s of the run contained a secret that is no longer in the "
      .. "environment: its name is used instead"):format(name) })
  end
  local model = manifest.model(run.model, run.runner_name, run.config.runners)
  run.route = routing.told(run.routed, model ~= null and model or nil)
  if run.route then core.event.emit("log", nil, { reported = true, text = run.route }) end
  run.unlisted = not before
  hooks.fire(run, "started")
  return run
end

--- Replaces the status `prepared` of a dry run's model.json, unless an agent call overwrote it.
local function end_prepared(run)
  local path = run.sidecar .. "/model.json"
  local ok, model = pcall(core.json.decode,
    run.prepared and run.read_artifact(path, model_cap) or "")
  if not ok or type(model) ~= "table" or model.status ~= "prepared" then return end
  model.status = run.verdict
  run.write_artifact(path, core.json.encode(model, 2) .. "\n")
end

local function points_of(parked)
  local list = core.json.array {}
  for i, item in ipairs(parked) do
    list[i] = { key = item.key, kind = item.kind, text = item.text }
  end
  return list
end

--- Ends the run: writes its record, runs the hooks for its end, then releases its lock and its keeper.
local function finish(run, ok, result)
  run.error = nil
  if run.own_budget then unreplayed_steps.add_steps(run) end
  if not ok then run.error = verdict.error_of(run, result) end
  run.verdict = verdict.of(run, ok, result)
  if run.verdict == "budget" and ok then run.error = verdict.over_budget(run) end
  if run.verdict == "failed" and ok then run.error = verdict.empty_fan_out(run) end
  if run.verdict == "blocked" and not run.error then
    run.error = verdict.blocked_error(run)
  end
  run.duration_ms = run.recorded and run.recorded.duration_ms
    or run.driven_before + core.clock.monotonic() - run.started
  remote_steps.close(run)
  core.run.end_children()
  closing.overshoot(run)
  closing.name_more_time(run)
  closing.idle_faults(run)
  -- Remove temporary folders here, because a script that was killed could not remove them.
  core.run.remove_temporary()
  for _, step in ipairs(run.steps) do
    if step.status == "running" then run.end_step(step, "cancelled", {}) end
  end
  if ok and result ~= nil then
    local encoded, text = pcall(core.json.encode, result, 2)
    if not encoded then
      run.verdict, run.error = "failed", verdict.unrecordable(run, result, text)
    else
      run.result, run.kept_result = result, values.put(result, true)
      if not run.root_key then run.write_artifact(run.sidecar .. "/output.md", text .. "\n") end
    end
  end
  -- A run that does not wait for a person has no open questions.
  if run.verdict ~= "needs-human" then run.parked = {} end
  if run.verdict == "needs-human" then
    local point = run.parked[1]
    run.error = { kind = "parked",
      message = "waits for a person" .. (point and ": " .. point.text or ""),
      hint = ("moonlet show %s shows all that it asks"):format(run.id) }
  end
  if run.verdict == "quota" then
    if run.quota_error then run.error = run.quota_error end
    run.until_ms = run.error.until_ms
    run.error.hint =
      ("moonlet wait %s continues by itself at that time, moonlet resume %s asks again at once")
      :format(run.id, run.id)
  end
  end_prepared(run)
  core.run.begin_sync()
  local sealed = seal.seal(run)
  for _, name in ipairs { "files", "files_fold", "altered", "keeper_log" } do
    run[name] = sealed[name]
  end
  core.run.sync()
  run.record = manifest.text(run)
  journal.append { type = "over", driven_ms = run.duration_ms, verdict = run.verdict,
    files = seal.hash_of_files(run.files), record = seal.hash_of_record(run.record) }
  core.run.write_run(run.record)
  ledger.put_run(run)
  if run.verdict == "needs-human" or run.verdict == "quota" then
    core.event.emit("run.parked", nil, { reason = run.verdict == "quota" and "quota" or "person",
      points = points_of(run.parked), until_ms = run.until_ms })
  end
  local code, message = manifest.exit_code(run.verdict, run.error),
    run.error and manifest.error(run.error).message
  core.event.emit("run.finished", nil,
    { verdict = run.verdict, exit_code = code, duration_ms = run.duration_ms,
    error = message, message = message })
  hooks.ended(run)
  core.run.end_children()
  core.run.finish()
  M.current = nil
  return {
    ok = run.verdict == "ok" or run.verdict == "prepared", command = "run",
    run = manifest.envelope(run), result = run.result == nil and null or run.result,
    error = manifest.error(run.error),
  }, code
end

--- Returns the inputs as the run first saw them. Reads private inputs again, and reports changes.
local function observed_inputs(run)
  local private = run.preset ~= nil and run.preset.private_inputs
  local function read()
    local given = run.inputs or inputs.prepare(run.home, run.input_specs)
    return core.json.array(inputs.complete(run, given))
  end
  local live
  local recorded = journal.fact(run, "inputs", { specs = run.input_specs }, function()
    live = read()
    return private and core.json.array(inputs.without_text(live)) or live
  end, inputs.without_secrets)
  if not private then return recorded end
  live = live or read()
  for _, name in ipairs(inputs.changed(recorded, live)) do
    core.event.emit("warning", nil,
      { text = ("the input %s has changed since the run was started"):format(
      core.text.printable(name, 200)) })
  end
  return live
end

local function run_body(run)
  -- The limit excludes time in which no host drives the run, and time that clean-ups take.
  local wall
  if run.budget.wall and not run.cancels then
    wall = math.max(0, duration.ms(run.budget.wall, "budget.wall") - run.driven_before)
  end
  run.own_budget = budget.open(nil, run.budget, { what = "the budget of the run", path = "",
    history = run.journal.history, tell = function(text)
      core.event.emit("warning", nil, { text = text })
    end })
  budget.start_wall(run.own_budget, wall and wall + run.driven_before, function()
    return heartbeat.now(run)
  end)
  run.own_budget.on_agent = function() tell_budget(run) end
  run.wall = wall
  heartbeat.limit(run, wall)
  tell_budget(run)
  return pcall(scope.body, run, "", {
    budget = run.own_budget, timeout = wall, timeout_kind = "budget",
    what = "the run's wall-clock budget of " .. tostring(run.budget.wall),
  }, function(ctx)
    run.scope = context.of(ctx).scope
    run.inputs = observed_inputs(run)
    run.write_artifact(run.sidecar .. "/input-manifest.md", core.run.manifest(run.inputs))
    local args = run.preset and closed.args(run.args, run.preset.args)
    local body = args and (run.offline and run.preset.offline or run.preset.run)
    local result = args and table.pack(scope.with_place(body, ctx, args))
      or table.pack(run.resume(ctx))
    if args and not run.findings then
      silent.check(run, "preset " .. run.preset.name, "", body, result)
    end
    -- Raise a quota error that the script caught, so that the run parks.
    local unasked = verdict.unasked(run)
    if unasked then error(unasked, 0) end
    if run.after and not run.dry then run.after(ctx) end
    return table.unpack(result, 1, result.n)
  end)
end

M.body = run_body

local function abandon()
  core.run.end_children()
  core.run.finish()
  M.current = nil
end

local function finish_or_abandon(run, ok, result)
  local recorded, envelope, code = pcall(finish, run, ok, result)
  if recorded then return envelope, code end
  abandon()
  error(envelope, 0)
end

--- Calls fn(run), and meanwhile adds a new run to the ledger.
local function listed_beside(run, fn)
  if not run.unlisted then return fn(run) end
  local listing = core.task.open_scope {}
  core.task.spawn(listing, function() pcall(ledger.put_run, run) end)
  local ok, result = fn(run)
  core.task.wait_scope(listing)
  core.task.close_scope(listing)
  return ok, result
end

---@return table envelope, integer exit_code
function M.execute(run)
  local ok, result = true, nil
  if run.journal.resumed then ok, result = pcall(interrupted_merge.bring_back, run) end
  if ok then ok, result = listed_beside(run, run_body) end
  -- A signal that arrives after the script's last ctx call still cancels the run.
  if ok then
    local asked, err = pcall(core.task.check)
    if not asked then ok, result = false, err end
  end
  local cut_off
  ok, result, cut_off = orphans.settled(run, ok, result)
  if cut_off then leave(run, result) end
  return finish_or_abandon(run, ok, result)
end

--- Prepares the prompts of a run. Starts no agent and asks no person (engine/effects/dry_run.lua).
---@return table envelope, integer exit_code
function M.dry_run(run)
  run.dry = true
  run.worst = { calls = 0, agents = 0, processes = 0, tokens = 0, usd = 0,
    uncounted = core.json.array {}, checks = core.json.array {}, prompts = core.json.array {},
    steps = {} }
  local ok, result = listed_beside(run, run_body)
  if not ok and not (type(result) == "table" and rawget(result, "kind") == "prepared") then
    return finish_or_abandon(run, ok, result)
  end
  core.run.end_children()
  run.duration_ms = core.clock.monotonic() - run.started
  -- A dry run has really executed the commands before the first agent, so add their processes.
  run.worst.processes = run.worst.processes + run.own_budget.spent.processes
  run.write_artifact(run.sidecar .. "/model.json", core.json.encode({
    version = 1, task_id = run.task_id, run = run.id, preset = run.preset_name, step = run.root_key,
    task_type = run.routed.task_type or null, route = run.routed.record or null,
    runner = run.runner_name or null, model = run.model or null, status = "prepared",
    prompts = run.worst.prompts }, 2) .. "\n")
  core.event.emit("log", nil, { reported = true, text = table.concat(worst_case.lines(run), " ") })
  local worst = run.worst
  local forecast = require("moonlet.engine.run.forecast.forecast").of_prepared(run)
  local envelope = { ok = true, command = "run", run = manifest.envelope(run), error = null,
    result = { prepared = run.task_id, agents = worst.calls, planned = worst.planned,
      limits = run.budget, beyond = worst_case.beyond(run), prompts = worst.prompts,
      uncounted = worst.uncounted, checks = worst.checks, forecast = forecast,
      worst_case = { agents = worst.agents, processes = worst.processes, tokens = worst.tokens,
        usd = worst.unpriced and null or worst.usd } } }
  abandon()
  return envelope, 0
end

--- Ends the current run after Lua was killed for its use of time or memory.
---@return table? envelope, integer? exit_code
function M.killed(err)
  if not M.current then return nil end
  return finish_or_abandon(M.current, false, err)
end

return M
