--- Reports the state of a session to commands and presets.
local echo = require "moonlet.engine.session.echo"
local judge = require "moonlet.engine.session.judge"
local log = require "moonlet.engine.session.log"
local markers = require "moonlet.engine.session.markers"
local record = require "moonlet.record"
local report = require "moonlet.engine.session.report"
local store = require "moonlet.engine.session.store"

local M = {}

local poll_ms, second_look_ms = 50, 400
local quiet_ms = 2000
local wait_piece, wait_overlap = 1 << 18, 1 << 14
local end_patience_ms = 15000

local function command_of(rec)
  return rec.damaged and not rec.removed and "unknown: session.json cannot be read"
    or table.concat(rec.argv, " ")
end

local function activity(before, after, ms)
  local one, two = before.processes, after.processes
  if not one or not two or not one.cpu_ms or not two.cpu_ms then return 0, 0 end
  local moved = (two.read_bytes + two.written_bytes) - (one.read_bytes + one.written_bytes)
  return math.max(0, (two.cpu_ms - one.cpu_ms) * 100 // ms), math.max(0, moved * 1000 // ms)
end

---@return moonlet.SessionVerdict found, table? facts, table exit, moonlet.SessionRecord rec
function M.judge(home, id, limits)
  local rec = store.read(home, id)
  local status, exit = core.session.status(home.handle, id)
  local facts
  if status == "running" then
    facts = echo.look(home, id)
    -- If the keeper does not answer, the session may have just ended, so read its status again.
    if not facts then status, exit = core.session.status(home.handle, id) end
  end
  local found = judge.judge(status, exit, facts, rec.agent, { limits = limits })
  if facts and judge.needs_second_look(found) then
    local began = core.clock.monotonic()
    core.task.sleep(second_look_ms)
    local again = echo.look(home, id)
    if again then
      local busy, moved = activity(facts, again, core.clock.monotonic() - began)
      facts = again
      local since = core.clock.wall() - (limits and limits.suspect or judge.limits.suspect)
      found = judge.judge(status, exit, facts, rec.agent,
        { limits = limits, busy = busy, moved = moved,
          edited = report.files_changed(rec.cwd, since * 1000000)[1] })
    end
  end
  return found, facts, exit, rec
end

local function waits_for(home, id, found, facts)
  local question = facts and M.question(home, id, facts)
  if question then return "[QUESTION] " .. question end
  if found.state == "waiting-for-input" then
    return ("%s: %s"):format(found.waits, found.detail or found.evidence[#found.evidence])
  end
  if found.state == "waiting-for-quota" then return found.evidence[1] end
end

--- Returns a [QUESTION] on the screen that no later input has answered.
---@param from integer?  ignore questions printed before this offset
function M.question(home, id, facts, from)
  local text = table.concat(facts.lines, "\n")
  if not text:find("[QUESTION]", 1, true) then return nil end
  local since = math.max(facts.input_at or 0, from or 0)
  if since > 0 and not log.has_printed(store.root(home), id, since, "[QUESTION]") then
    return nil
  end
  local question = core.text.question(text)
  return question and question:match "^[^\n]+" or nil
end

---@param kind string?  kind of the error after a normal exit (default "failed")
function M.check_alive(home, id, kind)
  local status, exit = core.session.status(home.handle, id)
  if status == "running" then return end
  local hint = ("moonlet session log %s shows what it printed"):format(id)
  if status == "lost" or status == "none" then
    error({ kind = "lost", message = ("the session %s was lost: its keeper was killed"):format(id),
      hint = hint }, 0)
  end
  error({ kind = kind or "failed", hint = hint,
    message = ("the session %s has ended (%s)"):format(id, judge.cause(exit)) }, 0)
end

function M.of(home, id)
  local found, facts, exit, rec = M.judge(home, id)
  return {
    id = id, name = rec.name, state = found.state, waits = found.waits,
    waits_for = waits_for(home, id, found, facts), rule = found.rule,
    evidence = core.json.array(found.evidence), since_ms = found.since_ms,
    live = facts ~= nil, command = command_of(rec), agent = rec.agent, cwd = rec.cwd,
    pid = exit.pid, started_at = rec.started_at,
    age_ms = facts and facts.age_ms or exit.duration_ms, silent_ms = facts and facts.silent_ms,
    cause = not facts and exit.why and judge.cause(exit) or nil,
    exit_code = not facts and exit.code or nil, ended_by = not facts and exit.why or nil,
    output_missing = judge.loss(exit, facts), log_bytes = facts and facts.log_end,
    attached = facts and facts.attached ~= 0 and facts.attached or nil,
    parent = rec.parent, removed = rec.removed or nil,
  }
end

function M.facts_text(facts)
  local program, processes = facts.program or {}, facts.processes or {}
  local function yes(value) return value and "yes" or "no" end
  return {
    ("terminal: read by %s: %s; echo: %s; line by line: %s"):format(processes.foreground or "-",
      yes(processes.reads_terminal), yes(program.echo), yes(program.canonical)),
    ("output: %d bytes, the last %d ms ago"):format(facts.log_end, facts.silent_ms),
    ("new lines: the last %d ms ago, %d repeated since"):format(facts.same_ms, facts.repeats),
    ("processes: %d, %d of them busy, %d ms of processor time, %d bytes read, %d written"):format(
      processes.count or 0, processes.running or 0, processes.cpu_ms or 0,
      processes.read_bytes or 0, processes.written_bytes or 0),
  }
end

--- Returns the screen of a session: the current one, or the last one after its end.
function M.screen(home, id, history)
  local facts, err
  if core.session.status(home.handle, id) == "running" then
    facts, err = store.look(home, id, history)
  end
  facts = facts or store.last_screen(home, id)
  local root = store.root(home)
  if facts and (history == 0 or not facts.history_gap) then return facts end
  if facts then
    -- The program printed too fast for the screen to keep its history, so rebuild it from the log.
    local text = log.tail(root, id, 1 << 20)
    facts.history = core.json.decode(core.session.replay(text, facts.rows, facts.cols,
      history)).history
    return facts
  end
  local rec = store.read(home, id)
  local first, last = log.bounds(root, id)
  if last == 0 and err then error(err, 0) end
  -- The keeper was killed and saved no screen, so rebuild the screen from the log.
  local text = log.read(root, id, math.max(first, last - (4 << 20)), 4 << 20)
  return core.json.decode(core.session.replay(text, rec.rows or 40, rec.cols or 120, history))
end

--- Ends a session. If its keeper was killed, ends the orphaned processes.
function M.finish(home, id, grace)
  if core.session.status(home.handle, id) == "running" then
    local ok, err = pcall(core.session.kill, home.handle, id, grace)
    if ok then store.note(home, id, { type = "killed", by = "user" }) end
    local since = core.clock.monotonic()
    while core.session.status(home.handle, id) == "running" do
      if core.clock.monotonic() - since > grace + end_patience_ms then
        error(not ok and err or { kind = "timeout", message = ("%s did not end"):format(id),
          hint = "moonlet session list shows it" }, 0)
      end
      core.task.sleep(20)
    end
  end
  core.session.sweep(home.handle, id)
  return M.of(home, id)
end

--- Adds the processes of sessions to `children`. Ends the processes of sessions whose keeper was
--- killed, and lists them in `swept`.
function M.add_live(home, children, swept)
  local root = store.root(home)
  for _, id in ipairs(core.session.list(home.handle)) do
    -- A keeper removes its socket when it ends normally.
    if root and core.file.stat(root, store.path(id, "keeper.sock")) then
      if core.session.status(home.handle, id) == "lost" then
        local ok, killed = pcall(core.session.sweep, home.handle, id)
        if ok and killed > 0 then swept[#swept + 1] = { run = id, killed = killed } end
      end
      for _, process in ipairs(core.session.processes(home.handle, id)) do
        process.run, process.step = id, "session"
        children[#children + 1] = process
      end
    end
  end
end

local function pattern_in(text, pattern)
  local ok, at = pcall(string.find, text, pattern)
  if not ok then record.refuse(("--until '%s' is not a Lua pattern"):format(
      core.text.printable(pattern, 60)),
    "write exit, quiet, prompt, marker or a Lua pattern; %( is a bracket") end
  return at
end

local conditions = {
  exit = function() return false end,
  quiet = function(found, facts) return found.state ~= "working" or facts.silent_ms >= quiet_ms end,
  prompt = function(found) return found.state == "waiting-for-input" end,
  -- Look for the marker on the screen. A program that redraws its screen prints no complete lines
  -- to the log.
  marker = function(_, facts, home, id, from) return M.question(home, id, facts, from) ~= nil end,
}

--- Waits for an event or a pattern. Returns "came", "ended" or "timeout", and the row.
---@param limit integer?   ms
---@param from integer?    offset from which to search; default: the oldest byte in the log
---@param meanwhile fun()?  function to call repeatedly during the wait
function M.wait(home, id, what, limit, from, meanwhile)
  local since, root = core.clock.monotonic(), store.root(home)
  local condition, seen = conditions[what], ""
  local at, behind = from or 0, false
  local function output_has()
    local bytes, began = log.read(root, id, at, wait_piece)
    at, behind = began + #bytes, #bytes == wait_piece
    seen = seen:sub(-wait_overlap) .. bytes
    local output = echo.hidden(seen, at - #seen, echo.notes(home, id)):gsub("%z", "")
    return pattern_in(log.plain(output), what) ~= nil
  end
  local reader = what == "marker" and markers.reader(home, id, from)
  if not condition then pattern_in("", what) end
  while true do
    local status = core.session.status(home.handle, id)
    if not condition and output_has() then return "came", M.of(home, id) end
    if reader and markers.is_there(reader, status ~= "running") then
      return "came", M.of(home, id)
    end
    if status ~= "running" and not behind then
      local row = M.of(home, id)
      return what == "exit" and "came" or "ended", row
    end
    if condition and what ~= "exit" then
      local rec, facts = store.read(home, id), store.look(home, id)
      if facts and condition(judge.judge("running", {}, facts, rec.agent), facts, home,
          id, from) then
        return "came", M.of(home, id)
      end
    end
    if limit and core.clock.monotonic() - since >= limit then return "timeout", M.of(home, id) end
    if meanwhile then meanwhile() end
    core.task.sleep(behind and 0 or poll_ms)
  end
end

return M
