--- Runs one attempt of an agent: builds its command line, starts its process, reads its output.
--- outcome.lua turns the evidence into an outcome, and retry.lua decides whether to retry.
local background = require "moonlet.engine.base.background"
local startup_files = require "moonlet.engine.base.startup_files"
local far_attempt = require "moonlet.engine.agent.far.attempt"
local exit_record = require "moonlet.engine.base.exit_record"
local agent_fields = require "moonlet.engine.agent.fields"
local files = require "moonlet.engine.base.files"
local loops = require "moonlet.engine.runner.loops"
local progress = require "moonlet.engine.agent.progress"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local adoption = require "moonlet.engine.journal.adoption"
local sidecar = require "moonlet.engine.agent.sidecar"
local cassette = require "moonlet.engine.runner.cassette"
local sandbox = require "moonlet.engine.agent.sandbox"
local cuts = require "moonlet.engine.agent.cuts"
local outcome = require "moonlet.engine.agent.outcome"
local output = require "moonlet.engine.agent.output"
local readings = require "moonlet.engine.agent.reading"
local in_flight = require "moonlet.engine.context.in_flight"
local stream = require "moonlet.engine.runner.stream"
local usage = require "moonlet.engine.runner.usage"
local worker = require "moonlet.engine.effects.worker"

local M = {}

local answer_cap = 8 << 20
local log_cap = 64 << 20
local read_grace_ms = 2000  -- reading the last events may take this long after the time limit
local stderr_cap = 64 << 10

---@class moonlet.Attempt   immutable
---@field kind "first"|"retry"|"repair"|"adopted"  adopted: started by an earlier host process
---@field number integer
---@field prompt string
---@field repairs boolean        true for a repair of an answer; set for adopted attempts, too
---@field state "running"|"exited"|nil  state of an adopted attempt's process, else nil
---@field tries integer?         number of attempts with this input, if it differs from `number`
---@field seen any               journaled baseline of the work tree
---@field tree string?           path of the worktree that an earlier host made for the attempt
---@field resumes integer?       number of the attempt whose conversation is continued
---@field told boolean?          a person has seen which protected paths the attempt changed

local function refuse_change(_, name)
  error(("an attempt does not change: %s"):format(tostring(name)))
end

function M.new(fields)
  fields.repairs = fields.kind == "repair" or fields.repairs == true
  return setmetatable({}, { __index = fields, __newindex = refuse_change })
end

--- Returns an attempt that starts with the full prompt instead of a repair or a conversation.
function M.anew(attempt, prompt)
  return M.new { kind = attempt.kind == "repair" and "retry" or attempt.kind,
    number = attempt.number, prompt = prompt, state = attempt.state, tries = attempt.tries,
    seen = attempt.seen, tree = attempt.tree, told = attempt.told }
end

local function size_of(...) return infrastructure_error.call(core.run.size, ...) end
local run_child = infrastructure_error.run_child

--- Moves an earlier attempt's files away, so that they are not read as this attempt's output.
local function clear(job, attempt)
  for _, name in ipairs(attempt.number > 1 and { "stdout.log", "stderr.log", "exit.json" } or {}) do
    infrastructure_error.call(core.run.rename, job.dir .. "/" .. name,
      ("%s/attempt-%d-%s"):format(job.dir, attempt.number - 1, name))
  end
  infrastructure_error.call(core.run.remove, job.dir .. "/out/output.md")
end

local function write_file(run, path, text)
  local inside = run.home.agent_path .. "/"
  if path:sub(1, #inside) == inside then
    run.write_artifact(path:sub(#inside + 1), text)
    return
  end
  local folder, name = path:match("^(.*)/([^/]+)$")
  assert(core.file.write(assert(core.file.make_root(folder)), name, text))
end

--- Reports whether the agent may write files that start programs on this machine. The merge of a
--- worktree holds such files back; elsewhere the field `writes` must name one.
local function may_write_startup(job)
  for _, path in ipairs(job.call.writes or {}) do
    if startup_files.has(path) then return true end
  end
  return job.lease.place.tree ~= nil
end

local function command_of(job, attempt)
  local run, call = job.run, job.call
  return job.runner.command(agent_fields.for_runner({
    prompt = attempt.prompt, prompt_file = run.absolute(job.dir .. "/prompt.md"),
    out = run.absolute(job.dir .. "/out"), argv = job.argv, cwd = job.lease.place.cwd,
    top = run.top, program = job.program, model = job.model,
    role = call.role or run.options.agent_role, sandbox = job.sandbox,
    schema_file = run.absolute(job.dir .. "/schema.json"), writable = job.lease.place.writable,
    startup_files = may_write_startup(job), timeout_ms = job.limits.wall, confine = job.confine,
    private = job.config.private, scratch = sandbox.scratch_of(job.temporary),
    attempt = attempt.resumes or attempt.number,
    config = job.config,
  }, call))
end

--- Reads an agent's transcripts to the end, before their folder is removed.
local function look_at_transcripts(job, temporary)
  if job.reading then
    pcall(job.reading.look_at_transcripts, job.reading, sandbox.scratch_of(temporary), true)
  end
end

local function with_temporary_folder(job, fn)
  local path, release = sandbox.temporary_folder(job)
  job.temporary = path
  local ok, result = pcall(fn, { TMPDIR = path, TEMP = false, TMP = false })
  look_at_transcripts(job, path)
  release()
  if not ok then error(result, 0) end
  return result
end

local function make_links(job, links)
  for folder, targets in pairs(links) do
    core.file.make_root(folder)
    if #targets > 0 then
      local argv = table.move(targets, 1, #targets, 4, { "/bin/ln", "-s", "--" })
      argv[#argv + 1] = "."
      local exit = core.process.run { step = job.key .. "/links", argv = argv,
        env = job.run.child_environment(), cwd = folder, wall_ms = 60000, cap = 1 << 16 }
      if exit.why ~= "exited" or exit.code ~= 0 then
        error({ kind = "failed", message = ("cannot make links in %s: %s"):format(folder,
          core.text.printable(exit.stderr, 300)) }, 0)
      end
    end
  end
end

local function start(job, attempt, env)
  local run, dir, step = job.run, job.dir, job.step
  if job.absent and not job.on then error(job.absent, 0) end
  local made = command_of(job, attempt)
  local private = job.temporary and job.temporary .. "/"
  for _, path in ipairs(made.state_dirs or {}) do
    if private and path:sub(1, #private) == private then core.file.make_root(path) end
  end
  for _, path in ipairs(made.folders or {}) do core.file.make_root(path) end
  make_links(job, made.links or {})
  for _, text in ipairs(made.warnings or {}) do
    run.emit("warning", { step = job.key, text = text })
  end
  for path, text in pairs(made.files or {}) do write_file(run, path, text) end
  if made.reads and made.reads[1] or job.lease.place.kept then
    sidecar.write_manifest(job, job.key, job.dir, made.reads)
  end
  -- The account on a remote machine has its own login, so do not send the local login there.
  local names = job.on and {} or { table.unpack(made.env_names or {}) }
  for _, name in ipairs(job.call.env or {}) do names[#names + 1] = name end
  local held = sandbox.of(job, made)
  step.sandbox = held.text
  for _, more in ipairs { made.env or {}, job.lease.place.env or {}, worker.environment } do
    for name, value in pairs(more) do env[name] = value end
  end
  -- In a hook of `git commit` it names the user's index, which an agent in a worktree must not change.
  if job.lease.place.worktree then env.GIT_INDEX_FILE = false end
  if job.on then env.PATH = nil end -- The remote account's own PATH applies.
  local child = {
    step = job.key, attempt = adoption.id(job.key, attempt.number), argv = made.argv,
    env = run.child_environment(env, names), cwd = job.lease.place.cwd,
    stdin_file = made.stdin == "prompt" and dir .. "/prompt.md" or nil,
    stdout_file = dir .. "/stdout.log", stderr_file = dir .. "/stderr.log", cap = log_cap,
    wall_ms = job.limits.wall, idle_ms = job.limits.idle, confine = held.rules,
    durable = true, own_group = true, outlives = not job.call.in_place, redact = true,
  }
  local exit
  if job.on then
    exit = far_attempt.run(job, attempt, child, made, held.rules)
  else
    exit = run_child(child)
  end
  exit.argv = made.argv
  return exit
end

local function run_process(job, attempt)
  local run = job.run
  if attempt.state == "running" or attempt.state == "exited" then
    run.emit("log", { step = job.key, taken_over = true, text = attempt.state == "running"
      and "it still runs since an earlier host started it: waiting for it"
      or "it ended under the earlier host: its result is used" })
    job.temporary = sandbox.find_temporary(job)
    local exit = adoption.take(job.key, adoption.id(job.key, attempt.number))
    if job.on then exit = far_attempt.collect(job, attempt, exit) end
    look_at_transcripts(job, job.temporary)
    sandbox.forget(job)
    local made, problem = pcall(command_of, job, attempt)
    exit.argv = made and problem.argv or nil
    return exit
  end
  clear(job, attempt)
  return with_temporary_folder(job, function(env) return start(job, attempt, env) end)
end

--- Reads the remaining output of an agent. Returns false if the agent's time limit passes first.
local function read_rest(job, reading, exit)
  local wall = job.limits.wall
  local until_ms = wall > 0 and core.clock.monotonic() + math.max(0,
    wall - exit.duration_ms) + read_grace_ms or nil
  local read, all = pcall(reading.finish, reading, until_ms)
  reading:close()
  if not read then error(all, 0) end
  return all
end

--- Reads the answer from a file. If the file is too large, returns its head and tail, and its size.
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

--- Returns an error if output that contains the answer did not reach the disk.
local function loss(job, runner, exit)
  if not (exit.why == "finished" or exit.why == "exited" and exit.code == 0) then return nil end
  local path, why, hint = job.run.absolute(job.dir .. "/stdout.log"), nil, nil
  local bytes = size_of(job.dir .. "/stdout.log") or 0
  if exit.stdout_write_error then
    why = ("cannot write %s: %s"):format(path, exit.stdout_write_error)
    hint = "free some disk space, then resume the run"
  elseif bytes < (exit.stdout_kept or 0) then
    -- The keeper logs sizes before the output reaches the disk, so a system crash may lose output.
    why, hint = ("%s has %d bytes of %d"):format(path, bytes, exit.stdout_kept), "resume the run"
  end
  if not why then return nil end
  if not runner.parse and files.read_left(job.run, job.dir .. "/out/output.md", 1) then
    return nil
  end
  return { kind = "lost", message = "the agent's answer was lost: " .. why,
    hint = hint .. ": the agent is asked again" }
end

--- Returns the reason why the answer of an earlier host's attempt is incomplete, or nil.
function M.lost(job, number)
  if job.on then return nil end -- the output is still on the remote machine and will be fetched
  local err = loss(job, job.runner, adoption.take(job.key, adoption.id(job.key, number)))
  return err and err.message or nil
end

--- Reports whether the agent reported success only after a time limit had passed.
local function is_late(job, runner, state, exit)
  if exit.why ~= "wall" and exit.why ~= "idle" or not (runner.parse and state.done) then
    return false
  end
  if exit.stdout_in_time == exit.stdout_total or exit.stdout_in_time > log_cap then return false end
  local before = stream.reader(runner)
  before:feed(files.read_left(job.run, job.dir .. "/stdout.log", exit.stdout_in_time) or "")
  return not before.state.done
end

---@return moonlet.AttemptEvidence
local function collect(job, runner, exit, reading)
  local dir = job.dir
  exit.stderr_tail = core.run.read_tail(dir .. "/stderr.log", stderr_cap)
  local state = reading and reading.state or runner.begin and runner.begin() or nil
  local all = not reading or exit.why == "not_started" or read_rest(job, reading, exit)
  exit.late = exit.late or state and is_late(job, runner, state, exit) or nil
  if exit.late then state.done = false end
  local answer = output.redacted(runner.finish(state, exit, answers_of(job, runner, exit)))
  return { exit = exit, answer = answer, unread = not all, lost = loss(job, runner, exit),
    normalise = runner.normalise,
    seen = runner.shows_tools and state and not (state.seen and state.seen.hidden)
      and (state.seen or {}) or nil,
    so_far = state and function(ended)
      return usage.so_far(state, size_of(dir .. "/prompt.md") or 0, ended)
    end,
    passed = job.watch and job.watch:at_end(state, exit, answer) or nil }
end

local function reading_of(job, runner, tell)
  return runner.parse and readings.new(runner, job.dir, tell) or nil
end

---@param answer {text: string?, cut: integer?}
function M.write_exit(job, exit, answer)
  local record = exit_record(exit, { text = answer.text or "", cut = answer.cut })
  job.run.write_artifact(job.dir .. "/exit.json", core.json.encode(record, 2) .. "\n", true)
end

--- Returns the text and the usage of an attempt that is abandoned, because its input has changed.
function M.left(job, exit)
  sandbox.forget(job)
  local read, evidence = pcall(function()
    return collect(job, job.runner, exit, reading_of(job, job.runner, function() end))
  end)
  -- The output cannot be parsed if the attempt was started by another runner.
  if not read then return "", nil end
  local answer = evidence.answer
  M.write_exit(job, exit, answer)
  return answer.text or "", outcome.reported(evidence, answer.status)
end

local function play(job, attempt, tell)
  clear(job, attempt)
  job.step.sandbox = "none: no process is started"
  local exit, call, refused = cassette.play(job.cassette, job, attempt)
  local recorded = job.recorded_runner(call)
  local evidence = collect(job, recorded, exit, reading_of(job, recorded, tell))
  evidence.refused = refused
  return evidence
end

function M.seen_usage(job)
  return job.reading and usage.so_far(job.reading.state,
    size_of(job.dir .. "/prompt.md") or 0, true)
end

--- Runs one attempt and returns its evidence. The caller has acquired a slot.
---@return moonlet.AttemptEvidence
function M.run(job, attempt)
  job.ended, job.reading = nil, nil
  local function tell(kind, fields)
    fields.step = job.key
    job.run.emit(kind, fields)
  end
  if job.cassette then return play(job, attempt, tell) end
  local id, reading = adoption.id(job.key, attempt.number), reading_of(job, job.runner, tell)
  job.reading = reading
  if reading then reading.on_tool = loops.watch(job) end
  local function process() return run_process(job, attempt) end
  local meanwhile = job.lease.place.meanwhile
  local ran, exit = pcall(in_flight.during, job.step, function()
    return progress.during(job, reading, id, attempt.state ~= nil, function()
      if meanwhile then return background.during(meanwhile, process) end
      return process()
    end)
  end)
  if not ran then
    if reading then reading:close() end
    error(exit, 0)
  end
  job.ended, job.reading = exit.why, nil
  local evidence = collect(job, job.runner, exit, reading)
  if job.run.options.record then cassette.keep(job, attempt, exit) end
  return evidence
end

return M
