--- One attempt of an agent: its command line, its process, what it printed, what that comes to. Whether
--- there is another attempt is for retry.lua and agent.lua to say.
local exit_record = require "moonlet.engine.base.exit_record"
local files = require "moonlet.engine.base.files"
local follow = require "moonlet.engine.agent.progress"
local host_failure = require "moonlet.engine.base.infrastructure_error"
local inherited = require "moonlet.engine.journal.adoption"
local instructions = require "moonlet.engine.agent.instructions"
local cassette = require "moonlet.engine.runner.cassette"
local confinement = require "moonlet.engine.agent.sandbox"
local cuts = require "moonlet.engine.agent.cuts"
local stream = require "moonlet.engine.runner.stream"
local truth = require "moonlet.engine.runner.outcome"
local turn = require "moonlet.engine.base.cooperative"
local under_way = require "moonlet.engine.context.in_flight"
local usage = require "moonlet.engine.runner.usage"

local M = {}

local answer_cap = 8 << 20
local log_cap = 64 << 20
local read_grace_ms = 2000   -- for reading events once the agent's own time is over
local stderr_cap = 64 << 10

---@class moonlet.Attempt
---@field number integer
---@field prompt string
---@field repair boolean?       the one that is told what is wrong with the last answer
---@field state string?         what became of it under another host: running, exited
---@field tries integer?        how many there were with this input, where the number says nothing of that
---@field seen any              the look before it, as the journal has it, where there is one to compare with
---@field tree string?          the worktree that it had under another host
---@field told boolean?          a person was told what it touched that no agent may write

local function rename(...) return host_failure.call(core.run.rename, ...) end
local function remove(...) return host_failure.call(core.run.remove, ...) end
local function size_of(...) return host_failure.call(core.run.size, ...) end
local function run_child(...) return host_failure.call(core.process.run, ...) end

--- The file that an attempt prints to; the last attempt has the plain name.
local function keep_earlier(dir, number)
  for _, name in ipairs { "stdout.log", "stderr.log", "exit.json" } do
    rename(dir .. "/" .. name, ("%s/attempt-%d-%s"):format(dir, number - 1, name))
  end
end

--- Takes away what an earlier attempt left where this one will be looked for.
local function clear(job, attempt)
  if attempt.number > 1 then keep_earlier(job.dir, attempt.number) end
  remove(job.dir .. "/out/output.md")
end

local function write_file(run, path, text)
  local inside = run.home.agent_path .. "/"
  if path:sub(1, #inside) == inside then
    run.write_artifact(path:sub(#inside + 1), text)
    return
  end
  local folder, name = path:match("^(.*)/([^/]+)$")
  local root, err = core.file.make_root(folder)
  local written
  if root then written, err = core.file.write(root, name, text) end
  if not written then error(err, 0) end
end

--- What the runner makes of the call: argv, env, and so on. Raises what cannot be asked of it.
local function command_of(job, attempt)
  local run, call = job.run, job.call
  return job.runner.command {
    prompt = attempt.prompt, prompt_file = run.absolute(job.dir .. "/prompt.md"), out = run.absolute(job.dir .. "/out"),
    argv = job.argv, cwd = job.cwd, top = run.top, continues = call.continues, program = job.program, model = job.model,
    role = call.role or run.options.agent_role, sandbox = job.sandbox, network = call.network,
    web_search = call.web_search, turns = call.turns, schema = call.schema,
    schema_file = run.absolute(job.dir .. "/schema.json"), writable = job.writable,
    timeout_ms = job.limits.wall, confine = job.confine, private = job.config.private,
    scratch = job.temporary and job.temporary .. "/state", attempt = attempt.number, config = job.config,
  }
end

--- Temporary files and private state go where nobody else's are, and are gone afterwards.
local function with_temporary_folder(job, fn)
  if job.confine == "none" and job.runner.name == "command" then return fn {} end
  local path, release = confinement.temporary_folder(job)
  job.temporary = path
  local ok, result = pcall(fn, { TMPDIR = path, TEMP = false, TMP = false })
  release()
  if not ok then error(result, 0) end
  return result
end

local function start(job, attempt, env)
  local run, dir, step = job.run, job.dir, job.step
  if job.absent then error(job.absent, 0) end
  local made = command_of(job, attempt)
  local private = job.temporary and job.temporary .. "/"
  for _, path in ipairs(made.state_dirs or {}) do
    if private and path:sub(1, #private) == private then core.file.make_root(path) end
  end
  for _, path in ipairs(made.folders or {}) do core.file.make_root(path) end
  for _, text in ipairs(made.warnings or {}) do run.emit("warning", { step = step.key, text = text }) end
  for path, text in pairs(made.files or {}) do write_file(run, path, text) end
  instructions.record(job, made)
  local names = { table.unpack(made.env_names or {}) }
  for _, name in ipairs(job.call.env or {}) do names[#names + 1] = name end
  local held = confinement.of(job, made)
  step.sandbox = held.text
  for _, more in ipairs { made.env or {}, job.place.env or {} } do
    for name, value in pairs(more) do env[name] = value end
  end
  local exit = run_child {
    step = step.key, attempt = inherited.id(step.key, attempt.number), argv = made.argv,
    env = run.child_environment(env, names), cwd = job.cwd,
    stdin_file = made.stdin == "prompt" and dir .. "/prompt.md" or nil,
    stdout_file = dir .. "/stdout.log", stderr_file = dir .. "/stderr.log", cap = log_cap,
    wall = job.limits.wall, idle = job.limits.idle, confine = held.rules,
    durable = true, own_group = true, outlives = not job.call.in_place, redact = true,
  }
  exit.argv = made.argv
  return exit
end

--- Starts the attempt, or takes up one that a host before this one had started.
local function run_process(job, attempt)
  local run, step = job.run, job.step
  if attempt.state == "running" or attempt.state == "exited" then
    run.emit("log", { step = step.key, taken_over = true, text = attempt.state == "running"
      and "it still runs from before: waiting for it" or "it had ended before: its result is taken" })
    local exit = inherited.take(step.key, inherited.id(step.key, attempt.number))
    confinement.forget(job)
    local made, problem = pcall(command_of, job, attempt)
    exit.argv = made and problem.argv or nil
    return exit
  end
  clear(job, attempt)
  return with_temporary_folder(job, function(env) return start(job, attempt, env) end)
end

--- Has the runner read what the agent printed. Much of it takes long: others have their turn meanwhile, and it is part
--- of the agent's time. False where that was over before all was read.
local function read_events(job, runner, state, exit)
  local reader = runner.parse and core.lines.open(job.dir .. "/stdout.log", runner.lines)
  if not reader then return true end
  local pause = turn.new()
  local wall = job.limits.wall
  local until_ms = wall > 0 and core.clock.monotonic() + math.max(0, wall - exit.duration_ms) + read_grace_ms
  local read, all = pcall(function()
    while true do
      local lines, numbers, others, last = core.lines.read(reader, true)
      if not lines then break end
      stream.take(runner, state, lines, numbers, others, last)
      pause()
      if until_ms and core.clock.monotonic() > until_ms then return false end
    end
    return true
  end)
  core.lines.close(reader)
  if not read then error(all, 0) end
  return all
end

--- An answer in a file, and the size of the whole where it is not kept whole.
local function read_answer(run, path, bytes)
  local text, cut = files.read_left(run, path, answer_cap)
  if not cut then return text, false end
  bytes = math.max(bytes, size_of(path) or 0)
  return cuts.ends(run, path, answer_cap, bytes), bytes
end

local function answers_of(job, runner, exit)
  local run, dir = job.run, job.dir
  local written, cut = read_answer(run, dir .. "/out/output.md", 0)
  if written then
    local told = core.run.redact(written)
    if cut or told ~= written then run.write_artifact(dir .. "/out/output.md", told) end
    return { file = told, cut = cut, limits = job.limits }
  end
  if runner.parse then return { limits = job.limits } end
  local printed
  printed, cut = read_answer(run, dir .. "/stdout.log", exit.stdout_total or 0)
  return { stdout = printed or "", cut = cut, limits = job.limits }
end

--- What the disk did not take of what the agent printed, or has lost since, where that is its answer; nil when all is
--- there.
local function loss(job, runner, exit)
  if not (exit.why == "finished" or exit.why == "exited" and exit.code == 0) then return nil end
  local path, why, hint = job.run.absolute(job.dir .. "/stdout.log"), nil, nil
  local bytes = size_of(job.dir .. "/stdout.log") or 0
  if exit.stdout_write_error then
    why = ("cannot write %s: %s"):format(path, exit.stdout_write_error)
    hint = "free some disk space, then resume the run"
  elseif bytes < (exit.stdout_kept or 0) then
    -- The keeper's log reaches the disk before what was printed does: the system may have gone down in between.
    why, hint = ("%s has %d bytes of %d"):format(path, bytes, exit.stdout_kept), "resume the run"
  end
  if not why then return nil end
  if not runner.parse and files.read_left(job.run, job.dir .. "/out/output.md", 1) then return nil end
  return { kind = "lost", message = "the agent's answer was lost: " .. why,
    hint = hint .. ": the agent is asked again" }
end

--- Why the answer of an attempt that ended under another host is lost; nil where it is not.
---@param job moonlet.Job
---@param number integer
---@return string? why
function M.lost(job, number)
  local err = loss(job, job.runner, inherited.take(job.step.key, inherited.id(job.step.key, number)))
  return err and err.message or nil
end

--- Secrets are kept out of what an agent prints as it comes, but there are more ways to write a text in JSON than
--- can be looked for: what was decoded is looked through again, before anybody sees it.
---@generic T
---@param value T
---@return T
function M.redacted(value)
  if type(value) == "string" then return core.run.redact(value) end
  if type(value) ~= "table" then return value end
  local renamed = {}
  for key, item in pairs(value) do
    value[key] = M.redacted(item)
    local told = type(key) == "string" and core.run.redact(key)
    if told and told ~= key then renamed[key] = told end
  end
  for key, told in pairs(renamed) do value[key], value[told] = nil, value[key] end
  return value
end

--- Reads what the attempt left, by the runner's own rules.
local function conclude(job, runner, exit)
  local run, dir = job.run, job.dir
  exit.stderr_tail = core.run.read_tail(dir .. "/stderr.log", stderr_cap)
  local state = runner.begin and runner.begin()
  local all = exit.why == "not_started" or read_events(job, runner, state, exit)
  local result = M.redacted(runner.finish(state, exit, answers_of(job, runner, exit)))
  cuts.check(job, result)
  if not all and (result.status == "ok" or exit.why == "exited") then
    result.status, result.class = "failed", "timeout"
    result.error = truth.error("timeout", ("%s printed more events than could be read in its time"):format(
      runner.title or runner.name), { hint = "give it more time with timeout, or have it print less" })
  end
  local was_ended = exit.why ~= "exited" and exit.why ~= "signalled"
  if state and result.status ~= "ok" and (was_ended or not result.usage) then
    result.usage = usage.so_far(state, size_of(dir .. "/prompt.md") or 0)
  end
  local lost = loss(job, runner, exit)
  if lost then result.status, result.class, result.error = "failed", "lost", host_failure.mark(lost) end
  -- The machine could not, or the keeper: with a program that is not there it would be another kind.
  if exit.why == "not_started" and not job.cassette and exit.error.kind == "failed" then
    host_failure.mark(result.error)
  end
  result.exit = exit
  run.write_artifact(dir .. "/exit.json", core.json.encode(exit_record(exit, result), 2) .. "\n", true)
  return result
end

--- What an attempt of another input has left: what it used, so far as it has told.
---@param job moonlet.Job
---@param exit table
---@return moonlet.RunnerResult
function M.left(job, exit)
  confinement.forget(job)
  local read, result = pcall(conclude, job, job.runner, exit)
  -- Another runner may have started it.
  if not read then return { status = "failed", text = "" } end
  result.text = result.text or ""
  return result
end

--- An attempt from a cassette.
local function play(job, attempt)
  clear(job, attempt)
  job.step.sandbox = "none: no process is started"
  local exit, call, refused = cassette.play(job.cassette, job, attempt)
  local recorded = job.recorded_runner(call)
  job.runner.normalise = recorded.normalise
  local result = conclude(job, recorded, exit)
  -- Who refused it has charged nothing.
  if refused then
    result.status, result.class, result.error, result.text, result.usage = "failed", refused.class, refused, "", nil
  end
  return result
end

--- What an attempt used of which this host saw no end, by what was seen of it; nil where nothing was.
---@param job moonlet.Job
---@return moonlet.Usage?
function M.seen_usage(job)
  return job.seen and usage.so_far(job.seen, size_of(job.dir .. "/prompt.md") or 0)
end

--- Does one attempt and tells what it came to: { status, class, text, cut, usage, model, error,
--- files_changed, denied, warnings, exit }.
---@param job moonlet.Job
---@param attempt moonlet.Attempt
---@return moonlet.RunnerResult
function M.run(job, attempt)
  job.ended = nil
  if job.cassette then return play(job, attempt) end
  local exit = under_way.during(job.step, function()
    return follow.during(job, inherited.id(job.step.key, attempt.number), attempt.state ~= nil, function()
      return run_process(job, attempt)
    end)
  end)
  job.ended = exit.why
  local result = conclude(job, job.runner, exit)
  if job.run.options.record then cassette.keep(job, attempt, exit) end
  return result
end

return M
