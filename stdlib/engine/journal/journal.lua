--- Replays recorded steps in their order. Executes any other step, and records it before the script
--- sees its result.
---
--- Records, in the order of the file:
---   drive    a host starts to drive the run; `retry` repeats failed steps, `fresh` repeats facts
---   begin    an attempt of the step `key` is about to start; `once` forbids a second start
---   attempt  an attempt has ended: `outcome`, with its number, status and usage
---   spent    the last attempt failed and the run parks; with `repair`, a resume repairs the answer
---   end      a step has ended: `status`, `result`, or `error` and the value it `raised`
---   fact     an observation: its `result`
---   timeout  a scope ran out of time
---   answer   a person's answer to a gate or question, with the hash of the text that they saw
---   cleared  nothing of the attempts so far is left on the machine `on`
---   remote   an attempt of the step `key` is about to be sent to the machine `on`, which knows it by `nonce`
---   scope    a scope with limited wall time starts; with `status` it has ended
---   name     `stand_in` replaces a name with secrets in keys; `raw` is the name's keyed hash
---   alive    heartbeat of a running step
---   over     the run has a verdict
---   review   decision about the changes of a run: `state`, with the hash of the changes
---   decision a person's or a main agent's decision about the result; steps cannot read it
--- In `end` and `fact`, `whole` is the hash of the full value of a redacted result.
--- `places` locates secrets of the environment (input_hash.lua).
--- `driven_ms` is the time for which hosts have driven the run. records.lua lists all fields.
local heartbeat = require "moonlet.engine.journal.heartbeat"
local finalizer_journal = require "moonlet.engine.journal.finalizer_journal"
local past_spend = require "moonlet.engine.journal.past_spend"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local input_hash = require "moonlet.engine.journal.input_hash"
local journal_record = require "moonlet.engine.journal.records"
local raised = require "moonlet.engine.journal.raised"
local redactions = require "moonlet.engine.journal.redactions"
local values = require "moonlet.engine.journal.values"
local task = core.task

local M = {}

local function put_on_record(...) return infrastructure_error.call(core.journal.append, ...) end

--- Lists the verdicts after which a resumed run retries failed steps.
local retried = { failed = true, cancelled = true, budget = true, blocked = true, degraded = true,
  quota = true }

local longest_cancelled_ms = 10 * 1000

local paid = { agent = true }

--- Lists the kinds of errors that come from the whole run, such as a spent budget, and not from the
--- step that raises them.
local of_the_run = { cancelled = true, budget = true, limit = true, parked = true, prepared = true,
  quota = true }

--- Marks journals in whose keys names are escaped (engine/context/context.lua).
M.names = "escaped"

---@class moonlet.Journal
---@field resumed boolean
---@field ends table<string, table>      key -> end record
---@field begins table<string, table>    key -> begin record of the last attempt
---@field ended table<string, integer>   key -> last attempt's number at the step's last end
---@field failures table<string, true>   keys of failed steps that this host repeats
---@field remotes table<string, table>   key and id of an attempt -> its last remote record
---@field remote_list table[]            all remote records
---@field frontier integer               order of the last record of a step
---@field fresh boolean                  true if facts are observed again
---@field facts table<string, table>
---@field timeouts table<string, table>
---@field scopes table<string, moonlet.ScopeTime>
---@field answers table<string, table>
---@field root_key string?               key of the agent call that owns the sidecar folder
---@field attempts table<string, table[]>  key -> outcomes of the step's attempts
---@field history moonlet.History        usage under earlier hosts
---@field verdict string?                the verdict, unless a host has driven the run since
---@field decided string?                decision (of a person or a main agent) on an earlier result
---@field review table?                  record of the last review
---@field retry boolean?                 this host repeats failed steps
---@field records table<string, boolean> hashes of earlier versions of run.json
---@field endings table<string, moonlet.Ending>  path -> exit of a body with finalizers
---@field cleanups table<string, string[]>  key of a clean-up -> keys of its steps
---@field plain_names boolean?           the run started before names in keys were escaped
---@field raws table<string, string>     hash of an input with secrets -> keyed hash of its text
---@field is_keyed boolean?               a record can be checked only with the key of the run
---@field stand_ins table                 replacements for names with secrets in keys
---@field unkept moonlet.Unkept            redactions made in observed texts

---@class moonlet.ScopeTime   time of a scope that has not succeeded
---@field used integer     milliseconds used before the scope failed
---@field since integer?   start of a running scope, on the clock of the run

local function forget_failures(journal, last)
  for key in pairs(journal.failures) do journal.ends[key] = nil end
  journal.failures, journal.timeouts = {}, {}
  -- A resume after a quota wait continues the interrupted clean-ups, so keep their recorded ends.
  if last ~= "quota" then finalizer_journal.forget(journal.endings) end
end

--- Forgets facts and steps, but not agents' answers and at-most-once commands.
local function forget_observed(journal)
  journal.facts, journal.timeouts = {}, {}
  finalizer_journal.forget(journal.endings, true)
  for key, item in pairs(journal.ends) do
    if item.verb ~= "agent" and not item.once then journal.ends[key] = nil end
  end
end

local function note_begin(journal, item)
  if not journal.begins[item.key] then finalizer_journal.begin(journal.cleanups, item.key) end
  journal.begins[item.key] = item
end

local apply = {
  drive = function(journal, item)
    local last = journal.verdict
    journal.resumed, journal.verdict = true, nil
    if item.fresh then forget_observed(journal) end
    if item.names ~= M.names then journal.plain_names = true end
    if type(item.record) == "string" then journal.records[item.record] = true end
    if item.retry then forget_failures(journal, last) end
  end,
  begin = function(journal, item)
    note_begin(journal, item)
    if item.root then journal.root_key = item.key end
  end,
  fact = function(journal, item) journal.facts[item.key] = item end,
  timeout = function(journal, item) journal.timeouts[item.key] = item end,
  answer = function(journal, item) journal.answers[item.key] = input_hash.with_secrets(item) end,
  over = function(journal, item)
    journal.verdict = item.verdict
    if type(item.record) == "string" then journal.records[item.record] = true end
  end,
  scope = function(journal, item)
    local time = journal.scopes[item.key] or { used = 0 }
    if item.status then
      time.used = time.used + math.max(0, item.driven_ms - (time.since or item.driven_ms))
    end
    time.since = not item.status and (time.since or item.driven_ms) or nil
    journal.scopes[item.key] = item.status ~= "ok" and time or nil
  end,
  name = input_hash.read_name,
  review = function(journal, item) journal.review = item end,
  decision = function(journal, item) journal.decided = item.decision end,
  remote = function(journal, item)
    local place = item.key .. "\0" .. item.id
    local known = journal.remotes[place]
    if known and known.nonce == item.nonce then
      known.queue_ms = item.queue_ms
      return
    end
    journal.remotes[place] = item
    table.insert(journal.remote_list, item)
  end,
  cleared = function(journal, item)
    for _, intent in ipairs(journal.remote_list) do
      if intent.on == item.on then intent.removed = true end
    end
  end,
  alive = function() end,
}
local function spend(journal, key, repair)
  local last = journal.begins[key]
  if last then last.spent, last.repairs = true, repair end
end

--- Lists the ends of an attempt that do not count as its failure, because nothing was paid or
--- keeper.log has the result.
local unsettled = { lost = true, cancelled = true, not_started = true }

--- Reports whether the last attempt itself has failed.
--- If only the host or the keeper died, a resumed run examines what the attempt left.
local function has_failed(journal, key)
  local last = journal.begins[key]
  for _, entry in ipairs(last and journal.attempts[key] or {}) do
    if entry.number == last.attempt and entry.status ~= "ok" and entry.class ~= "lost"
        and not unsettled[entry.why] then
      return true
    end
  end
  return false
end

apply["end"] = function(journal, item)
  -- A step that a person gave up may still run on its machine, so a resume asks the machine.
  if not item.may_run then
    journal.ended[item.key] = journal.begins[item.key] and journal.begins[item.key].attempt or 0
  end
  journal.ends[item.key] = item
  journal.failures[item.key] = (item.status ~= "ok" or item.again) and true or nil
  if item.status == "ok" or has_failed(journal, item.key) then spend(journal, item.key) end
end
apply.attempt = function(journal, item)
  local list = journal.attempts[item.key] or {}
  journal.attempts[item.key] = list
  local last = list[#list]
  -- The outcome of an adopted attempt replaces the earlier one.
  local outcome = item.outcome
  list[last and outcome.taken_over and last.number == outcome.number and #list
    or #list + 1] = outcome
end
apply.spent = function(journal, item) spend(journal, item.key, item.repair) end

--- Lists the records of the script's actions, which may depend on earlier facts.
local done_by_steps = { begin = true, attempt = true, ["end"] = true }

local function is_keyed(item) return item.raw ~= nil or item.whole:find("^keyed:") ~= nil end

---@param fresh boolean?  forget facts, but keep answers of agents and people
---@param ended boolean?  the run has reported its outcome
---@param keep boolean?   replay failures whatever the verdict was
---@return moonlet.Journal
function M.open(fresh, ended, keep)
  local journal = { resumed = false, ends = {}, begins = {}, facts = {}, timeouts = {},
    answers = {}, attempts = {}, scopes = {}, records = {}, raws = {}, unkept = redactions.new(),
    stand_ins = input_hash.stand_ins(), ended = {}, failures = {}, frontier = 0,
    fresh = fresh or false, history = past_spend.new(), endings = {},
    cleanups = {}, remotes = {}, remote_list = {} }
  local records = journal_record.open()
  core.journal.collect(false)
  local ok, err = pcall(function()
    for order, record, unread, lazy in records do
      local item = journal_record.check(record, order, unread, lazy)
      apply[item.type](journal, item)
      if item.raw or item.whole then journal.is_keyed = journal.is_keyed or is_keyed(item) end
      if done_by_steps[item.type] then journal.frontier = order end
      finalizer_journal.read(journal.endings, item)
      journal.history:read(item)
    end
  end)
  core.journal.collect(true)
  if not ok then error(err, 0) end
  journal.history:close()
  -- A `degraded` run that has not ended was killed in its report, so a resume retries nothing.
  if not keep and retried[journal.verdict] and (ended or journal.verdict ~= "degraded") then
    journal.retry = true
    forget_failures(journal, journal.verdict)
  end
  if fresh then forget_observed(journal) end
  return journal
end

function M.append(item) put_on_record(core.json.encode_record(item), true) end

--- Appends a record without waiting for the disk; the next durable record flushes it.
function M.note(item) core.journal.note(core.json.encode_record(item)) end

--- During the replay of a resumed run, waits until it is the turn of the recorded end of a cancelled
--- step. Usually the script has cancelled the step again by then. Cancelling cannot end this wait,
--- but it has a time limit.
local function wait_cancelled(order)
  local shield = task.open_scope { timeout = longest_cancelled_ms, shield = true,
    what = "the end of a cancelled step" }
  local ok, err = pcall(task.wait_turn, order)
  task.wait_scope(shield)
  task.close_scope(shield)
  if not ok then error(err, 0) end
end

---@class moonlet.Private        repeatable observation whose record is redacted
---@field clean fun(value: any): any  returns the redacted value
---@field again fun(): any            repeats the observation

local function put(journal, item, value, private, durable)
  input_hash.put(journal, item, value, private and private.clean(value) or value, durable)
  return item
end

local function tell_changed(run, item)
  run.emit("log", { step = item.key, text = item.places
    and "it contained a secret that is no longer in the environment: the recorded text is used, "
      .. "with the secret's name"
    or "it changed since it was recorded, and what looks like a secret was redacted: the "
      .. "recorded text is used" })
end

local function tell_lost(run, key, stored)
  local name = type(stored) == "table" and stored["$value"]
  if not name then return end
  run.emit("warning", { step = key, text = ("its record is missing or damaged (runs/%s/values/%s): "
    .. "it is done again"):format(run.id, core.text.printable(tostring(name), 80)) })
end

local function whole(journal, item, private)
  local value = input_hash.restored(item)
  if value ~= nil then return value end
  local ok, again = false, nil
  if private then
    task.hold_turn(item.order)  -- keeps other tasks from replaying later records
    ok, again = pcall(private.again)
    task.release_turn(item.order)
  end
  if not ok or not values.is(again, item.whole) then return nil end
  input_hash.seen(journal, again, private.clean(again))
  return again
end

--- Replays a recorded step when the replay reaches the record's place in the journal. Returns "ok"
--- and the value, or raises the recorded error. Returns nothing if the step must be executed.
local function replayed(run, key, hash, private)
  local journal = run.journal
  local item = journal.ends[key]
  if not item then return nil end
  if item.input_hash ~= hash then return nil end
  if item.status == "cancelled" then
    wait_cancelled(item.order)
    if task.pending_error() ~= nil then error(raised.get(item), 0) end
    return nil
  end
  local all = item.whole and whole(journal, item, private)
  task.wait_turn(item.order)
  if type(item.notes) == "table" then run.note_recorded(key, item.notes) end
  if item.status == "failed" then error(raised.get(item), 0) end
  local value = all
  local stored = journal_record.stored(item, "result")
  if value == nil then value = values.get(stored) end
  if value == nil and paid[item.verb] then
    local file = ("runs/%s/values/%s"):format(run.id, item.result["$value"])
    error(infrastructure_error.mark { kind = "failed", at = run.absolute(file),
      message = ("the answer of step %s is missing or damaged"):format(key),
      hint = "restore the file from a backup, or start a new run; a resume would pay for "
        .. "it again" }, 0)
  end
  if value == nil then
    tell_lost(run, key, stored)
    return nil
  end
  if item.whole and all == nil then tell_changed(run, item) end
  return "ok", value
end

local function tell_new_input(run, key, hash)
  local last, item = run.journal.begins[key], run.journal.ends[key]
  if last and last.input_hash == hash or not (last or item and item.input_hash ~= hash) then
    return
  end
  run.emit("log",
    { step = key, text = "its input has changed since the run was recorded: it is done again" })
end

--- Lets `settle` finish an attempt that an earlier host started before the input changed: it may
--- still run, and its usage must be recorded.
local function settle_earlier(run, key, hash, settle)
  local last = run.journal.begins[key]
  if not settle or not last or last.spent or last.input_hash == hash then return end
  settle(last)
  M.spent(run, key)
end

--- Reports whether quota or budget refused a call, so that a resume repeats the ctx:step around it.
local function refused(run)
  return run.quota_error ~= nil or run.own_budget ~= nil and run.own_budget.refused ~= nil
end

---@class moonlet.StepOptions
---@field paid boolean?      the step's records reach the disk before the script continues
---@field again (fun(value: table): boolean)?  returns true if a later resume must repeat the step
---@field private moonlet.Private?  redacts the value
---@field notes (fun(): table?, boolean)?  returns notes for the verdict, and whether to repeat
---@field tells boolean?  call `live` even in a run that only cleans up; `live` then ends the run
---@field once boolean?  the step runs at most once, even with --fresh
---@field foresee (fun(last: table?, hash: string): table)?  predicts what `live` would do
---@field settle fun(earlier: table)?  ends an unfinished attempt that had another input

---@param run table           a run without a journal records nothing
---@param input table          dependencies; an equal input replays the step
---@param options moonlet.StepOptions
---@param live fun(last: table?): table   executes the step, given the last attempt's begin record
---@return table value         JSON value
function M.step(run, key, input, options, live)
  local journal = run.journal
  if not journal then return live(nil, ""), false end
  local hash = input_hash.of(journal, input, journal.ends[key], journal.begins[key])
  if not run.forecast then settle_earlier(run, key, hash, options.settle) end
  local how, value = replayed(run, key, hash, options.private)
  if how then return value, true end
  tell_new_input(run, key, hash)
  -- Wait for the replay of other tasks, because one of them may cancel this step before it starts.
  if journal.resumed then task.wait_turn() end
  if run.forecast and run.forecast:reach(key, input, hash, options) then return true, false end
  if run.cancels and not options.tells then run.end_cancelled() end
  -- A cancelled run only runs its clean-ups, so its bodies do not continue.
  if not run.cancels then finalizer_journal.touch(journal.endings, key) end
  local gone = journal.resumed and finalizer_journal.gone_by(journal.endings, key) or {}
  if gone[1] then run.settle_cleanups(gone) end
  if options.notes then run.note_begin(key) end
  -- Attempt numbers name files and processes, so they increase even if the input changes.
  local ok, result = pcall(heartbeat.during, run, key, input.verb, live, journal.begins[key], hash)
  local notes, again
  if options.notes then notes, again = options.notes() end
  local item = { type = "end", driven_ms = heartbeat.now(run), key = key, input_hash = hash,
    raw = journal.raws[hash], verb = input.verb, notes = notes }
  if ok then
    item.status, item.once = "ok", options.once
    item.again = again or options.again and options.again(result)
      or input.verb == "step" and refused(run) or nil
    put(journal, item, result, options.private, options.paid)
    put_on_record(core.json.encode_record(item), options.paid or false)
    return result, false
  end
  local kind = type(result) == "table" and rawget(result, "kind") or "failed"
  if not of_the_run[kind] and not infrastructure_error.is(result) then
    item.status = task.pending_error() ~= nil and "cancelled" or "failed"
    item.may_run = type(result) == "table" and rawget(result, "may_run") == true or nil
    result = raised.put(item, result, options.paid)
    put_on_record(core.json.encode_record(item), options.paid or false)
  end
  error(result, 0)
end

--- Reports whether the last attempt succeeded and only its merge failed, so that it is reused.
local function is_kept(journal, key)
  local last = journal.begins[key]
  for _, entry in ipairs(not last.spent and journal.attempts[key] or {}) do
    if entry.number == last.attempt and entry.status == "ok" then return true end
  end
  return false
end

--- Returns the key of an equal agent call in an earlier clean-up, so that no call is paid twice.
---@param input_at fun(key: string): table  returns the call's dependencies under that key
---@return string key  the given key if there is no such call
function M.paid_before(run, key, input_at)
  local journal = run.journal
  if not journal or journal.begins[key] then return key end
  for _, twin in ipairs(finalizer_journal.twins(journal, key)) do
    local begun, ended = journal.begins[twin], journal.ends[twin]
    local is_open = not begun.spent and journal.ended[twin] ~= begun.attempt
      or is_kept(journal, twin)
    if not run.step_keys[twin] and (is_open or ended and ended.status == "ok") then
      local hash = input_hash.of(journal, input_at(twin), ended, begun)
      if hash == (ended and ended.status == "ok" and ended or begun).input_hash then return twin end
    end
  end
  return key
end

--- Records that an attempt of a paid step is about to start, and waits for the sync to disk.
function M.begin(run, key, attempt, hash, more)
  local item = { type = "begin", driven_ms = heartbeat.now(run), key = key, attempt = attempt,
    input_hash = hash }
  item.raw = run.journal.raws[hash]
  for name, value in pairs(more or {}) do item[name] = value end
  note_begin(run.journal, item)
  M.append(item)
end

--- Records that an attempt is about to be sent to another machine, and waits for the sync to disk.
function M.remote(run, item)
  apply.remote(run.journal, item)
  M.append(item)
end

function M.remote_start(run, item)
  apply.remote(run.journal, item)
  M.note(item)
end

function M.cleared(run, on)
  local item = { type = "cleared", on = on }
  apply.cleared(run.journal, item)
  M.note(item)
end

function M.attempts(run, key) return { table.unpack(run.journal.attempts[key] or {}) } end

function M.attempt(run, key, entry)
  local item = { type = "attempt", driven_ms = heartbeat.now(run), key = key, outcome = entry }
  apply.attempt(run.journal, item)
  M.note(item)
end

--- Records that a resume must start a new attempt of a step.
---@param repair boolean?  the attempt was a repair round, so the answer to repair is kept
function M.spent(run, key, repair)
  spend(run.journal, key, repair)
  M.append { type = "spent", key = key, repair = repair }
end

function M.answer(run, item)
  run.journal.answers[item.key] = item
  local kept = { places = input_hash.places(item, { "value", "note", "by" }) }
  for name, value in pairs(item) do kept[name] = value end
  M.append(kept)
end

--- Returns a fact: a quick observation, such as a file, that is made once and then replayed.
---@param observe fun(): any  returns a JSON value
---@param clean (fun(value: any): any)?  redacts the fact for the record
function M.fact(run, key, input, observe, clean)
  if not run.journal then return observe() end
  local journal = run.journal
  local item = journal.facts[key]
  local hash = input_hash.of(journal, input, item)
  local value
  if item and item.input_hash == hash then
    if item.whole then
      value = input_hash.restored(item)
      if value ~= nil then return value end
      value = observe()
      if values.is(value, item.whole) then
        if clean then input_hash.seen(journal, value, clean(value)) end
        return value
      end
      tell_changed(run, item)
    end
    local stored = journal_record.stored(item, "result")
    value = values.get(stored)
    if value ~= nil then return value end
    tell_lost(run, key, stored)
  end
  value = observe()
  if run.forecast then run.forecast:observed(key, input, value) end
  if not run.cancels then finalizer_journal.touch(run.journal.endings, key) end
  local made = { type = "fact", key = key, input_hash = hash, raw = journal.raws[hash] }
  M.note(put(journal, made, value, clean and { clean = clean }, false))
  return value
end

--- Returns a number of a budget. It is replayed only if a step follows in the journal, because the
--- budget may have been raised since.
---@param observe fun(): number
function M.reading(run, key, input, observe)
  local journal = run.journal
  local item = journal and journal.facts[key]
  if item and item.order > journal.frontier then journal.facts[key] = nil end
  return M.fact(run, key, input, observe)
end

---@return integer used_ms  time used under earlier hosts
function M.scope_begins(run, path)
  local journal = run.journal
  if not journal then return 0 end
  local time = journal.scopes[path] or { used = 0 }
  local used = time.used + (time.since and math.max(0, run.driven_before - time.since) or 0)
  M.note { type = "scope", key = path, driven_ms = heartbeat.now(run) }
  return used
end

--- Records the end of a scope with limited wall time. A repetition counts, too.
function M.scope_ends(run, path, ok)
  if not run.journal then return end
  M.note { type = "scope", key = path, driven_ms = heartbeat.now(run),
    status = ok and "ok" or "failed" }
end

return M
