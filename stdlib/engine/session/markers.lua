--- The markers that the program of a session prints, as events of the session: [QUESTION], [MILESTONE], [DONE],
--- [BLOCKED]. Each is noted once, also when it is printed again or several processes read.
local log = require "moonlet.engine.session.log"
local report = require "moonlet.engine.session.report"
local store = require "moonlet.engine.session.store"

local M = {}

local read_cap, longest_line = 1 << 20, 500

local function key_of(event) return ("%s:%s"):format(event.type, event.text) end

local function noted(home, id)
  local keys = {}
  for _, event in ipairs(store.events(home, id)) do keys[key_of(event)] = true end
  return keys
end

--- A reader of a session's log, which knows the markers that are noted.
---@param home table
---@param id string
---@return table
function M.reader(home, id)
  return { home = home, root = store.root(home), id = id, offset = 0, rest = "", seen = noted(home, id) }
end

--- Notes the new markers in what was printed and what is shown, and returns them.
---@param reader table
---@param facts table?  of a session that runs
---@return {type: string, text: string}[]
function M.new(reader, facts)
  local bytes, began = log.read(reader.root, reader.id, reader.offset, read_cap)
  reader.offset = began + #bytes
  local text, lines = reader.rest .. log.plain(bytes), {}
  local whole = text:match "^.*\n" or ""
  -- A line without end is cut: a marker begins its line.
  reader.rest = text:sub(#whole + 1, #whole + longest_line)
  text = whole
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line:sub(1, longest_line) end
  for _, line in ipairs(facts and facts.lines or {}) do lines[#lines + 1] = line end
  local found = report.markers(lines, reader.seen)
  local before = found[1] and noted(reader.home, reader.id)
  for _, marker in ipairs(found) do
    if not before[key_of(marker)] then
      store.note(reader.home, reader.id, { type = marker.type, text = marker.text })
    end
  end
  return found
end

--- Notes all markers of a session up to now.
---@param home table
---@param id string
function M.catch_up(home, id)
  local reader, before = M.reader(home, id), nil
  while before ~= reader.offset do
    before = reader.offset
    M.new(reader)
  end
end

return M
