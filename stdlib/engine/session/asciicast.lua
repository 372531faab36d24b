--- Converts a session's log to an asciicast (version 3), which records output with its times.
local log = require "moonlet.engine.session.log"
local store = require "moonlet.engine.session.store"

local M = {}

local longest_chunk = 1 << 20

local function notes(root, id)
  local list = {}
  for _, piece in ipairs(log.pieces(root, id, "times")) do
    local text = core.file.read(root, store.path(id, piece.name), 64 << 20) or ""
    for ms, what in text:gmatch "(%d+) (%S+)\n" do
      list[#list + 1] = { ms = math.tointeger(tonumber(ms)),
        offset = math.tointeger(tonumber(what)), size = what:match "^%d+x%d+$" }
    end
  end
  return list
end

--- Converts bytes to text for JSON, and returns an incomplete last character separately.
local function text_of(bytes)
  local cut = bytes:find "[\192-\247][\128-\191]*$"
  local rest = ""
  if cut and #bytes - cut < 3 and not core.text.is_utf8(bytes:sub(cut)) then
    bytes, rest = bytes:sub(1, cut - 1), bytes:sub(cut)
  end
  return core.text.clean(bytes), rest
end

---@param facts table?  state of a running session; its newest output has no time yet
function M.of(root, rec, facts)
  local lines = { core.json.encode { version = 3, command = table.concat(rec.argv, " "),
    term = { cols = rec.cols or 120, rows = rec.rows or 40, type = "xterm-256color" },
    title = rec.id } }
  local at, last, size = log.bounds(root, rec.id), 0, nil
  local rest = ""
  local function event(ms, kind, text)
    lines[#lines + 1] = core.json.encode { math.max(0, ms - last) / 1000, kind, text }
    last = math.max(last, ms)
  end
  local function output(ms, to)
    while to and to > at do
      local bytes, began = log.read(root, rec.id, at, math.min(longest_chunk, to - at))
      if bytes == "" then break end
      at = began + #bytes
      local text
      text, rest = text_of(rest .. bytes)
      event(ms, "o", text)
    end
  end
  for _, note in ipairs(notes(root, rec.id)) do
    if note.size then
      if size and size ~= note.size then event(note.ms, "r", note.size) end
      size = note.size
    else
      output(note.ms, note.offset)
    end
  end
  local _, finish = log.bounds(root, rec.id)
  output(facts and facts.age_ms - facts.silent_ms or last, finish)
  return table.concat(lines, "\n") .. "\n"
end

return M
