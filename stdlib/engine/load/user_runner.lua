--- Loads a user's own runner in a sandbox and checks its results, so that a fault fails only its
--- own attempt. examples/runner-mine.lua is an example.
local files = require "moonlet.engine.base.files"
local record = require "moonlet.record"
local shared = require "moonlet.engine.runner.shared"
local stream = require "moonlet.engine.runner.stream"
local outcome = require "moonlet.engine.runner.outcome"
local moonlet = require "moonlet.engine.runner.moonlet"
local names = require "moonlet.engine.runner.names"
local refused_args = require "moonlet.engine.runner.refused_args"
local startup_files = require "moonlet.engine.base.startup_files"

local M = {}

local fields = {
  program = "string!", title = "string", events = "string", command = "callable!",
  parse = "callable", finish = "callable", role = "string", instructions = "list",
  home_instructions = "list", refused_args = "list", startup_files = "list", screen = "table",
}
local screen_fields = { prompts = "list", working = "list", ready = "list", quota = "list",
  enter_pause_ms = "integer" }
local command_fields = {
  argv = "list!", env = "table", env_names = "list", stdin = "string", files = "table",
  state_dirs = "list", answer_file = "string", writable = "list", warnings = "list", reads = "list",
}
local source_cap = 256 * 1024

local function reason(err)
  if type(err) == "string" then return err end
  local message = type(err) == "table" and rawget(err, "message")
  return type(message) == "string" and message or "it raised an error that is not a text"
end

local function refuse(name, message, hint)
  record.refuse(("runner %s: %s"):format(name, message), hint)
end

local function plain(value, depth)
  if type(value) ~= "table" then
    if type(value) == "function" or type(value) == "thread" then return nil end
    return value
  end
  if (depth or 0) > 16 then return nil end
  local result = core.json.is_array(value) and core.json.array {} or {}
  for key, item in next, value do
    if type(key) == "string" or math.type(key) == "integer" then
      result[key] = plain(item, (depth or 0) + 1)
    end
  end
  return result
end

--- Calls a function of the user's runner like pcall. The function must not yield.
local function called(fn, ...)
  local co = coroutine.create(fn)
  local results = table.pack(coroutine.resume(co, ...))
  if coroutine.status(co) == "suspended" then
    return false, "it yields, but a runner may not wait"
  end
  return table.unpack(results, 1, results.n)
end

local function texts(name, list, what, pattern)
  for _, item in ipairs(list) do
    if type(item) ~= "string" or item:find("\0", 1, true)
        or (pattern and not item:find(pattern)) then
      refuse(name, what .. " must be a list of texts")
    end
  end
  return list
end

local function may_write(call, path)
  if type(path) ~= "string" or path:find("/%.%.?/") or path:find("/%.%.?$") then return false end
  for _, folder in ipairs { call.out, call.scratch or call.out } do
    if path:sub(1, #folder + 1) == folder .. "/" then return true end
  end
  return path == call.schema_file
end

local function checked_command(name, call, made)
  if type(made) ~= "table" then refuse(name, "command() must give a table") end
  made = record.check(plain(made), command_fields,
    ("runner %s: the result of command()"):format(name))
  texts(name, made.argv, "argv")
  if #made.argv == 0 then refuse(name, "argv is empty") end
  made.stdin = made.stdin or "none"
  if made.stdin ~= "prompt" and made.stdin ~= "none" then
    refuse(name, "stdin must be \"prompt\" or \"none\"")
  end
  local env = {}
  for key, value in pairs(made.env or {}) do
    if type(key) ~= "string" or not key:find("^[%a_][%w_]*$") or type(value) ~= "string"
      or value:find("\0", 1, true) then
      refuse(name, "env must give texts to names")
    end
    env[key] = value
  end
  for path, text in pairs(made.files or {}) do
    if not may_write(call, path) or type(text) ~= "string" then
      refuse(name, "files may be written only beneath call.out and call.scratch")
    end
  end
  if made.answer_file and not may_write(call, made.answer_file) then
    refuse(name, "answer_file must lie beneath call.out or call.scratch")
  end
  shared.check_argv(name, made.argv)
  return { argv = made.argv, env = env,
    env_names = shared.env_names(texts(name, made.env_names or {}, "env_names", "^[%a_][%w_]*$"),
      call.config and call.config.env),
    stdin = made.stdin, files = made.files or {},
    state_dirs = texts(name, made.state_dirs or {}, "state_dirs", "^/"),
    answer_file = made.answer_file, sandbox = "host",
    writable = made.writable and texts(name, made.writable, "writable", "^/")
      or shared.writable(call),
    warnings = texts(name, made.warnings or {}, "warnings"),
    reads = texts(name, made.reads or {}, "reads", "^/") }
end

local function checked_screen(name, screen)
  record.check(screen, screen_fields, "screen of runner " .. name)
  screen.prompts = screen.prompts or {}
  for _, prompt in ipairs(screen.prompts) do
    if type(prompt) ~= "table" or type(prompt.kind) ~= "string" or type(prompt.all) ~= "table" then
      refuse(name, "each prompt of its screen needs a kind and a list of patterns, all")
    end
  end
  return screen
end

local function own_parser(parse)
  return stream.guarded(function(state, line, events)
    state.lines = state.lines + 1
    state.own = state.own or {}
    local ok, given = called(parse, state.own, line)
    if not ok then
      state.own_error = state.own_error or stream.printable(reason(given), 300)
      error(given, 0)
    end
    if type(given) ~= "table" then return end
    given = plain(given)
    if type(given.type) == "string" then given = { given } end
    for i, event in ipairs(given) do
      if i > 100 then break end
      if type(event) == "table" then moonlet.apply(state, events, event) end
    end
  end)
end

--- Parses plain text. Only exit code 0 counts as success.
local function text_parser(state, line)
  state.lines, state.events = state.lines + 1, 1
  stream.keep_text(state, line .. "\n", true)
  return {}
end

local function wrap_finish(finish, own)
  return function(state, exit, answers)
    local result = finish(state, exit, answers)
    local ok, changed = called(own, plain(result), plain(exit), plain(answers or {}))
    if not ok then
      if result.status == "ok" then
        result.status, result.class = "failed", "failed"
        result.error = outcome.error("failed",
          "finish() of the runner failed: " .. stream.printable(reason(changed), 300))
      end
      return result
    end
    if type(changed) ~= "table" then return result end
    changed = plain(changed)
    if type(changed.text) == "string" then result.text = changed.text end
    -- The user's function may turn a success into a failure, but not a failure into a success.
    if changed.status == "failed" and result.status == "ok" then
      local class = type(changed.class) == "string" and changed.class or "failed"
      result.status, result.class = "failed", class
      result.error = outcome.error(class,
        type(changed.message) == "string" and changed.message or "the runner found a failure")
    end
    return result
  end
end

---@param builtin fun(name: string): table   returns a built-in runner
function M.make(name, spec, builtin)
  if type(spec) ~= "table" then
    refuse(name, "its file must return a table",
      "end it with: return { program = …, command = function(call) … end }")
  end
  local given = {}
  for key, value in next, spec do given[key] = value end
  record.check(given, fields, "runner " .. name)
  if given.events and given.events ~= "text" and not names.has(names.events, given.events) then
    refuse(name, ("events cannot be '%s'"):format(stream.printable(given.events, 40)),
      record.suggest(given.events, { "text", table.unpack(names.events) }))
  end
  if (given.events == nil) == (given.parse == nil) then
    refuse(name, "it needs either events or parse",
      'write events = "text" for a program that prints its answer')
  end
  if given.role and given.role ~= "flag" and given.role ~= "prompt" then
    refuse(name, "role must be \"flag\" or \"prompt\"")
  end
  for _, list in ipairs { "instructions", "home_instructions", "refused_args", "startup_files" } do
    texts(name, given[list] or {}, list)
  end
  for _, list in ipairs { "instructions", "startup_files" } do
    for _, path in ipairs(given[list] or {}) do
      if path:sub(1, 1) == "/" or ("/" .. path .. "/"):find("/../", 1, true) then
        refuse(name, list .. " names files of a project, from its top")
      end
    end
  end
  startup_files.declare(given.startup_files or {})
  local runner = { name = name, own = true, program = given.program, title = given.title or name,
    role = given.role or "prompt", instructions = plain(given.instructions or {}),
    screen = given.screen and checked_screen(name, plain(given.screen)) }
  function runner.home_instructions()
    local paths = {}
    for i, path in ipairs(given.home_instructions or {}) do paths[i] = shared.home_path(path) end
    return paths
  end
  function runner.detect(config)
    local path, why = shared.find(config and config.program or given.program)
    if not path then return nil, why end
    return { path = path }
  end
  function runner.command(call)
    if not core.text.is_utf8(call.prompt) then shared.check_prompt(name, call.prompt, {}) end
    local ok, made = called(given.command, plain(call))
    if not ok then refuse(name, "command() failed: " .. stream.printable(reason(made), 300)) end
    local command = checked_command(name, call, made)
    for _, word in ipairs(call.config and call.config.args or {}) do
      if refused_args.listed(given.refused_args or {}, word) then
        refuse(name, ("runners.%s.args cannot hold '%s'"):format(name, stream.printable(word, 60)),
          "the runner's file refuses this argument: refused_args")
      end
    end
    if call.program and command.argv[1] == given.program then command.argv[1] = call.program end
    return command
  end
  local base = given.events and given.events ~= "text" and builtin(given.events) or nil
  runner.begin, runner.lines = base and base.begin or stream.begin, base and base.lines
  runner.parse = base and base.parse or given.events == "text" and text_parser
    or own_parser(given.parse)
  local function finish(state, exit, answers)
    if given.events == "text" and exit.why == "exited" and exit.code == 0 then state.done = true end
    local result = outcome.conclude(runner.title, state, exit, answers, state.usage)
    if result.status ~= "ok" and not state.failure and state.own_error then
      result.error.message = ("%s; parse() of the runner %s failed: %s"):format(
        result.error.message, name,
        state.own_error)
      result.error.hint = "correct parse() in the runner's file; its input is in stdout.log"
    end
    return result
  end
  finish = base and base.finish or finish
  runner.finish = given.finish and wrap_finish(finish, given.finish) or finish
  return runner
end

---@param path string   absolute path
---@param builtin fun(name: string): table
function M.load(name, path, builtin)
  local text, err, cut = files.read_path(path, source_cap)
  if not text then
    record.refuse(("runner %s: cannot read %s: %s"):format(name, path, err.message), err.hint, path)
  end
  if cut then
    record.refuse(("runner %s: %s is larger than 256 KB"):format(name, path), nil, path)
  end
  local presets = require "moonlet.engine.load.loader"
  local freeze = require "moonlet.engine.load.readonly"
  local view = freeze.view(require "moonlet.engine.load.author_table", "m")
  local globals = { m = view }
  function globals.require(module)
    if module == "moonlet" then return view end
    record.refuse(("a runner cannot require '%s'"):format(stream.printable(tostring(module), 60)),
      "it may require only \"moonlet\"")
  end
  local chunk = presets.load(path, text, globals)
  local ok, spec = pcall(chunk)
  if not ok then
    local at = type(spec) == "string" and spec:match("^(.-:%d+):") or path
    record.refuse(("runner %s: %s"):format(name, (reason(spec):gsub("^.-:%d+:%s*", ""))), nil, at)
  end
  local made, runner = pcall(M.make, name, spec, builtin)
  if not made then
    if type(runner) == "table" then runner.at = runner.at or path end
    error(runner, 0)
  end
  return runner
end

return M
