--- ctx:agent: one bounded piece of work for one agent, with an artifact directory of its own. The
--- agent sees a prompt, never a conversation; what it answers is checked before anyone uses it.
local state_of = require "moonlet.internal.state"
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local grants = require "moonlet.internal.grants"
local runners = require "moonlet.internal.runners"
local command = require "moonlet.internal.runner.command"
local artifacts = require "moonlet.internal.artifacts"

local M = {}

local fields = {
  name = "string", prompt = "string!", runner = "string", model = "string", role = "string",
  returns = "table", rules = "callable", inputs = "list", env = "list", argv = "list",
  cwd = "string", timeout = "duration", idle = "duration",
}
local default_timeout_ms = 30 * 60 * 1000
local default_idle_ms = 10 * 60 * 1000
local answer_cap = 8 << 20
local prompt_cap = 64 << 20
local log_cap = 64 << 20

--- The JSON value in an answer: the whole text, or else its only fenced block.
local function parse_json(text)
  local ok, value = pcall(core.json.decode, text)
  if ok then return value end
  local blocks = {}
  for block in ("\n" .. text):gmatch("\n```%w*[ \t]*\r?\n(.-)\n[ \t]*```") do
    blocks[#blocks + 1] = block
  end
  if #blocks == 1 then
    local fenced_ok, fenced = pcall(core.json.decode, blocks[1])
    if fenced_ok then return fenced end
    return nil, fenced.message
  end
  return nil, value.message
end

--- Checks an answer against `returns`. Returns the data, or nil and what is wrong with it.
local function check_answer(returns, text)
  local data, why = parse_json(text)
  if data == nil then return nil, "the answer is not JSON: " .. tostring(why) end
  local problems = core.json.validate(returns, data)
  if problems then return nil, problems end
  return data
end

local function repair_prompt(prompt, answer, problems)
  return table.concat({
    prompt, "\n\n---\nYour last answer could not be used:\n\n", problems,
    "\n\nIt began with:\n\n", artifacts.fence(core.text.cut(answer, 4000)),
    "\n\nAnswer again, with nothing but the JSON value that is asked for.\n",
  })
end

local function run_rules(call)
  if not call.rules then
    error(record.invalid(("the agent call '%s' has no rules"):format(call.name or "agent"),
      "name an agent with --runner 'command:PROGRAM ARG…'"), 0)
  end
  local data = call.rules()
  local text = type(data) == "string" and data or core.json.encode(data, 2)
  if type(data) == "string" and not call.returns then data = nil end
  if call.returns then
    local problems = core.json.validate(call.returns, data)
    if problems then
      error({ kind = "failed", message = "the rules returned something else than promised: " .. problems }, 0)
    end
  end
  return { status = "ok", text = text, data = data }
end

local function read_answer(run, dir)
  local written, _, written_cut = run.read_artifact(dir .. "/out/output.md", answer_cap)
  if written then return { text = written, cut = written_cut, source = "out/output.md" } end
  local printed, _, cut = run.read_artifact(dir .. "/stdout.log", answer_cap)
  return { text = printed or "", cut = cut or false, source = "stdout" }
end

--- Starts the program once and reads what it left.
local function run_command(run, step, dir, call, argv, prompt)
  run.write_artifact(dir .. "/prompt.md", prompt)
  local made = command.command {
    argv = argv, prompt = prompt, prompt_file = run.absolute(dir .. "/prompt.md"),
    out = run.absolute(dir .. "/out"),
  }
  local limits = {
    wall = call.timeout and duration.ms(call.timeout, "timeout") or default_timeout_ms,
    idle = call.idle and duration.ms(call.idle, "idle") or default_idle_ms,
  }
  local exit = core.process.run {
    step = step.key, argv = made.argv, env = run.child_environment({}, call.env),
    cwd = run.resolve_cwd(call.cwd),
    stdin_file = made.stdin and dir .. "/prompt.md" or nil,
    stdout_file = dir .. "/stdout.log", stderr_file = dir .. "/stderr.log", cap = log_cap,
    wall = limits.wall, idle = limits.idle,
    durable = true, own_group = true,
  }
  exit.stderr_tail = run.read_artifact(dir .. "/stderr.log", 64 * 1024)
  exit.argv = made.argv
  local answer = read_answer(run, dir)
  local result = command.finish(exit, answer, limits)
  result.exit = exit
  run.write_artifact(dir .. "/exit.json", core.json.encode(artifacts.exit_record(exit), 2) .. "\n")
  return result
end

--- One attempt and, where the answer is not what was promised, one more that is told what is wrong.
local function run_attempts(run, step, dir, call, argv)
  local prompt, attempts = core.run.redact(call.prompt), {}
  for number = 1, 2 do
    local started = core.clock.monotonic()
    local result = run_command(run, step, dir, call, argv, prompt)
    attempts[number] = { number = number, status = result.status, why = result.exit.why,
      exit_code = result.exit.code, duration_ms = core.clock.monotonic() - started,
      error = result.error and result.error.message or core.json.null }
    result.attempts = attempts
    if result.status ~= "ok" or not call.returns then return result end
    local data, problems = check_answer(call.returns, result.text)
    if data ~= nil then
      result.data = data
      return result
    end
    attempts[number].status, attempts[number].error = "invalid-output", problems
    if number == 2 then
      result.status = "failed"
      result.error = { kind = "failed", message = "the answer is not what was asked for: " .. problems,
        hint = "read output.md" }
      return result
    end
    run.emit("warning", { step = step.key, text = "the answer is not valid; asking once more" })
    prompt = core.run.redact(repair_prompt(call.prompt, result.text, problems))
  end
end

local function resolve_runner(run, call)
  if call.runner then
    local runner = runners.parse(call.runner)
    return { name = runner.name, argv = call.argv or runner.argv }
  end
  if call.argv then return { name = "command", argv = call.argv } end
  return run.runner
end

--- ctx:agent{ name, prompt, … } -> { text, data, usage, attempts, dir }; raises when it failed.
function M.agent(ctx, call)
  local state = state_of.of(ctx)
  local run = state.run
  record.check(call, fields, "ctx:agent")
  local runner = resolve_runner(run, call)
  local key = state_of.key(state, call.name or "agent")
  local argv = runner.argv
  if runner.name == "command" then
    grants.check_agents(run.grants)
    for _, name in ipairs(call.env or {}) do grants.check_env(run.grants, name) end
    if not argv or #argv == 0 then
      error(record.invalid("the runner 'command' needs a program",
        "write --runner 'command:PROGRAM ARG…', or give ctx:agent{ argv = {…} }"), 0)
    end
  end
  core.task.check()
  if run.dry then
    local dir = run.agent_directory(state.path == "" and key, key)
    run.write_artifact(dir .. "/prompt.md", call.prompt)
    run.prompts = (run.prompts or 0) + 1
    error({ kind = "prepared", message = "the prompt is written; no agent is started" }, 0)
  end
  local step = run.begin_step(key, "agent", runner.name)
  local dir = run.agent_directory(state.path == "" and key, key)
  -- A prepared prompt may have been read, and edited: it is the one that was agreed on.
  local agreed = run.prepared and run.read_artifact(dir .. "/prompt.md", prompt_cap)
  if agreed then call = setmetatable({ prompt = agreed }, { __index = call }) end
  step.dir = dir
  local ok, result = pcall(function()
    if runner.name == "rules" then
      run.write_artifact(dir .. "/prompt.md", call.prompt)
      return run_rules(call)
    end
    return run_attempts(run, step, dir, call, argv)
  end)
  if not ok then
    run.end_step(step, "failed", { error = result })
    artifacts.write_agent(run, dir, step, call, runner, { status = "failed", text = "", error = result })
    error(result, 0)
  end
  if result.text ~= "" or result.status == "ok" then
    run.write_artifact(dir .. "/output.md", core.text.clean(result.text))
  end
  run.end_step(step, result.status == "ok" and "ok" or "failed", { error = result.error })
  artifacts.write_agent(run, dir, step, call, runner, result)
  if result.status ~= "ok" then error(result.error, 0) end
  return { text = result.text, data = result.data, usage = nil, attempts = result.attempts,
    dir = run.absolute(dir) }
end

return M
