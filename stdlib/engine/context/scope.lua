--- Structured concurrency: a scope is a function body; it returns only when every child ended. The
--- first failure nobody observed cancels the siblings.
local state_of = require "moonlet.engine.context.context"
local budget = require "moonlet.engine.budget.budget"
local cleanup = require "moonlet.engine.context.finalizers"
local host_failure = require "moonlet.engine.base.infrastructure_error"
local journal = require "moonlet.engine.journal.journal"
local under_way = require "moonlet.engine.context.in_flight"
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local task = core.task

local M = {}

--- Kinds that no quorum and no settle may turn into data: they end the whole. A budget does not: it
--- refuses new starts, and what was paid for runs to its end.
local fatal = { cancelled = true, limit = true }

local function kind_of(err)
  return type(err) == "table" and rawget(err, "kind") or "failed"
end

M.shielded = cleanup.shielded

--- A dry run stops each branch at its agent; the others are to get there too.
local function is_prepared(err) return kind_of(err) == "prepared" end

--- What a body came to whose tasks have all ended. That the run parks is so whatever the script made of it.
local function outcome_of(results, state, own)
  if own and kind_of(own) == "parked" and (results[1] or kind_of(results[2]) ~= "cancelled") then return false, own end
  if not results[1] then return false, is_prepared(results[2]) and state.failure or results[2] end
  if state.failure then return false, state.failure end
  return own == nil, own
end

--- A mistake of the script's author has a place: `return ctx:agent { … }` leaves none but that of its function.
local function add_place(err, fn)
  if type(err) ~= "table" or rawget(err, "at") ~= nil then return end
  local kind = rawget(err, "kind")
  if kind == "invalid" or kind == "denied" then rawset(err, "at", (core.text.place(fn))) end
end

--- Calls a function of a script, whose mistakes have a place.
function M.with_place(fn, ...)
  local results = table.pack(pcall(fn, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  add_place(results[2], fn)
  error(results[2], 0)
end

--- Runs `fn(ctx)` as a scope of its own inside the running task and returns what it returned.
---@param run table
---@param path string the key prefix
---@param options {budget: moonlet.Budget?, timeout: integer?, what: string?, timeout_kind: string?}
---@param fn fun(ctx: moonlet.Ctx, ...): any
function M.body(run, path, options, fn, ...)
  -- A scope that ran out of time is on record: it does so again at the same moment of the story.
  local late = options.timeout and run.journal and run.journal.timeouts[options.what]
  local scope = task.open_scope {
    timeout = not late and options.timeout or nil, what = options.what, kind = options.timeout_kind,
  }
  if late then task.expire_at_turn(scope, late.order, late.e) end
  local state = { run = run, scope = scope, path = path, budget = options.budget,
    within = run.cleaning and run.cleaning[task.current()] }
  local ctx = state_of.new(state)
  local results = table.pack(pcall(fn, ctx, ...))
  if not results[1] then add_place(results[2], fn) end
  if not results[1] and not is_prepared(results[2]) then
    under_way.let_end(run, path, results[2])
    task.cancel_scope(scope, results[2])
  end
  task.wait_scope(scope)
  -- What the body came to, it came to in time: its clean-up has a time of its own.
  if options.timeout then task.stop_clock(scope) end
  local cleanup_error = cleanup.after(state, outcome_of(results, state, task.scope_error(scope)))
  state.open = false
  local own = task.scope_error(scope)
  task.close_scope(scope)
  if own and kind_of(own) == "budget" then budget.note_refusal(options.budget, own) end
  local ok, err = outcome_of(results, state, own)
  if not ok and cleanup_error ~= nil then cleanup.tell(state, cleanup_error) end
  if not ok then error(err, 0) end
  if cleanup_error ~= nil then error(cleanup_error, 0) end
  return table.unpack(results, 2, results.n)
end

--- Runs `fn` as a scope with a limit on the wall clock, in which the time of hosts before this one counts.
local function within_wall(run, key, own_budget, wall, fn)
  run.least_wall = math.min(run.least_wall or wall, wall)
  local used = journal.scope_begins(run, key)
  local results = table.pack(pcall(M.body, run, key, { budget = own_budget, timeout = math.max(0, wall - used),
    timeout_kind = "budget", what = "the wall-clock budget of " .. key }, fn))
  journal.scope_ends(run, key, results[1])
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- ctx:scope(opts, fn): opts = { timeout = duration, name = text, budget = { agents =, tokens =, … } }.
function M.scope(ctx, options, fn)
  if type(options) == "function" then options, fn = {}, options end
  record.check(options, { timeout = "duration", name = "string", budget = "table" }, "ctx:scope")
  if type(fn) ~= "function" then
    error(record.invalid("ctx:scope needs a function", "ctx:scope({ timeout = \"1m\" }, function(s) … end)"), 0)
  end
  local state = state_of.of(ctx)
  local name = options.name or "scope"
  local key = state_of.key(state, name)
  local timeout = options.timeout and duration.ms(options.timeout, "timeout")
  local own, limits = state.budget, options.budget
  if limits then
    record.check(limits, budget.fields, "ctx:scope: budget")
    own = budget.open(state.budget, limits, { what = "the budget of " .. key, path = key })
    local wall = limits.wall and duration.ms(limits.wall, "budget.wall")
    if wall and (not timeout or wall < timeout) then
      return within_wall(state.run, key, own, wall, fn)
    end
  end
  return M.body(state.run, key, { budget = own, timeout = timeout, what = key }, fn)
end

local Handle = {}
-- Apart from the methods: a script that got hold of its own metatable could give it a finalizer.
local handle_metatable = {
  __index = Handle,
  __newindex = function() error({ kind = "denied", message = "a task handle is read-only" }, 0) end,
  __metatable = false,
  __name = "task",
}

local handles = setmetatable({}, { __mode = "k" })

--- Waits for the task and returns what it returned, or raises what it raised.
function Handle:join()
  local ref = handles[self]
  task.watch(ref, 1)
  local waited, why = pcall(task.join, ref)
  task.watch(ref, -1)
  if not waited then error(why, 0) end
  local outcome = table.pack(task.outcome(ref))
  if not outcome[1] then error(outcome[2], 0) end
  return table.unpack(outcome, 2, outcome.n)
end

--- ctx:spawn(fn, …): runs fn(ctx, …) beside the body. Returns a handle with join().
function M.spawn(ctx, fn, ...)
  if type(fn) ~= "function" then error(record.invalid("ctx:spawn needs a function"), 0) end
  local state = state_of.of(ctx)
  task.check()
  local key = state_of.key(state, "spawn", true)
  local place = state_of.place(state)
  local around, ref = place.scope, nil
  ref = task.spawn(around, function(...)
    local results = table.pack(pcall(M.body, state.run, key, { budget = state.budget }, fn, ...))
    if results[1] then return table.unpack(results, 2, results.n) end
    if task.watch(ref, 0) == 0 then
      under_way.let_end(state.run, state.path, results[2])
      if not place.failure or is_prepared(place.failure) then place.failure = results[2] end
      if not is_prepared(results[2]) then task.cancel_scope(around, results[2]) end
    end
    error(results[2], 0)
  end, ...)
  local handle = setmetatable({}, handle_metatable)
  handles[handle] = ref
  return handle
end

--- ctx:finally(fn): runs when the body has ended, however it ended: well, failed, out of time or cancelled. A run that
--- parks, for a person or a quota, has not ended: its clean-up runs when it has gone on and ended. What a clean-up
--- itself puts off so runs when the function that did so has ended.
function M.finally(ctx, fn)
  if type(fn) ~= "function" then error(record.invalid("ctx:finally needs a function"), 0) end
  local state = state_of.of(ctx)
  state.finalizers[#state.finalizers + 1] = fn
end

local parallel_fields = {
  limit = "integer", need = "integer", settle = "boolean", key = "callable", name = "string",
  timeout = "duration",
}

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
local function lost_cause(lost, total)
  for _, item in ipairs(lost) do
    if kind_of(item.error) == "quota" then return item.error end
  end
  if total == 0 or #lost < total then return nil end
  local blocked = true
  for _, item in ipairs(lost) do
    local err = item.error
    if kind_of(err) == "budget" or host_failure.is(err) then return err end
    blocked = blocked and type(err) == "table" and rawget(err, "blocked") == true
  end
  local first = lost[1].error
  return { kind = "quorum", cause = first, blocked = blocked or nil,
    message = ("0 of %d succeeded; the first failure: %s"):format(total, message_of(first)) }
end

--- Runs the branches inside the open scope of `state`; outcomes[i] = {ok, value}.
local function run_branches(state, items, keys, limit, fn, on_failure)
  local outcomes, next_index = {}, 1
  local function worker()
    while next_index <= #items and not state.failure do
      local i = next_index
      next_index = i + 1
      local path = state.path .. "/" .. state_of.part(state.run, keys[i])
      local results = table.pack(pcall(M.body, state.run, path, { budget = state.budget }, fn, items[i], i))
      outcomes[i] = { ok = results[1], value = results[2] }
      if not results[1] then on_failure(i, results[2]) end
    end
  end
  -- Those who watch are told of branches that have to wait.
  local some_wait = #items > limit
  if some_wait then state.run.emit("progress", { name = state.path, planned = #items }) end
  for _ = 1, math.min(limit, #items) do task.spawn(state.scope, worker) end
  task.wait_scope(state.scope)
  if some_wait then state.run.emit("progress", { name = state.path, ended = true }) end
  task.check()
  return outcomes
end

local function collect(outcomes, keys, settle)
  local values, lost = {}, {}
  for i = 1, #keys do
    local outcome = outcomes[i]
    if settle then
      values[i] = { ok = outcome.ok, key = keys[i], value = outcome.ok and outcome.value or nil,
        error = not outcome.ok and outcome.value or nil }
    elseif outcome.ok then
      local value = outcome.value
      if value == nil then value = core.json.null end
      values[#values + 1] = value
    end
    if not outcome.ok then
      lost[#lost + 1] = { index = i, key = keys[i], error = outcome.value }
    end
  end
  return values, lost
end

--- ctx:parallel(items, fn, opts): calls fn(ctx, item, index) for each item, side by side. Returns
--- the results in the order of the items, and a list of what was lost. opts: limit (how many at
--- once), need (how many must succeed; without it the first failure ends all), settle (outcomes as
--- data), key (item -> name of the branch), name, timeout.
function M.parallel(ctx, items, fn, options)
  options = record.check(options or {}, parallel_fields, "ctx:parallel")
  if type(items) ~= "table" or type(fn) ~= "function" then
    error(record.invalid("ctx:parallel needs a list and a function"), 0)
  end
  local state = state_of.of(ctx)
  local need, total = options.need, #items
  if options.limit and options.limit < 1 then error(record.invalid("limit must be at least 1"), 0) end
  if need and (need < 0 or need > total) then
    error(record.invalid(("need is %d, but there are %d items"):format(need, total)), 0)
  end
  local keys = branch_keys(items, options)
  local limit = options.limit or state.run.limit
  local path = state_of.key(state, options.name or "parallel")
  local timeout = options.timeout and duration.ms(options.timeout, "timeout")
  local tolerant = need ~= nil or options.settle
  local failed, first = 0, nil

  local outcomes = M.body(state.run, path, { budget = state.budget, timeout = timeout, what = path }, function(inner)
    local own = state_of.of(inner)
    local prepared
    local done = run_branches(own, items, keys, limit, fn, function(_, err)
      if is_prepared(err) then
        prepared = err
        return
      end
      failed, first = failed + 1, first or err
      local too_few = need and total - failed < need
      if kind_of(err) == "budget" or kind_of(err) == "quota" or host_failure.is(err) then
        -- What is under way is paid for: it runs to its end.
        if not tolerant or too_few then own.failure = own.failure or err end
      elseif fatal[kind_of(err)] or not tolerant then
        own.failure = own.failure or err
        task.cancel_scope(own.scope, err)
      elseif too_few then
        own.failure = own.failure or quorum_error(failed, need, total, first)
        task.cancel_scope(own.scope, own.failure)
      end
    end)
    if prepared then error(prepared, 0) end
    return done
  end)
  local values, lost = collect(outcomes, keys, options.settle)
  local cause = lost_cause(lost, total)
  if cause then error(cause, 0) end
  if #lost > 0 and need then state.run.note_degraded(path, total - #lost, total, lost) end
  return values, lost
end

--- ctx:pipeline(items, stage…[, opts]): each item flows through the stages by itself, without a
--- barrier between them. A stage is fn(ctx, value, item).
function M.pipeline(ctx, items, ...)
  local stages = { ... }
  local options = {}
  if type(stages[#stages]) == "table" then options = table.remove(stages) end
  if #stages == 0 then error(record.invalid("ctx:pipeline needs at least one stage"), 0) end
  for i, stage in ipairs(stages) do
    if type(stage) ~= "function" then
      error(record.invalid(("stage %d of ctx:pipeline is a %s, not a function"):format(i, type(stage))), 0)
    end
  end
  options.name = options.name or "pipeline"
  return M.parallel(ctx, items, function(branch, item)
    local value = item
    local state = state_of.of(branch)
    for i, stage in ipairs(stages) do
      value = M.body(state.run, state_of.key(state, "stage" .. i), { budget = state.budget }, stage, value, item)
    end
    return value
  end, options)
end

return M
