--- Handles command lines of `moonlet run` that do not simply start one run: --edit-prompt, pipelines,
--- comparisons, and packets that start only if they are ready.
local detached = require "moonlet.engine.cli.task.detached"
local editor = require "moonlet.engine.cli.task.editor"
local page = require "moonlet.engine.base.page"
local store = require "moonlet.engine.run.store"
local summary = require "moonlet.engine.task.summary"
local state = require "moonlet.engine.run.state"

local M = {}

local null = core.json.null
local poll_ms = 50

--- A pipeline continues with its next runner after these verdicts.
local goes_on = { ok = true, degraded = true, blocked = true, findings = true }

--- Returns the command line without the named options and their values.
local function without(words, names)
  local list, i, is_over = {}, 1, false
  while i <= #words do
    local word = words[i]
    is_over = is_over or word == "--"
    local name = not is_over and word:match "^%-%-([^=]+)"
    local kind = name and names[name]
    if not kind then
      list[#list + 1] = word
    elseif kind == "value" and not word:find("=", 1, true) then
      i = i + 1
    end
    i = i + 1
  end
  return list
end

--- Inserts options after the first word of a command line, because arguments may follow a "--".
local function with(words, ...)
  local list = { words[1], ... }
  return table.move(words, 2, #words, #list + 1, list)
end

local kept_options = { json = "flag", events = "flag", plain = "flag", verbose = "flag", repo = "value",
  allow = "value", gates = "value", format = "value", ["fail-on"] = "value" }

--- Returns the options of a command line that must be repeated when the prepared run is started.
local function kept(words)
  local list = {}
  for i, word in ipairs(words) do
    if word == "--" then break end
    local kind = kept_options[word:match "^%-%-([^=]+)" or ""]
    if kind then list[#list + 1] = word end
    if kind == "value" and not word:find("=", 1, true) then list[#list + 1] = words[i + 1] end
  end
  return list
end

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
    error({ kind = "invalid", usage = true, message = "there is no prompt to edit before something is started",
      hint = ("%s is prepared; its prompts are under %s"):format(run.id, run.dir) }, 0)
  end
  editor.edit(path)
  local again = { "run", plan.packet and plan.packet.id or plan.target, "--prepared", run.task_id }
  return plan_again({}, table.move(kept(words), 1, #words, #again + 1, again))
end

--- Builds the envelope (the JSON output) of several runs. Its field `run` is the last run.
local function envelope_of(home, runs, code)
  local list = {}
  for i, rec in ipairs(runs) do list[i] = store.envelope(home, rec) end
  return { ok = code == 0, command = "run", run = list[#list] or null, result = { runs = core.json.array(list) },
    error = null }
end

--- Joins the answers of several runs, each under a heading.
local function answers_of(home, runs)
  local parts = {}
  for i, rec in ipairs(runs) do
    parts[i] = ("## %s (%s)\n\n%s\n"):format(core.text.printable(state.runner(rec) or "no runner", 40), rec.id,
      (summary.answer(home, rec, 8000) or "no answer"):gsub("\n*$", ""))
  end
  return table.concat(parts, "\n")
end

--- Runs the runners one after another. Each prompt includes the summary of the previous run.
local function pipeline(first, words, plan_again, drive)
  local home, lines, runs, plan, code, failure = first.home, {}, {}, first, 0, nil
  for i = 1, #first.runners do
    if i > 1 then
      plan = plan_again { index = i, parent = runs[1].id, linked = summary.linked(home, runs[i - 1]) }
      plan.detached = nil
    end
    if first.edits and not plan.options.dry_run then plan = edited(plan, words, plan_again, drive) end
    local envelope, own = drive(plan)
    runs[i] = select(2, store.find(home, envelope.run.id))
    lines[#lines + 1] = summary.line(runs[i])
    if code == 0 then code = own end
    if failure == nil and envelope.error ~= null then failure = envelope.error end
    local verdict = runs[i].verdict
    if runs[i].ended and not goes_on[verdict] then
      for k = i + 1, #first.runners do lines[#lines + 1] = ("%-12s is not asked"):format(first.runners[k]) end
      break
    end
  end
  local result = envelope_of(home, runs, code)
  result.error = failure or null
  return result, code, answers_of(home, runs), { status = table.concat(lines, "\n") .. "\n" }
end

--- Waits for the end of a run that another process drives.
local function wait_for(home, id)
  while true do
    local rec = select(2, store.find(home, id))
    if rec.ended or rec.options.dry_run and not core.runs.holder(home.handle, id) then return rec end
    if not core.runs.holder(home.handle, id) then
      rec = select(2, store.find(home, id))
      if rec.ended then return rec end
      error({ kind = "failed", message = id .. " was interrupted", hint = "moonlet resume " .. id }, 0)
    end
    core.task.sleep(poll_ms)
  end
end

--- Returns the cost of a run in USD, else in tokens, or nil if its agents did not report it.
local function cost_of(rec)
  local usage = type(rec.usage) == "table" and rec.usage ~= null and rec.usage or {}
  if type(usage.cost_usd) == "number" then
    return ("%s%.4f USD"):format(usage.cost_is == "estimate" and "~" or "", usage.cost_usd)
  end
  return math.type(usage.total_tokens) == "integer" and ("%d tokens"):format(usage.total_tokens) or nil
end

--- Formats the number of passed checks and the number of all checks of a run.
local function checks_of(rec)
  local list, passed = rec.validation ~= null and rec.validation or {}, 0
  for _, item in ipairs(list) do passed = passed + (item.status == "passed" and 1 or 0) end
  return #list == 0 and "none" or ("%d of %d"):format(passed, #list)
end

--- Formats the comparison of several runs as a table.
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
  local rest = without(detached.words(words), { runner = "value", compare = "flag", json = "flag", events = "flag" })
  local ok, err = pcall(function()
    for i, spec in ipairs(first.runners) do
      local own = with(rest, "--runner", spec)
      if i > 1 then own = with(own, "--parent", ids[1]) end
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
