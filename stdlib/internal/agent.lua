--- ctx:agent: one bounded piece of work for one agent, with an artifact directory of its own. The
--- agent sees a prompt, never a conversation; what it answers is checked before anyone uses it.
local state_of = require "moonlet.internal.state"
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local budget = require "moonlet.internal.budget"
local grants = require "moonlet.internal.grants"
local runners = require "moonlet.internal.runners"
local command = require "moonlet.internal.runner.command"
local artifacts = require "moonlet.internal.artifacts"
local journal = require "moonlet.internal.journal"
local changes = require "moonlet.internal.changes"
local values = require "moonlet.internal.values"

local M = {}

local fields = {
  name = "string", prompt = "string!", runner = "string", model = "string", role = "string",
  returns = "table", rules = "callable", inputs = "list", env = "list", argv = "list",
  cwd = "string", timeout = "duration", idle = "duration", in_place = "boolean",
  budget = "table",
}
local default_timeout_ms = 30 * 60 * 1000
local default_idle_ms = 10 * 60 * 1000
local default_answer_tokens = 4000
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

--- The name of an attempt in keeper.log.
local function attempt_id(key, number) return ("%s@%d"):format(key, number) end

--- Starts the attempt, or takes up one that a host before this one had started.
local function run_process(run, step, dir, call, argv, attempt)
  local id = attempt_id(step.key, attempt.number)
  if attempt.state == "running" or attempt.state == "exited" then
    run.emit("log", { step = step.key, text = attempt.state == "running"
      and "it still runs from before: waiting for it" or "it had ended before: its result is taken" })
    return core.process.take(step.key, id), argv
  end
  local made = command.command {
    argv = argv, prompt = attempt.prompt, prompt_file = run.absolute(dir .. "/prompt.md"),
    out = run.absolute(dir .. "/out"),
  }
  local exit = core.process.run {
    step = step.key, attempt = id, argv = made.argv, env = run.child_environment({}, call.env),
    cwd = run.resolve_cwd(call.cwd),
    stdin_file = made.stdin and dir .. "/prompt.md" or nil,
    stdout_file = dir .. "/stdout.log", stderr_file = dir .. "/stderr.log", cap = log_cap,
    wall = attempt.limits.wall, idle = attempt.limits.idle,
    durable = true, own_group = true, outlives = not call.in_place,
  }
  return exit, made.argv
end

--- One attempt: what the program left, read.
local function run_attempt(run, step, dir, call, argv, attempt)
  local exit, started = run_process(run, step, dir, call, argv, attempt)
  exit.stderr_tail = run.read_artifact(dir .. "/stderr.log", 64 * 1024)
  exit.argv = started
  local answer = read_answer(run, dir)
  local result = command.finish(exit, answer, attempt.limits)
  result.exit = exit
  run.write_artifact(dir .. "/exit.json", core.json.encode(artifacts.exit_record(exit), 2) .. "\n")
  return result
end

--- Where to begin: with the first attempt, or with the one that was under way when a host died.
local function first_attempt(run, step, dir, call, last)
  local limits = {
    wall = call.timeout and duration.ms(call.timeout, "timeout") or default_timeout_ms,
    idle = call.idle and duration.ms(call.idle, "idle") or default_idle_ms,
  }
  local first = { number = 1, prompt = core.run.redact(call.prompt), limits = limits }
  if not last then return first end
  local state = core.process.attempt(step.key, attempt_id(step.key, last.a))
  if state == "running" and call.in_place then
    -- Its keeper is about to end it, since its host is gone.
    local exit = core.process.take(step.key, attempt_id(step.key, last.a))
    state = exit.why == "cancelled" and "lost" or "exited"
  end
  if state == "lost" and call.in_place then
    local changed, cut = changes.between(values.get(last.seen), changes.snapshot(run, run.resolve_cwd(call.cwd)))
    require("moonlet.internal.gate").interrupted_writer(run, step, last.a, changes.text(changed, cut))
  end
  local attempt = { number = last.a, limits = limits, repair = last.repair, state = state }
  -- A repair round was asked with a prompt that its predecessor's answer is part of.
  attempt.prompt = last.repair and run.read_artifact(dir .. "/prompt.md", 64 << 20) or first.prompt
  if state == "lost" then
    run.emit("warning", { step = step.key, text = ("attempt %d was lost with its keeper: once more"):format(last.a) })
    attempt.number, attempt.state = last.a + 1, nil
  elseif state == "none" then
    attempt.state = nil
  end
  return attempt
end

--- Puts the attempt on record before it starts, unless it is there already.
local function record_attempt(run, step, dir, hash, attempt, call)
  if attempt.state then return end
  run.write_artifact(dir .. "/prompt.md", attempt.prompt)
  -- Of what is interrupted in place a person will want to know what it did.
  local seen = call.in_place and values.put(changes.snapshot(run, run.resolve_cwd(call.cwd)), true) or nil
  journal.begin(run, step.key, attempt.number, hash, { repair = attempt.repair, seen = seen })
end

--- Runners that report no usage are counted by their text: four bytes are about a token.
local function tokens_of(text) return (#text + 3) // 4 end

--- What an attempt may use, reserved before it starts.
local function amounts_of(call, prompt)
  local answer = call.budget and call.budget.tokens or default_answer_tokens
  return { agents = 1, processes = 1, tokens = tokens_of(prompt) + answer }
end

--- Adds what a call that is only prepared may come to: each attempt that it may need.
local function count_worst_case(worst, call, runner)
  worst.calls = worst.calls + 1
  if runner.name == "rules" then return end
  local attempts = call.returns and 2 or 1
  for kind, amount in pairs(amounts_of(call, call.prompt)) do
    worst[kind] = worst[kind] + attempts * amount
  end
end

local function used_by(prompt, result)
  return { agents = 1, processes = 1, tokens = tokens_of(prompt) + tokens_of(result.text) }
end

--- One attempt and, where the answer is not what was promised, one more that is told what is wrong.
local function run_attempts(run, step, dir, call, argv, last, hash, own_budget)
  local attempt = first_attempt(run, step, dir, call, last)
  local attempts = {}
  while true do
    local started = core.clock.monotonic()
    local result = budget.with(own_budget, amounts_of(call, attempt.prompt), function()
      record_attempt(run, step, dir, hash, attempt, call)
      local result = run_attempt(run, step, dir, call, argv, attempt)
      return result, used_by(attempt.prompt, result)
    end)
    local entry = { number = attempt.number, status = result.status, why = result.exit.why,
      exit_code = result.exit.code, duration_ms = core.clock.monotonic() - started,
      error = result.error and result.error.message or core.json.null,
      taken_over = attempt.state ~= nil or nil }
    attempts[#attempts + 1] = entry
    result.attempts = attempts
    if result.status ~= "ok" or not call.returns then return result end
    local data, problems = check_answer(call.returns, result.text)
    if data ~= nil then
      result.data = data
      return result
    end
    entry.status, entry.error = "invalid-output", problems
    if attempt.repair then
      result.status = "failed"
      result.error = { kind = "failed", message = "the answer is not what was asked for: " .. problems,
        hint = "read output.md" }
      return result
    end
    run.emit("warning", { step = step.key, text = "the answer is not valid; asking once more" })
    attempt = { number = attempt.number + 1, repair = true, limits = attempt.limits,
      prompt = core.run.redact(repair_prompt(call.prompt, result.text, problems)) }
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

--- The rules are a function of the preset: they cost nothing and are asked each time.
local function run_rules_step(run, key, dir, call, runner)
  local step = run.begin_step(key, "agent", runner.name)
  core.event.emit("step.started", key, { kind = "agent", runner = runner.name })
  run.write_artifact(dir .. "/prompt.md", call.prompt)
  local ok, result = pcall(run_rules, call)
  if not ok then
    run.end_step(step, "failed", { error = result })
    artifacts.write_agent(run, dir, step, call, runner, { status = "failed", text = "", error = result })
    error(result, 0)
  end
  run.write_artifact(dir .. "/output.md", core.text.clean(result.text))
  run.end_step(step, "ok", {})
  artifacts.write_agent(run, dir, step, call, runner, result)
  return { text = result.text, data = result.data, dir = run.absolute(dir) }
end

--- What the journal has to know of a call: the same is the same step.
local function input_of(run, call, runner, argv)
  return { verb = "agent", prompt = core.run.redact(call.prompt), runner = runner.name, argv = argv,
    model = call.model or run.model, role = call.role or run.options.agent_role, returns = call.returns,
    cwd = call.cwd, env = call.env, in_place = call.in_place }
end

--- A limit in USD that the user asked for must hold; one that a preset brings along is not watched
--- where nobody knows a price, and that is said.
local function check_price(run, runner)
  if run.options.usd_asked then budget.check_price(runner) end
  if run.price_told then return end
  run.price_told = true
  run.emit("warning", { text = ("what the runner '%s' costs is unknown: the preset's limit in USD is not watched")
    :format(runner.name) })
end

local function run_agent_step(state, key, dir, call, runner, argv)
  local run = state.run
  if budget.is_limited(state.budget, "usd") then check_price(run, runner) end
  local input = input_of(run, call, runner, argv)
  local value, step = run.step(key, "agent", runner.name, input, { paid = true }, function(last, hash, step)
    step.dir = dir
    local ok, result = pcall(run_attempts, run, step, dir, call, argv, last, hash, state.budget)
    if not ok then result = { status = "failed", text = "", error = result } end
    if result.text ~= "" or result.status == "ok" then
      run.write_artifact(dir .. "/output.md", core.text.clean(result.text))
    end
    step.duration_ms = core.clock.monotonic() - step.started
    artifacts.write_agent(run, dir, step, call, runner, result)
    if result.status ~= "ok" then error(result.error, 0) end
    return { text = result.text, data = result.data, attempts = core.json.array(result.attempts) }
  end)
  if step.cached then
    local number = #(value.attempts or {})
    budget.count(state.budget, { agents = number, processes = number,
      tokens = tokens_of(call.prompt) + tokens_of(value.text) })
  end
  run.end_step(step, "ok", {})
  value.dir = run.absolute(dir)
  return value
end

--- A prepared prompt may have been read, and edited: it is the one that was agreed on.
local function with_agreed_prompt(run, key, dir, call)
  if not run.prepared then return call end
  local agreed = journal.fact(run, key .. "/agreed", { verb = "agreed" }, function()
    return run.read_artifact(dir .. "/prompt.md", prompt_cap) or core.json.null
  end)
  if agreed == core.json.null then return call end
  return setmetatable({ prompt = agreed }, { __index = call })
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
    count_worst_case(run.worst, call, runner)
    error({ kind = "prepared", message = "the prompt is written; no agent is started" }, 0)
  end
  local dir = run.agent_directory(state.path == "" and key, key)
  call = with_agreed_prompt(run, key, dir, call)
  if runner.name == "rules" then return run_rules_step(run, key, dir, call, runner) end
  return run_agent_step(state, key, dir, call, runner, argv)
end

return M
