--- Stores the state of each ctx for the host. To a script, a ctx looks like an empty table.
local budget = require "moonlet.engine.budget.budget"
local command_line = require "moonlet.engine.base.command_line"
local budget_view = require "moonlet.engine.context.budget_view"
local input_hash = require "moonlet.engine.journal.input_hash"
local journal = require "moonlet.engine.journal.journal"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

---@class moonlet.State
---@field run table          the run (engine/run/run.lua)
---@field scope any          cancel scope of this body
---@field budget moonlet.Budget?  budget of this body
---@field path string        prefix of this body's keys: "" or "parallel/2"
---@field counts table       name -> number of uses in this body
---@field finalizers function[]
---@field within table?     clean-up inside which this body runs, if any
---@field place table?      clean-up of this body, once it has started
---@field budget_view moonlet.BudgetView?  ctx.budget, after its first use
---@field host_view table?   ctx.host, after its first use
---@field failure any        first error of a spawned task
---@field task any           task that runs the body
---@field open boolean

---@class moonlet.CleanupState   clean-ups of a run
---@field places table<any, table>  task -> clean-up that runs in it
---@field shields any[]           shielded scopes of running clean-ups
---@field put_off table[]         postponed clean-ups: { state, how }
---@field is_owed boolean?        true if a later host must do a clean-up

---@type fun(run: table): moonlet.CleanupState
M.cleanup = per_run(function()
  return { places = {}, shields = {}, put_off = {}, is_owed = nil }
end)

local states = setmetatable({}, { __mode = "k" })

---@type fun(state: moonlet.State): table
M.host_view = nil

--- Contains the methods of ctx by name. engine/run/verbs.lua adds them.
M.verbs = {}

--- Wraps each method so that its caller stays on the stack, even in a tail call, and errors can name it.
M.called = setmetatable({}, { __index = function(called, name)
  local verb = M.verbs[name]
  local kept = verb and core.frames.keep(verb)
  called[name] = kept
  return kept
end })

local function note_reached(ctx)
  local checking = states[ctx] and states[ctx].run.checking
  local place = checking and core.text.place()
  if place then checking.reached[place] = true end
end

local metatable = {
  __index = function(ctx, key)
    local verb = M.called[key]
    if verb then
      note_reached(ctx)
      return verb
    end
    local getter = M.getters[key]
    if getter then return getter(M.of(ctx)) end
    local names = {}
    for name in pairs(M.verbs) do names[name] = true end
    for name in pairs(M.getters) do names[name] = true end
    local record = require "moonlet.record"
    local preset = M.of(ctx).run.preset
    local hint = preset and preset.args[key] and "run is given (ctx, args), in this order"
      or require("moonlet")[key] and ("write m.%s"):format(key)
      or record.hint(tostring(key), names)
    record.refuse(("ctx has no '%s'"):format(tostring(key)), hint)
  end,
  __newindex = function()
    error({ kind = "denied", message = "ctx is read-only" }, 0)
  end,
  __name = "ctx",
  __metatable = false,
}

function M.refuse_ended()
  error({ kind = "invalid", message = "this ctx belongs to a scope that has ended",
    at = core.text.place(), hint = "use the ctx that the function was given" }, 0)
end

M.getters = {
  repo = function(state) return state.run.top end,
  runner = function(state) return state.run.runner_name end,
  model = function(state) return state.run.model end,
  task_id = function(state) return state.run.task_id end,
  run_id = function(state) return state.run.id end,
  budget = function(state)
    state.budget_view = state.budget_view or budget_view.new(function(verb, kind)
      if not state.open then M.refuse_ended() end
      return journal.reading(state.run, M.key(state, "budget"),
        { verb = "budget", read = verb, kind = kind }, function()
          return budget[verb](state.budget, kind)
        end)
    end)
    return state.budget_view
  end,
  inputs = function(state) return state.run.input_list() end,
  host = function(state)
    state.host_view = state.host_view or M.host_view(state)
    return state.host_view
  end,
}

function M.new(state)
  local ctx = setmetatable({}, metatable)
  state.counts = {}
  state.finalizers = {}
  state.open = true
  states[ctx] = state
  return ctx
end

--- Raises an error for a value other than a ctx, and after its body has ended.
function M.of(ctx)
  local state = states[ctx]
  if not state then
    error({ kind = "invalid", message = "a ctx was expected", at = core.text.place(),
      hint = "call verbs with a colon: ctx:agent { … }, not ctx.agent { … }" }, 0)
  end
  if not state.open then M.refuse_ended() end
  return state
end

local escapes = { ["/"] = "%2F", ["#"] = "%23" }

local function as_escape(char) return ("%%%02X"):format(char:byte()) end

local function escaped(run, name)
  -- A run that started before names were escaped keeps its recorded keys.
  if run.journal and run.journal.plain_names or not name:find("[/#%%]") then return name end
  return (name:gsub("%%(2[F35])", "%%25%1"):gsub("[/#]", escapes))
end

--- Converts the name of a step to a part of the step's key. Escapes "/" and "#", because they
--- separate the parts of a key. Replaces secrets, because keys appear in the run's records and in
--- the names of its folders.
function M.part(run, name)
  if not core.text.is_utf8(name) then name = name:gsub("[\128-\255]", as_escape) end
  if not run.journal then return escaped(run, name) end
  local own = input_hash.name(run.journal, name)
  local part = escaped(run, own)
  if own ~= name then run.journal.stand_ins.clear[part] = escaped(run, name) end
  return part
end

function M.plain(key)
  return (key:gsub("%%(2[F35])", { ["2F"] = "/", ["23"] = "#", ["25"] = "%" }))
end

function M.log_of(run, key)
  return ("moonlet log %s %s"):format(run.id, command_line.quoted(M.plain(key)))
end

--- Returns the table whose counters number the next step. Functions given to ctx:finally() number
--- their steps separately, even if they use the ctx of the body that they clean up.
function M.place(state)
  local place = M.cleanup(state.run).places[core.task.current()]
  return place and state.within ~= place and place or state
end

--- Raises an error if a budget is spent, except in a clean-up, which may still run commands.
function M.check_spent(state)
  if not M.cleanup(state.run).places[core.task.current()] then budget.check_spent(state.budget) end
end

local longest_name = 256

function M.check_name(name)
  if name == "" then
    error({ kind = "invalid", message = "a name is empty", at = core.text.place(),
      hint = "a step is found by its name: write one, or leave it out" }, 0)
  end
  if #name > longest_name then
    error({ kind = "invalid",
      message = ("a name has %d bytes, and at most %d are allowed"):format(#name, longest_name),
      at = core.text.place(),
      hint = "names are part of each line about a step: use a shorter one" }, 0)
  end
end

--- Warns if a branch uses an outer ctx, because its steps' keys then depend on timing.
local function tell_foreign(state)
  local task = core.task.current()
  if not state.task or state.task == task or state.foreign_told then return end
  if M.cleanup(state.run).places[task] then return end
  state.foreign_told = true
  state.run.emit("warning",
    { text = ("%s: a branch uses the ctx of the function around it, so its steps are known by "
    .. "when they come: use the ctx that the branch is given"):format(core.text.place()
      or "the script") })
end

--- Returns the key of the next step; repeated names get a number. A body is one coroutine, so the
--- number never depends on timing. Every verb calls this first, so that a cancelled body stops
--- here. Runs postponed clean-ups of inner bodies.
---@param at_once boolean?  the caller must not wait here
function M.key(state, name, at_once)
  core.task.check()
  M.check_name(name)
  tell_foreign(state)
  local place = M.place(state)
  if not at_once and M.cleanup(state.run).put_off[1] then
    require("moonlet.engine.context.finalizers").clean_up_below(state.run, place.path)
  end
  local count = (place.counts[name] or 0) + 1
  place.counts[name] = count
  local own = M.part(state.run, name)
  if count > 1 then own = ("%s#%d"):format(own, count) end
  local key = place.path == "" and own or place.path .. "/" .. own
  local recorded = state.run.journal
  if not recorded or not next(recorded.stand_ins.clear) then return key end
  return input_hash.key(recorded, key)
end

return M
