--- `moonlet run resume R-007`: resumes a run that was killed, failed in part, or waits for a person. Recorded steps
--- are replayed, not repeated.
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local arg = require "moonlet.arg"
local acceptance = require "moonlet.engine.effects.consent"
local grants = require "moonlet.engine.context.grants"
local home_module = require "moonlet.engine.run.repository"
local presets = require "moonlet.engine.load.loader"
local record_store = require "moonlet.engine.run.store"
local routing = require "moonlet.engine.agent.routing"
local runners = require "moonlet.engine.load.runners"
local spending = require "moonlet.engine.agent.metering"

local M = {}

M.options = {
  repo = { value = "DIR", help = "the repository or folder (default: here)" },
  fresh = { help = "read the world anew: files, commands, clock; answers of agents stay" },
  allow = { value = "GRANT", many = true, help = "needs: accept what an edited preset declares" },
  gates = { value = "park|deny", help = "what a gate does without a person" },
  budget = { value = "KIND=N,…", many = true, help = "another limit than it was started with; KIND=none lifts it" },
  plain = { help = "lines instead of the live view, on a terminal too" },
  json = { help = "print one JSON envelope and nothing else" },
  events = { help = "print events as JSON lines while they happen" },
  detached = { help = "this process is left to drive the run", hidden = true },
  help = { help = "this text" },
}

--- The rights of the run. A preset's rights were accepted with its text at the start: a changed text asks again, and
--- gets the rights of this command line, as with `run`.
local function rights(source, preset, rec, allow)
  local said, accepted = grants.empty(), false
  for _, text in ipairs(allow or {}) do accepted = grants.parse(said, text) or accepted end
  local is_same = not preset or presets.is_text(source, rec.preset_sha256)
    and grants.covers(rec.grants, grants.from_needs(preset.needs))
  if is_same then return grants.join(rec.grants, said) end
  if said.all then return said end
  return grants.join(said, acceptance.demand(source, preset, accepted))
end

--- Refuses a dry run: only --prepared drives it on, so that a person who asks for no agent pays for none.
local function refuse_prepared(home, id, rec)
  if not rec.options.dry_run then return end
  if rec.ended then
    error(record.invalid(("%s is a dry run, which came to: %s"):format(id, tostring(rec.verdict)),
      "prepare it anew with --dry-run"), 0)
  end
  error(record.invalid(id .. " is a dry run", require("moonlet.engine.cli.runs").prepared(home, rec)), 0)
end

--- True for the record of a prompt, which may go on after any verdict.
local function is_prompt(rec)
  return rec.target == "repl" and rec.script == true and (rec.path == nil or rec.path == core.json.null)
end

--- The script or preset that the run was started with.
local function source_of(home, rec)
  if is_prompt(rec) then require "moonlet.engine.cli.repl" end
  if rec.path == core.json.null or not rec.path then return presets.find(home, rec.target) end
  local source = presets.file(home_module.moved(home, rec, rec.path))
  -- Messages of Lua errors begin with their place, and a prompt may have one: its step would be another one
  -- otherwise.
  if type(rec.origin) == "string" then source.origin = rec.origin end
  return source
end

--- The plan of a resumed run: its arguments, runner and options are those it was started with.
---@param home table
---@param id string
---@param rec table   its run.json
---@param found table options of the command line
---@return table plan
function M.plan(home, id, rec, found)
  refuse_prepared(home, id, rec)
  local was = record_store.hash(rec)
  local lost
  rec, lost = record_store.as_given(home, rec)
  home = home_module.of_run(home, rec)
  local source = source_of(home, rec)
  local script_args = rec.script and rec.args or {}
  local preset, resume = presets.open(source, script_args)
  if (preset == nil) ~= (rec.script == true) then
    error(record.invalid(("%s is no longer what run %s was started with"):format(source.origin, id)), 0)
  end
  local run_cli = require "moonlet.engine.cli.run"
  run_cli.check_gates(found.gates)
  rec.options.gates = found.gates or rec.options.gates
  local own_config = record_store.config(rec)
  local plan = {
    home = home, source = source, preset = preset, resume = resume, name = rec.preset,
    args = preset and arg.complete(preset.args, rec.args) or rec.args,
    runner_spec = rec.runner, runner = runners.parse(rec.runner, own_config), config = own_config,
    budget = run_cli.change_budget(rec.budget or {}, found.budget),
    limit = rec.limit, grants = rights(source, preset, rec, found.allow), options = rec.options,
    inputs = nil, lost = lost, may_ask = not (found.json or found.events), fresh = found.fresh,
    before = { id = rec.task_id, run = id, record = rec, was = was, resumed = true },
  }
  plan.routed = routing.of_run(plan)
  if not plan.budget.usd then
    rec.options.usd_asked = nil
  elseif plan.budget.usd ~= rec.budget.usd or run_cli.names_usd(found.budget) then
    rec.options.usd_asked = true
    spending.check_plan(plan)
  end
  return plan
end

--- The result of a run that needs nothing more.
local function already(home, id, rec)
  return { ok = true, command = "run resume", error = core.json.null,
    run = record_store.envelope(home, rec), result = record_store.result(home, rec) },
    0, ("%s has ended already: %s\n"):format(id, rec.verdict)
end

--- True if a run waits for its provider.
---@param rec table
---@return boolean
function M.is_parked_for_quota(rec)
  return rec.ended and rec.verdict == "quota" and math.type(rec.until_ms) == "integer"
end

--- True if the provider that it waits for can be asked again.
---@param rec table
---@return boolean
function M.is_due(rec) return M.is_parked_for_quota(rec) and core.clock.wall() >= rec.until_ms end

--- Drives a plan that was made from the record of a run. If somebody else has resumed the run before its lock was
--- taken, `again` is called with the new record.
---@param home table
---@param id string
---@param plan table
---@param again fun(rec: table): table?, ...   another plan; or nil and the results to return instead
---@return table envelope, integer exit_code, string text
function M.drive(home, id, plan, again)
  while true do
    local drove, envelope, code, text = pcall(require("moonlet.engine.cli.run").drive, plan)
    if drove then return envelope, code, text end
    if not record_store.is_stale(envelope) then error(envelope, 0) end
    plan, envelope, code, text = again(select(2, record_store.find(home, id)))
    if not plan then return envelope, code, text end
  end
end

--- moonlet run resume R-007
---@param words string[]
---@param output table
---@return table? envelope, integer exit_code, string? text
function M.main(words, output)
  local found, rest = options.parse(words, M.options, 3)
  if found.help then
    options.print_help("usage: moonlet run resume RUN [options]\n\noptions:\n"
      .. options.help(M.options) .. "\n", found.json)
    return nil, 0
  end
  if #rest ~= 1 then
    error(options.usage("resume which run?", "moonlet run resume R-007; moonlet run list shows them"), 0)
  end
  output.json, output.events = found.json or false, found.events or false
  local home = home_module.open(found.repo)
  local id, rec = record_store.find(home, rest[1])
  local run_cli = require "moonlet.engine.cli.run"
  run_cli.check_gates(found.gates)
  run_cli.change_budget({}, found.budget)
  local function plan_of(now)
    local is_over = now.ended and now.verdict == "ok" and not is_prompt(now)
    if is_over then return nil, already(home, id, now) end
    -- This command resumes once the provider can be asked again, and for no other reason.
    if found.detached and not M.is_due(now) then return nil, nil, 0 end
    local plan = M.plan(home, id, now, found)
    -- A person may know better than the provider; a process that resumes by itself does not.
    plan.asks_again, plan.detached = not found.detached, found.detached
    return plan
  end
  local plan, envelope, code, text = plan_of(rec)
  if not plan then return envelope, code, text end
  found.plain = found.plain or found.detached
  core.event.display(plan.source.display or output.events and "events" or output.json and "none"
    or found.plain and "plain" or "live")
  return M.drive(home, id, plan, plan_of)
end

return M
