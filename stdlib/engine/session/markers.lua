--- Records a program's markers as events: [QUESTION], [MILESTONE], [DONE], [BLOCKED].
--- A marker is recorded once, even if it is printed again or several processes read the log.
local log = require "moonlet.engine.session.log"
local report = require "moonlet.engine.session.report"
local store = require "moonlet.engine.session.store"

local M = {}

local read_cap, longest_line = 1 << 20, 500
-- An unfinished line may exceed longest_line, because it contains escape sequences.
local longest_rest = 4 * longest_line

local function key_of(event) return ("%s:%s"):format(event.type, event.text) end

local function noted(home, id)
  local keys = {}
  for _, event in ipairs(store.events(home, id)) do keys[key_of(event)] = true end
  return keys
end

---@param from integer?  offset to read from; default: the start of the log
function M.reader(home, id, from)
  return { home = home, root = store.root(home), id = id, offset = from or 0, rest = "",
    is_cut = false, seen = noted(home, id) }
end

--- Returns the complete lines. Keeps an incomplete last line if it may become a marker.
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

--- Splits output into lines if it contains the name of a marker. Otherwise returns no lines.
local function candidates(bytes)
  for name in pairs(report.marker_types) do
    if bytes:find(name, 1, true) then
      local lines = {}
      for line in log.plain(bytes):gmatch "[^\n]+" do
        lines[#lines + 1] = line:sub(1, longest_line)
      end
      return lines
    end
  end
  return {}
end

local function printed(reader)
  local bytes, began = log.read(reader.root, reader.id, reader.offset, read_cap)
  reader.offset = began + #bytes
  return candidates(ended_lines(reader, bytes))
end

--- Returns the markers that are new to this reader, and records new ones of the session.
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

---@return {type: string, text: string}[]
function M.new(reader, facts)
  local lines = printed(reader)
  for _, line in ipairs(facts and facts.lines or {}) do lines[#lines + 1] = line end
  return note(reader, lines)
end

---@param is_over boolean  true if the session has ended
function M.is_there(reader, is_over)
  local before
  while before ~= reader.offset do
    before = reader.offset
    if report.markers(printed(reader), {})[1] then return true end
  end
  return is_over and report.markers(candidates(reader.rest), {})[1] ~= nil
end

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
