--- Implements ctx:validate and ctx:require: the host runs a command and records its outcome.
--- An agent's claim about its own work is not evidence.
local context = require "moonlet.engine.context.context"
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local budget = require "moonlet.engine.budget.budget"
local grants = require "moonlet.engine.context.grants"
local gate = require "moonlet.engine.effects.gate"
local at_most_once = require "moonlet.engine.effects.at_most_once"
local adoption = require "moonlet.engine.journal.adoption"
local remote_steps = require "moonlet.engine.remote.steps"
local command = require "moonlet.engine.runner.command"
local closed = require "moonlet.engine.context.closed"
local words = require "moonlet.engine.effects.words"
local exit_record = require "moonlet.engine.base.exit_record"
local exit_text = require "moonlet.engine.base.exit_text"

local M = {}

local minute = 60 * 1000
local default_timeouts = {
  typecheck = 3 * minute, lint = 3 * minute, test = 10 * minute, build = 10 * minute,
  custom = 5 * minute,
}
M.timeouts = default_timeouts
local kinds = { "typecheck", "lint", "test", "build", "custom" }
local log_cap = 8 << 20
local tail_cap = 4000

local validate_fields = {
  kind = "string", command = "any!", timeout = "duration", timeout_ms = "integer", cwd = "string",
  env = "table", name = "string", required = "boolean", on = "string",
}
local require_fields = {
  command = "any!", exit_code = "integer", repetitions = "integer", artifacts = "list",
  timeout = "duration", cwd = "string", env = "table", name = "string", on = "string",
}

--- Returns an unquoted part of a command that only a shell understands, such as `|` or `$HOME`.
local function shell_operator(text)
  local bare = text:gsub("\\.", ""):gsub("'[^']*'", ""):gsub('"[^"]*"', "")
  local expanded = text:gsub("\\.", ""):gsub("'[^']*'", "")
  return bare:match("[|&;<>`\n]+") or expanded:match("%$[%w_({]")
end

--- Returns the words of a command given as text or list. Raises an error if it cannot be started.
---@param verb string  caller's name in messages
function M.words_of(given, verb)
  if type(given) == "string" then
    local operator = shell_operator(given)
    if operator then
      record.refuse(("%s: '%s' needs a shell, and none is involved"):format(verb,
        core.text.printable(given, 200)),
        verb:find "^ctx:" and "say so: { \"sh\", \"-c\", " .. core.json.encode(given) .. " }"
        or ("say so: sh -c '%s'"):format(core.text.printable(given, 200)))
    end
    given = command.split(given)
  end
  return words.of(given, verb, 'write "test:npm test", or a list of words')
end

--- Splits "test:npm test" into "test" and "npm test"; "make:all" has the kind custom.
---@param verb string?  caller's name in messages
function M.split_kind(text, verb)
  local kind, rest = text:match("^%s*(%l+):%s*(.*)$")
  if kind and default_timeouts[kind] then return kind, rest end
  -- A text that starts with `make:` or with the name of a program has no kind.
  if kind and kind ~= "make" and not core.system.find_program(kind .. ":"
      .. (rest:match "^%S*" or "")) then
    local near = #kind > 3 and record.nearest(kind, kinds)
    record.refuse(("%s knows no kind '%s'"):format(verb or "ctx:validate", kind),
      near and ("did you mean '%s:%s'?"):format(near, core.text.printable(rest, 60))
      or ("known are %s; without a kind it is custom"):format(table.concat(kinds, ", ")))
  end
  return "custom", text
end

local function limit_of(call, kind)
  if call.timeout then return duration.ms(call.timeout, "timeout") end
  if call.timeout_ms then
    if call.timeout_ms < 1 then record.refuse("timeout_ms must be at least 1") end
    return call.timeout_ms
  end
  return default_timeouts[kind]
end

local function tail(run, path)
  local text = run.read_artifact(path, log_cap + 4096) or ""
  if #text > tail_cap then text = "…" .. text:sub(-tail_cap):gsub("^[\128-\191]+", "") end
  return core.text.clean(text)
end

local function keep_logs(run, child, exit)
  run.write_artifact(child.stdout_file, exit.stdout or "")
  run.write_artifact(child.stderr_file, exit.stderr or "")
  return exit
end

local function run_once(run, call, argv, text, key, kind, limit, start)
  local dir = run.step_directory(key)
  local exit = start {
    step = key, argv = argv, env = run.child_environment(call.env), cwd = run.resolve_cwd(call.cwd),
    stdout_file = dir .. "/stdout.log", stderr_file = dir .. "/stderr.log", cap = log_cap,
    wall_ms = limit, durable = true, own_group = true, redact = true,
  }
  run.write_artifact(dir .. "/exit.json", core.json.encode(exit_record(exit), 2) .. "\n")
  local result = {
    kind = kind, command = type(text) == "string" and text or table.concat(argv, " "), argv = argv,
    dir = run.absolute(dir),
    exit_code = exit.why == "exited" and exit.code or nil, duration_ms = exit.duration_ms,
    stdout = tail(run, dir .. "/stdout.log"), stderr = tail(run, dir .. "/stderr.log"),
  }
  if exit.why == "not_started" then
    result.status, result.why = "failed", exit.error.message
  elseif exit.why == "wall" then
    result.status, result.why = "timeout", exit_text.of(exit, { wall = limit })
  elseif exit.why == "exited" then
    result.status = "ran"
  elseif exit.why == "signalled" then
    result.status, result.why = "failed", exit_text.of(exit)
  else
    error(exit.error or { kind = "lost", message = "the command was lost" }, 0)
  end
  return result
end

local function run_there(run, on, child, cwd)
  local exit = remote_steps.run(run, on, child,
    { ask = gate.unreachable, submission = gate.submission, far = { cwd = cwd } })
  return keep_logs(run, child, exit)
end

--- Returns the exit of a check that an earlier host sent to another machine, or nil.
local function taken_up(run, key, hash, child)
  local state = run.journal and run.journal.resumed and adoption.state(key, hash) or "none"
  if state ~= "running" and state ~= "exited" then return nil end
  local exit = adoption.take(key, hash)
  return exit.why == "exited" and keep_logs(run, child, exit) or nil
end

local function did_not_pass(result) return result.status ~= "passed" end

--- Records the size and hash of each required file. The check fails if a file is missing or empty.
local function look_at_artifacts(run, paths, result)
  local found, missing = core.json.array {}, {}
  for _, path in ipairs(paths) do
    local info = core.file.stat(run.home.root, path)
    if info and info.type == "file" and info.size > 0 then
      local text = core.file.load(run.home.root, path, 0)
      found[#found + 1] = { path = path, bytes = info.size, sha256 = text and text.sha256 }
    else
      missing[#missing + 1] = path
    end
  end
  result.artifacts = found
  if #missing == 0 then return end
  result.status = "failed"
  result.missing = "missing or empty: " .. core.text.printable(table.concat(missing, ", "), 400)
  result.why = result.missing
end

--- Runs a command as a step. It passes if its exit code is `expected` and the files `paths` exist.
local function check(state, call, argv, text, key, kind, limit, expected, approved, paths)
  local run = state.run
  if run.checking then
    table.insert(run.checking.commands, words.shown(argv))
    return { kind = kind, command = words.shown(argv), status = "passed", exit_code = expected,
      duration_ms = 0, stdout = "", stderr = "", dir = run.absolute(run.sidecar) }
  end
  local on = call.on or run.options.on
  local input = { verb = kind, argv = argv, cwd = call.cwd, env = call.env, expected = expected,
    artifacts = paths, on = on }
  if on then remote_steps.check(run, on) end
  local what = kind == "require" and "require" or "validate"
  local how = { again = did_not_pass, once = approved and true or nil,
    paid = approved and true or nil, settle = function(earlier)
      at_most_once.settle(run, key, earlier, argv, approved ~= nil)
    end }
  local result, step = run.step(key, what, nil, input, how, function(last, hash)
    context.check_spent(state)
    local result = budget.with(state.budget, { processes = 1 }, function()
      return run_once(run, call, argv, text, key, kind, limit, function(child)
        local start = on and function(far) return run_there(run, on, far, call.cwd) end
          or core.process.run
        if approved then return at_most_once.run(run, key, last, hash, child, start) end
        child.attempt = on and hash or nil
        return on and taken_up(run, key, hash, child) or start(child)
      end)
    end)
    if result.status == "ran" then
      result.status = result.exit_code == expected and "passed" or "failed"
      if result.status == "failed" then
        result.why = ("%s%s"):format(exit_text.of_code { code = result.exit_code },
          expected ~= 0 and (", not %d"):format(expected) or "")
      end
    end
    if paths and result.status == "passed" then look_at_artifacts(run, paths, result) end
    return result
  end)
  run.end_step(step, result.status == "passed" and "ok" or "failed", { exit_code = result.exit_code,
    error = result.why and { kind = "failed", message = result.why, at = core.text.place() }
      or nil })
  return result
end

local result_fields = { "kind", "command", "status", "why", "exit_code", "duration_ms", "stdout",
  "stderr", "dir", "argv", "artifacts", "missing" }

---@param verb string  caller's name in messages
local function read(call, verb)
  if type(call) == "string" then call = { command = call } end
  record.check(call, validate_fields, verb)
  local kind, text = call.kind, call.command
  if not kind and type(text) == "string" then kind, text = M.split_kind(text, verb) end
  kind = kind or "custom"
  if not default_timeouts[kind] then
    record.refuse(("%s knows no kind '%s'"):format(verb, core.text.printable(kind, 60)),
      record.suggest(kind, kinds))
  end
  return call, kind, text, M.words_of(text, verb)
end

--- Asks for the grants of planned checks before agents cost money. A dry run only lists them.
---@param checks (string|table)[]
function M.plan(run, checks)
  local ok, err = pcall(function()
    for _, call in ipairs(checks) do
      local _, kind, _, argv = read(call, "ctx:plan: checks")
      if run.dry and not run.checking then
        table.insert(run.worst.checks,
          { kind = kind, command = words.shown(argv), program = argv[1],
          granted = grants.has_program(run.grants, argv[1]) })
      else
        grants.check_program(run.grants, argv[1])
      end
    end
  end)
  if ok then return end
  run.unrunnable = type(err) == "table" and err.message or nil
  error(err, 0)
end

--- Implements ctx:validate{ kind, command, timeout, cwd, env, required }. The verdict is `blocked`
--- if the last run of a required check failed.
function M.validate(ctx, call)
  local state = context.of(ctx)
  local run = state.run
  local given, kind, text, argv = read(call, "ctx:validate")
  call = given
  grants.check_program(run.grants, argv[1])
  local approved = not run.checking and gate.before(ctx, argv, call) or nil
  local key = context.key(state, call.name or "validate-" .. kind)
  local result = check(state, call, argv, text, key, kind, limit_of(call, kind), 0, approved)
  run.note_validation(key, result, call.required ~= false)
  return closed.record(result, "the result of ctx:validate", result_fields)
end

local function checked_paths(paths)
  for _, path in ipairs(paths or {}) do
    if type(path) ~= "string" then record.refuse("ctx:require: artifacts are paths") end
  end
  return paths
end

--- Implements ctx:require{ command, exit_code, repetitions, artifacts }. Each run must end with
--- `exit_code`, and then each artifact must exist and not be empty. A failure makes the verdict
--- `blocked`, even if the script catches the error.
function M.require(ctx, call)
  local state = context.of(ctx)
  local run = state.run
  record.check(call, require_fields, "ctx:require")
  local repetitions, expected = call.repetitions or 1, call.exit_code or 0
  if repetitions < 1 or repetitions > 1000 then
    record.refuse("ctx:require: repetitions are 1 to 1000")
  end
  local argv = M.words_of(call.command, "ctx:require")
  grants.check_program(run.grants, argv[1])
  local approved = not run.checking and gate.before(ctx, argv, call) or nil
  local limit = limit_of(call, "custom")
  local key = context.key(state, call.name or "require")
  local paths = checked_paths(call.artifacts)
  local runs, why = {}, nil
  for i = 1, repetitions do
    local own_key = repetitions == 1 and key or key .. "/" .. i
    runs[i] = check(state, call, argv, call.command, own_key, "require", limit, expected, approved,
      i == repetitions and paths or nil)
    if runs[i].status ~= "passed" then
      why = runs[i].missing or ("'%s' %s (run %d of %d)"):format(runs[i].command, runs[i].why, i,
        repetitions)
      break
    end
  end
  local last = runs[#runs]
  run.note_validation(key, { kind = "require", command = last.command, exit_code = last.exit_code,
    duration_ms = last.duration_ms, status = why and "failed" or "passed", why = why }, true)
  if why then
    error({ kind = "failed", blocked = true, message = "required evidence is missing: " .. why,
      hint = "read " .. last.dir }, 0)
  end
  local result = { runs = runs, artifacts = last.artifacts or core.json.array {} }
  return closed.record(result, "the result of ctx:require", {})
end

return M
