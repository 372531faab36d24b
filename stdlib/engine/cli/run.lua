--- `moonlet run`: whatever can be refused is refused before anything is written.
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local arg = require "moonlet.arg"
local closed = require "moonlet.engine.context.closed"
local loader = require "moonlet.engine.load.loader"
local reference = require "moonlet.engine.cli.doc.reference"
local routing = require "moonlet.engine.agent.routing"
local acceptance = require "moonlet.engine.effects.consent"
local worker = require "moonlet.engine.effects.worker"
local repository = require "moonlet.engine.run.repository"
local grants = require "moonlet.engine.context.grants"
local runners = require "moonlet.engine.load.runners"
local runner_names = require "moonlet.engine.runner.names"
local cassette = require "moonlet.engine.runner.cassette"
local config = require "moonlet.engine.load.config"
local metering = require "moonlet.engine.agent.metering"
local inputs = require "moonlet.engine.run.inputs"
local look = require "moonlet.engine.run.look"
local nested = require "moonlet.engine.load.nested"
local store = require "moonlet.engine.run.store"
local report = require "moonlet.engine.run.report"
local run_module = require "moonlet.engine.run.run"
local findings = require "moonlet.findings"
local formats = require "moonlet.engine.cli.formats"
local page = require "moonlet.engine.base.page"
local verbs = require "moonlet.engine.cli.verbs"
local detached = require "moonlet.engine.cli.task.detached"
local limits = require "moonlet.engine.cli.task.limits"
require "moonlet.engine.run.verbs"

local M = { names_usd = limits.names_usd, change_budget = limits.change_budget, parse_budget = limits.parse_budget }

--- Loads the module for packets, only for a run that has one.
local function task_plan() return require "moonlet.engine.task.plan" end

local known = { -- the common ones stand in the short help
  ["repo"] = { value = "DIR", help = "the repository or folder to work in (default: here)" },
  ["title"] = { value = "TEXT", help = "a title for the record" },
  ["phase"] = { value = "NAME", help = "the phase of the work, for the record" },
  ["task-type"] = { value = "NAME",
    help = "the kind of work, as in test-gaps: what --runner route goes by; what no sidecar should do is refused" },
  ["risk"] = { value = "low|medium|high", help = "what is at stake (default low); high is refused as such work is" },
  ["task-id"] = { common = true, value = "ID", help = "the name of the artifact directory" },
  ["runner"] = { common = true, value = "R[,R…]", many = true,
    help = "rules (no model), mock (answers are made up), " .. table.concat(runner_names.programs, ", ") .. ", "
      .. "one of your config, 'command:PROGRAM ARG…', or route: chosen by task type and risk" },
  ["model"] = { common = true, value = "NAME", help = "the model that the runner is asked for" },
  ["sandbox"] = { common = true, value = "read-only|workspace-write",
    help = "what agents may write (default read-only)" },
  ["unconfined"] = { help = "start agents without the host's sandbox, with your own rights" },
  ["agent-role"] = { value = "ROLE", help = "the role that the agent is given" },
  ["input"] = { common = true, value = "SPEC", many = true,
    help = "what may be inspected: file:, glob:, cmd:, diff:, or the obvious one" },
  ["budget"] = { common = true, value = "KIND=N,…", many = true,
    help = "wall=20m, agents=10, processes=100, tokens=200000, usd=4, or none" },
  ["limit"] = { value = "N", help = "how many agents or commands at once (default 8)" },
  ["allow"] = { common = true, value = "GRANT", many = true,
    help = "needs, agents, all, run=PROGRAM,…, read=DIR, write=DIR, env=NAME" },
  ["compare"] = { help = "several runners: side by side on the same prompt, not in turn" },
  ["edit-prompt"] = { help = "open the prompt in $VISUAL or $EDITOR before anything is started" },
  ["parent"] = { value = "RUN", help = "the first run of the comparison", hidden = true },
  ["if-ready"] = { help = "only as long as the packet is ready, and has no run", hidden = true },
  ["dry-run"] = { common = true, help = "make the prompts and the record; start no agent" },
  ["prepared"] = { value = "ID", help = "run what --dry-run prepared" },
  ["gates"] = { value = "park|deny", help = "what a gate does without a person (default park)" },
  ["fail-on"] = { value = "SEVERITY", choices = findings.severities,
    help = "end with exit code 7 if a finding is critical, high, medium, low or info, or graver than that" },
  ["format"] = { value = "lines|github|sarif",
    help = "print the findings in this form in place of the report" },
  ["background"] = { common = true, help = "print the id of the run and leave it to a process of its own" },
  ["detached"] = { help = "this process is the one that --background left", hidden = true },
  ["record"] = { value = "DIR", help = "keep what agents are given and give, for --runner cassette:DIR" },
  ["reason"] = { value = "TEXT", help = "why this run is made, for the record; forces work that is refused" },
  ["plain"] = { help = "as --verbose", hidden = true },
  ["verbose"] = { letter = "v", help = "a line for each event on stderr, in place of the live view" },
  ["json"] = { common = true, help = "print one JSON envelope and nothing else" },
  ["events"] = { help = "print events as JSON lines while they happen" },
  ["help"] = { common = true, help = "this text; with a preset also its arguments" },
}

M.known = known

local default_limit = 8
local builtin_runners = { rules = true, mock = true, command = true, cassette = true } -- no program of a known name

--- The options of `moonlet run` and the arguments of a preset, which have the field `arg`.
---@param preset table
---@return table<string, moonlet.Option>
function M.preset_options(preset)
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
      choices = declared.choices,
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

local function help_text(preset, all, is_whole)
  if not preset then return verbs.help(verbs.find { "run" }, known, is_whole) end
  local own, common = {}, {}
  for name, option in pairs(all) do
    if option.arg then own[name] = option else common[name] = option end
  end
  local lines = page.wrap(preset.summary, page.out().columns)
  lines[#lines + 1] = ("\nusage: moonlet run %s [arguments] [options]\n"):format(preset.name)
  if next(own) then
    lines[#lines + 1] = "arguments:\n" .. options.help(own) .. "\n\n" .. kinds_text(preset) .. "\n"
  end
  lines[#lines + 1] = verbs.options_text("run " .. preset.name, common, is_whole) .. "\n"
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
    local takes = name and known[name] and known[name].value or word == "--help" and words[i + 1] == "all"
    if takes then i = i + 1 end
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
local function preset_args(preset, found, all, prepared, offered)
  local given = {}
  for name, value in pairs(offered or {}) do given[name] = value end
  for option_name, option in pairs(all) do
    local value = found[option_name]
    if option.arg and value ~= nil then
      local declared = preset.args[option.arg]
      if type(value) == "table" then value = table.concat(value, ",") end
      given[option.arg] = arg.convert(declared, value, option_name)
    end
  end
  if prepared then
    local name = not offered and next(given)
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

--- Raises for a word of --gates that is not understood.
---@param word string?
function M.check_gates(word)
  if word and word ~= "park" and word ~= "deny" then
    error(options.usage(("--gates '%s' is not understood"):format(core.text.printable(word, 40)),
      "write --gates park or --gates deny"), 0)
  end
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
  local rec = (plan.before or plan.base or {}).record
  if not rec or not loader.is_text(plan.source, rec.preset_sha256) then return nil end
  for _, text in ipairs(allow or {}) do grants.parse(rec.grants, text) end
  return rec.grants
end

--- Lets the preset refuse its arguments before anything is written.
local function let_preset_check(plan)
  if not plan.preset or not plan.preset.check then return end
  local seen = look(plan.home, plan.grants, plan.inputs, plan.options.reason)
  plan.preset.check(seen, closed.args(plan.args, plan.preset.args))
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
  local run, rec = store.of_task(home, id)
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
  rec, lost = store.as_given(home, rec)
  return { id = id, run = run, record = rec, lost = lost }
end

--- Known facts of a script before it is opened, which begins its execution: its `args`, and the prepared run. Options
--- that only a preset would understand are refused later, if it is none.
local function before_script(home, words, base)
  local ok, found, positional = pcall(options.parse, words, known)
  if not ok then return {} end
  if base and base.record.script and #positional == 0 then return base.record.args end
  local before = found.prepared and not found.help and find_prepared(home, found.prepared) or nil
  return before and before.record.script and before.record.args or positional, before
end

--- The arguments of a script; of a prepared run those it was prepared with, and no others.
local function script_args(positional, before, base)
  if base and #positional == 0 then return base.record.args end
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
    gates = found.gates or told.gates, fail_on = found["fail-on"] or told.fail_on,
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
  local before = (plan.before or plan.base or {}).record
  plan.budget = before and M.change_budget(before.budget, found.budget)
    or M.parse_budget(found.budget, plan.preset, plan.config)
  plan.limit = found.limit and whole_number(found.limit, "limit") or before and before.limit
    or plan.config.limits.parallel or default_limit
  local asked = M.names_usd(found.budget)
  if before then asked = asked or before.options.usd_asked else asked = asked or plan.config.limits.usd ~= nil end
  plan.options.usd_asked = plan.budget.usd ~= nil and asked or nil
  if plan.options.usd_asked then metering.check_plan(plan) end
end

--- A cassette that names a run as other commands do, with the id of the run; a folder of that name comes first.
local function with_run_id(home, text)
  local name, rest = text:match "^cassette:([^,]+)(.*)$"
  if name ~= "last" and not (name or ""):find "^%d+$" or core.file.root(absolute(name)) then return text end
  return ("cassette:%s%s"):format((store.find(home, name)), rest)
end

--- Raises for a command whose program is not there.
local function check_command(argv, home)
  local program = argv[1]
  local path = program:sub(1, 1) == "/" and program or home.top .. "/" .. program
  local is_there
  if program:find("/", 1, true) then is_there = core.system.real_path(path) else
    is_there = core.system.find_program(program)
  end
  if is_there then return end
  error(record.invalid(("--runner command: the program '%s' is not there"):format(core.text.printable(program, 200)),
    "install it, or name it by its path; nothing was started"), 0)
end

--- The runners that the command line names, in order: a list with commas, or the option several times. The words of
--- a command or a cassette may hold commas.
local function runners_of(values, home)
  local list = {}
  for _, value in ipairs(values or {}) do
    local is_whole = value:find "^command:" or value:find "^cassette:"
    for item in ((is_whole and value:gsub(",", "\0") or value) .. ","):gmatch "([^,]*)," do
      if item == "" then error(options.usage("--runner names no runner", "write --runner codex,claude"), 0) end
      list[#list + 1] = with_run_id(home, (item:gsub("%z", ",")))
    end
  end
  return list
end

--- The inputs of a run from others: the one that it replays, or its place in a pipeline.
---@class moonlet.RunOrigin
---@field base {id: string, record: table, source: table?}?  the run that it replays
---@field index integer?    which of the runners
---@field linked string?    what the run before it came to
---@field parent string?    the first run of the pipeline

--- The packet that an argument `packet` of a preset names, whose task is then the packet's; nil for none.
local function packet_of_argument(home, preset, found, prepared)
  local word = found.packet or prepared and prepared.args.packet
  if not preset or type(word) ~= "string" or not word:find "^[Tt]%-%d+$" then return nil end
  for _, name in ipairs { "task", "prompt" } do
    if preset.args[name] and found[name] then
      error(options.usage(("--%s and --packet exclude each other"):format(name)), 0)
    end
  end
  return task_plan().get(home, word)
end

--- The plan of a command line; raises for whatever can be refused before anything is written.
---@param words string[]
---@param output table
---@param consent string?
---@param origin moonlet.RunOrigin?
---@return table? plan, string? help
local function plan_of(words, output, consent, origin)
  origin = origin or {}
  local base = origin.base
  local target, index = find_target(words)
  if not target then
    local found = options.parse(words, known, 2)
    if found.help then return nil, help_text(nil, known, found.help == "all") end
    error(options.usage("run what?",
      "name a preset (moonlet preset list), a Lua file or a packet (moonlet task list)"), 0)
  end
  local rest = without(words, index)
  local repo
  for i, word in ipairs(rest) do
    repo = word:match("^%-%-repo=(.*)$") or (word == "--repo" and rest[i + 1]) or repo
  end
  local home = repository.open(repo)

  local packet = target:find "^[Tt]%-%d+$" and task_plan().of_target(home, target) or nil
  local source = base and base.source or loader.find(home, packet and (packet.preset or task_plan().preset) or target)
  local args, early = before_script(home, rest, base)
  local preset, resume = loader.open(source, args)
  if preset then nested.resolve(home, source, preset) end
  local all = preset and M.preset_options(preset) or known
  local found, positional = options.parse(rest, all)
  if found.help then return nil, help_text(preset, all, found.help == "all") end
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
  plan.base = base
  local before = (plan.before or base or {}).record or {}
  local told = before.options or {}
  packet = packet or packet_of_argument(home, preset, found, plan.before and before)
  plan.runners = runners_of(found.runner, home)
  found.runner = plan.runners[origin.index or 1]
  local offered = packet and preset and task_plan().args(preset, packet, found["agent-role"] or told.agent_role,
    origin.linked) or base and preset and require("moonlet.engine.task.replay").args(preset, before)
  plan.args = preset and preset_args(preset, found, all, plan.before and before, offered)
    or script_args(positional, plan.before, base)
  plan.target = target
  plan.config = config.current()
  if packet then
    found.title = found.title or packet.title
    found["agent-role"] = found["agent-role"] or told.agent_role or packet.agent_role
    if not plan.before then found.input = task_plan().inputs(packet, found.input) end
  end
  plan.runner_spec = found.runner or before.runner or packet and packet.runner or plan.config.runner or "rules"
  if base and found.runner and found.runner ~= before.runner then told.model = nil end
  for _, other in ipairs(plan.runners) do
    local spec = runners.parse(other, plan.config)
    local name = spec.name
    if spec.argv then check_command(spec.argv, home) end
    if not builtin_runners[name] and name ~= "route" then runners.locate(name, plan.config) end
  end
  plan.runner = runners.parse(plan.runner_spec, plan.config)
  plan.runner_spec = plan.runner.text or plan.runner_spec
  if (plan.before or base and not packet) and not found.input then found.input = told.inputs end
  plan.options = options_of(found, told)
  plan.routed = routing.of_run(plan)
  routing.check_some(plan, function(routed)
    if routed.runner.name == "cassette" then cassette.check(routed.runner, home) end
    if not builtin_runners[routed.runner.name] then runners.locate(routed.runner.name, plan.config) end
  end)
  plan.grants = given_before(plan, found.allow) or resolve_grants(source, preset, found.allow, consent,
    plan.runner.name == "mock")
  if packet then
    task_plan().attach(plan, task_plan().about(packet))
    task_plan().check_runner(plan)
    local is_first = not (origin.parent or found.parent or base or plan.before or found["dry-run"])
    if is_first and not found["if-ready"] then task_plan().check_free(home, packet) end
  end
  if found["task-id"] then check_task_id(found["task-id"]) end
  if found["task-id"] and found.prepared then
    error(options.usage("--task-id and --prepared exclude each other"), 0)
  end
  plan.task_id = found["task-id"]
  if preset then check_needs(preset, home) end
  plan.inputs = inputs.prepare(home, found.input or {})
  if origin.linked and not (offered and offered.linked) then
    plan.inputs[#plan.inputs + 1] = inputs.of_text("the run before this one", origin.linked)
  end
  local parent = origin.parent or found.parent or base and base.id or before.parent_run_id
  plan.parent = type(parent) == "string" and parent or nil
  plan.options.pipeline = (origin.parent or found.parent) and true or told.pipeline
  plan.compare, plan.edits, plan.if_ready = found.compare, found["edit-prompt"], found["if-ready"] and packet
  let_preset_check(plan)
  if plan.options.record then cassette.prepare(plan.options.record) end
  check_sandbox(plan)
  worker.check_plan(plan)
  M.check_gates(found.gates)
  plan.format = not all.format.arg and found.format or nil
  formats.check(found, plan.format)
  set_limits(plan, found)
  plan.background, plan.detached = found.background, found.detached
  plan.may_ask = not (found.json or found.events)
  output.json, output.events = found.json or false, found.events or false
  plan.display = source.display or options.display(found, output)
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

--- moonlet run …
---@param words string[]
---@param output {json: boolean, events: boolean}
---@param consent string?  of the tests of a preset: consent.mark() of the preset that may have its needs, "" for none
---@return table? envelope, integer exit_code, string? text
function M.main(words, output, consent)
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
  return M.start(plan, words, output, consent)
end
M.plan = plan_of

--- Drives a plan in the way that its command line asks for.
---@param plan table
---@param words string[]
---@param output table
---@param consent string?
---@param origin moonlet.RunOrigin?
---@return table? envelope, integer exit_code, string? text
function M.start(plan, words, output, consent, origin)
  if plan.background then return detached.leave(plan.home, words, output.json) end
  core.event.display(plan.display)
  tell_of_swept(plan.home)
  local function plan_again(more, other)
    local place = { base = origin and origin.base }
    for name, value in pairs(more) do place[name] = value end
    return (plan_of(other or words, output, consent, place))
  end
  local drive = M.drive
  if #plan.runners > 1 or plan.edits or plan.if_ready then
    local ways = require "moonlet.engine.cli.task.ways"
    function drive(first) return ways.drive(first, words, plan_again, M.drive) end
  end
  if plan.detached then return detached.drive(plan, drive) end
  return drive(plan)
end

--- Makes the run of a plan and drives it to its end.
---@param plan table
---@return table envelope, integer exit_code, string text
function M.drive(plan)
  -- The id of a background run goes out as one line before all events, for its reader waits for that line.
  function plan.begun(run)
    if plan.on_record then plan.on_record() end
    if not plan.detached then return end
    plan.told = true
    core.system.print(1, run.id .. "\n")
    core.detach.done(run.home.agent_path .. "/runs/" .. run.id .. "/host.log")
  end
  local warning = loader.name_warning(plan.source, plan.preset)
  if warning then core.event.emit("warning", nil, { text = warning }) end
  local run = run_module.create(plan)
  local go = plan.options.dry_run and run_module.dry_run or run_module.execute
  local envelope, code = go(run)
  if plan.format then return envelope, code, formats.text(plan.format, envelope) end
  local text, about = report.text(run, envelope)
  return envelope, code, text, about
end

return M
