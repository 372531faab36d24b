--- Handles command lines of `moonlet run` that do not simply start one run: --edit-prompt, pipelines,
--- comparisons, and packets that start only if they are ready.
local detached = require "moonlet.engine.cli.task.detached"
local editor = require "moonlet.engine.cli.task.editor"
local follow = require "moonlet.engine.mcp.follow"
local options = require "moonlet.engine.cli.options"
local page = require "moonlet.engine.base.page"
local store = require "moonlet.engine.run.store"
local summary = require "moonlet.engine.task.summary"
local state = require "moonlet.engine.run.state"

local M = {}

local null = core.json.null

--- A pipeline continues with its next runner after these verdicts.
local goes_on = { ok = true, degraded = true, blocked = true, findings = true }

--- Lists the options of a command line that must be repeated when the prepared run is started.
local kept_options = { json = "flag", events = "flag", plain = "flag", verbose = "flag",
  repo = "value", allow = "value", gates = "value", format = "value", ["fail-on"] = "value" }

--- Prepares the run, lets the user edit its prompt, and returns the plan of the prepared run.
local function edited(plan, words, plan_again, drive)
  editor.check()
  plan.options.dry_run = true
  local display = plan.display
  core.event.display "none"
  local envelope = drive(plan)
  core.event.display(display)
  local run = envelope.run
  local path = run.dir .. "/prompt.md"
  local root = core.file.root(run.dir)
  if not root or not core.file.stat(root, "prompt.md") then
    error({ kind = "invalid", usage = true,
      message = "there is no prompt to edit before something is started",
      hint = ("%s is prepared; its prompts are under %s"):format(run.id, run.dir) }, 0)
  end
  editor.edit(path)
  return plan_again({}, { "run", plan.packet and plan.packet.id or plan.target, "--prepared",
    run.task_id, table.unpack((options.separate(words, kept_options))) })
end

--- Builds the envelope (the JSON output) of several runs. Its field `run` is the last run.
local function envelope_of(home, runs, code)
  local list = {}
  for i, rec in ipairs(runs) do list[i] = store.envelope(home, rec) end
  local envelope = options.envelope({ runs = core.json.array(list) }, list[#list])
  envelope.ok = code == 0
  return envelope
end

local function answers_of(home, runs)
  local parts = {}
  for i, rec in ipairs(runs) do
    parts[i] = ("## %s (%s)\n\n%s\n"):format(core.text.printable(state.runner(rec) or "no runner",
      40), rec.id, (summary.answer(home, rec, 8000) or "no answer"):gsub("\n*$", ""))
  end
  return table.concat(parts, "\n")
end

--- Runs the runners one after another. Each prompt includes the summary of the previous run.
local function pipeline(first, words, plan_again, drive)
  local home, lines, runs, plan, code, failure = first.home, {}, {}, first, 0, nil
  for i = 1, #first.runners do
    if i > 1 then
      plan = plan_again { index = i, parent = runs[1].id,
        linked = summary.linked(home, runs[i - 1]) }
      plan.detached = nil
    end
    if first.edits and not plan.options.dry_run then
      plan = edited(plan, words, plan_again, drive)
    end
    local envelope, own = drive(plan)
    runs[i] = select(2, store.find(home, envelope.run.id))
    lines[#lines + 1] = summary.line(runs[i])
    if code == 0 then code = own end
    if failure == nil and envelope.error ~= null then failure = envelope.error end
    local verdict = runs[i].verdict
    if runs[i].ended and not goes_on[verdict] then
      for k = i + 1, #first.runners do
        lines[#lines + 1] = ("%-12s is not asked"):format(first.runners[k])
      end
      break
    end
  end
  local result = envelope_of(home, runs, code)
  result.error = failure or null
  return result, code, answers_of(home, runs), { status = table.concat(lines, "\n") .. "\n" }
end

local function wait_for(home, id)
  local rec, how = follow.wait(home, id, math.huge, false)
  if how == "ended" or rec.options.dry_run then return rec end
  error({ kind = "failed", message = id .. " was interrupted", hint = "moonlet resume " .. id }, 0)
end

--- Returns the cost of a run in USD, else in tokens, or nil if its agents did not report it.
local function cost_of(rec)
  local usage = type(rec.usage) == "table" and rec.usage ~= null and rec.usage or {}
  if type(usage.cost_usd) == "number" then
    return ("%s%.4f USD"):format(usage.cost_is == "estimate" and "~" or "", usage.cost_usd)
  end
  return math.type(usage.total_tokens) == "integer"
    and ("%d tokens"):format(usage.total_tokens) or nil
end

local function checks_of(rec)
  local list, passed = rec.validation ~= null and rec.validation or {}, 0
  for _, item in ipairs(list) do passed = passed + (item.status == "passed" and 1 or 0) end
  return #list == 0 and "none" or ("%d of %d"):format(passed, #list)
end

local function comparison(runs)
  local rows, is_known = { { "RUNNER", "RUN", "VERDICT", "CHECKS", "TIME" } }, false
  for i, rec in ipairs(runs) do
    is_known = is_known or cost_of(rec) ~= nil
    rows[i + 1] = { core.text.printable(state.runner(rec) or "no runner", 24), rec.id,
      rec.ended and rec.verdict or "prepared", checks_of(rec), state.took(rec) }
  end
  for i, row in ipairs(is_known and rows or {}) do
    table.insert(row, 5, i == 1 and "COST" or cost_of(runs[i - 1]) or "unknown")
  end
  return table.concat(page.columns(page.out(), rows, 1), "\n") .. "\n"
end

--- Runs several runners in parallel on the same prompt, each in its own process.
local function compare(first, words)
  local home, ids, runs, code = first.home, {}, {}, 0
  local _, rest = options.separate(detached.words(words),
    { runner = "value", compare = "flag", json = "flag", events = "flag" })
  local ok, err = pcall(function()
    for i, spec in ipairs(first.runners) do
      -- Arguments may follow a "--", so put the options first.
      local own = { rest[1], "--runner=" .. spec, table.unpack(rest, 2) }
      if i > 1 then table.insert(own, 2, "--parent=" .. ids[1]) end
      ids[i] = detached.start(own)
    end
    for i, id in ipairs(ids) do runs[i] = wait_for(home, id) end
  end)
  if not ok then
    for _, id in ipairs(ids) do pcall(core.runs.request_cancel, home.handle, id) end
    error(err, 0)
  end
  for _, rec in ipairs(runs) do
    if code == 0 then code = rec.ended and (math.tointeger(rec.exit_code) or 1) or 0 end
  end
  return envelope_of(home, runs, code), code, answers_of(home, runs) .. "\n" .. comparison(runs)
end

--- Executes a plan that may have several runners, --edit-prompt or --if-ready.
function M.drive(plan, words, plan_again, drive)
  if plan.if_ready then
    return require("moonlet.engine.cli.task.queue").drive_ready(plan, drive)
  elseif #plan.runners > 1 and plan.compare then
    return compare(plan, words)
  elseif #plan.runners > 1 then
    return pipeline(plan, words, plan_again, drive)
  end
  if plan.edits and not plan.options.dry_run then plan = edited(plan, words, plan_again, drive) end
  return drive(plan)
end

return M
