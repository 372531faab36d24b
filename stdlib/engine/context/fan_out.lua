--- Fan-outs: a function runs side by side for each item of a list. Results keep the places of their items; a lost value
--- stands in the place of a branch that failed.
local state_of = require "moonlet.engine.context.context"
local scope = require "moonlet.engine.context.scope"
local host_failure = require "moonlet.engine.base.infrastructure_error"
local journal = require "moonlet.engine.journal.journal"
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local task = core.task
local array = core.json.array
local kind_of, is_prepared = scope.kind_of, scope.is_prepared

local M = {}

--- Kinds that no quorum and no settle may turn into data: they end the whole. A budget does not: it
--- refuses new starts, and what was paid for runs to its end.
local fatal = { cancelled = true, limit = true }

---@class moonlet.AnyOptions
---@field name string?            part of the keys of its steps; the name of the verb without it
---@field key (fun(item: any): string|integer)?  names a branch; its index without it
---@field limit integer?          how many branches run at once
---@field timeout string|number?  a duration for all of it: "8m", or seconds

---@class moonlet.FanOutOptions: moonlet.AnyOptions
---@field need integer?           how many must succeed; without it the first failure ends all
---@field settle boolean?         every place holds an outcome, and no failure raises

---@class moonlet.Outcome
---@field ok boolean
---@field value any               what the branch returned
---@field error any               what it raised

---@class moonlet.LostBranch
---@field branch string           its key: what opts.key gave, or its index
---@field kind string
---@field message string

local any_fields = { limit = "integer", key = "callable", name = "string", timeout = "duration" }
local fan_out_fields = { limit = "integer", key = "callable", name = "string", timeout = "duration",
  need = "integer", settle = "boolean" }

local function branch_keys(items, options)
  local keys, seen = {}, {}
  for i, item in ipairs(items) do
    local key = options.key and options.key(item) or i
    if type(key) ~= "string" and math.type(key) ~= "integer" then
      error(record.invalid("opts.key must give a text or a whole number"), 0)
    end
    key = tostring(key)
    state_of.check_name(key)
    if seen[key] then
      error(record.invalid(("opts.key gave '%s' twice"):format(key), "keys name the branches: make them differ"), 0)
    end
    seen[key] = true
    keys[i] = key
  end
  return keys
end

local function message_of(err) return type(err) == "table" and tostring(err.message) or tostring(err) end

local function quorum_error(failed, need, total, first)
  return {
    kind = "quorum",
    message = ("%d of %d failed, and %d must succeed; the first failure: %s"):format(failed, total,
      need, message_of(first)),
    cause = first,
  }
end

--- The error of a fan-out that has come to nothing, or that a provider's quota has left without some answers; nil
--- where it may go on with what it has. No `need` and no `settle` makes do with that.
local function lost_cause(failures, total)
  for _, item in ipairs(failures) do
    if kind_of(item.error) == "quota" then return item.error end
  end
  if total == 0 or #failures < total then return nil end
  local blocked = true
  for _, item in ipairs(failures) do
    local err = item.error
    if kind_of(err) == "budget" or host_failure.is(err) then return err end
    blocked = blocked and type(err) == "table" and rawget(err, "blocked") == true
  end
  local first = failures[1].error
  return { kind = "quorum", cause = first, blocked = blocked or nil,
    message = ("0 of %d succeeded; the first failure: %s"):format(total, message_of(first)) }
end

--- Checks the arguments of a fan-out and returns its plan.
local function plan_of(verb, fields, ctx, items, fn, options)
  options = record.check(options or {}, fields, "ctx:" .. verb)
  if type(items) ~= "table" or type(fn) ~= "function" then
    error(record.invalid(("ctx:%s needs a list and a function"):format(verb)), 0)
  end
  if options.limit and options.limit < 1 then error(record.invalid("limit must be at least 1"), 0) end
  local need, total = options.need, #items
  if need and (need < 0 or need > total) then
    error(record.invalid(("need is %d, but there are %d items"):format(need, total)), 0)
  end
  local state = state_of.of(ctx)
  local keys = branch_keys(items, options)
  return {
    run = state.run, items = items, fn = fn, total = total, keys = keys, need = need, settle = options.settle,
    limit = options.limit or state.run.limit, path = state_of.key(state, options.name or verb),
    budget = state.budget, timeout = options.timeout and duration.ms(options.timeout, "timeout"),
  }
end

--- Runs the branches inside the open scope of `state`; outcomes[i] = {ok, value}. `on_end` hears of each.
local function run_branches(plan, state, on_end)
  local outcomes, next_index = {}, 1
  local function worker()
    while next_index <= plan.total and not state.failure do
      local i = next_index
      next_index = i + 1
      local path = state.path .. "/" .. state_of.part(state.run, plan.keys[i])
      local ok, value = pcall(scope.body, state.run, path, { budget = state.budget }, plan.fn, plan.items[i], i)
      outcomes[i] = { ok = ok, value = value }
      on_end(i, ok, value)
    end
  end
  -- A progress event says that branches have to wait.
  local some_wait = plan.total > plan.limit
  if some_wait then state.run.emit("progress", { name = state.path, planned = plan.total }) end
  for _ = 1, math.min(plan.limit, plan.total) do task.spawn(state.scope, worker) end
  task.wait_scope(state.scope)
  if some_wait then state.run.emit("progress", { name = state.path, ended = true }) end
  return outcomes
end

--- The body of a fan-out: `on_end(state, i, ok, value)` decides what the end of a branch means for the others.
local function run_plan(plan, on_end)
  local options = { budget = plan.budget, timeout = plan.timeout, what = plan.path }
  return scope.body(plan.run, plan.path, options, function(inner)
    local state = state_of.of(inner)
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
  task.cancel_scope(state.scope, err)
end

local function failures_of(plan, outcomes)
  local failures = {}
  for i, key in ipairs(plan.keys) do
    local outcome = outcomes[i]
    if outcome and not outcome.ok then failures[#failures + 1] = { key = key, error = outcome.value } end
  end
  return failures
end

local function lost_branch(key, err)
  return { branch = key, kind = tostring(kind_of(err)), message = message_of(err) }
end

local function place_of(plan, key, outcome)
  local value = outcome.value
  if plan.settle then
    if not outcome.ok then return { ok = false, error = value } end
    if value == nil then value = core.json.null end
    return { ok = true, value = value }
  end
  if not outcome.ok then return core.lost.new(lost_branch(key, value)) end
  if value == nil then return core.json.null end
  return value
end

local function run_all(plan)
  local tolerant = plan.need ~= nil or plan.settle
  local failed, first = 0, nil
  local outcomes = run_plan(plan, function(state, _, ok, err)
    if ok then return end
    failed, first = failed + 1, first or err
    local too_few = plan.need and plan.total - failed < plan.need
    if kind_of(err) == "budget" or kind_of(err) == "quota" or host_failure.is(err) then
      -- Branches under way are paid for: they run to their end.
      if not tolerant or too_few then state.failure = state.failure or err end
    elseif fatal[kind_of(err)] or not tolerant then
      end_all(state, err)
    elseif too_few then
      end_all(state, quorum_error(failed, plan.need, plan.total, first))
    end
  end)
  local failures = failures_of(plan, outcomes)
  local cause = lost_cause(failures, plan.total)
  if cause then error(cause, 0) end
  if #failures > 0 and plan.need then
    plan.run.note_degraded(plan.path, plan.total - #failures, plan.total, failures)
  end
  local results, lost = array {}, array {}
  for i, key in ipairs(plan.keys) do results[i] = place_of(plan, key, outcomes[i]) end
  for i, item in ipairs(failures) do lost[i] = lost_branch(item.key, item.error) end
  return results, lost
end

--- Calls fn(ctx, item, index) for each item, side by side. The result of items[i] is results[i]: m.null where the
--- function returned nil, a lost value where the branch failed, and with `settle` an outcome. m.found(results, items)
--- leaves out what was lost.
---@generic T, R
---@param ctx moonlet.Ctx
---@param items T[]
---@param fn fun(ctx: moonlet.Ctx, item: T, index: integer): R
---@param options moonlet.FanOutOptions?
---@return R[] results
---@return moonlet.LostBranch[] lost  the branches that failed, in the order of their items
function M.parallel(ctx, items, fn, options)
  return run_all(plan_of("parallel", fan_out_fields, ctx, items, fn, options))
end

--- Each item flows through the stages by itself, without a barrier between them: ctx:pipeline(items, stage…, opts). A
--- stage is fn(ctx, value, item). Results are as those of ctx:parallel.
---@param ctx moonlet.Ctx
---@param items any[]
---@param ... function|moonlet.FanOutOptions  the stages, and last the options
---@return any[] results
---@return moonlet.LostBranch[] lost
function M.pipeline(ctx, items, ...)
  local stages = { ... }
  local options = type(stages[#stages]) == "table" and table.remove(stages) or nil
  if #stages == 0 then error(record.invalid("ctx:pipeline needs at least one stage"), 0) end
  for i, stage in ipairs(stages) do
    if type(stage) ~= "function" then
      error(record.invalid(("stage %d of ctx:pipeline is a %s, not a function"):format(i, type(stage))), 0)
    end
  end
  return run_all(plan_of("pipeline", fan_out_fields, ctx, items, function(branch, item)
    local value = item
    local state = state_of.of(branch)
    for i, stage in ipairs(stages) do
      value = scope.body(state.run, state_of.key(state, "stage" .. i), { budget = state.budget }, stage, value, item)
    end
    return value
  end, options))
end

local reason = "another branch has succeeded"

--- Runs the branches until the one has succeeded that did so first on record. Gives its index and what it returned,
--- and what failed before; no index where all have failed.
local function run_any(plan)
  local input = { verb = "any", branches = array(plan.keys) }
  local first, won, value_of = nil, nil, {}
  local failures = {}
  local function on_end(state, i, ok, value)
    if won then return end
    if ok then
      first, value_of[i] = first or i, value
      if journal.fact(plan.run, plan.path, input, function() return i end) ~= i then return end
      won = i
      end_all(state, { kind = "cancelled", message = reason })
      return
    end
    failures[#failures + 1] = { key = plan.keys[i], error = value }
    if fatal[kind_of(value)] then end_all(state, value) end
  end
  local ok, err = pcall(run_plan, plan, on_end)
  if not ok and not (won and kind_of(err) == "cancelled" and rawget(err, "message") == reason) then error(err, 0) end
  task.check()
  if not won and first then
    won = first
    if plan.run.journal then plan.run.journal.facts[plan.path] = nil end
    journal.fact(plan.run, plan.path, input, function() return first end)
  end
  return won, value_of[won], failures
end

--- Calls fn(ctx, item, index) for each item, side by side, until one succeeds; the others are cancelled. A run that is
--- driven again takes the same one.
---@generic T, R
---@param ctx moonlet.Ctx
---@param items T[]
---@param fn fun(ctx: moonlet.Ctx, item: T, index: integer): R
---@param options moonlet.AnyOptions?
---@return R value
---@return integer index  of the item
function M.any(ctx, items, fn, options)
  local plan = plan_of("any", any_fields, ctx, items, fn, options)
  if plan.total == 0 then error(record.invalid("ctx:any needs at least one item"), 0) end
  local won, value, failures = run_any(plan)
  if not won then error(lost_cause(failures, plan.total), 0) end
  if #failures > 0 then plan.run.note_degraded(plan.path, 1, #failures + 1, failures) end
  return value, won
end

return M
