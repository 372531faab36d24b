--- `moonlet preset check FILE` loads a preset in the sandbox and executes it with made-up answers.
--- The check starts no agent and no command, and leaves no files.
local arg = require "moonlet.arg"
local budget = require "moonlet.engine.budget.budget"
local config = require "moonlet.engine.load.config"
local counted = require "moonlet.engine.base.counted"
local grants = require "moonlet.engine.context.grants"
local nested = require "moonlet.engine.load.nested"
local loader = require "moonlet.engine.load.loader"
local options = require "moonlet.engine.cli.options"
local class = require "moonlet.engine.run.class"
local run_module = require "moonlet.engine.run.run"
local manifest = require "moonlet.engine.run.manifest"
local temporary = require "moonlet.engine.cli.temporary"
local unreached = require "moonlet.engine.cli.preset.unreached"
require "moonlet.engine.run.verbs"

local M = {}

local limit, most_calls = 8, 20

local function problem(err)
  local rec = manifest.error(err)
  return { at = rec.at, message = rec.message, hint = rec.hint }
end

local function example_word(i) return i == 1 and "example" or "example-" .. i end

--- Lists the made-up values of arguments. A preset that reads such a value as a file gets an
--- example text. A preset may start such a value as a program without declaring it in `needs`,
--- because in a real run the user names and allows the program.
local made_up = { [example_word(1)] = true }

local function example_list(one)
  local list = {}
  for i = 1, math.max(1, one.min or 1) do
    list[i] = one.choices and one.choices[i] or example_word(i)
    made_up[list[i]] = not one.choices or nil
  end
  return list
end

--- Makes up values for the required arguments, and for the optional argument whose name is `also`.
local function example_args(declared, also)
  local given = {}
  for name, one in pairs(declared) do
    if one.default == nil and (one.required or name == also) then
      local by_type = { string = example_word(1), integer = one.min or 1, number = one.min or 1,
        boolean = false, list = example_list(one), paths = example_list(one),
        checks = example_list(one), path = example_word(1), target = "HEAD", duration = "1m" }
      given[name] = not one.many and one.choices and one.choices[1] or by_type[one.type]
    end
  end
  return arg.complete(declared, given)
end

--- Plans a run that uses the repository's work tree, but a temporary folder as its `.agent`.
local function plan_of(home, source, preset, resume, place, also)
  local own = core.run.home(place)
  local all = grants.empty()
  all.all, grants.used[all] = true, {}
  local at = { top = home.top, root = home.root, git = home.git, agent_path = own.agent_path,
    handle = own.handle }
  return class.plan { home = at,
    source = source, preset = preset, resume = resume, name = preset and preset.name or source.name,
    args = preset and example_args(preset.args, also) or {}, config = config.current(),
    runner = { name = "mock" }, runner_spec = "mock", routed = { runner = { name = "mock" } },
    grants = all, options = { inputs = core.json.array {} }, inputs = core.json.array {},
    limit = limit, budget = { agents = budget.default_agents, wall = "5m" } }
end

local function go_through(plan)
  local run = run_module.create(plan)
  local seen = { agents = 0, commands = core.json.array {}, warnings = {}, made_up = made_up,
    reached = {} }
  run.checking, run.dry = seen, true
  run.worst = { calls = 0, agents = 0, processes = 0, tokens = 0, usd = 0,
    uncounted = core.json.array {}, steps = {} }
  local emit = run.emit
  function run.emit(kind, fields)
    if kind == "warning" then seen.warnings[#seen.warnings + 1] = fields.text end
    emit(kind, fields)
  end
  local envelope = run_module.execute(run)
  for _, step in ipairs(run.steps) do
    if step.kind == "agent" then seen.agents = seen.agents + 1 end
  end
  return envelope.error ~= core.json.null and envelope.error or nil, seen
end

local function compare_needs(preset, used, problems, notes)
  local declared = grants.from_needs(preset.needs)
  grants.are_declared[declared] = true
  local tests = { run = grants.check_program, read = grants.check_read, write = grants.check_write,
    env = grants.check_env, host = grants.check_host, agents = grants.check_agents }
  local kinds, takes_commands = {}, false
  for _, one in ipairs(used) do
    kinds[one.kind] = true
    local ok, err = pcall(tests[one.kind], declared, one.name)
    if not ok and one.kind == "run" and made_up[one.name] then
      takes_commands = true
    elseif not ok then
      problems[#problems + 1] = { at = one.at or core.json.null, hint = err.hint,
        message = err.message:gsub("^not granted", "not declared in needs") }
    end
  end
  if takes_commands then
    notes[#notes + 1] =
      "an argument takes commands: who runs the preset allows their programs, with --allow run=NAME"
  end
  for _, kind in ipairs { "run", "read", "write", "env", "host", "agents" } do
    local has = declared[kind] == true or type(declared[kind]) == "table"
      and next(declared[kind]) ~= nil
    if has and not kinds[kind] then
      notes[#notes + 1] = ("needs.%s is declared, and was not used in this dry run"):format(
        kind == "run" and "programs" or kind)
    end
  end
  local programs = {}
  for _, one in ipairs(used) do programs[one.kind .. one.name] = true end
  for name in pairs(declared.run) do
    if kinds.run and not programs["run" .. name] then
      notes[#notes + 1] =
        ("needs.programs names '%s', which was not used in this dry run"):format(name)
    end
  end
end

local function compare_budget(source, preset, seen, problems)
  local function compare(kind, count, what)
    local most = preset.budget[kind]
    if not most or count <= most then return end
    problems[#problems + 1] = { at = source.origin,
      hint = ("raise budget.%s: at its limit a run ends"):format(kind),
      message = ("budget.%s is %d, and the dry run makes %d %s"):format(kind, most, count, what) }
  end
  compare("agents", seen.agents, "calls of agents")
  compare("processes", #seen.commands, "calls of commands")
end

local function note_unreached(source, seen, notes)
  local calls = unreached.calls(source, seen.reached)
  if #calls == 0 then return end
  local more = #calls > most_calls and (" and %d more"):format(#calls - most_calls) or ""
  notes[#notes + 1] = ("not reached in this dry run: %s%s"):format(
    table.concat(calls, ", ", 1, math.min(#calls, most_calls)), more)
end

local function check_name(source, preset, problems)
  local file = (source.path or source.origin):match "([^/]+)/init%.lua$" or source.name
  if preset.name == file then return end
  problems[#problems + 1] = { at = source.origin,
    message = ("the preset calls itself '%s', and is found as '%s'")
    :format(preset.name, file), hint = ("write name = \"%s\", or rename the file"):format(file) }
end

--- Removes the temporary folder of the current dry run. Nil if no dry run has begun.
M.clean_up = nil

--- Executes the preset in a temporary folder.
--- Returns its error, its actions and the rights it used.
local function once(home, source, preset, resume, also)
  local place, _, remove = temporary.folder "check"
  M.clean_up = remove
  local ok, err, seen, used = pcall(function()
    local plan = plan_of(home, source, preset, resume, place, also)
    local failed, seen = go_through(plan)
    return failed, seen, grants.used[plan.grants]
  end)
  remove()
  if not ok then error(err, 0) end
  return err, seen, used
end

--- Tries each optional argument in turn, because some presets do nothing without one.
local function any_way(home, source, preset, resume)
  local err, seen, used = once(home, source, preset, resume)
  for name, one in pairs(preset and err and preset.args or {}) do
    if one.default == nil and not one.required then
      local other, other_seen, other_used = once(home, source, preset, nil, name)
      if not other then return nil, other_seen, other_used end
    end
  end
  return err, seen, used
end

local function check_whole(home, source, problems, notes)
  local opened, preset, resume = pcall(loader.open, source)
  if not opened then
    problems[1] = problem(preset)
    return nil
  end
  if preset then
    check_name(source, preset, problems)
    nested.resolve(home, source, preset)
  end
  local err, seen, used = any_way(home, source, preset, resume)
  if preset then
    compare_needs(preset, used, problems, err and {} or notes)
    compare_budget(source, preset, seen, problems)
  end
  if not err then note_unreached(source, seen, notes) end
  for _, text in ipairs(seen.warnings) do notes[#notes + 1] = text end
  local is_slip = err and (err.kind == "invalid" or err.kind == "denied" or #seen.commands == 0)
  if is_slip then
    table.insert(problems, 1, problem(err))
  elseif err then
    notes[#notes + 1] = ("it stops at %s: %s (a dry run starts no command, so its output is empty)")
      :format(err.at ~= core.json.null and err.at or "this error", err.message)
  end
  return seen
end

local function text_of(name, problems, notes, seen)
  local lines = {}
  for _, one in ipairs(problems) do
    local at = one.at ~= core.json.null and one.at and one.at .. ": " or ""
    lines[#lines + 1] = core.text.printable(at .. one.message, 2000)
    local hint = one.hint ~= core.json.null and one.hint
    if hint then lines[#lines + 1] = "  " .. core.text.printable(hint, 2000) end
  end
  lines[#lines + 1] = #problems > 0 and ("%s: %s"):format(name, counted(#problems, "problem"))
    or ("%s: ok (a dry run on mock: %s, %s; none was started)"):format(name,
      counted(seen.agents, "agent call"), counted(#seen.commands, "command"))
  for _, note in ipairs(notes) do
    lines[#lines + 1] = "note: " .. core.text.printable(note, 2000)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function result_of(name, problems, notes, seen)
  seen = seen or { agents = 0, commands = core.json.array {} }
  return { name = name, problems = problems, notes = notes, agents = seen.agents,
    commands = seen.commands }, text_of(name, problems, notes, seen)
end

--- Name of the preset that is being checked, or nil.
M.begun = nil

---@param target string  a preset's name, or a Lua file
function M.check(home, target)
  local source = loader.find(home, target)
  local problems, notes, seen = core.json.array {}, core.json.array {}, nil
  core.event.display "none"
  M.begun = source.name
  config.with_runners_alone(function() seen = check_whole(home, source, problems, notes) end)
  local result, text = result_of(source.name, problems, notes, seen)
  return result, text, #problems == 0
end

--- Returns the result of `moonlet preset check` as an envelope, after the preset was killed because
--- it did not terminate.
function M.killed(err)
  if M.clean_up then M.clean_up() end
  local result, text = result_of(M.begun, core.json.array { problem(err) }, core.json.array {}, nil)
  local envelope = options.envelope(result)
  envelope.ok = false
  return envelope, text
end

return M
