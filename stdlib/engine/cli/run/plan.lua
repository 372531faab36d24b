--- Builds a run's plan from its command line. Mistakes are reported before anything is written.
local command_line = require "moonlet.engine.base.command_line"
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local arg = require "moonlet.arg"
local closed = require "moonlet.engine.context.closed"
local loader = require "moonlet.engine.load.loader"
local routing = require "moonlet.engine.agent.routing"
local acceptance = require "moonlet.engine.effects.consent"
local validation = require "moonlet.engine.effects.validation"
local worker = require "moonlet.engine.effects.worker"
local class = require "moonlet.engine.run.class"
local repository = require "moonlet.engine.run.repository"
local grants = require "moonlet.engine.context.grants"
local runners = require "moonlet.engine.load.runners"
local cassette = require "moonlet.engine.runner.cassette"
local client_rights = require "moonlet.engine.load.client_rights"
local config = require "moonlet.engine.load.config"
local metering = require "moonlet.engine.agent.metering"
local given_paths = require "moonlet.engine.run.given_paths"
local inputs = require "moonlet.engine.run.inputs"
local look = require "moonlet.engine.run.look"
local machines = require "moonlet.engine.remote.machines"
local nested = require "moonlet.engine.load.nested"
local prompt_budget = require "moonlet.prompt.budget"
local store = require "moonlet.engine.run.store"
local formats = require "moonlet.engine.cli.formats"
local known = require "moonlet.engine.cli.run.known"
local limits = require "moonlet.engine.cli.task.limits"
local prepared_run = require "moonlet.engine.cli.run.prepared"
local request_module = require "moonlet.engine.cli.run.request"

local M = {}

local function task_plan() return require "moonlet.engine.task.plan" end

local default_limit = 8
-- Lists the runners that work without an installed agent.
local builtin_runners = { mock = true, command = true, cassette = true }

local function refuse_argument(preset, name)
  options.refuse(("preset %s has no argument '%s'"):format(preset.name,
    core.text.printable(tostring(name), 60)), record.hint(tostring(name), preset.args))
end

--- Returns the preset's arguments from the request.
--- A prepared run accepts only the arguments that it was prepared with.
---@param named table<string, any>?  arguments that a program gave as Lua values
local function preset_args(home, preset, found, all, prepared, offered, named)
  local given = {}
  for name, value in pairs(offered or {}) do given[name] = value end
  for name, value in pairs(named or {}) do
    local declared = preset.args[name] or refuse_argument(preset, name)
    local option_name = name:gsub("_", "-")
    given[name] = given_paths.of(home, declared, arg.convert(declared, value, option_name),
      option_name)
  end
  for option_name, option in pairs(all) do
    local value = found[option_name]
    if option.arg and value ~= nil then
      local declared = preset.args[option.arg]
      if type(value) == "table" then value = table.concat(value, ",") end
      given[option.arg] = given_paths.of(home, declared, arg.convert(declared, value, option_name),
        option_name)
    end
  end
  if prepared then
    local name = not offered and next(given)
    if name then
      options.refuse(("--%s: --prepared runs what was prepared, with its arguments"):format(
        name:gsub("_", "-")),
        "leave it out, or prepare another run with --dry-run")
    end
    for key, value in pairs(prepared.args or {}) do
      if preset.args[key] and value ~= core.json.null then given[key] = value end
    end
  end
  local values = arg.complete(preset.args, given)
  given_paths.check_defaults(home, preset.args, given, values)
  return values
end

local function check_needs(preset, home)
  local needs = preset.needs
  if needs.repository and not home.git then
    record.refuse(("%s is not a git repository, and preset %s works on one"):format(home.top,
      preset.name), "run it inside a repository, or name one with --repo DIR", home.top)
  end
  require("moonlet.engine.effects.host").check_provided(grants.from_needs(needs).host)
  for _, program in ipairs(needs.programs or {}) do
    if not core.system.find_program(program) then
      record.refuse(("preset %s needs the program '%s', which is not in PATH"):format(
        preset.name, program), "install it, or put its folder into PATH")
    end
  end
end

--- Returns the run's rights: the rights that the preset declares and the user has accepted, and the
--- rights of --allow.
local function resolve_grants(source, preset, allow, consent, no_agents, budget)
  local given = grants.empty()
  local accepted = limits.allow(given, allow)
  if not preset then
    if accepted then
      options.refuse("--allow needs is for presets; a script declares nothing",
        "name what it may do: --allow run=git")
    end
    return given
  end
  if given.all then return given end
  -- The consent question must show the limits of this run, which the command line may change.
  if not preset.needs.agents then budget.agents = preset.budget.agents end
  local shown = setmetatable({ budget = budget }, { __index = preset })
  local wanted = acceptance.demand(source, shown, accepted, consent, no_agents)
  limits.allow(wanted, allow)
  return wanted
end

--- Lists the programs of validation commands that the run has no right to start, and the option that
--- names the first of them.
local function ungranted_checks(plan)
  local programs, options_named, seen = {}, {}, {}
  for name, declared in pairs(plan.preset and plan.preset.args or {}) do
    local option = "--" .. name:gsub("_", "-")
    for _, text in ipairs(declared.type == "checks" and plan.args[name] or {}) do
      local program = validation.words_of(select(2, validation.split_kind(text, option)), option)[1]
      if not plan.grants.all and not plan.grants.run[program] and not seen[program] then
        seen[program] = true
        programs[#programs + 1], options_named[#options_named + 1] = program, option
      end
    end
  end
  return programs, options_named[1]
end

--- Grants the programs of validation commands. A preset cannot declare them, so the user must accept
--- them.
local function grant_checks(plan, allow, is_test)
  local programs, option = ungranted_checks(plan)
  if #programs == 0 then return end
  local accepted = limits.allow(grants.empty(), allow)
  if not accepted and (is_test or not acceptance.allows_programs(plan.source, programs)) then
    local flags = command_line.quoted("run=" .. table.concat(programs, ","))
    error({ kind = "denied", usage = true,
      message = ("%s starts %s, which was not allowed"):format(option,
      core.text.printable(table.concat(programs, ", "), 200)),
      hint = ("add --allow %s, or --allow needs"):format(flags) }, 0)
  end
  for _, program in ipairs(programs) do plan.grants.run[program] = true end
end

--- Returns the rights of the prepared or replayed run, with those of `allow` added. Returns nil if
--- there is no such run, or if the preset's text has changed since.
local function given_before(plan, allow)
  local rec = (plan.before or plan.base or {}).record
  if not rec or not loader.is_text(plan.source, rec.preset_sha256) then return nil end
  limits.allow(rec.grants, allow)
  return rec.grants
end

--- Calls the preset's own check of its arguments before anything is written.
local function let_preset_check(plan)
  if not plan.preset or not plan.preset.check then return end
  local prompt_tokens = prompt_budget.of_run(plan.options, plan.packet, plan.preset)
  local seen = look(plan.home, plan.grants, plan.inputs, plan.options.reason, prompt_tokens)
  plan.preset.check(seen, closed.args(plan.args, plan.preset.args))
end

--- Rejects an unknown value of --sandbox, or a sandbox for which the run lacks the right to write.
local function check_sandbox(plan)
  local asked = plan.options.sandbox
  options.check_word("sandbox", asked, "read-only", "workspace-write")
  if asked == "workspace-write" and not plan.grants.all and #plan.grants.write == 0 then
    error({ kind = "denied", usage = true,
      message = ("--sandbox workspace-write: %s may not write anything"):format(
      plan.preset and "preset " .. plan.name or plan.name),
      hint = "add --allow write=. for the whole work tree" }, 0)
  end
end

local function absolute(path)
  return path:sub(1, 1) == "/" and path or core.system.cwd() .. "/" .. path
end

local function check_task_id(id)
  core.run.check_id(id, "task id")
  if core.secret.hide(id) ~= id then
    options.refuse("the task id has the value of a secret of the environment, and would name "
      .. "a folder",
      "choose another --task-id, or leave it out")
  end
end

--- Returns a script's arguments and the run that --prepared names, before the script is loaded.
--- Ignores unknown options, because the file may be a preset that has them as arguments.
local function before_script(home, request, base)
  local ok, found, positional = pcall(request_module.given_in, request, known.all)
  if not ok then return {} end
  if base and base.record.script and #positional == 0 then return base.record.args end
  local before = found.prepared and not found.help
    and prepared_run.find(home, found.prepared) or nil
  return before and before.record.script and before.record.args or positional, before
end

--- Returns the arguments of a script. Raises an error if the run was prepared with other arguments.
local function script_args(positional, before, base)
  if base and #positional == 0 then return base.record.args end
  if not before then return core.json.array(positional) end
  local prepared = before.record.args
  if #positional > 0 and table.concat(positional, "\0") ~= table.concat(prepared, "\0") then
    options.refuse("--prepared runs what was prepared, with its arguments",
      "leave them out, or prepare another run with --dry-run")
  end
  return prepared
end

--- Returns the options that run.json records. Options that are not given come from the prepared or
--- replayed run.
local function options_of(found, kept)
  return {
    title = found.title or kept.title, phase = found.phase or kept.phase,
    task_type = found["task-type"] or kept.task_type, risk = found.risk or kept.risk,
    model = found.model or kept.model,
    agent_role = found["agent-role"] or kept.agent_role, reason = found.reason or kept.reason,
    inputs = core.json.array(found.input or {}), dry_run = found["dry-run"],
    record = found.record and absolute(found.record) or kept.record,
    sandbox = found.sandbox or kept.sandbox, unconfined = found.unconfined or kept.unconfined,
    on = found.on or kept.on, gates = found.gates or kept.gates,
    fail_on = found["fail-on"] or kept.fail_on,
    prompt_tokens = options.tokens(found["prompt-tokens"], "prompt-tokens") or kept.prompt_tokens,
    -- If a person replays a run that an MCP client started, the new run belongs to the person.
    asked_by = found["asked-by"] and core.json.decode(found["asked-by"]) or nil,
  }
end

--- Restricts a run that an MCP client requested to the rights that the config gives to clients.
local function limit_client(plan, packet)
  if not plan.options.asked_by then return end
  local rights = client_rights.of(plan.config)
  client_rights.check_preset(rights, plan.preset and plan.name or plan.target)
  if packet then
    client_rights.check_packet(rights, packet, validation.words_of, plan.config.runner)
  end
  for name, declared in pairs(plan.preset.args) do
    for _, text in ipairs(declared.type == "checks" and plan.args[name] or {}) do
      client_rights.check_program(rights,
        validation.words_of(select(2, validation.split_kind(text, name)), name)[1])
    end
  end
  for _, input in ipairs(plan.inputs) do
    if input.kind == "cmd" then
      error({ kind = "denied", usage = true,
        message = ("a client may not give the command '%s' as an input"):format(
        core.text.printable(input.spec, 80)), hint = "give a file, a glob or diff:" }, 0)
    end
  end
  if rights.sandbox == "read-only" then plan.options.sandbox = "read-only" end
  plan.options.gates = "park"
end

local function check_same(plan)
  local rec = plan.before.record
  if (core.secret.hide(plan.name)) == rec.preset
      and (plan.preset == nil) == (rec.script == true) then
    return
  end
  record.refuse(("'%s' was prepared for %s %s, not %s"):format(plan.before.id,
    rec.script and "the script"
    or "preset", core.text.printable(rec.preset, 80), core.text.printable(plan.name, 80)))
end

--- Sets the run's limits. A prepared or replayed run keeps its earlier limits.
--- Rejects a limit in USD if the cost cannot be observed.
local function set_limits(plan, found)
  local before = (plan.before or plan.base or {}).record
  plan.budget = before and limits.change_budget(before.budget, found.budget)
    or limits.parse_budget(found.budget, plan.preset, plan.config)
  if plan.options.asked_by then
    plan.budget = client_rights.bounded(plan.budget, client_rights.of(plan.config))
  end
  plan.limit = found.limit and options.whole_number(found.limit, "limit", 10000)
    or before and before.limit
    or plan.config.limits.parallel or default_limit
  metering.check_plan(plan)
end

--- Replaces "last" or a run's number in "cassette:NAME" by the run's id, unless NAME is a folder.
local function with_run_id(home, text)
  local name, rest = text:match "^cassette:([^,]+)(.*)$"
  if name ~= "last" and not (name or ""):find "^%d+$" or core.file.root(absolute(name)) then
    return text
  end
  return ("cassette:%s%s"):format((store.find(home, name)), rest)
end

local function check_command(argv, home)
  local program = argv[1]
  local path = program:sub(1, 1) == "/" and program or home.top .. "/" .. program
  local is_path = program:find("/", 1, true) ~= nil
  if is_path and core.system.real_path(path) or not is_path
      and core.system.find_program(program) then
    return
  end
  record.refuse(("--runner command: the program '%s' was not found"):format(
    core.text.printable(program, 200)),
    program:find("^[^,]+,")
      and "command: takes the whole word; for several runners repeat --runner: --runner command:"
      .. core.text.printable(program:match "^[^,]+", 200) .. " --runner …"
      or "install it, or name it by its path; nothing was started")
end

--- Returns the runners of the command line in order. Values are split at commas.
--- A command or cassette is not split, because it may contain commas.
local function runners_of(values, home)
  local list = {}
  for _, value in ipairs(values or {}) do
    local is_whole = value:find "^command:" or value:find "^cassette:"
    for item in ((is_whole and value:gsub(",", "\0") or value) .. ","):gmatch "([^,]*)," do
      if item == "" then
        options.refuse("--runner names no runner", "write --runner codex,claude")
      end
      list[#list + 1] = with_run_id(home, (item:gsub("%z", ",")))
    end
  end
  return list
end

--- Describes what a run is based on: the run that it replays, or the previous run of a pipeline.
---@class moonlet.RunOrigin
---@field base {id: string, record: table, source: table?}?  the replayed run
---@field index integer?    index of the runner in the pipeline
---@field linked string?    summary of the previous run
---@field parent string?    the first run of the pipeline

--- Returns the packet that a preset's argument `packet` names, or nil. The packet then supplies the
--- task, so --task and --prompt are rejected.
local function packet_of_argument(home, preset, found, prepared)
  local word = found.packet or prepared and prepared.args.packet
  if not preset or type(word) ~= "string" or not word:find "^[Tt]%-%d+$" then return nil end
  for _, name in ipairs { "task", "prompt" } do
    if preset.args[name] and found[name] then
      options.refuse(("--%s and --packet exclude each other"):format(name))
    end
  end
  return task_plan().get(home, word)
end

--- Contains a parsed request, before it becomes a plan.
---@class moonlet.RunLine
---@field home table
---@field target string              the named preset, file or packet
---@field packet table?
---@field source table
---@field preset table?              nil for a script
---@field resume function?
---@field all table<string, moonlet.Option>
---@field found table<string, any>   the given options
---@field positional string[]
---@field named table<string, any>?  arguments that a program gave as Lua values
---@field early table?               the prepared run of a script
---@field origin moonlet.RunOrigin

--- Assigns words without an option to the preset's positional argument. Raises an error if the preset
--- has none.
local function take_positional(preset, all, found, words)
  local name, option = known.positional(all)
  for i, word in ipairs(words) do
    if not name or i > 1 and not option.many then
      options.refuse(("preset %s takes no %sargument '%s'"):format(preset.name,
        name and "second " or "", core.text.printable(word, 60)),
        name and "put a text of several words into quotation marks"
          or ("its arguments are named: moonlet run %s --help"):format(preset.name))
    end
    options.set(found, name, option, word)
  end
end

--- Reads a request. Its options include the arguments of the preset that it names.
local function read(request, origin)
  local target = request.target
  local home, base = repository.open(request.repo), origin.base
  local packet = target:find "^[Tt]%-%d+$" and task_plan().of_target(home, target) or nil
  local source = base and base.source
    or loader.find(home, packet and (packet.preset or task_plan().preset) or target)
  local args, early = before_script(home, request, base)
  local preset, resume = loader.open(source, args)
  if preset then nested.resolve(home, source, preset) end
  local named = request_module.named(request)
  if named and not preset then options.refuse("the arguments of a script are a list of texts") end
  local all = preset and not named and known.of_preset(preset) or known.all
  local found, positional = request_module.given_in(request, all)
  if preset and named then all = known.of_preset(preset) end
  if found.help then return nil, known.help(preset, all, found.help == "all") end
  if found.on then machines.of(config.current(), found.on) end
  for i, spec in ipairs(found.input or {}) do found.input[i] = given_paths.input(home, spec) end
  if preset then take_positional(preset, all, found, positional) end
  return { home = home, target = target, packet = packet, source = source, preset = preset,
    resume = resume, all = all, found = found, positional = positional, named = named,
    early = early, origin = origin }
end

--- Finds the prepared or replayed run. Returns its record, or {} if there is none.
local function set_before(plan, line)
  local found = line.found
  if found.prepared then
    if found["task-id"] then options.refuse("--task-id and --prepared exclude each other") end
    plan.before = line.early or prepared_run.find(plan.home, found.prepared)
    plan.lost = plan.before.lost
    check_same(plan)
  end
  plan.base = line.origin.base
  return (plan.before or plan.base or {}).record or {}
end

local function set_args(plan, line, before)
  local packet, preset, found = line.packet, plan.preset, line.found
  local role = found["agent-role"] or (before.options or {}).agent_role
  local offered = packet and preset and task_plan().args(preset, packet, role, line.origin.linked)
    or plan.base and preset and require("moonlet.engine.task.replay").args(preset, before)
  plan.args = preset and preset_args(plan.home, preset, found, line.all,
    plan.before and before, offered, line.named)
    or script_args(line.positional, plan.before, plan.base)
  if packet then
    found.title = found.title or packet.title
    found["agent-role"] = role or packet.agent_role
    if not plan.before then found.input = task_plan().inputs(packet, found.input) end
  end
  return offered
end

--- Raises an error if the program of an agent is missing. A dry run does not need it.
local function check_installed(plan, name, is_dry)
  if builtin_runners[name] or name == "route" then return end
  if is_dry then runners.get(name, plan.config) else runners.locate(name, plan.config) end
end

local function check_named_runners(plan, is_dry)
  for _, text in ipairs(plan.runners) do
    local spec = runners.parse(text, plan.config)
    if spec.argv then check_command(spec.argv, plan.home) end
    check_installed(plan, spec.name, is_dry)
  end
end

--- Reports whether the preset must answer without an agent. Raises an error if the preset cannot.
local function is_offline(plan, found, kept)
  if found.offline and found.runner then
    options.refuse("--offline and --runner exclude each other")
  end
  local asked = found.offline or kept.offline and not found.runner
  if not asked then return false end
  if plan.preset and plan.preset.offline then return true end
  options.refuse(plan.preset
    and ("preset %s has no answer without an agent"):format(plan.preset.name)
    or "a script has no answer without an agent", "leave --offline out, and name a runner")
end

--- Returns the runner that command line, packet, earlier run, preset or config names, or nil.
local function chosen_runner(plan, found, packet, before)
  local preset = plan.preset
  local recorded = before.runner ~= core.json.null and before.runner or nil
  local packets = packet and packet.runner
  -- A prepared run keeps its runner. A replay prefers the packet's current runner.
  local first, second = recorded, packets
  if plan.base then first, second = packets, recorded end
  return found.runner or first or second or preset and preset.runner or plan.config.runner
end

--- Raises an error if the preset needs an agent and no runner was chosen. A dry run needs no runner.
local function check_someone_answers(plan, found)
  local preset = plan.preset
  local asks = preset and preset.needs.agents == true and not preset.offline
  if not asks or not plan.runner.none or found["dry-run"] then return end
  local err = runners.no_runner(("preset %s needs an agent, and no runner was chosen"):format(
    preset.name), plan.config)
  err.usage = true
  error(err, 0)
end

local function set_runner(plan, line, before)
  local found, packet, kept = line.found, line.packet, before.options or {}
  local offline = is_offline(plan, found, kept)
  plan.runner_spec = not offline and chosen_runner(plan, found, packet, before) or nil
  if plan.base and found.runner and found.runner ~= before.runner then kept.model = nil end
  check_named_runners(plan, found["dry-run"])
  plan.runner = runners.parse(plan.runner_spec, plan.config)
  plan.offline = offline or plan.runner.none and plan.preset and plan.preset.offline ~= nil or nil
  check_someone_answers(plan, found)
  plan.runner_spec = plan.runner.text or plan.runner_spec
  if (plan.before or plan.base and not packet) and not found.input then
    found.input = kept.inputs
  end
  plan.options = options_of(found, kept)
  plan.options.offline = plan.offline
  plan.routed = routing.of_run(plan)
  routing.check_some(plan, function(routed)
    if routed.runner.name == "cassette" then cassette.check(routed.runner, plan.home) end
    if not routed.runner.none then check_installed(plan, routed.runner.name, found["dry-run"]) end
  end)
end

--- Attaches the run to its packet. Raises an error if the packet already has a run in progress.
local function attach_packet(plan, line, packet)
  local found = line.found
  task_plan().attach(plan, task_plan().about(packet))
  local is_first = not (line.origin.parent or found.parent or plan.base or plan.before
    or found["dry-run"])
  if is_first and not found["if-ready"] then task_plan().check_free(plan.home, packet) end
  plan.if_ready = found["if-ready"] and packet
end

--- Sets the inputs, and the parent: the run that this run continues or replays.
local function set_inputs(plan, line, before, offered)
  local found, origin = line.found, line.origin
  for _, spec in ipairs((found.background or found.compare) and found.input or {}) do
    if spec == "-" then
      options.refuse(("--input - and --%s exclude each other"):format(found.compare and "compare"
        or "background"),
        "another process drives the run: write the text to a file, and give --input file:NAME")
    end
  end
  plan.inputs = inputs.prepare(plan.home, found.input or {})
  if origin.linked and not (offered and offered.linked) then
    plan.inputs[#plan.inputs + 1] = inputs.of_text("the run before this one", origin.linked)
  end
  local parent = origin.parent or found.parent or plan.base and plan.base.id or before.parent_run_id
  plan.parent = type(parent) == "string" and parent or nil
  plan.options.pipeline = (origin.parent or found.parent) and true
    or (before.options or {}).pipeline
end

local function set_output(plan, line, output)
  local found = line.found
  plan.compare, plan.edits = found.compare, found["edit-prompt"]
  plan.background, plan.detached = found.background, found.detached
  plan.may_ask = not (found.json or found.events)
  output.json, output.events = found.json or false, found.events or false
  plan.display = plan.source.display or options.display(found, output)
end

--- Returns the plan of a command line, or nil and the help that it asks for.
function M.of_words(words, output, consent, origin)
  local request, help = request_module.of_words(words)
  if not request then return nil, help end
  return M.of_request(request, output, consent, origin)
end

--- Returns the plan of a request, or nil and the help that it asks for.
--- Mistakes are reported before anything is written.
---@param request moonlet.Request
function M.of_request(request, output, consent, origin)
  local line, help = read(request, origin or {})
  if not line then return nil, help end
  local found, preset = line.found, line.preset
  local plan = class.plan { home = line.home, source = line.source, preset = preset,
    resume = line.resume, target = line.target, name = preset and preset.name or line.source.name,
    options = {} }
  local before = set_before(plan, line)
  line.packet = line.packet or packet_of_argument(plan.home, preset, found, plan.before and before)
  plan.runners = runners_of(found.runner, plan.home)
  found.runner = plan.runners[line.origin.index or 1]
  local offered = set_args(plan, line, before)
  plan.config = config.current()
  set_runner(plan, line, before)
  plan.grants = given_before(plan, found.allow)
    or resolve_grants(plan.source, preset, found.allow, consent, plan.runner.name == "mock",
      limits.parse_budget(found.budget, preset, plan.config))
  grant_checks(plan, found.allow, consent ~= nil)
  if line.packet then attach_packet(plan, line, line.packet) end
  plan.task_id = found["task-id"]
  if plan.task_id then check_task_id(plan.task_id) end
  if preset then check_needs(preset, plan.home) end
  set_inputs(plan, line, before, offered)
  limit_client(plan, line.packet)
  let_preset_check(plan)
  if plan.options.record then cassette.prepare(plan.options.record) end
  check_sandbox(plan)
  worker.check_plan(plan)
  options.check_word("gates", found.gates, "park", "deny")
  plan.format = not line.all.format.arg and found.format or nil
  formats.check(found, plan.format)
  set_limits(plan, found)
  set_output(plan, line, output)
  return plan
end

return M
