--- Records sessions of agents that moonlet did not start. Their hooks add notes (names and paths,
--- never words) in `.agent/ambient`, which become a run when a session or turn ends.
local changes = require "moonlet.engine.task.recorded.changes"
local stream = require "moonlet.engine.runner.stream"
local transcript = require "moonlet.engine.task.recorded.transcript"
local usage = require "moonlet.engine.runner.usage"

local M = {}

local folder = "ambient"
local notes_cap, start_cap = 4 << 20, 16 << 20
local forgotten_ms = 30 * 24 * 3600 * 1000
local lock_ms = 5000
local lease_ms = 60 * 1000

---@class moonlet.RecordedEvent
---@field session string
---@field name string       the agent's own name of the event
---@field kind "begin"|"prompt"|"tool"|"denied"|"end"|"other"
---@field tool string?
---@field file string?      file that the tool wrote
---@field model string?
---@field transcript string?
---@field turn string?
---@field cwd string?
---@field prompts string[]?
---@field answers table[]?

---@class moonlet.RecordedSession   input for the reader of an agent's transcript
---@field id string
---@field transcript string?
---@field from integer       size of the transcript at the start
---@field began_ms integer?
---@field turn string?
---@field prompts string[]?
---@field answers table[]?

---@class moonlet.RecordedFacts     facts from an agent's transcript
---@field prompts string[]
---@field model string?
---@field usage moonlet.Usage?
---@field began_ms integer?
---@field ended_ms integer?
---@field commit string?     commit that was checked out at the start

---@class moonlet.Recorded
---@field agent table
---@field id string
---@field began_ms integer
---@field ended_ms integer
---@field model string?
---@field usage moonlet.Usage?
---@field prompts string[]
---@field files string[]
---@field files_known boolean  true if git was read at the start and at the end
---@field files_cut boolean
---@field tools integer
---@field denials string[]
---@field parent string?     first run of the same conversation
---@field private tree moonlet.TreeState?  state at the end

function M.agent(name) return require("moonlet.engine.task.recorded." .. name) end

local function one_line(text, size) return text and core.text.printable(text, size) or nil end

local function names_of(agent, id)
  local base = ("%s/%s-%s"):format(folder, agent.name, id:gsub("[^%w._-]", "_"):sub(1, 80))
  return { notes = base .. ".jsonl", start = base .. ".start.json" }
end

local function read_json(root, name, cap)
  local ok, value = pcall(core.json.decode_record, core.file.read(root, name, cap) or "")
  return ok and type(value) == "table" and value or nil
end

local function write_json(root, name, value)
  return core.file.write(root, name, core.secret.hide(core.json.encode_record(value)) .. "\n")
end

--- Removes the note files of sessions that never ended and have had no event for a long time.
local function forget_old(root)
  local limit = core.clock.wall() - forgotten_ms
  for _, entry in ipairs(core.file.list(root, folder) or {}) do
    local info = core.file.stat(root, folder .. "/" .. entry.name)
    if info and info.type == "file" and entry.name ~= "lock"
      and info.mtime_ns // 1000000 < limit then
      core.file.remove(root, folder .. "/" .. entry.name)
    end
  end
end

--- Returns the start record of a session or turn. `kept` is that of the previous turn.
local function start_of(home, event, kept)
  local file = transcript.open(event.transcript)
  local ok, tree = pcall(changes.state, home)
  return { began_ms = core.clock.wall(), from = file and file.size or 0,
    parent = kept and kept.parent,
    tree = ok and tree and changes.record(tree) or nil }
end

local function note_of(event)
  return { at = core.clock.iso(core.clock.wall()), event = one_line(event.name, 60),
    kind = event.kind, tool = one_line(event.tool, 80), file = one_line(event.file, 300),
    model = one_line(event.model, 80) }
end

local function add_notes(recorded, text)
  local noted, seen = {}, {}
  for line in text:gmatch "[^\n]+" do
    local note = transcript.entry(line) or {}
    recorded.model = stream.str(note.model) or recorded.model
    if note.kind == "tool" then recorded.tools = recorded.tools + 1 end
    if note.kind == "prompt" then recorded.noted_prompts = recorded.noted_prompts + 1 end
    if note.kind == "denied" then
      local file = stream.str(note.file)
      table.insert(recorded.denials, (stream.str(note.tool) or "a tool")
        .. (file and " " .. file or ""))
    end
    local file = note.kind == "tool" and stream.str(note.file)
    if file and not seen[file] then
      seen[file] = true
      noted[#noted + 1] = file
    end
  end
  return noted
end

local function within(home, noted)
  local list = {}
  for _, file in ipairs(noted) do
    local path = file:sub(1, #home.top + 1) == home.top .. "/" and file:sub(#home.top + 2)
      or file:sub(1, 1) ~= "/" and not file:find "^%.%.?/" and file
    if path then list[#list + 1] = path end
  end
  table.sort(list)
  return list
end

--- Adds the changed files. Returns the current state of the work tree, if it can be read.
local function add_changes(recorded, home, start, facts, noted)
  local before, since = changes.of_record(start.tree), nil
  if recorded.agent.by_turn and not start.began_ms then since = facts.began_ms end
  if not before and since and facts.commit and facts.commit:find "^%x+$" then
    before = { base = facts.commit, head = facts.commit, files = {} }
  end
  local ok, after = pcall(changes.state, home, before and before.base, before)
  after = ok and after or nil
  recorded.files_known = before ~= nil and after ~= nil
  if before and after then
    recorded.files, recorded.files_cut = changes.between(home, before, after, since)
  else
    recorded.files = within(home, noted)
  end
  return after
end

local function close(agent, home, event, start, notes)
  local recorded = { agent = agent, id = event.session, ended_ms = core.clock.wall(), tools = 0,
    noted_prompts = 0, denials = {}, files_cut = false, parent = stream.str(start.parent) }
  local noted = add_notes(recorded, notes)
  local session = { id = event.session, transcript = event.transcript,
    from = stream.count(start.from) or 0, began_ms = stream.count(start.began_ms),
    turn = event.turn, prompts = event.prompts, answers = event.answers }
  -- Record the session even if its transcript is damaged.
  local ok, facts = pcall(agent.read, session)
  if not ok then facts = { prompts = {} } end
  recorded.began_ms = session.began_ms or facts.began_ms or recorded.ended_ms
  recorded.ended_ms = math.max(recorded.began_ms, facts.ended_ms or recorded.ended_ms)
  recorded.prompts, recorded.model = facts.prompts, one_line(facts.model or recorded.model, 80)
  recorded.usage = facts.usage and usage.add(facts.usage, nil)
  recorded.tree = add_changes(recorded, home, start, facts, noted)
  return recorded
end

local function begins(agent, event, start, notes)
  if event.kind == "end" then return false end
  if not start then return notes == "" end
  return agent.by_turn and notes == "" and (event.kind == "begin" or not start.began_ms)
end

-- Reports whether a session has become a run, or another hook is creating that run.
local function is_taken(start)
  return start ~= nil
    and (start.run ~= nil or start.taken_ms ~= nil
      and core.clock.wall() - start.taken_ms < lease_ms)
end

---@return moonlet.Recorded?  returned only for the kind `end`
function M.take(agent, home, event)
  local root = core.file.root(home.agent_path)
  assert(core.file.make_dirs(root, folder))
  local names = names_of(agent, event.session)
  local held = core.file.lock(root, folder .. "/lock", lock_ms)
  local ok, result = pcall(function()
    local notes, start = core.file.read(root, names.notes, notes_cap) or "",
      read_json(root, names.start, start_cap)
    if is_taken(start) then
      if event.kind == "end" then return nil end
      start = nil  -- the session was recorded before, so its new events become another run
    end
    if begins(agent, event, start, notes) then
      forget_old(root)
      start = start_of(home, event, start)
      assert(write_json(root, names.start, start))
    end
    if event.kind == "end" then
      local recorded = close(agent, home, event, start or {}, notes)
      if not agent.by_turn then
        start = start or {}
        start.taken_ms = core.clock.wall()
        write_json(root, names.start, start)
      end
      return recorded
    end
    local text = notes .. core.secret.hide(core.json.encode_record(note_of(event))) .. "\n"
    if #text > notes_cap then
      error({ message = ("the notes of this session have %d MB"):format(notes_cap >> 20) }, 0)
    end
    assert(core.file.write(root, names.notes, text))
  end)
  if held then core.file.unlock(held) end
  if not ok then error(result, 0) end
  return result
end

--- Removes the notes of a session that has become a run.
--- The state of the work tree and the conversation's first run are kept for the next turn.
---@param run string  id of the run
function M.done(home, recorded, run)
  local root = core.file.root(home.agent_path)
  local names = names_of(recorded.agent, recorded.id)
  core.file.remove(root, names.notes)
  if not recorded.agent.by_turn then
    write_json(root, names.start, { run = run })
    return
  end
  write_json(root, names.start, { parent = recorded.parent or run,
    tree = recorded.tree and changes.record(recorded.tree) or nil })
end

return M
