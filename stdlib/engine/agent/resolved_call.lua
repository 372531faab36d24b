--- Determines the runner, program, model, limits and sandbox of an agent call for all attempts.
local record = require "moonlet.record"
local budget = require "moonlet.prompt.budget"
local duration = require "moonlet.duration"
local instruction_text = require "moonlet.engine.runner.instruction_text"
local readers = require "moonlet.engine.runner.reader"
local command = require "moonlet.engine.runner.command"
local grants = require "moonlet.engine.context.grants"
local words = require "moonlet.engine.effects.words"
local worker = require "moonlet.engine.effects.worker"
local shared = require "moonlet.engine.runner.shared"
local routing = require "moonlet.engine.agent.routing"
local runners = require "moonlet.engine.load.runners"
local workspace = require "moonlet.engine.workspace.workspace"

local remote_steps = require "moonlet.engine.remote.steps"

local M = {}

local instructions_priority = 1000  -- so high that all other parts of a prompt are dropped first
local default_timeout_ms = 30 * 60 * 1000
local default_idle_ms = 10 * 60 * 1000

---@class moonlet.ResolvedCall   immutable
---@field run moonlet.Run
---@field call moonlet.AgentCall  copy of the script's call
---@field routed moonlet.Routed  the chosen runner, with the reason for the choice
---@field runner table          see runners.lua
---@field config table          the runner's entry of the user's config
---@field argv string[]?        command line of the runner `command`
---@field program string?       path of the runner's program
---@field absent table?         error if a required program is missing
---@field model string?
---@field limits {wall: integer, idle: integer, turns: integer?}
---@field prompt_tokens integer?  token budget of the prompt
---@field instructions moonlet.Instructions[]?  instruction files for the agent
---@field sandbox "read-only"|"workspace-write"
---@field confine "host"|"none"|nil   nil: the runner's own sandbox, or else the host's
---@field confined boolean?     the kernel confines the agent; nil if no process starts
---@field credential string     hash that identifies the provider's account
---@field login (fun(): string)?  returns a hash of the account's current login
---@field cassette table?       the cassette, if a cassette answers the call
---@field recorded_runner (fun(recorded: table): table)?  returns the runner that parses a recording

local function refuse_change(_, name)
  error(("a resolved call does not change: %s"):format(tostring(name)))
end

local frozen_calls = setmetatable({}, { __mode = "k" })

local function frozen(fields)
  return setmetatable({}, { __index = fields, __newindex = refuse_change })
end

local function check_cwd(run, cwd)
  if not cwd then return end
  local inside = cwd:sub(1, 1) ~= "/" or cwd == run.top
    or cwd:sub(1, #run.top + 1) == run.top .. "/"
  if inside and not ("/" .. cwd .. "/"):find("/../", 1, true) then return end
  record.refuse(("ctx:agent: cwd is '%s', outside of the repository"):format(
    core.text.printable(cwd, 200)),
    "give a folder from the top of the repository, such as \"src\"")
end

--- Returns a read-only copy of the argument of ctx:agent, because the script may change its own
--- table while other tasks run.
local function copy_of(call)
  if frozen_calls[call] then return call end
  local copy = {}
  for name, value in pairs(call) do
    if type(value) == "table" and name ~= "schema" and #value > 0 then
      local list = { table.unpack(value) }
      value = core.json.is_array(value) and core.json.array(list) or list
    end
    copy[name] = value
  end
  copy = frozen(copy)
  frozen_calls[copy] = true
  return copy
end

--- Makes a runner that starts an arbitrary program. `events` names the format of its events.
local function command_runner(events)
  local reader = events and readers.events(events)
  local runner = { name = "command", title = "the agent" }
  function runner.command(call)
    local made = command.command { argv = call.argv, prompt = call.prompt,
      prompt_file = call.prompt_file, out = call.out }
    return { argv = made.argv, stdin = made.stdin and "prompt" or "none", sandbox = "host",
      writable = shared.writable(call) }
  end
  if reader then
    for _, name in ipairs { "begin", "parse", "lines", "log", "finish", "normalise" } do
      runner[name] = reader[name]
    end
  else
    function runner.finish(_, exit, answers)
      return command.finish(exit, { text = answers.file or answers.stdout or "",
        cut = answers.cut }, answers.limits)
    end
  end
  return runner
end

--- Returns a hash that identifies the provider's account, from settings and environment.
local function credential_of(job)
  local parts = { job.runner.name, job.config.home or "", table.concat(job.config.args or {}, "\0"),
    job.program or "" }
  -- Ignore variables of the call that are not secret, because they cannot identify the account.
  local secret_names = shared.secret_names({}, job.call.env)
  for _, names in ipairs { job.runner.env_names or {}, job.config.env or {}, secret_names } do
    for _, name in ipairs(names) do
      parts[#parts + 1] = name .. "=" .. (core.system.env(name) or "")
    end
  end
  for _, word in ipairs(job.argv or {}) do parts[#parts + 1] = word end
  return core.text.sha256(table.concat(parts, "\0")):sub(1, 32)
end

--- Returns a hash that changes with each login, while the account stays the same.
local function login_of(job)
  local parts = {}
  for _, name in ipairs(job.call.env or {}) do
    parts[#parts + 1] = name .. "=" .. (core.system.env(name) or "")
  end
  local files = not job.config.private and job.runner.login_files
  for _, path in ipairs(files and files(job.config) or {}) do
    local folder, name = (core.system.real_path(path) or path):match("^(/.*)/([^/]+)$")
    local root = folder and core.file.root(folder)
    local info = root and core.file.stat(root, name)
    parts[#parts + 1] = info and ("%d %d %d"):format(info.size, info.mtime_ns, info.inode) or "none"
  end
  return core.text.sha256(table.concat(parts, "\0")):sub(1, 32)
end

local function confine_of(run, call)
  if call.confine and call.confine ~= "host" then
    record.refuse(("ctx:agent: confine '%s' is not understood"):format(
      core.text.printable(call.confine, 40)),
      'write confine = "host", or leave it out')
  end
  if run.options.unconfined then return "none" end
  -- The host's sandbox can add writable paths to the working folder; a runner's own cannot.
  if call.confine or call.writes then return "host" end
  -- A runner's own sandbox cannot restrict what an agent reads.
  if call.inputs and core.process.confinement() then return "host" end
end

--- Reports whether the kernel confines the agent, by the runner's own sandbox or the host's.
local function is_confined(job)
  if job.cassette then return true end
  if job.runner.own_sandbox and job.confine ~= "host" then return true end
  return job.confine ~= "none" and core.process.confinement() ~= nil
end

--- Returns the program's path, or nil and an error. The caller raises the error only if the program
--- must start.
local function find_program(job)
  if not job.runner.detect then return nil end
  local found, why = job.runner.detect(job.config)
  if found then return found.path end
  return nil, record.invalid(("the runner '%s' is not installed: %s"):format(job.runner.name, why),
    ("install it, or set runners.%s.program in the config"):format(job.runner.name))
end

--- Returns the call's own route, or else the run's. Raises an error if a rule refuses the work.
local function route(run, call)
  local own = call.runner and runners.parse(call.runner, run.config)
    or call.argv and { name = "command" }
  -- The runner `mock` replaces every other runner.
  return routing.of_call(run, call, run.runner.name ~= "mock" and own or run.runner)
end

local function resolve(run, call, spec)
  if spec.none then return { made = true, none = true }, {} end
  if spec.name == "mock" then return { name = spec.name, made = true }, {} end
  if spec.name == "cassette" then
    return { name = "cassette", title = "the cassette", instant = true }, {}
  end
  if spec.name ~= "command" then return runners.get(spec.name, run.config) end
  local argv = call.argv or spec.argv
  for i, word in ipairs(call.argv or {}) do words.check(word, i, "ctx:agent: argv") end
  if not argv or #argv == 0 then
    record.refuse("the runner 'command' needs a program",
      "write --runner 'command:PROGRAM ARG…', or give ctx:agent{ argv = {…} }")
  end
  return command_runner(call.events), run.config.runners.command or {}, argv
end

--- Returns the runner that made a recording, because only that runner can parse the recording.
local function recorded_runner(run, call)
  if call.runner == "command" then return command_runner(call.events) end
  return (runners.get(call.runner, run.config))
end

--- Returns the prompt within its token budget, with the role if the program has no option for it.
---@return moonlet.prompt.Composed?  nil if nothing was left out
function M.prompt(job)
  local role, prompt, parts = job.call.role or job.run.options.agent_role, job.call.prompt, {}
  if role and job.runner.role == "prompt" then
    parts[1] = { name = "role", text = shared.role_line(role), priority = 0, required = true }
  end
  for _, file in ipairs(job.instructions or {}) do
    parts[#parts + 1] = { name = "the instructions of " .. file.path,
      text = instruction_text.section(file), priority = instructions_priority, required = false }
  end
  if job.prompt_tokens then return budget.fit(prompt, job.prompt_tokens, parts) end
  return budget.in_front(parts, prompt), budget.of(prompt)
end

--- Returns the prompt that a dry run writes: the real one without the line about the role.
function M.shown_prompt(job)
  local role, prompt = job.call.role or job.run.options.agent_role, M.prompt(job)
  if not role or job.runner.role ~= "prompt" then return prompt end
  return prompt:sub(#shared.role_line(role) + 3)
end

function M.with(resolved, fields)
  return setmetatable({}, { __index = function(_, name)
    if fields[name] ~= nil then return fields[name] end
    return resolved[name]
  end, __newindex = refuse_change })
end

function M.with_prompt(resolved, prompt)
  local call = setmetatable({ prompt = prompt, edited = true },
    { __index = resolved.call, __newindex = refuse_change })
  frozen_calls[call] = true
  return M.with(resolved, { call = call })
end

local function check_rights(run, call, starts)
  if starts then grants.check_agents(run.grants) end
  for _, name in ipairs(call.env or {}) do grants.check_env(run.grants, name) end
  for _, path in ipairs(call.inputs or {}) do grants.check_read(run.grants, path) end
end

--- Rejects an input file that is missing, unless a step that the dry run skips could create it.
local function check_inputs(run, call)
  local seen = run.checking
  if run.mocked or seen and #seen.commands > 0 then return end
  for _, path in ipairs(call.inputs or {}) do
    if not core.file.stat(run.home.root, path) and not (seen and seen.made_up[path]) then
      record.refuse(("ctx:agent: the input %s is not there"):format(core.text.printable(path, 200)),
        "inputs are files of the repository, relative to its top")
    end
  end
end

--- Checks a call for the runner mock like a call for a real agent.
--- Without a preset, no rights to start agents or to write are declared, so these are not checked.
local function check_as_real(run, call)
  local mode, declares = workspace.mode(run, call), run.preset ~= nil or run.checking ~= nil
  check_rights(run, call, declares)
  check_inputs(run, call)
  if mode == "read-only" or not declares then return end
  for _, path in ipairs(call.writes or { call.cwd or "." }) do
    grants.check_write(run.grants, path)
  end
end

--- Copies a call with the prompt, runner or model of `moonlet run replay --step`.
---@param change {prompt: string?, runner: string?, model: string?}
---@return moonlet.AgentCall
function M.changed(call, change)
  local copy = {}
  for name, value in pairs(call) do copy[name] = value end
  copy.prompt, copy.model = change.prompt or call.prompt, change.model or call.model
  if change.runner then
    local program = change.runner:match "^command:(.*)$"
    copy.runner, copy.argv = program and "command" or change.runner,
      program and command.split(program) or nil
  end
  return copy
end

--- Resolves a call, or raises an error if the call is invalid.
---@param routed moonlet.Routed?  the route, if it is known already
function M.of(run, call, routed)
  call = copy_of(call)
  routed = routed or route(run, call)
  local runner, config, argv = resolve(run, call, routed.runner)
  local job = { run = run, call = call, routed = routed, runner = runner, config = config,
    argv = argv, model = call.model or run.options.model or routed.model or config.model }
  job.limits = {
    wall = call.timeout and duration.ms(call.timeout, "timeout") or default_timeout_ms,
    idle = call.idle and duration.ms(call.idle, "idle") or default_idle_ms,
    turns = call.turns,
  }
  if call.turns and call.turns < 1 then
    record.refuse(("ctx:agent: turns cannot be %d"):format(call.turns),
      "give a whole number, 1 or more")
  end
  check_cwd(run, call.cwd)
  if call.retry and call.retry < 0 then
    record.refuse(("ctx:agent: retry cannot be %d"):format(call.retry),
      "give a whole number, 0 or more")
  end
  budget.check_budget(call.prompt_tokens, "ctx:agent: prompt_tokens")
  job.prompt_tokens = budget.least(call.prompt_tokens, run.prompt_tokens)
  if runner.name == "mock" then check_as_real(run, call) end
  if runner.made then return frozen(job) end
  job.on = runner.name ~= "cassette" and (call.on or run.options.on) or nil
  if job.on then
    remote_steps.check(run, job.on)
    if call.in_place or call.writes or call.asks then
      record.refuse(("ctx:agent: on = '%s' needs a worktree of its own"):format(job.on),
        "leave out in_place, writes and asks")
    end
  end
  if runner.name == "cassette" then
    job.cassette = routed.runner
    job.recorded_runner = function(recorded) return recorded_runner(run, recorded) end
  end
  check_rights(run, call, true)
  if not run.dry then worker.check(runner.name) end
  job.sandbox = workspace.mode(run, call)
  job.confine = confine_of(run, call)
  job.confined = is_confined(job)
  job.program, job.absent = find_program(job)
  -- A cassette has its own credential, so that a replayed refusal does not block real calls.
  job.credential = job.cassette and core.text.sha256(run.absolute(run.sidecar)):sub(1, 32)
    or credential_of(job)
  if not job.cassette then job.login = function() return login_of(job) end end
  return frozen(job)
end

return M
