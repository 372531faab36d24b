--- Adds a session's states, markers and interventions to the events of the run that started it.
--- The session is checked whenever the script uses it or waits for it.
local judge = require "moonlet.engine.session.judge"
local markers = require "moonlet.engine.session.markers"
local states = require "moonlet.engine.session.states"
local store = require "moonlet.engine.session.store"

local M = {}

local pause_ms = 500

local function act_of(note)
  if note.type == "intervention" then return note.act, "rule" end
  local is_act = note.type == "attached" or note.type == "detached" or note.type == "killed"
    or note.type == "input" or note.type == "poke"
  if is_act and note.by == "user" then return note.type, note.by end
end

---@param key string  key of the session's step
function M.new(run, key, id)
  return { run = run, key = key, id = id, reader = markers.reader(run.home, id),
    noted = #store.events(run.home, id) }
end

local function report_acts(own)
  local run, notes = own.run, store.events(own.run.home, own.id)
  for i = own.noted + 1, #notes do
    local act, by = act_of(notes[i])
    if act then
      run.emit("intervention", { step = own.key, session = own.id, act = act, by = by,
        why = notes[i].why })
    end
  end
  own.noted = #notes
end

--- Checks the session and emits its new events, at most twice a second unless `now` is set.
function M.look(own, now)
  local run, at = own.run, core.clock.monotonic()
  if not now and own.looked and at - own.looked < pause_ms then return end
  own.looked = at
  local found, facts, exit = states.judge(run.home, own.id)
  local loss = judge.loss(exit, facts)
  if loss and loss.bytes > 0 and not own.has_loss then
    own.has_loss = true
    run.emit("warning", { step = own.key, text = ("%s: %s"):format(own.id, judge.loss_text(loss)) })
  end
  if found.state ~= own.state then
    own.state = found.state
    run.emit("session.state", { step = own.key, session = own.id, state = found.state,
      waits = found.waits, why = core.text.printable(found.evidence[1] or found.rule, 300) })
  end
  for _, marker in ipairs(markers.new(own.reader, facts)) do
    run.emit("log",
      { step = own.key, text = ("%s: %s: %s"):format(own.id, marker.type, marker.text) })
  end
  report_acts(own)
end

return M
