--- Forecasts the outcome and price of each step of a resume or replay, without starting anything.
--- A forecast drives a copy of the run with the code of the real resume, so that both agree.
local adoption = require "moonlet.engine.journal.adoption"
local budget = require "moonlet.engine.budget.budget"
local config = require "moonlet.engine.load.config"
local observer = require "moonlet.engine.run.forecast.observer"
local prices = require "moonlet.engine.run.forecast.price"
local remote_steps = require "moonlet.engine.remote.steps"
local run_module = require "moonlet.engine.run.run"
local shadows = require "moonlet.engine.run.forecast.shadow"
local values = require "moonlet.engine.journal.values"
local worst_case = require "moonlet.engine.run.forecast.worst_case"
require "moonlet.engine.run.verbs"

local M = {}

local null = core.json.null
local kinds = { "usd", "tokens" }

local function kind_of(err) return type(err) == "table" and rawget(err, "kind") or "failed" end

local function drive(plan, home, seen, shadow)
  local id = plan.before and plan.before.run
  plan.home, plan.may_ask, plan.after, plan.on_record = shadow.home, false, nil, nil
  function plan.begun(run)
    run.forecast, seen.run = seen, run
    run.settle_cleanups = function() end
  end
  if id then
    function adoption.observer(key, attempt)
      local state, exit = core.process.recorded(home.handle, id, key, attempt)
      -- A forecast does not ask remote machines, so it assumes that a remote attempt still runs.
      local is_remote = state == "none" and seen.run
        and remote_steps.may_live(seen.run, key, attempt)
      if is_remote then return "running" end
      if state == "exited" and seen.run then shadow.bring(seen.run.directory_of(key)) end
      return state, exit
    end
    values.reader = shadow.read_value
  end
  local run = run_module.create(plan)
  return run_module.body(run)
end

local function leave(shadow)
  adoption.observer, values.reader, run_module.current = nil, nil, nil
  core.run.end_children()
  core.run.finish(true)
  shadow.remove()
end

local function check_free(home, id)
  local pid = id and core.runs.holder(home.handle, id)
  if not pid then return end
  error({ kind = "failed",
    message = ("run %s is being driven by process %d already"):format(id, pid),
    hint = ("wait for it (`moonlet wait %s`) or end it (`moonlet cancel %s`)"):format(id, id) }, 0)
end

--- Adds the steps that were replayed, wait for a person, or were answered by `mock`.
local function add_replayed(run, seen)
  local order, placed = {}, {}
  for _, step in ipairs(run.steps) do
    local key, is_asked = step.key, step.kind == "gate" or step.kind == "question"
    local outcome = step.runner == "mock" and not step.cached and "free" or step.cached and "reused"
      or is_asked and step.status == "parked" and "asks"
        or is_asked and step.status == "ok" and "reused" or nil
    if not seen.rows[key] and outcome then
      seen:add(key, { kind = step.kind, outcome = outcome, runner = step.runner, model = step.model,
        why = step.status == "failed" and "it failed, and is not asked again" or nil })
    end
    if seen.rows[key] then order[#order + 1], placed[key] = key, true end
  end
  for _, key in ipairs(seen.order) do
    if not placed[key] then order[#order + 1] = key end
  end
  seen.order = order
end

local function recorded_steps(record)
  local steps = {}
  for _, step in ipairs(record and type(record.steps) == "table" and record.steps ~= null
      and record.steps or {}) do
    steps[step.key] = step
  end
  return steps
end

local function spent_below(run, key)
  local sums = {}
  for other in pairs(run.journal.history.charges) do
    if other == key or other:sub(1, #key + 1) == key .. "/" then
      local spent = prices.of_step(run, other)
      for _, kind in ipairs(kinds) do
        if spent and spent[kind] then sums[kind] = budget.plus(sums[kind] or 0, spent[kind]) end
      end
    end
  end
  return sums
end

local function row_of(run, seen, costs, key, before, record)
  local step = seen.rows[key]
  local row = { key = key, kind = step.kind, outcome = step.outcome, why = step.why or null,
    runner = step.runner or null, model = step.model or null }
  if step.outcome == "reused" then
    local spent, was = spent_below(run, key), before[key] or {}
    -- In a replay, only the original run's record contains the cost of a reused step.
    local told = type(was.usage) == "table" and was.usage ~= null and was.usage or {}
    row.paid_usd = spent.usd or told.cost_usd or null
    row.paid_tokens = spent.tokens or told.total_tokens or null
    row.paid_at = was.started_at or record and record.started_at or null
  elseif step.outcome == "adopted" or step.outcome == "paid" then
    row.state, row.watched = step.state, step.is_watched
    for _, kind in ipairs(kinds) do row[kind] = costs:of(step, kind) or null end
  end
  return row
end

local function totals_of(rows, kind)
  local sum = { reused = 0, low = 0, high = 0 }
  for _, row in ipairs(rows) do
    local paid = row.outcome == "reused" and row["paid_" .. kind]
    if type(paid) == "number" then sum.reused = budget.plus(sum.reused, paid) end
    if row.outcome == "paid" or row.outcome == "adopted" then
      local range = row[kind]
      local is_known = range ~= null
      sum.low = is_known and budget.plus(sum.low, range.low) or sum.low
      sum.high = is_known and sum.high and budget.plus(sum.high, range.high) or nil
    end
  end
  return sum
end

--- Returns true if the forecast has reached the step or a function that contains it.
local function is_reached(seen, key)
  if seen.rows[key] then return true end
  for around in key:gmatch "()/" do
    if seen.rows[key:sub(1, around - 1)] then return true end
  end
  return false
end

--- Returns earlier hosts' agent steps that depend on unknown answers.
local function unreached_rows(run, seen)
  local keys, rows = {}, {}
  for key in pairs(run.journal.history.charges) do
    if not is_reached(seen, key) then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for i, key in ipairs(keys) do
    local spent, charges = prices.of_step(run, key) or {}, run.journal.history.charges[key]
    rows[i] = { key = key, kind = "agent", outcome = "unknown", why = null,
      runner = charges[#charges].runner or null, model = charges[#charges].model or null,
      paid_usd = spent.usd or null, paid_tokens = spent.tokens or null }
  end
  return rows
end

local function unreached(rows, kind)
  local sum = 0
  for _, row in ipairs(rows) do
    local paid = row["paid_" .. kind]
    if row.outcome == "unknown" and paid ~= null then sum = budget.plus(sum, paid) end
  end
  return sum
end

local function left_of(run, kind)
  local limit = run.own_budget and run.own_budget.limits[kind]
  if not limit then return nil end
  return math.max(0, budget.plus(limit, -run.own_budget.spent[kind]))
end

--- Adds an upper bound for steps that depend on unknown answers: their earlier cost, or the budget.
local function add_bound(run, rows, costs, sum, kind)
  local left = left_of(run, kind)
  local rest = costs:rest(kind, sum.reused + sum.low, unreached(rows, kind))
  sum.rest, sum.rest_from = rest, rest and "history" or nil
  if left and (not rest or rest > left) then sum.rest, sum.rest_from = left, "the budget" end
end

---@param planned table<string, number>?  highest cost of all calls that the preset plans, by kind
local function sums_of(run, costs, rows, ends, planned)
  local totals = {}
  for _, kind in ipairs(kinds) do
    local sum = totals_of(rows, kind)
    if planned and planned[kind] and sum.high then
      sum.rest = math.max(0, budget.plus(planned[kind], -sum.high))
      sum.rest_from = "the preset's plan"
    elseif ends then
      add_bound(run, rows, costs, sum, kind)
    else
      sum.rest = 0
    end
    local left = left_of(run, kind)
    sum.most = sum.high and sum.rest and budget.plus(sum.high, sum.rest) or nil
    -- A run cannot spend more than its remaining budget.
    if left and (not sum.most or sum.most > left) then sum.most = left end
    totals[kind] = { spent = run.own_budget and run.own_budget.spent[kind] or 0,
      reused = sum.reused, low = sum.low, high = sum.high or null, rest = sum.rest or null,
      rest_from = sum.rest_from or null, most = sum.most or null, left = left or null }
  end
  return totals
end

--- Hashes everything that decides the forecast. Leaves out cost estimates and the progress of
--- agents that earlier hosts started, because both change without an action of the user.
local function hash_of(plan, run, seen)
  local rows = core.json.array {}
  for i, key in ipairs(seen.order) do
    local row = seen.rows[key]
    rows[i] = { key, row.outcome, row.runner or null, row.model or null,
      row.hash or null, row.kind }
  end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  local answers = {}
  for key, item in pairs(run.journal.answers) do
    answers[key] = { item.value or null, item.note or null }
  end
  local now = config.current()
  local parts = { rows = rows, seen = seen.seen, answers = answers,
    text = run.source.opened or null, budget = plan.budget, options = plan.options,
    model = run.model or null, runner = plan.runner_spec or null,
    config = { plan.config.prices or null, plan.config.runners or null,
      plan.config.limits or null },
    now = { now.prices or null, now.runners or null, now.routes or null, now.prompts or null,
      now.loop or null },
    fresh = plan.fresh or null, args = plan.args }
  return core.text.sha256(core.json.encode_record(parts)):sub(1, 16)
end

local function ending_of(ok, err)
  if ok then return "end" end
  local kind = kind_of(err)
  if kind == "prepared" then return "unknown" end
  return kind == "parked" and "person" or "error"
end

---@class moonlet.Forecast
---@field hash string
---@field ends "end"|"unknown"|"person"|"error"  what ended the forecast
---@field error table?
---@field keeps_model boolean?  true for a resume, which cannot take another --model
---@field over_budget moonlet.Error?  error of a step that the budget refuses
---@field stops {key: string, agents: integer}?
---  where the forecast stopped, and how many of the last run's agent calls it did not reach
---@field calls integer?  number of agent calls that the preset plans
---@field steps table[]
---@field totals table<string, table>

--- Returns the first command that the resume would run, because the forecast stops there. Also
--- returns how many agent calls of the last run come after this command.
local function stop_of(rows, seen, steps)
  for _, row in ipairs(rows) do
    if row.outcome == "runs" then
      local agents = 0
      for key, step in pairs(steps) do
        if step.kind == "agent" and not is_reached(seen, key) then agents = agents + 1 end
      end
      return { key = row.key, agents = agents }
    end
  end
end

local function build(plan, run, seen, home, ok, err)
  add_replayed(run, seen)
  local before = plan.before or plan.base
  local record = before and before.record
  local costs, steps = prices.read(home, run, plan.before), recorded_steps(record)
  local rows = core.json.array {}
  for i, key in ipairs(seen.order) do rows[i] = row_of(run, seen, costs, key, steps, record) end
  local ends = ending_of(ok, err)
  local is_open = ends == "unknown" or ends == "person"
  for _, row in ipairs(is_open and unreached_rows(run, seen) or {}) do rows[#rows + 1] = row end
  return { hash = hash_of(plan, run, seen), ends = ends, error = ends == "error" and err or nil,
    steps = rows, over_budget = seen.over_budget,
    stops = ends == "unknown" and stop_of(rows, seen, steps) or nil,
    keeps_model = plan.before ~= nil, totals = sums_of(run, costs, rows, is_open) }
end

--- Makes the forecast of a run that --dry-run has prepared. Every agent call counts as a new call.
function M.of_prepared(run)
  local seen = observer.new(run.home)
  for _, step in ipairs(run.worst.steps) do
    seen:add(step.key, { kind = "agent", outcome = step.runner == "mock" and "free" or "paid",
      runner = step.runner, model = step.model, need = step.need, most = step.most })
  end
  local costs, rows = prices.read(run.home, run), core.json.array {}
  local is_open = false
  for i, key in ipairs(seen.order) do
    rows[i] = row_of(run, seen, costs, key, {})
    is_open = is_open or rows[i].outcome == "paid"
  end
  local worst, calls = run.worst, worst_case.planned(run)
  local share = calls and calls / worst.calls
  local planned = is_open and share and { tokens = math.ceil(worst.tokens * share),
    usd = not worst.unpriced and worst.usd * share or nil }
  local ends = is_open and calls ~= worst.calls and "unknown" or "end"
  return { hash = null, ends = ends, steps = rows, calls = calls,
    totals = sums_of(run, costs, rows, is_open, planned) }
end

--- Makes the forecast of a plan. The plan cannot be used for a run afterwards.
---@return moonlet.Forecast
function M.of(plan)
  local home, before = plan.home, plan.before
  check_free(home, before and before.run)
  local seen = observer.new(home)
  local shadow = shadows.open(home, before and before.run, before and before.record.sidecar)
  seen.before = recorded_steps(before and before.record)
  core.event.display "none"
  local made, result = pcall(function()
    local ok, err = drive(plan, home, seen, shadow)
    return build(plan, seen.run, seen, home, ok, err)
  end)
  leave(shadow)
  if not made then error(result, 0) end
  return result
end

return M
