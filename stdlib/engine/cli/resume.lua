--- `moonlet resume R-007` resumes a run that was killed, failed in part, or waits for a person.
--- Recorded steps are replayed, not repeated.
local command_line = require "moonlet.engine.base.command_line"
local options = require "moonlet.engine.cli.options"
local forecast = require "moonlet.engine.cli.run.forecast"
local limits = require "moonlet.engine.cli.task.limits"
local record = require "moonlet.record"
local arg = require "moonlet.arg"
local consent = require "moonlet.engine.effects.consent"
local grants = require "moonlet.engine.context.grants"
local class = require "moonlet.engine.run.class"
local repository = require "moonlet.engine.run.repository"
local nested = require "moonlet.engine.load.nested"
local loader = require "moonlet.engine.load.loader"
local store = require "moonlet.engine.run.store"
local routing = require "moonlet.engine.agent.routing"
local runners = require "moonlet.engine.load.runners"
local metering = require "moonlet.engine.agent.metering"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = options.with_common {
  forecast = forecast.known.forecast, ["up-to"] = forecast.known["up-to"], sha = forecast.known.sha,
  fresh = { help = "read files, commands and the clock again; keep agents' answers" },
  allow = { value = "GRANT", many = true, help = "needs: accept what an edited preset declares" },
  gates = { value = "park|deny", help = "what a gate does without a person" },
  budget = { value = "KIND=N,…", many = true,
    help = "another limit than it was started with; KIND=none lifts it" },
  plain = { help = "as --verbose", hidden = true },
  verbose = { letter = "v", help = "a line for each event on stderr, in place of the live view" },
  events = { help = "print events as JSON lines while they happen" },
  detached = { help = "this process is left to drive the run", hidden = true },
  asked = { help = "with --detached: somebody asked for it, so it does not wait for the provider",
    hidden = true },
}

--- Returns the rights of the run. The user accepted a preset's rights together with its text, so a
--- changed preset needs consent again. The rights of this command line are added.
local function rights(source, preset, rec, allow)
  local said = grants.empty()
  local accepted = limits.allow(said, allow)
  local is_same = not preset or loader.is_text(source, rec.preset_sha256)
    and grants.covers(rec.grants, grants.from_needs(preset.needs))
  if is_same then return grants.join(rec.grants, said) end
  if said.all then return said end
  return grants.join(said, consent.demand(source, preset, accepted))
end

--- Rejects a run that was only prepared (a dry run). Only --prepared continues a dry run, so that
--- nobody pays for agents by mistake.
local function refuse_prepared(home, id, rec)
  if not rec.options.dry_run then return end
  if rec.ended then
    record.refuse(("%s is a dry run, which ended with: %s"):format(id, tostring(rec.verdict)),
      "prepare it again with --dry-run")
  end
  record.refuse(id .. " is a dry run", require("moonlet.engine.run.state").prepared(home, rec))
end

--- Finds the script or preset that the run was started with.
local function source_of(home, rec)
  if store.is_prompt(rec) then require "moonlet.engine.cli.repl" end
  if rec.path == core.json.null or not rec.path then return loader.find(home, rec.target) end
  local source = loader.file(repository.moved(home, rec, rec.path))
  -- Keep the recorded file name. Lua errors start with it, and a prompt may contain such an error.
  if type(rec.origin) == "string" then source.origin = rec.origin end
  return source
end

--- Builds the plan of a resume from the arguments, the runner and the options that the run has
--- recorded.
---@param rec table   run.json of the run
function M.plan(home, id, rec, found)
  store.check_own(rec, "resumed")
  refuse_prepared(home, id, rec)
  if rec.runner == "rules" then
    record.refuse(id .. " was made by the runner 'rules', which no longer exists",
      ("moonlet run replay %s --offline, or with --runner, makes a new run"):format(id))
  end
  local was = store.hash(rec)
  local lost
  rec, lost = store.as_given(home, rec)
  home = repository.of_run(home, rec)
  local source = source_of(home, rec)
  local script_args = rec.script and rec.args or {}
  local preset, resume = loader.open(source, script_args)
  if preset then nested.resolve(home, source, preset) end
  if (preset == nil) ~= (rec.script == true) then
    record.refuse(("%s is no longer what run %s was started with"):format(source.origin, id))
  end
  options.check_word("gates", found.gates, "park", "deny")
  rec.options.gates = found.gates or rec.options.gates
  local own_config = store.config(rec)
  local spec = rec.runner ~= core.json.null and rec.runner or nil
  local plan = class.plan {
    home = home, source = source, preset = preset, resume = resume, name = rec.preset,
    args = preset and arg.complete(preset.args, rec.args) or rec.args,
    runner_spec = spec, runner = runners.parse(spec, own_config), config = own_config,
    budget = limits.change_budget(rec.budget or {}, found.budget),
    limit = rec.limit, grants = rights(source, preset, rec, found.allow), options = rec.options,
    inputs = nil, lost = lost, may_ask = not (found.json or found.events), fresh = found.fresh,
    before = { id = rec.task_id, run = id, record = rec, was = was, resumed = true },
  }
  plan.routed = routing.of_run(plan)
  if not rec.ended and rec.reviewing and not found.cancels then plan.review = rec.reviewing end
  if not found.cancels then require("moonlet.engine.effects.worker").check_plan(plan) end
  plan.parent = type(rec.parent_run_id) == "string" and rec.parent_run_id or nil
  if type(rec.packet) == "table" and rec.packet ~= core.json.null then
    require("moonlet.engine.task.plan").attach(plan, rec.packet)
  end
  metering.check_plan(plan)
  return plan
end

local function already(home, id, rec)
  require("moonlet.engine.export.otlp").at_end(home, id, false)
  local waits = type(rec.review) == "table" and rec.review.state == "pending"
    and ("; it waits for a review: moonlet review show %s"):format(id) or ""
  return options.envelope(store.result(home, rec), store.envelope(home, rec)), 0,
    ("%s has ended already: %s%s\n"):format(id, rec.verdict, waits)
end

function M.is_parked_for_quota(rec)
  return rec.ended and rec.verdict == "quota" and math.type(rec.until_ms) == "integer"
end

--- Reports whether a run waited for its provider's quota and can continue now.
function M.is_due(rec) return M.is_parked_for_quota(rec) and core.clock.wall() >= rec.until_ms end

--- Drives a plan that was made from the record of a run.
--- If another process has resumed the run first, calls `again` with the new record.
---@param again fun(rec: table): table?, ...   returns another plan, or nil and the results
function M.drive(home, id, plan, again)
  while true do
    local drove, envelope, code, text, about = pcall(require("moonlet.engine.cli.run").drive, plan)
    if drove then return envelope, code, text, about end
    if not store.is_stale(envelope) then error(envelope, 0) end
    plan, envelope, code, text = again(select(2, store.find(home, id)))
    if not plan then return envelope, code, text end
  end
end

function M.main(words, output)
  local runner = options.value_in(words, "runner")
  if runner then
    options.refuse("a run keeps its runner",
      ("moonlet run replay RUN --runner %s makes a new one"):format(
      command_line.quoted(runner)))
  end
  local found, rest = verbs.read("run resume", words, M.known)
  if #rest ~= 1 then
    options.refuse("resume which run?", "moonlet resume R-007; moonlet list shows them")
  end
  output.json, output.events = found.json or false, found.events or false
  local home = repository.open(found.repo)
  local id, rec = store.find(home, rest[1])
  options.check_word("gates", found.gates, "park", "deny")
  limits.change_budget({}, found.budget)
  forecast.check(found)
  local bound
  local function plan_of(now)
    store.check_own(now, "resumed")
    local is_well = now.verdict == "ok" or now.verdict == "prepared" or now.verdict == "findings"
    local is_over = now.ended and is_well and not store.is_prompt(now)
    if is_over then return nil, already(home, id, now) end
    -- A detached command resumes only when the provider can be asked again.
    local waits = found.detached and not found.asked
    if waits and not M.is_due(now) then return nil, nil, 0 end
    local plan = M.plan(home, id, now, found)
    -- A person may know that the provider has raised the quota early, so ask the provider at once.
    -- A detached process cannot know that and waits.
    plan.asks_again, plan.detached = not waits, found.detached
    if bound then bound(plan) end
    return plan
  end
  local plan, envelope, code, text = plan_of(rec)
  if plan and forecast.is_wanted(found) then
    local _, given = require("moonlet.engine.cli.task.replay").split(words)
    envelope, code, text = forecast.of(plan, found, "moonlet resume " .. id, given)
    if envelope then return envelope, code, text end
    bound = code
    plan, envelope, code, text = plan_of(select(2, store.find(home, id)))
  end
  if not plan then return envelope, code, text end
  core.event.display(plan.source.display or options.display(found, output))
  local function drive() return M.drive(home, id, plan, plan_of) end
  if found.asked then return require("moonlet.engine.cli.task.detached").drive(plan, drive) end
  return drive()
end

return M
