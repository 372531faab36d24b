--- Runs a function in parallel for each item of a list. A failed branch's result is a lost value.
local counted = require "moonlet.engine.base.counted"
local context = require "moonlet.engine.context.context"
local scope = require "moonlet.engine.context.scope"
local closed = require "moonlet.engine.context.closed"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local journal = require "moonlet.engine.journal.journal"
local merge_gate = require "moonlet.engine.context.merge_gate"
local record = require "moonlet.record"
local silent = require "moonlet.engine.context.silent"
local duration = require "moonlet.duration"
local task = core.task
local array = core.json.array
local kind_of, is_prepared = scope.kind_of, scope.is_prepared

local M = {}

--- These errors end the whole fan-out. A spent budget does not end it, because the running branches
--- are already paid for.
local fatal = { cancelled = true, limit = true }

local any_fields = { limit = "integer", key = "callable", name = "string", timeout = "duration" }
local fan_out_fields = { limit = "integer", key = "callable", name = "string", timeout = "duration",
  need = "integer", settle = "boolean" }

local function branch_keys(items, options)
  local keys, seen = {}, {}
  for i, item in ipairs(items) do
    local key = i
    if options.key then key = options.key(item) end
    if type(key) ~= "string" and math.type(key) ~= "integer" then
      record.refuse(("opts.key returned a %s for item %d"):format(type(key), i),
        "it returns a text or a whole number")
    end
    key = tostring(key)
    context.check_name(key)
    if seen[key] then
      record.refuse(("opts.key gave '%s' twice"):format(key),
        "keys name the branches: make them differ")
    end
    seen[key] = true
    keys[i] = key
  end
  return keys
end

local function is_slip(err) return kind_of(err) == "invalid" or kind_of(err) == "denied" end

local function hint_of(err)
  local hint = type(err) == "table" and rawget(err, "hint")
  return type(hint) == "string" and hint or nil
end

local function message_of(err)
  if type(err) ~= "table" then return tostring(err) end
  local message, at, hint = tostring(rawget(err, "message")), rawget(err, "at"), hint_of(err)
  if not is_slip(err) then return message end
  if type(at) == "string" and not message:find(at, 1, true) then message = at .. ": " .. message end
  return hint and not message:find(hint, 1, true) and ("%s (%s)"):format(message, hint) or message
end

--- Builds the error of a fan-out in which too few branches succeeded. If a grant is missing,
--- returns that error unchanged, because one --allow helps all branches.
local function quorum_error(failed, need, total, first)
  if kind_of(first) == "denied" then return first end
  return {
    kind = "quorum", hint = not is_slip(first) and hint_of(first) or nil,
    message = ("%d of %d failed, and %d must succeed; the first failure: %s"):format(failed, total,
      need, message_of(first)),
    cause = first,
  }
end

--- Returns an error if no branch succeeded, or a quota caused a failure.
local function lost_cause(failures, total)
  for _, item in ipairs(failures) do
    if kind_of(item.error) == "quota" then return item.error end
  end
  if total == 0 or #failures < total then return nil end
  local blocked = true
  for _, item in ipairs(failures) do
    local err = item.error
    if scope.is_spent(err) or infrastructure_error.is(err) then return err end
    blocked = blocked and type(err) == "table" and rawget(err, "blocked") == true
  end
  local first = failures[1].error
  if kind_of(first) == "denied" then return first end
  return { kind = "quorum", cause = first, blocked = blocked or nil,
    hint = not is_slip(first) and hint_of(first) or nil,
    message = ("0 of %d succeeded; the first failure: %s"):format(total, message_of(first)) }
end

local function check_items(verb, items, fn)
  core.lost.refuse(items)
  if type(items) ~= "table" or type(fn) ~= "function" then
    record.refuse(("ctx:%s needs a list and a function, not a %s and a %s"):format(verb,
      type(items), type(fn)), ("ctx:%s(files, function(c, file) … end)"):format(verb))
  end
  local hole = record.hole(items)
  if hole then
    record.refuse(("ctx:%s: item %d of the list is nil"):format(verb, hole), "a list has no gaps")
  end
  local key = next(items)
  if #items == 0 and key ~= nil then
    record.refuse(("ctx:%s needs a list, and this table has the field '%s'"):format(verb,
      core.text.printable(tostring(key), 60)), "make a list of it: { { name = …, … }, … }")
  end
end

---@class moonlet.FanOutPlan  checked arguments of a fan-out
---@field run moonlet.Run
---@field items any[]
---@field fn fun(branch: moonlet.Ctx, item: any, i: integer): any
---@field total integer        number of items
---@field keys string[]        name of each branch
---@field need integer?        minimum number of successful branches
---@field settle boolean?      true if a failed branch becomes a value
---@field limit integer        maximum number of parallel branches
---@field path string          key of the fan-out in the journal
---@field budget moonlet.Budget
---@field timeout integer?     ms
---@field gate table?          lets only one branch of a ctx:any merge at a time

---@return moonlet.FanOutPlan
local function plan_of(verb, fields, ctx, items, fn, options)
  options = record.check(options or {}, fields, "ctx:" .. verb)
  check_items(verb, items, fn)
  if options.limit and options.limit < 1 then record.refuse("limit must be at least 1") end
  local need, total = options.need, #items
  if need and need > 0 and total == 0 then
    record.refuse(("ctx:%s: the list is empty"):format(verb),
      "need asks for results: check the list first")
  end
  if need and (need < 0 or need > total) then
    record.refuse(("need is %d, but the list has %s"):format(need, counted(total, "item")))
  end
  local state = context.of(ctx)
  local keys = branch_keys(items, options)
  return {
    run = state.run, items = items, fn = fn, total = total, keys = keys, need = need,
    settle = options.settle, limit = options.limit or state.run.limit,
    path = context.key(state, options.name or verb), budget = state.budget,
    timeout = options.timeout and duration.ms(options.timeout, "timeout"),
  }
end

--- Runs the branches, calls on_end(i, ok, value) after each, and returns outcomes[i] = {ok, value}.
local function run_branches(plan, state, on_end)
  local outcomes, next_index = {}, 1
  local function worker()
    while next_index <= plan.total and not state.failure do
      local i = next_index
      next_index = i + 1
      local path = state.path .. "/" .. context.part(state.run, plan.keys[i])
      local ok, value = pcall(scope.body, state.run, path, { budget = state.budget }, plan.fn,
        plan.items[i], i)
      outcomes[i] = { ok = ok, value = value }
      on_end(i, ok, value)
    end
  end
  -- A live view sees only the branches that have started, so tell it their number.
  local some_wait = plan.total > plan.limit
  if some_wait then state.run.emit("progress", { name = state.path, planned = plan.total }) end
  for _ = 1, math.min(plan.limit, plan.total) do task.spawn(state.scope, worker) end
  task.wait_scope(state.scope)
  if some_wait then state.run.emit("progress", { name = state.path, ended = true }) end
  return outcomes
end

--- Runs the branches in a scope of their own; `on_end` decides how an end affects the others.
local function run_plan(plan, on_end)
  local options = { budget = plan.budget, timeout = plan.timeout, what = plan.path }
  return scope.body(plan.run, plan.path, options, function(inner)
    local state = context.of(inner)
    local prepared
    local outcomes = run_branches(plan, state, function(i, ok, value)
      if not ok and is_prepared(value) then
        prepared = value
      else
        on_end(state, i, ok, value)
      end
    end)
    task.check()
    if prepared then error(prepared, 0) end
    return outcomes
  end)
end

local function end_all(state, err)
  state.failure = state.failure or err
  scope.cancel(state.scope, err)
end

local function failures_of(plan, outcomes)
  local failures = {}
  for i, key in ipairs(plan.keys) do
    local outcome = outcomes[i]
    if outcome and not outcome.ok then
      failures[#failures + 1] = { key = key, error = outcome.value }
    end
  end
  return failures
end

local lost_fields = { "branch", "kind", "message" }

local function lost_branch(key, err)
  local message, step = message_of(err), type(err) == "table" and rawget(err, "step")
  if step and not message:find(step, 1, true) then
    message = ("%s (step %s)"):format(message, step)
  end
  return closed.record({ branch = key, kind = tostring(kind_of(err)), message = message },
    "a lost branch", lost_fields)
end

local outcome_fields = { "ok", "value", "error" }

local function outcome_of(ok, value, err)
  return closed.record({ ok = ok, value = value, error = err }, "an outcome", outcome_fields)
end

local function place_of(plan, key, outcome)
  local value = outcome.value
  if plan.settle then
    if not outcome.ok then return outcome_of(false, nil, value) end
    if value == nil then value = core.json.null end
    return outcome_of(true, value)
  end
  if not outcome.ok then return core.lost.new(lost_branch(key, value)) end
  if value == nil then return core.json.null end
  return value
end

--- Warns if no branch returned anything, because usually the script forgot to return the answers.
local function tell_silent(plan, results)
  if plan.settle or plan.total == 0 then return end
  for _, value in ipairs(results) do
    if value ~= core.json.null then return end
  end
  silent.tell(plan.run, plan.path .. ": no branch returned anything", plan.fn)
end

local function run_all(plan)
  local tolerant = plan.need ~= nil or plan.settle
  local failed, first = 0, nil
  local outcomes = run_plan(plan, function(state, _, ok, err)
    if ok then return end
    failed, first = failed + 1, first or err
    local too_few = plan.need and plan.total - failed < plan.need
    if scope.is_spent(err) or kind_of(err) == "quota" or infrastructure_error.is(err) then
      -- Running branches are already paid for, so they are not cancelled.
      if not tolerant or too_few then state.failure = state.failure or err end
    elseif fatal[kind_of(err)] or not tolerant then
      end_all(state, err)
    elseif too_few then
      end_all(state, quorum_error(failed, plan.need, plan.total, first))
    end
  end)
  local failures = failures_of(plan, outcomes)
  local cause = lost_cause(failures, plan.total)
  -- With `settle`, a fan-out without a success raises nothing, but the run fails (verdict.lua).
  local fails = plan.settle and cause and kind_of(cause) == "quorum" or nil
  if cause and not fails then error(cause, 0) end
  if #failures > 0 and (plan.need or fails) then
    plan.run.note_degraded(plan.path, plan.total - #failures, plan.total, failures, fails and cause)
  end
  local results, lost = array {}, array {}
  for i, key in ipairs(plan.keys) do results[i] = place_of(plan, key, outcomes[i]) end
  for i, item in ipairs(failures) do lost[i] = lost_branch(item.key, item.error) end
  tell_silent(plan, results)
  return results, lost
end

function M.parallel(ctx, items, fn, options)
  return run_all(plan_of("parallel", fan_out_fields, ctx, items, fn, options))
end

function M.pipeline(ctx, items, ...)
  local stages = { ... }
  local options = type(stages[#stages]) == "table" and table.remove(stages) or nil
  if #stages == 0 then
    record.refuse("ctx:pipeline needs at least one stage, a function",
      "stages are arguments, not a list: ctx:pipeline(items, first, second)")
  end
  for i, stage in ipairs(stages) do
    if type(stage) ~= "function" then
      record.refuse(("stage %d of ctx:pipeline is a %s, not a function"):format(i, type(stage)))
    end
  end
  return run_all(plan_of("pipeline", fan_out_fields, ctx, items, function(branch, item)
    local value = item
    local state = context.of(branch)
    for i, stage in ipairs(stages) do
      local made = table.pack(scope.body(state.run, context.key(state, "stage" .. i),
        { budget = state.budget }, stage, value, item))
      value = made[1]
      if made.n == 0 and i < #stages then
        silent.tell(state.run,
          ("stage %d of the pipeline returns nothing to the next one"):format(i), stage)
      end
    end
    return value
  end, options))
end

local reason = "another branch has succeeded"

function M.has_lost()
  local err = task.pending_error()
  return err ~= nil and err.kind == "cancelled" and err.message == reason
end

--- Builds the record of a ctx:any. A resume does not run its failed branches again.
local function recorded(index, failures)
  local list = array {}
  for i, item in ipairs(failures) do
    list[i] = { key = item.key, error = { kind = tostring(kind_of(item.error)),
      message = message_of(item.error) } }
  end
  return { index = index, failures = list }
end

--- Runs the branches until one succeeds. On a replay, the recorded branch wins.
--- Returns the winner's index and value, and the earlier failures. If all failed, the index is nil.
local function run_any(plan)
  local input = { verb = "any", branches = array(plan.keys) }
  local first, won, value_of = nil, nil, {}
  local failures = {}
  local function on_end(state, i, ok, value)
    if won then return end
    if ok then
      first, value_of[i] = first or i, value
      local winner = journal.fact(plan.run, plan.path, input, function()
        return recorded(i, failures)
      end)
      if winner.index ~= i then return end
      won, failures = i, winner.failures
      end_all(state, { kind = "cancelled", message = reason })
      return
    end
    plan.gate:leave(context.part(plan.run, plan.keys[i]))
    failures[#failures + 1] = { key = plan.keys[i], error = value }
    if fatal[kind_of(value)] then end_all(state, value) end
  end
  plan.gate = merge_gate.open(plan.run, plan.path)
  local ok, err = pcall(run_plan, plan, on_end)
  plan.gate:close()
  if not ok and not (won and kind_of(err) == "cancelled" and rawget(err, "message") == reason) then
    error(err, 0)
  end
  task.check()
  if not won and first then
    won = first
    if plan.run.journal then plan.run.journal.facts[plan.path] = nil end
    journal.fact(plan.run, plan.path, input, function() return recorded(first, failures) end)
  end
  return won, value_of[won], failures
end

function M.any(ctx, items, fn, options)
  local plan = plan_of("any", any_fields, ctx, items, fn, options)
  if plan.total == 0 then record.refuse("ctx:any needs at least one item") end
  local won, value, failures = run_any(plan)
  if not won then error(lost_cause(failures, plan.total), 0) end
  if #failures > 0 then plan.run.note_degraded(plan.path, 1, #failures + 1, failures) end
  return value, won
end

return M
