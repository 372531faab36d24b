--- Reads and writes a repository's recorded sessions in `.agent/sessions/S-003/`.
local record = require "moonlet.record"
local removed = require "moonlet.engine.base.removed"

local M = {}

local record_cap, unwritten_cap = 1 << 20, 1 << 20

---@class moonlet.SessionRecord
---@field id string
---@field name string?
---@field argv string[]      redacted
---@field cwd string
---@field agent string?       agent that the program belongs to, if known
---@field started_at string
---@field limit_ms integer?
---@field idle_ms integer?
---@field parent string?      session whose conversation this one continues
---@field run string?         run that started the session
---@field removed boolean?    true if the session still runs although its folder was deleted

--- Returns the path of a session's file, relative to `.agent`.
function M.path(id, name) return ("sessions/%s%s"):format(id, name and "/" .. name or "") end

function M.root(home) return (core.file.root(home.agent_path)) end

local function redacted(value) return (core.secret.hide(value)) end

function M.write(home, rec)
  local root, text = assert(core.file.root(home.agent_path)),
    redacted(core.json.encode(rec, 2)) .. "\n"
  assert(core.file.write(root, M.path(rec.id, "session.json"), text))
end

--- Reads a session's record; a minimal one if it is damaged, because the session may still run.
function M.read(home, id)
  local root = M.root(home)
  local text = root and core.file.read(root, M.path(id, "session.json"), record_cap)
  local ok, value = pcall(core.json.decode, text or "")
  if not ok or type(value) ~= "table" or value.id ~= id or type(value.argv) ~= "table" then
    local entry = removed.find(home.agent_path, "sessions", id)
    return { id = id, argv = { entry and entry.label }, cwd = home.top, started_at = "",
      damaged = true, removed = entry ~= nil }
  end
  return value
end

--- Keeps event lines that could not be written. The next event of this process retries them.
local unwritten = {}

--- Appends an event to events.jsonl. A full disk is reported on standard error.
function M.note(home, id, event)
  event.at = core.clock.iso(core.clock.wall())
  local key = home.agent_path .. " " .. id
  local before = unwritten[key]
  local lines = (before or "") .. redacted(core.json.encode(event)) .. "\n"
  local ok, err = pcall(core.session.append, home.handle, id, "events.jsonl", lines)
  unwritten[key] = not ok and #lines <= unwritten_cap and lines or not ok and before or nil
  local is_removed = not ok and err.kind == "invalid"
  if not ok and not before and not is_removed then
    core.system.print(2, ("moonlet: an event of %s is not recorded: %s\n"):format(id,
      core.text.printable(err.message, 400)))
  end
end

function M.events(home, id)
  local root = M.root(home)
  local text = root and core.file.read(root, M.path(id, "events.jsonl"), 16 << 20) or ""
  local events = {}
  for line in text:gmatch "[^\n]+" do
    local ok, event = pcall(core.json.decode, line)
    if ok and type(event) == "table" then events[#events + 1] = event end
  end
  return events
end

--- Returns the id of the session that a word names: S-003, 003, 3, last, or a name (its newest session).
function M.find(home, word)
  local ids = core.session.list(home.handle)
  if word == "last" and ids[1] then return ids[#ids] end
  local number = math.tointeger(tonumber(word:match "^S?%-?(%d+)$"))
  for i = #ids, 1, -1 do
    if number and math.tointeger(tonumber(ids[i]:match "%d+")) == number then return ids[i] end
  end
  for i = #ids, 1, -1 do
    if M.read(home, ids[i]).name == word then return ids[i] end
  end
  record.refuse(("there is no session '%s'"):format(core.text.printable(word, 60)),
    #ids == 0 and "moonlet session start -- COMMAND starts one"
      or "moonlet session list shows the sessions")
end

---@return table? facts, moonlet.Error? err
function M.look(home, id, history)
  local ok, text = pcall(core.session.look, home.handle, id, history or 0)
  if not ok then return nil, text end
  return core.json.decode(text)
end

function M.last_screen(home, id)
  local root = M.root(home)
  local text = root and core.file.read(root, M.path(id, "screen.json"), 16 << 20)
  local ok, facts = pcall(core.json.decode, text or "")
  return ok and type(facts) == "table" and facts or nil
end

return M
