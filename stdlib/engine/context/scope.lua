--- Implements structured concurrency: a scope returns only after all its tasks have ended.
--- The first unobserved failure cancels the other tasks.
local context = require "moonlet.engine.context.context"
local budget = require "moonlet.engine.budget.budget"
local finalizers = require "moonlet.engine.context.finalizers"
local heartbeat = require "moonlet.engine.journal.heartbeat"
local journal = require "moonlet.engine.journal.journal"
local in_flight = require "moonlet.engine.context.in_flight"
local traces = require "moonlet.engine.context.traces"
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local task = core.task
local closed = require "moonlet.engine.context.closed"

local M = {}

function M.kind_of(err) return type(err) == "table" and rawget(err, "kind") or "failed" end
local kind_of = M.kind_of

--- Reports whether the error means that the budget of the run or of a scope is spent. The limit of
--- a single call does not count.
function M.is_spent(err) return kind_of(err) == "budget" and rawget(err, "class") ~= "limit" end

--- Cancels a scope because of an error. If only a call has exceeded its limit, the kind becomes
--- `failed`, because the tasks would take it for the run's limit.
function M.cancel(scope, err)
  if kind_of(err) == "budget" and not M.is_spent(err) then
    err = { kind = "failed", message = rawget(err, "message"), hint = rawget(err, "hint") }
  end
  task.cancel_scope(scope, err)
end

M.shielded = finalizers.shielded

--- Reports whether a branch of a dry run stopped at its agent; the others must reach theirs.
function M.is_prepared(err) return kind_of(err) == "prepared" end
local is_prepared = M.is_prepared

local function is_echo(err, failure)
  return type(err) == "table" and type(failure) == "table"
    and rawget(err, "message") == rawget(failure, "message")
end

--- Returns the outcome of a body. Parking has priority over the script's result.
local function outcome_of(results, state, own)
  if own and kind_of(own) == "parked" and (results[1] or kind_of(results[2]) ~= "cancelled") then
    return false, own
  end
  if not results[1] then
    local takes_failure = is_prepared(results[2]) or is_echo(results[2], state.failure)
    return false, takes_failure and state.failure or results[2]
  end
  if state.failure then return false, state.failure end
  return own == nil, own
end

local function add_place(err, fn)
  if type(err) ~= "table" or rawget(err, "at") ~= nil then return end
  local kind = rawget(err, "kind")
  if kind == "invalid" or kind == "denied" then rawset(err, "at", (core.text.place(fn))) end
end

function M.with_place(fn, ...)
  local results = table.pack(xpcall(fn, traces.handler, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  add_place(results[2], fn)
  error(results[2], 0)
end

---@param path string  prefix of the body's keys
---@param options {budget: moonlet.Budget?, timeout: integer?, what: string?, timeout_kind: string?}
---@param fn fun(ctx: moonlet.Ctx, ...): any
function M.body(run, path, options, fn, ...)
  -- A recorded timeout expires the scope when the replay reaches it.
  local late = options.timeout and run.journal and run.journal.timeouts[options.what]
  local scope = task.open_scope {
    timeout = not late and options.timeout or nil, what = options.what, kind = options.timeout_kind,
  }
  if late then task.expire_at_turn(scope, late.order, late.error) end
  local state = { run = run, scope = scope, path = path, budget = options.budget,
    task = task.current(), within = context.cleanup(run).places[task.current()] }
  local ctx = context.new(state)
  local results = table.pack(xpcall(fn, traces.handler, ctx, ...))
  if not results[1] then add_place(results[2], fn) end
  if not results[1] and not is_prepared(results[2]) then
    in_flight.let_end(run, path, results[2])
    M.cancel(scope, results[2])
  end
  task.wait_scope(scope)
  -- The time limit applies only to the body, because its clean-up has its own limit.
  if options.timeout then task.stop_clock(scope) end
  local cleanup_error = finalizers.after(state, outcome_of(results, state, task.scope_error(scope)))
  state.open = false
  local own = task.scope_error(scope)
  task.close_scope(scope)
  if own and M.is_spent(own) then budget.note_refusal(options.budget, own) end
  local ok, err = outcome_of(results, state, own)
  if not ok and cleanup_error ~= nil then finalizers.tell(state, cleanup_error) end
  if not ok then error(err, 0) end
  if cleanup_error ~= nil then error(cleanup_error, 0) end
  return table.unpack(results, 2, results.n)
end

--- Runs `fn` as a scope with limited wall time. The time under earlier hosts counts, too.
local function within_wall(run, key, own_budget, wall, fn)
  heartbeat.limit(run, wall)
  local used = journal.scope_begins(run, key)
  local since = heartbeat.now(run)
  budget.start_wall(own_budget, wall, function()
    return since and used + heartbeat.now(run) - since
  end)
  local results = table.pack(pcall(M.body, run, key,
    { budget = own_budget, timeout = math.max(0, wall - used), timeout_kind = "budget",
      what = "the wall-clock budget of " .. key }, fn))
  journal.scope_ends(run, key, results[1])
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

---@param options {around: moonlet.Budget?, limits: table?, timeout: integer?}
---@param fn fun(ctx: moonlet.Ctx): any
function M.limited(run, key, options, fn)
  local own, limits, timeout = options.around, options.limits, options.timeout
  if limits and next(limits) then
    own = budget.open(own, limits, { what = "the budget of " .. key, path = key })
    local wall = limits.wall and duration.ms(limits.wall, "budget.wall")
    if wall and (not timeout or wall < timeout) then return within_wall(run, key, own, wall, fn) end
  end
  return M.body(run, key, { budget = own, timeout = timeout, what = key }, fn)
end

function M.scope(ctx, options, fn)
  if type(options) == "function" then options, fn = {}, options end
  record.check(options, { timeout = "duration", name = "string", budget = "table" }, "ctx:scope")
  if type(fn) ~= "function" then
    record.refuse("ctx:scope needs a function",
      "ctx:scope({ timeout = \"1m\" }, function(s) … end)")
  end
  local state = context.of(ctx)
  local name = options.name or "scope"
  local key = context.key(state, name)
  local timeout = options.timeout and duration.ms(options.timeout, "timeout")
  if options.budget then record.check(options.budget, budget.fields, "ctx:scope: budget") end
  return M.limited(state.run, key, { around = state.budget, limits = options.budget,
    timeout = timeout }, fn)
end

local Handle = {}
local handle_metatable = closed.object("task", "a task", Handle, { wait = "write task:join()" })
local handles = setmetatable({}, { __mode = "k" })

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

function M.spawn(ctx, name, fn)
  if type(name) ~= "string" or type(fn) ~= "function" then
    record.refuse("ctx:spawn needs a name and a function", 'ctx:spawn("tests", function(c) … end)')
  end
  local state = context.of(ctx)
  task.check()
  local key = context.key(state, name, true)
  local place = context.place(state)
  local around, ref = place.scope, nil
  ref = task.spawn(around, function()
    local results = table.pack(pcall(M.body, state.run, key, { budget = state.budget }, fn))
    if results[1] then return table.unpack(results, 2, results.n) end
    if task.watch(ref, 0) == 0 then
      in_flight.let_end(state.run, state.path, results[2])
      if not place.failure or is_prepared(place.failure) then place.failure = results[2] end
      if not is_prepared(results[2]) then M.cancel(around, results[2]) end
    end
    error(results[2], 0)
  end)
  local handle = setmetatable({}, handle_metatable)
  handles[handle] = ref
  return handle
end

function M.yield(ctx)
  context.of(ctx)
  -- Timers fire only when no task is ready. Sleep for 0 ms, so that expired timers fire now.
  task.sleep(0)
  task.check()
end

function M.finally(ctx, fn)
  if type(fn) ~= "function" then record.refuse("ctx:finally needs a function") end
  local state = context.of(ctx)
  state.finalizers[#state.finalizers + 1] = fn
end

return M
