--- The markers that the program of a session prints, as events of the session: [QUESTION], [MILESTONE], [DONE],
--- [BLOCKED]. Each is noted once, also when it is printed again or several processes read.
local log = require "moonlet.engine.session.log"
local report = require "moonlet.engine.session.report"
local store = require "moonlet.engine.session.store"

local M = {}

local read_cap, longest_line = 1 << 20, 500
-- The bytes of a line that is not ended: more than longest_line, because sequences of a terminal stand in it.
local longest_rest = 4 * longest_line

local function key_of(event) return ("%s:%s"):format(event.type, event.text) end

local function noted(home, id)
  local keys = {}
  for _, event in ipairs(store.events(home, id)) do keys[key_of(event)] = true end
  return keys
end

--- A reader of a session's log, which knows the markers that are noted.
---@param home table
---@param id string
---@param from integer?  the offset from which it reads; the beginning of the log without it
---@return table
function M.reader(home, id, from)
  return { home = home, root = store.root(home), id = id, offset = from or 0, rest = "", is_cut = false,
    seen = noted(home, id) }
end

--- The lines that have ended, with what came of the first one before. The beginning of the last line is kept: a marker
--- begins its line, so the rest of a long one is skipped.
local function ended_lines(reader, bytes)
  if reader.is_cut then
    local feed, back = bytes:find("\n", 1, true), bytes:find("\r", 1, true)
    if not feed and not back then return "" end
    bytes = bytes:sub(math.min(feed or #bytes, back or #bytes))
    reader.is_cut = false
  end
  local text = reader.rest .. bytes
  local last = text:find("[\r\n][^\r\n]*$", -longest_rest)
  reader.is_cut = not last and #text > longest_rest
  if reader.is_cut then
    reader.rest = ""
    return text
  end
  reader.rest = text:sub((last or 0) + 1)
  return text:sub(1, last or 0)
end

--- The lines of what was printed that may be markers. Most output has none: it is searched and not split.
local function candidates(bytes)
  for name in pairs(report.marker_types) do
    if bytes:find(name, 1, true) then
      local lines = {}
      for line in log.plain(bytes):gmatch "[^\n]+" do lines[#lines + 1] = line:sub(1, longest_line) end
      return lines
    end
  end
  return {}
end

--- The lines that were printed since, where they may be markers.
local function printed(reader)
  local bytes, began = log.read(reader.root, reader.id, reader.offset, read_cap)
  reader.offset = began + #bytes
  return candidates(ended_lines(reader, bytes))
end

--- Notes the markers of lines that are new, and returns them.
local function note(reader, lines)
  local found = report.markers(lines, reader.seen)
  local before = found[1] and noted(reader.home, reader.id)
  for _, marker in ipairs(found) do
    if not before[key_of(marker)] then
      store.note(reader.home, reader.id, { type = marker.type, text = marker.text })
    end
  end
  return found
end

--- Notes the new markers in what was printed and what is shown, and returns them.
---@param reader table
---@param facts table?  of a session that runs
---@return {type: string, text: string}[]
function M.new(reader, facts)
  local lines = printed(reader)
  for _, line in ipairs(facts and facts.lines or {}) do lines[#lines + 1] = line end
  return note(reader, lines)
end

--- True once a marker was printed behind the offset that the reader began at, noted or not.
---@param reader table
---@param is_over boolean  the session has ended
---@return boolean
function M.is_there(reader, is_over)
  local before
  while before ~= reader.offset do
    before = reader.offset
    if report.markers(printed(reader), {})[1] then return true end
  end
  return is_over and report.markers(candidates(reader.rest), {})[1] ~= nil
end

--- Notes all markers of a session up to now.
---@param home table
---@param id string
function M.catch_up(home, id)
  local reader, before = M.reader(home, id), nil
  local is_over = core.session.status(home.handle, id) ~= "running"
  while before ~= reader.offset do
    before = reader.offset
    M.new(reader)
  end
  if is_over then note(reader, candidates(reader.rest)) end
end

return M
