--- `moonlet run`: whatever can be refused is refused before anything is written.
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local arg = require "moonlet.arg"
local presets = require "moonlet.engine.load.loader"
local reference = require "moonlet.engine.cli.reference"
local routing = require "moonlet.engine.agent.routing"
local acceptance = require "moonlet.engine.effects.consent"
local home_module = require "moonlet.engine.run.repository"
local budget_module = require "moonlet.engine.budget.budget"
local grants = require "moonlet.engine.context.grants"
local runners = require "moonlet.engine.load.runners"
local cassette = require "moonlet.engine.runner.cassette"
local config = require "moonlet.engine.load.config"
local spending = require "moonlet.engine.agent.metering"
local inputs = require "moonlet.engine.run.inputs"
local record_store = require "moonlet.engine.run.store"
local report = require "moonlet.engine.run.report"
local run_module = require "moonlet.engine.run.run"
local run_record = require "moonlet.engine.run.manifest"
require "moonlet.engine.run.verbs"

local M = {}

local known = {
  ["repo"] = { value = "DIR", help = "the repository or folder to work in (default: here)" },
  ["title"] = { value = "TEXT", help = "a title for the record" },
  ["phase"] = { value = "NAME", help = "the phase of the work, for the record" },
  ["task-type"] = { value = "NAME",
    help = "the kind of work, as in test-gaps: what --runner route goes by; what no sidecar should do is refused" },
  ["risk"] = { value = "low|medium|high", help = "what is at stake (default low); high is refused as such work is" },
  ["task-id"] = { value = "ID", help = "the name of the artifact directory" },
  ["runner"] = { value = "R",
    help = "rules (no model), mock (answers are made up), codex, claude, gemini, opencode, executor, "
      .. "one of your config, 'command:PROGRAM ARG…', or route: chosen by task type and risk" },
  ["model"] = { value = "NAME", help = "the model that the runner is asked for" },
  ["sandbox"] = { value = "read-only|workspace-write", help = "what agents may write (default read-only)" },
  ["unconfined"] = { help = "start agents without the host's sandbox, with your own rights" },
  ["agent-role"] = { value = "ROLE", help = "the role that the agent is given" },
  ["input"] = { value = "SPEC", many = true,
    help = "what may be inspected: file:, glob:, cmd:, diff:, or the obvious one" },
  ["budget"] = { value = "KIND=N,…", many = true,
    help = "wall=20m, agents=10, processes=100, tokens=200000, usd=4, or none" },
  ["limit"] = { value = "N", help = "how many agents or commands at once (default 8)" },
  ["allow"] = { value = "GRANT", many = true,
    help = "needs, agents, all, run=PROGRAM,…, read=DIR, write=DIR, env=NAME" },
  ["dry-run"] = { help = "make the prompts and the record; start no agent" },
  ["prepared"] = { value = "ID", help = "run what --dry-run prepared" },
  ["gates"] = { value = "park|deny", help = "what a gate does without a person (default park)" },
  ["background"] = { help = "print the id of the run and leave it to a process of its own" },
  ["detached"] = { help = "this process is the one that --background left", hidden = true },
  ["record"] = { value = "DIR", help = "keep what agents are given and give, for --runner cassette:DIR" },
  ["reason"] = { value = "TEXT", help = "why this run is made, for the record; forces work that is refused" },
  ["plain"] = { help = "lines instead of the live view, on a terminal too" },
  ["json"] = { help = "print one JSON envelope and nothing else" },
  ["events"] = { help = "print events as JSON lines while they happen" },
  ["help"] = { help = "this text; with a preset also its arguments" },
}

--- Subcommands: `moonlet run list` and others. No preset has such a name (preset.lua).
local subcommands = {
  list = "moonlet.engine.cli.runs", show = "moonlet.engine.cli.runs",
  resume = "moonlet.engine.cli.resume", wait = "moonlet.engine.cli.wait",
  cancel = "moonlet.engine.cli.cancel", verify = "moonlet.engine.cli.verify",
}

local default_limit = 8
local builtin_runners = { rules = true, mock = true, command = true, cassette = true } -- no program of a known name

local function preset_options(preset)
  local all = {}
  for name, option in pairs(known) do all[name] = option end
  for name, declared in pairs(preset.args) do
    local option_name = name:gsub("_", "-")
    if known[option_name] then
      error(record.invalid(("preset %s: the argument '%s' is an option of moonlet run already"):format(
        preset.name, name), "give it another name"), 0)
    end
    local parts = { declared.help or "" }
    if declared.choices then parts[#parts + 1] = "one of " .. table.concat(declared.choices, ", ") end
    if declared.required then parts[#parts + 1] = "required" end
    local default = declared.default
    if type(default) == "table" then default = table.concat(default, ",") end
    if default ~= nil and default ~= "" then parts[#parts + 1] = "default " .. tostring(default) end
    all[option_name] = {
      value = declared.type ~= "boolean" and declared.type:upper() or nil,
      many = declared.type == "list", help = table.concat(parts, "; "):gsub("^; ", ""), arg = name,
    }
  end
  return all
end

--- A line for each kind of argument of a preset, from the annotation of m.arg.KIND.
local function kinds_text(preset)
  local kinds, lines = {}, {}
  for _, declared in pairs(preset.args) do kinds[declared.type] = true end
  for kind in pairs(kinds) do
    local text = reference.kind_of_argument(kind)
    if kind ~= "boolean" and text then lines[#lines + 1] = ("  %-9s %s"):format(kind:upper(), text) end
  end
  table.sort(lines)
  return table.concat(lines, "\n")
end

local function help_text(preset, all)
  local own, common = {}, {}
  for name, option in pairs(all) do
    if option.arg then own[name] = option else common[name] = option end
  end
  local lines
  if preset then
    lines = { preset.summary, "", ("usage: moonlet run %s [arguments] [options]"):format(preset.name), "" }
    if next(own) then
      lines[#lines + 1] = "arguments:\n" .. options.help(own) .. "\n\n" .. kinds_text(preset) .. "\n"
    end
  else
    lines = { "usage: moonlet run PRESET | FILE.lua [arguments] [options]", "" }
  end
  lines[#lines + 1] = "options:\n" .. options.help(common) .. "\n"
  return table.concat(lines, "\n")
end

--- The first word that is no option names the target. Values of options are skipped.
local function find_target(words)
  local i = 2
  while i <= #words do
    local word = words[i]
    if word == "--" then return words[i + 1], i + 1 end
    if word:sub(1, 1) ~= "-" or word == "-" then return word, i end
    local name = word:match("^%-%-([^=]+)$")
    if name and known[name] and known[name].value then i = i + 1 end
    i = i + 1
  end
end

local function without(words, index)
  local rest = {}
  for i = 2, #words do
    if i ~= index then rest[#rest + 1] = words[i] end
  end
  return rest
end

--- The arguments of the command line; of a prepared run those it was prepared with, and no others.
local function preset_args(preset, found, all, prepared)
  local given = {}
  for option_name, option in pairs(all) do
    local value = found[option_name]
    if option.arg and value ~= nil then
      local declared = preset.args[option.arg]
      if type(value) == "table" then value = table.concat(value, ",") end
      given[option.arg] = arg.convert(declared, value, option_name)
    end
  end
  if prepared then
    local name = next(given)
    if name then
      error(options.usage(("--%s: --prepared runs what was prepared, with its arguments"):format(name:gsub("_", "-")),
        "leave it out, or prepare another run with --dry-run"), 0)
    end
    for key, value in pairs(prepared.args or {}) do
      if preset.args[key] and value ~= core.json.null then given[key] = value end
    end
  end
  return arg.complete(preset.args, given)
end

--- A limit of --budget; `none` is no limit.
local function budget_value(key, value, item)
  if value == "none" and budget_module.fields[key or ""] then return nil end
  if key == "wall" then
    duration.ms(value, "--budget wall")
    return value
  end
  local number = tonumber(value)
  if key ~= "usd" then number = math.tointeger(number) end
  if not budget_module.fields[key or ""] or not number or number < 0 or number ~= number or number == math.huge then
    error(options.usage(("--budget '%s' is not understood"):format(core.text.printable(item, 60)),
      "write --budget wall=20m, agents=10, processes=100, tokens=200000 or usd=4; tokens=none lifts a limit"), 0)
  end
  return number
end

--- True if --budget names USD.
---@param list string[]?
---@return boolean
function M.names_usd(list)
  for _, text in ipairs(list or {}) do
    if text:find "%f[%a]usd%s*=" then return true end
  end
  return false
end

--- Puts the limits of --budget over those of `budget`, and leaves the others as they are.
---@param budget table
---@param list string[]?
---@return table
function M.change_budget(budget, list)
  local changed = {}
  for key, value in pairs(budget) do changed[key] = value end
  local named = {}
  for _, text in ipairs(list or {}) do
    -- An empty value may be a variable that was not set: that is no wish for no limit.
    for item in (text .. ","):gmatch("([^,]*),") do
      local key, value = item:match("^%s*(%l+)%s*=%s*(.-)%s*$")
      changed[key or ""] = budget_value(key, value, item)
      if named[key] then error(options.usage(("--budget names %s twice"):format(key), "keep one of them"), 0) end
      named[key] = true
    end
  end
  return changed
end

--- Raises for a word of --gates that is not understood.
---@param word string?
function M.check_gates(word)
  if word and word ~= "park" and word ~= "deny" then
    error(options.usage(("--gates '%s' is not understood"):format(core.text.printable(word, 40)),
      "write --gates park or --gates deny"), 0)
  end
end

local function tighter(kind, one, other)
  if one == nil or other == nil then return one or other end
  if kind == "wall" then return duration.ms(one, "wall") <= duration.ms(other, "wall") and one or other end
  return math.min(one, other)
end

--- The limits of a run: the smaller of the user's config's and the preset's, overridden by those of the command line.
--- The number of agents is always limited.
---@param list string[]?
---@param preset moonlet.Preset?
---@param own_config moonlet.Config?
---@return table
function M.parse_budget(list, preset, own_config)
  local budget = {}
  for key in pairs(budget_module.fields) do
    budget[key] = tighter(key, own_config and own_config.limits[key], preset and preset.budget[key])
  end
  budget.agents = budget.agents or budget_module.default_agents
  return M.change_budget(budget, list)
end

local function check_needs(preset, home)
  local needs = preset.needs
  if needs.repository and not home.git then
    error(record.invalid(("%s is not a git repository, and preset %s works on one"):format(home.top,
      preset.name), "run it inside a repository, or name one with --repo DIR", home.top), 0)
  end
  for _, program in ipairs(needs.programs or {}) do
    if not core.system.find_program(program) then
      error(record.invalid(("preset %s needs the program '%s', which is not in PATH"):format(
        preset.name, program), "install it, or put its folder into PATH"), 0)
    end
  end
end

--- The rights of the run: built-in presets get those that they declare, others those that were allowed.
local function resolve_grants(source, preset, allow, consent, no_agents)
  local given, accepted = grants.empty(), false
  for _, text in ipairs(allow or {}) do
    if grants.parse(given, text) then accepted = true end
  end
  if not preset then
    if accepted then
      error(options.usage("--allow needs is for presets; a script declares nothing",
        "name what it may do: --allow run=git"), 0)
    end
    return given
  end
  if given.all then return given end
  local wanted = acceptance.demand(source, preset, accepted, consent, no_agents)
  for _, text in ipairs(allow or {}) do grants.parse(wanted, text) end
  return wanted
end

--- The rights that a prepared run was given, as long as its text is the same.
local function given_before(plan, allow)
  local rec = plan.before and plan.before.record
  if not rec or not presets.is_text(plan.source, rec.preset_sha256) then return nil end
  for _, text in ipairs(allow or {}) do grants.parse(rec.grants, text) end
  return rec.grants
end

--- Lets the preset refuse its arguments before anything is written.
local function let_preset_check(plan)
  if not plan.preset or not plan.preset.check then return end
  plan.preset.check({
    repo = plan.home.top, git = plan.home.git and true or false, inputs = plan.inputs, reason = plan.options.reason,
    read = function(_, path, look)
      grants.check_read(plan.grants, path)
      return core.file.read(plan.home.root, path, look and look.cap or 1 << 20)
    end,
  }, plan.args)
end

--- Refuses a sandbox that is none, or that the run has no right to.
local function check_sandbox(plan)
  local asked = plan.options.sandbox
  if asked and asked ~= "read-only" and asked ~= "workspace-write" then
    error(options.usage(("--sandbox '%s' is not understood"):format(core.text.printable(asked, 40)),
      "write --sandbox read-only or --sandbox workspace-write"), 0)
  end
  if asked == "workspace-write" and not plan.grants.all and #plan.grants.write == 0 then
    error({ kind = "denied", usage = true, message = ("--sandbox workspace-write: %s may not write anything"):format(
      plan.preset and "preset " .. plan.name or plan.name), hint = "add --allow write=. for the whole work tree" }, 0)
  end
end

local function whole_number(text, name)
  local number = math.tointeger(tonumber(text))
  if not number or number < 1 or number > 10000 then
    error(options.usage(("--%s must be a whole number from 1 to 10000, not '%s'"):format(name,
      core.text.printable(text, 40))), 0)
  end
  return number
end

local function absolute(path)
  return path:sub(1, 1) == "/" and path or core.system.cwd() .. "/" .. path
end

local function check_task_id(id)
  core.run.check_id(id, "task id")
  if core.secret.hide(id) ~= id then
    error(options.usage("the task id has the value of a secret of the environment, and would name a folder",
      "choose another --task-id, or leave it out"), 0)
  end
end

--- The run that --dry-run has prepared under a task id; none if it was driven since.
local function find_prepared(home, id)
  core.run.check_id(id, "task id")
  local run, rec = record_store.of_task(home, id)
  if not run or not rec.options.dry_run then
    error(record.invalid(("nothing is prepared under '%s'%s"):format(id,
      run and (": %s has been started with it"):format(run) or ""),
      run and "moonlet run show " .. run or "prepare it with --dry-run --task-id " .. id), 0)
  end
  if rec.ended then
    error(record.invalid(("'%s' was prepared by %s, which %s"):format(id, run, rec.verdict == "cancelled"
      and "was cancelled" or "came to: " .. tostring(rec.verdict)), "prepare it anew with --dry-run"), 0)
  end
  local lost
  rec, lost = record_store.as_given(home, rec)
  return { id = id, run = run, record = rec, lost = lost }
end

--- Known facts of a script before it is opened, which begins its execution: its `args`, and the prepared run. Options
--- that only a preset would understand are refused later, if it is none.
local function before_script(home, words)
  local ok, found, positional = pcall(options.parse, words, known)
  if not ok then return {} end
  local before = found.prepared and not found.help and find_prepared(home, found.prepared) or nil
  return before and before.record.script and before.record.args or positional, before
end

--- The arguments of a script; of a prepared run those it was prepared with, and no others.
local function script_args(positional, before)
  if not before then return core.json.array(positional) end
  local prepared = before.record.args
  if #positional > 0 and table.concat(positional, "\0") ~= table.concat(prepared, "\0") then
    error(options.usage("--prepared runs what was prepared, with its arguments",
      "leave them out, or prepare another run with --dry-run"), 0)
  end
  return prepared
end

--- The part of the command line that run.json keeps, completed from the options of a prepared run.
local function options_of(found, told)
  return {
    title = found.title or told.title, phase = found.phase or told.phase,
    task_type = found["task-type"] or told.task_type, risk = found.risk or told.risk,
    model = found.model or told.model,
    agent_role = found["agent-role"] or told.agent_role, reason = found.reason or told.reason,
    inputs = core.json.array(found.input or {}), dry_run = found["dry-run"],
    record = found.record and absolute(found.record) or told.record, sandbox = found.sandbox or told.sandbox,
    unconfined = found.unconfined or told.unconfined,
    gates = found.gates or told.gates,
  }
end

--- Raises if a run was prepared for another target.
local function check_same(plan)
  local rec = plan.before.record
  if (core.secret.hide(plan.name)) == rec.preset and (plan.preset == nil) == (rec.script == true) then return end
  error(record.invalid(("'%s' was prepared for %s %s, not %s"):format(plan.before.id, rec.script and "the script"
    or "preset", core.text.printable(rec.preset, 80), core.text.printable(plan.name, 80))), 0)
end

--- Puts the limits of the run into its plan: a prepared run keeps its own. Refuses a USD limit of the user that could
--- not be kept.
local function set_limits(plan, found)
  local before = plan.before and plan.before.record
  plan.budget = before and M.change_budget(before.budget, found.budget)
    or M.parse_budget(found.budget, plan.preset, plan.config)
  plan.limit = found.limit and whole_number(found.limit, "limit") or before and before.limit
    or plan.config.limits.parallel or default_limit
  local asked = M.names_usd(found.budget)
  if before then asked = asked or before.options.usd_asked else asked = asked or plan.config.limits.usd ~= nil end
  plan.options.usd_asked = plan.budget.usd ~= nil and asked or nil
  if plan.options.usd_asked then spending.check_plan(plan) end
end

local function plan_of(words, output, consent)
  local target, index = find_target(words)
  if not target then
    local found = options.parse(words, known, 2)
    if found.help then return nil, help_text(nil, known) end
    error(options.usage("run what?", "name a preset (moonlet preset list) or a Lua file"), 0)
  end
  local rest = without(words, index)
  local repo
  for i, word in ipairs(rest) do
    repo = word:match("^%-%-repo=(.*)$") or (word == "--repo" and rest[i + 1]) or repo
  end
  local home = home_module.open(repo)

  local source = presets.find(home, target)
  local args, early = before_script(home, rest)
  local preset, resume = presets.open(source, args)
  local all = preset and preset_options(preset) or known
  local found, positional = options.parse(rest, all)
  if found.help then return nil, help_text(preset, all) end
  if preset and #positional > 0 then
    error(options.usage(("preset %s takes no argument '%s'"):format(preset.name,
      core.text.printable(positional[1], 60)), "its arguments are named: moonlet run "
        .. preset.name .. " --help"), 0)
  end

  local plan = { home = home, source = source, preset = preset, resume = resume, options = {} }
  plan.name = preset and preset.name or source.name
  if found.prepared then
    plan.before = early or find_prepared(home, found.prepared)
    plan.lost = plan.before.lost
    check_same(plan)
  end
  local before = plan.before and plan.before.record or {}
  local told = before.options or {}
  plan.args = preset and preset_args(preset, found, all, plan.before and before) or script_args(positional, plan.before)
  plan.target = target
  plan.config = config.current()
  plan.runner_spec = found.runner or before.runner or plan.config.runner or "rules"
  plan.runner = runners.parse(plan.runner_spec, plan.config)
  plan.runner_spec = plan.runner.text or plan.runner_spec
  if plan.before and not found.input then found.input = told.inputs end
  plan.options = options_of(found, told)
  plan.routed = routing.of_run(plan)
  routing.check_some(plan, function(routed)
    if routed.runner.name == "cassette" then cassette.check(routed.runner, home) end
    if not builtin_runners[routed.runner.name] then runners.locate(routed.runner.name, plan.config) end
  end)
  plan.grants = given_before(plan, found.allow) or resolve_grants(source, preset, found.allow, consent,
    plan.runner.name == "mock")
  if found["task-id"] then check_task_id(found["task-id"]) end
  if found["task-id"] and found.prepared then
    error(options.usage("--task-id and --prepared exclude each other"), 0)
  end
  plan.task_id = found["task-id"]
  if preset then check_needs(preset, home) end
  plan.inputs = inputs.prepare(home, found.input or {})
  let_preset_check(plan)
  if plan.options.record then cassette.prepare(plan.options.record) end
  check_sandbox(plan)
  M.check_gates(found.gates)
  set_limits(plan, found)
  plan.background, plan.detached = found.background, found.detached
  plan.plain = found.plain or found.detached
  plan.may_ask = not (found.json or found.events)
  output.json, output.events = found.json or false, found.events or false
  return plan
end

local function tell_of_swept(home)
  for _, swept in ipairs(core.runs.sweep(home.handle)) do
    if swept.killed > 0 then
      core.event.emit("warning", nil, { text = ("%s was left by a dead host: %d of its processes were ended")
        :format(swept.run, swept.killed) })
    end
  end
end

--- --background: everything that can be refused was refused; another process makes and drives the
--- run.
local function leave(home, words, json)
  local rest, is_over = { words[1], "--detached" }, false
  for i = 2, #words do
    is_over = is_over or words[i] == "--"
    if is_over or words[i] ~= "--background" then rest[#rest + 1] = words[i] end
  end
  local id, failure = core.detach.start(rest)
  if not id then error(failure, 0) end
  if not id:find "^R%-%d+$" then
    local ok, told = pcall(core.json.decode_record, id)
    local err = ok and type(told) == "table" and rawget(told, "error")
    if type(err) ~= "table" then
      err = { kind = "failed", message = "the process that was to drive the run ended before it began",
        hint = "its message is above" }
    end
    error(err, 0)
  end
  if json then
    return { ok = true, command = "run", error = core.json.null, result = core.json.null,
      run = record_store.envelope(home, select(2, record_store.find(home, id))) }, 0
  end
  core.system.print(1, id .. "\n")
  return nil, 0
end

--- The other side of leave(): drives the run and prints its id first. An error before that is printed in place of the
--- id.
local function drive_detached(plan)
  local drove, envelope, code, text = pcall(M.drive, plan)
  if drove then return envelope, code, text end
  if plan.told then error(envelope, 0) end
  local err = run_record.error(envelope)
  err.usage = type(envelope) == "table" and rawget(envelope, "usage") or nil
  core.system.print(1, core.json.encode_record { error = err } .. "\n")
  return nil, 1
end

--- moonlet run …
---@param words string[]
---@param output {json: boolean, events: boolean}
---@param consent string?  of the tests of a preset: consent.mark() of the preset that may have its needs, "" for none
---@return table? envelope, integer exit_code, string? text
function M.main(words, output, consent)
  local sub = words[2] and subcommands[words[2]]
  if sub then return require(sub).main(words, output) end
  local planned, plan, help = pcall(plan_of, words, output, consent)
  if not planned then
    -- No process was started: the error is in the command line, the preset or its place.
    if type(plan) == "table" and rawget(plan, "kind") ~= "cancelled" then plan.usage = true end
    error(plan, 0)
  end
  if not plan then
    options.print_help(help, output.json)
    return nil, 0
  end
  if plan.background then return leave(plan.home, words, output.json) end
  core.event.display(plan.source.display or output.events and "events" or output.json and "none"
    or plan.plain and "plain" or "live")
  tell_of_swept(plan.home)
  if plan.detached then return drive_detached(plan) end
  return M.drive(plan)
end

--- Makes the run of a plan and drives it to its end.
---@param plan table
---@return table envelope, integer exit_code, string text
function M.drive(plan)
  -- The id of a background run goes out as one line before all events, for its reader waits for that line.
  function plan.begun(run)
    if not plan.detached then return end
    plan.told = true
    core.system.print(1, run.id .. "\n")
    core.detach.done(run.home.agent_path .. "/runs/" .. run.id .. "/host.log")
  end
  local warning = presets.name_warning(plan.source, plan.preset)
  if warning then core.event.emit("warning", nil, { text = warning }) end
  local run = run_module.create(plan)
  local envelope, code
  if plan.options.dry_run then
    envelope, code = run_module.dry_run(run)
  else
    envelope, code = run_module.execute(run)
  end
  return envelope, code, report.text(run, envelope)
end

return M
