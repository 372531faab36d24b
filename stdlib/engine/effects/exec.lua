--- ctx:exec runs a program and returns its exit. A failed program is a result, not an error.
local exit_text = require "moonlet.engine.base.exit_text"
local files = require "moonlet.engine.base.files"
local closed = require "moonlet.engine.context.closed"
local context = require "moonlet.engine.context.context"
local words = require "moonlet.engine.effects.words"
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local budget = require "moonlet.engine.budget.budget"
local grants = require "moonlet.engine.context.grants"
local gate = require "moonlet.engine.effects.gate"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local adoption = require "moonlet.engine.journal.adoption"
local remote_steps = require "moonlet.engine.remote.steps"
local at_most_once = require "moonlet.engine.effects.at_most_once"

local M = {}

local fields = {
  argv = "list", cwd = "string", env = "table", stdin = "string", timeout = "duration",
  cap = "integer", journal = "boolean", name = "string", clean = "function", check = "boolean",
  sandbox = "string", network = "boolean", on = "string",
}
local default_timeout_ms = 10 * 60 * 1000

local example = 'ctx:exec{ "git", "status" }'

--- Checks the table of a ctx:exec call, whose list items are the program's arguments.
local function prepare(call)
  if type(call) ~= "table" then record.refuse("ctx:exec needs a table", example) end
  local options = {}
  for key, value in pairs(call) do
    if math.type(key) ~= "integer" then options[key] = value end
  end
  record.check(options, fields, "ctx:exec")
  if options.sandbox and options.sandbox ~= "read-only" then
    record.refuse(("ctx:exec: sandbox is '%s'"):format(options.sandbox),
      'the only sandbox of a program is "read-only"')
  end
  if options.network == false and not options.sandbox then
    record.refuse("ctx:exec: network = false needs a sandbox", 'add sandbox = "read-only"')
  end
  local cap, largest = options.cap or core.process.default_cap, core.process.largest_cap
  if cap < 0 or cap > largest then
    record.refuse(("ctx:exec: cap is %d bytes"):format(cap),
      ("give 0 to %d; for more, let the program write a file"):format(largest))
  end
  if call.argv and call[1] ~= nil then
    record.refuse("ctx:exec has argv and a list", "give one of them")
  end
  return words.of(call.argv or call, "ctx:exec", example), options, cap
end

--- Returns the function that starts a child on this machine or on the machine `options.on`. On
--- another machine `cwd` is an absolute path, by default that of an empty folder.
local function starter(run, options)
  if not options.on then return infrastructure_error.run_child end
  local far = { cwd = options.cwd }
  if options.sandbox and not run.options.unconfined then
    far.writable, far.network = core.json.array {}, options.network ~= false
  end
  return function(child)
    return remote_steps.run(run, options.on, child,
      { ask = gate.unreachable, submission = gate.submission, far = far })
  end
end

--- Checks a call for another machine, and returns the machine. The run's --on is the default.
local function machine_of(run, options)
  options.on = options.on or run.options.on
  if not options.on then return nil end
  local machine = remote_steps.check(run, options.on)
  if options.journal == false then
    record.refuse("ctx:exec: a step on another machine is always recorded",
      "leave out journal = false")
  end
  if options.cwd and not options.cwd:find "^/" then
    record.refuse(("ctx:exec: cwd '%s' is relative, and %s has no work tree"):format(
      core.text.printable(options.cwd, 80), options.on),
      "give an absolute path there, or leave it out")
  end
  return machine
end

--- Returns the rules of the read-only sandbox, or nil if the program runs without a sandbox.
local function confinement_of(run, options)
  if not options.sandbox or run.options.unconfined then return nil end
  return { writable = {}, network = options.network ~= false }
end

local function child_of(run, key, argv, options, cap, wall_ms, durable)
  return {
    step = key, argv = argv, env = run.child_environment(options.env),
    cwd = run.resolve_cwd(options.cwd), stdin = options.stdin, cap = cap, wall_ms = wall_ms,
    durable = durable, confine = confinement_of(run, options),
  }
end

--- Returns the result of ctx:exec. Raises an error if the program did not end by itself.
local function result_of(exit, argv, wall_ms)
  -- "cancelled" means here that the keeper was killed: a cancelled step raises its error earlier.
  if exit.why == "not_started" or exit.why == "lost" or exit.why == "cancelled" then
    local err = exit.error
      or { kind = "lost", message = ("%s %s"):format(argv[1], exit_text.of(exit)) }
    if exit.why == "not_started" and err.kind == "failed" then infrastructure_error.mark(err) end
    error(err, 0)
  end
  if exit.why == "wall" then
    error({ kind = "timeout", message = ("'%s' %s"):format(words.shown(argv),
      exit_text.of(exit, { wall = wall_ms })),
      hint = "give it more with timeout, or take the error with pcall" }, 0)
  end
  local lost = exit.stdout_write_error or exit.stderr_write_error
  if lost then
    error({ kind = "lost",
      message = ("'%s' ended, but its output was lost: %s"):format(words.shown(argv), lost),
      hint = "make room on that disk; moonlet resume runs the command again" }, 0)
  end
  return {
    code = exit.code, signal = exit.signal ~= 0 and exit.signal or nil, stdout = exit.stdout,
    stderr = exit.stderr, cut = exit.stdout_cut or exit.stderr_cut,
  }
end

--- Reports whether all output of a process is in memory. The output of an adopted process may be
--- only in its log files.
local function has_text(exit)
  return #exit.stdout == exit.stdout_kept and #exit.stderr == exit.stderr_kept
end

--- Returns the exit of a program that an earlier host started, or nil if the program must run again.
local function left_behind(run, key, hash)
  local story = run.journal
  if not (story and story.resumed) or story.fresh or story.ended[key] then return nil end
  local state = adoption.state(key, hash)
  if state ~= "running" and state ~= "exited" then return nil end
  local exit = adoption.take(key, hash)
  return exit.why == "exited" and has_text(exit) and exit or nil
end

--- Runs an approved command. Its output is written to files, so that a resumed host finds it. With
--- `clean` the output stays in memory, because `clean` must redact it before it is stored.
local function run_once(run, key, last, hash, call, clean, start)
  local dir = run.step_directory(key)
  local out, err = dir .. "/stdout.log", dir .. "/stderr.log"
  if not clean then call.stdout_file, call.stderr_file, call.redact = out, err, true end
  local exit = at_most_once.run(run, key, last, hash, call, start)
  if not clean then
    exit.stdout = files.read_left(run, out, call.cap + 4096) or ""
    exit.stderr = files.read_left(run, err, call.cap + 4096) or ""
  elseif not has_text(exit) then
    run.emit("warning",
      { step = key, text = "its output is lost: its host was ended before it could be kept" })
    exit.stdout_cut = true
  end
  return exit
end

--- Returns how to redact the recorded output and how to run the program again, if `clean` is set.
local function private(clean, again)
  if not clean then return nil end
  return {
    clean = function(value)
      local copy = { redacted = true }
      for name, field in pairs(value) do copy[name] = field end
      copy.stdout, copy.stderr = clean(value.stdout), clean(value.stderr)
      if type(copy.stdout) ~= "string" or type(copy.stderr) ~= "string" then
        record.refuse("ctx:exec: clean gives no text",
          "clean = function(text) return text:gsub(…) end")
      end
      return copy.stdout == value.stdout and copy.stderr == value.stderr and value or copy
    end,
    again = again,
  }
end

local result_fields = { "code", "signal", "stdout", "stderr", "cut", "redacted" }

--- Returns the script's result. With `check`, an exit code or a signal raises an error.
local function finished(value, argv, options)
  if options.check and (value.code ~= 0 or value.signal) then
    local tail = core.text.printable(value.stderr:match "([^\n]*)\n*$" or "", 200)
    error({ kind = "failed", message = ("'%s' %s%s"):format(words.shown(argv),
      exit_text.of_code(value), tail ~= "" and ": " .. tail or ""),
      hint = "without check = true the exit code is data" }, 0)
  end
  return closed.record(value, "the result of ctx:exec", result_fields)
end

--- Implements ctx:exec{ argv… } -> { code, signal, stdout, stderr, cut }.
function M.exec(ctx, call)
  local state = context.of(ctx)
  local run = state.run
  local argv, options, cap = prepare(call)
  grants.check_program(run.grants, argv[1])
  machine_of(run, options)
  local start = starter(run, options)
  if run.checking then
    table.insert(run.checking.commands, words.shown(argv))
    return finished({ code = 0, stdout = "", stderr = "", cut = false }, argv, options)
  end
  if options.journal == false and run.forecast then
    run.forecast:command(state.path .. "/exec", argv, options)
  end
  local approved = gate.before(ctx, argv, options)
  local wall_ms = options.timeout and duration.ms(options.timeout, "timeout") or default_timeout_ms
  local function counted(fn)
    context.check_spent(state)
    return budget.with(state.budget, { processes = 1 }, function()
      return result_of(fn(), argv, wall_ms)
    end)
  end
  if options.journal == false and not approved then
    return finished(counted(function()
      return infrastructure_error.run_child(child_of(run, state.path .. "/exec", argv, options, cap,
        wall_ms, false))
    end), argv, options)
  end
  local input = { verb = "exec", argv = argv, env = options.env, cwd = options.cwd, cap = cap,
    stdin = options.stdin, sandbox = options.sandbox, network = options.network, on = options.on }
  local key = context.key(state, options.name or "exec")
  local kept = private(options.clean, function()
    if approved then error({ kind = "denied", message = "it is done once" }, 0) end
    return result_of(core.process.run(child_of(run, key, argv, options, cap, wall_ms, false)),
      argv, wall_ms)
  end)
  local how = { private = kept, tells = not approved, once = approved and true or nil,
    paid = approved and true or nil, settle = function(earlier)
      at_most_once.settle(run, key, earlier, argv, approved ~= nil)
    end }
  local value, step = run.step(key, "exec", nil, input, how, function(last, hash)
    return counted(function()
      local child = child_of(run, key, argv, options, cap, wall_ms, true)
      if approved then return run_once(run, key, last, hash, child, options.clean, start) end
      child.attempt = hash
      local left = left_behind(run, key, hash)
      if run.cancels and not left then run.end_cancelled() end
      return left or start(child)
    end)
  end)
  -- The step succeeds with any exit code, because only the script knows which codes mean a failure.
  run.end_step(step, "ok", { exit_code = value.signal and 128 + value.signal or value.code })
  return finished(value, argv, options)
end

return M
