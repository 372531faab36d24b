--- Watches a session: its states, markers and questions become events and start hooks.
--- The rules for a stuck agent apply, and each intervention is an event with its reason.
local exit_text = require "moonlet.engine.base.exit_text"
local hook_rate = require "moonlet.engine.session.hook_rate"
local hook_text = require "moonlet.engine.base.hook_text"
local judge = require "moonlet.engine.session.judge"
local markers = require "moonlet.engine.session.markers"
local report = require "moonlet.engine.session.report"
local resume = require "moonlet.engine.session.resume"
local states = require "moonlet.engine.session.states"
local store = require "moonlet.engine.session.store"
local stuck = require "moonlet.engine.session.stuck"
local log = require "moonlet.engine.session.log"
local typing = require "moonlet.engine.session.typing"

local M = {}

local poll_ms = 250
local diagnosis_bytes = 500
-- Waits up to 300 ms for the lock, because a watcher that only runs hooks soon releases it.
local take_over_ms = 300

--- Locks a session for watching. Returns nil if another process has the lock.
local function lock_of(watch, ms)
  return (core.file.lock(watch.root, store.path(watch.rec.id, "watch.lock"), ms))
end

local function take_over(watch)
  watch.lock = lock_of(watch, take_over_ms)
  if watch.lock then return end
  error({ kind = "denied", message = ("another process already watches %s"):format(watch.rec.id),
    hint = ("moonlet session report %s shows what it did"):format(watch.rec.id) }, 0)
end

--- Reports whether this process may run the session's hooks. A process that handles stuck agents
--- has priority.
local function has_hooks(watch)
  if watch.lock then return true end
  local lock = lock_of(watch, 0)
  if lock then core.file.unlock(lock) end
  return lock ~= nil
end

local function complaint(exit, err)
  if not exit then return "could not be started: " .. err.message end
  if exit.late then return exit_text.of({ why = "wall" }, { wall = hook_text.wall_ms }) end
  return exit.code ~= 0 and exit_text.of_code(exit) or nil
end

--- Runs the user's hook for an event of a session. A failure of the hook is recorded as an event.
local function call(watch, name, more)
  local argv = watch.hooks[name]
  local rec, home = watch.rec, watch.home
  store.note(home, rec.id, { type = "hook", hook = name, text = more.MOONLET_TEXT,
    more = more.MOONLET_MORE })
  local env = { MOONLET_SESSION = rec.id, MOONLET_EVENT = name, MOONLET_VERDICT = watch.state or "",
    MOONLET_RUN = rec.run or "", MOONLET_TASK_ID = "",
    MOONLET_DIR = home.agent_path .. "/" .. store.path(rec.id) }
  for key, value in pairs(more) do env[key] = tostring(value) end
  local list = {}
  for key, value in pairs(core.system.env_matching "") do
    if not env[key] and key ~= "MOONLET_MORE" then list[#list + 1] = key .. "=" .. value end
  end
  for key, value in pairs(env) do list[#list + 1] = key .. "=" .. (value:gsub("%z", "")) end
  local why = complaint(hook_text.during(name, argv, core.session.hook, argv, list,
    hook_text.wall_ms))
  if not why then return end
  store.note(home, rec.id, { type = "hook-failed", hook = name, why = why })
  watch.say(("%s: %s"):format(rec.id, hook_text.failed(name, argv, why)))
end

local function fire(watch, name, more)
  local argv = watch.hooks[name]
  if not argv or #argv == 0 or not has_hooks(watch) then return end
  if hook_rate.admits(watch.rate, name, more, core.clock.monotonic()) then
    call(watch, name, more)
  end
end

local function fire_counted(watch, is_end)
  for _, item in ipairs(hook_rate.due(watch.rate, core.clock.monotonic(), is_end)) do
    item.variables.MOONLET_MORE = item.count
    call(watch, item.kind, item.variables)
  end
end

local function work_of(watch)
  local summary = report.of(watch.home, watch.rec, states.of(watch.home, watch.rec.id))
  return { MOONLET_FILES_CHANGED = #summary.files_changed, MOONLET_TESTS = summary.tests or "" }
end

local function is_reported(watch)
  for _, event in ipairs(store.events(watch.home, watch.rec.id)) do
    if event.type == "hook" and event.hook == "done" and not event.text then return true end
  end
  return false
end

local hooked = { question = true, milestone = true, done = true, blocked = true }

local function note_markers(watch, facts)
  for _, marker in ipairs(markers.new(watch.reader, facts)) do
    watch.say(("%s: %s: %s"):format(watch.rec.id, marker.type, marker.text))
    if hooked[marker.type] then
      local more = marker.type == "done" and work_of(watch) or {}
      more.MOONLET_TEXT = marker.text
      fire(watch, marker.type, more)
    end
  end
end

local function intervene(watch, found, act)
  local home, id = watch.home, watch.rec.id
  local last = log.plain((log.tail(watch.root, id, diagnosis_bytes)))
  store.note(home, id, { type = "intervention", act = act.act, why = act.why, state = found.state,
    rule = found.rule, last = core.text.cut(last, diagnosis_bytes) })
  watch.say(("%s: %s, because %s"):format(id, act.act, act.why))
  if act.act == "answer" or act.act == "poke" then
    typing.submit(home, id, { text = act.text, keys = act.keys, enter = act.enter, by = "rule",
      why = act.why, what = act.act == "poke" and "poke" or nil })
  elseif act.act == "kill" or act.act == "resume" then
    states.finish(home, id, 5000)
    if act.act == "resume" then
      local made = resume.resume(home, id, {})
      watch.rec, watch.reader = made.rec, markers.reader(home, made.rec.id)
      core.file.unlock(watch.lock)
      take_over(watch)
      watch.say(made.context and ("%s continues as %s"):format(id, made.rec.id)
        or ("%s was started, but did not bring back the conversation of %s: %s"):format(made.rec.id,
          id, made.why))
    end
  end
end

local told_states = { suspect = true, hung = true, looping = true }

local function note_state(watch, found)
  if watch.state == found.state then return end
  watch.state = found.state
  store.note(watch.home, watch.rec.id, { type = "state", state = found.state, rule = found.rule,
    why = found.evidence[1] })
  watch.say(("%s: %s: %s"):format(watch.rec.id, found.state, found.evidence[1] or found.rule))
  if told_states[found.state] then
    fire(watch, "stuck", { MOONLET_TEXT = found.evidence[1] or found.rule })
  end
end

local function note_loss(watch, exit, facts)
  local loss = judge.loss(exit, facts)
  if not loss or loss.bytes == 0 or watch.lossy == watch.rec.id then return end
  watch.lossy = watch.rec.id
  watch.say(("%s: %s"):format(watch.rec.id, judge.loss_text(loss)))
end

local function look(watch)
  local found, facts, exit = states.judge(watch.home, watch.rec.id, watch.limits)
  note_loss(watch, exit, facts)
  note_state(watch, found)
  note_markers(watch, facts)
  return found, facts
end

--- The policy `only_hooks` leaves every decision to a person.
M.only_hooks = { poke = math.huge, answers = {} }
for kind in pairs(stuck.defaults.answers) do M.only_hooks.answers[kind] = "ask" end

---@param hooks table<string, string[]>
function M.has_hooks(hooks)
  for _, name in ipairs { "question", "milestone", "stuck", "blocked", "done" } do
    if hooks[name] and #hooks[name] > 0 then return true end
  end
  return false
end

--- Watches a session until it ends, and returns its last row. With `from_start`, hooks also run for
--- earlier output, even if its markers are already recorded.
---@param options {policy: table?, hooks: table?, say: fun(text: string)?, from_start: boolean?}
function M.run(home, id, options)
  local policy = setmetatable(options.policy or {}, { __index = stuck.defaults })
  local answers = setmetatable(policy.answers or {}, { __index = stuck.defaults.answers })
  policy = setmetatable({ answers = answers }, { __index = policy })
  -- A session is suspect after five minutes without a new line, or earlier if --poke is shorter.
  local limits = { suspect = math.min(policy.poke, judge.limits.suspect) }
  local watch = { home = home, root = store.root(home), rec = store.read(home, id),
    reader = markers.reader(home, id),
    hooks = options.hooks or {}, rate = hook_rate.new(), limits = limits,
    say = options.say or function() end }
  if options.from_start then watch.reader.seen = {} end
  if options.policy ~= M.only_hooks then take_over(watch) end
  local memory, asked = stuck.memory(), nil
  while true do
    local found, facts = look(watch)
    fire_counted(watch)
    if not facts and found.rule ~= "keeper:silent" then break end
    local act = stuck.decide(found, memory, policy, core.clock.monotonic())
    if act.act == "ask" and asked ~= act.why then
      asked = act.why
      if has_hooks(watch) then
        store.note(home, watch.rec.id,
          { type = "intervention", act = "ask", why = act.why, state = found.state })
      end
      watch.say(("%s: waits for a person: %s"):format(watch.rec.id, act.why))
      fire(watch, "question", { MOONLET_TEXT = act.why })
    elseif act.act ~= "ask" and act.act ~= "wait" and act.act ~= "none" then
      local attached = facts and facts.attached ~= 0
      if not attached then intervene(watch, found, act) end
    end
    if act.act == "none" then asked = nil end
    core.task.sleep(options.poll or poll_ms)
  end
  fire_counted(watch, true)
  local has_done = options.hooks and options.hooks.done and #options.hooks.done > 0
  if has_done and not is_reported(watch) and has_hooks(watch) then
    call(watch, "done", work_of(watch))
  end
  return states.of(home, watch.rec.id)
end

return M
