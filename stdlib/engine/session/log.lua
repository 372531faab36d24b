--- Reads a session's log: the exact bytes that its program printed, in several files of which the
--- oldest are deleted. An offset counts from the first byte that was printed.
local store = require "moonlet.engine.session.store"

local M = {}

local longest_sequence = 256
local search_step = 1 << 20

---@class moonlet.SessionPiece
---@field name string
---@field from integer   offset of the file's first byte
---@field size integer

---@param root any   the opened `.agent` folder; nil if it was removed
---@param ending "log"|"times"
---@return moonlet.SessionPiece[]
function M.pieces(root, id, ending)
  local pieces = {}
  for _, entry in ipairs(root and core.file.list(root, store.path(id)) or {}) do
    local from = entry.name:match("^output%-(%d+)%." .. ending .. "$")
    local info = from and core.file.stat(root, store.path(id, entry.name))
    if info then
      pieces[#pieces + 1] = { name = entry.name, from = math.tointeger(tonumber(from)),
        size = info.size }
    end
  end
  return pieces
end

--- Returns the offsets of the oldest byte in the log and of the next byte to come.
function M.bounds(root, id)
  local pieces = M.pieces(root, id, "log")
  local last = pieces[#pieces]
  if not last then return 0, 0 end
  return pieces[1].from, last.from + last.size
end

--- Returns up to `most` bytes from an offset on, and the offset of the first byte returned.
function M.read(root, id, from, most)
  local parts, began, left = {}, nil, most
  for _, piece in ipairs(M.pieces(root, id, "log")) do
    if piece.from + piece.size > from and left > 0 then
      local at = math.max(from, piece.from)
      local text = core.file.part(root, store.path(id, piece.name), at - piece.from, math.min(left,
        piece.from + piece.size - at))
      if text and text ~= "" then
        began = began or at
        parts[#parts + 1] = text
        left = left - #text
      end
    end
  end
  return table.concat(parts), began or from
end

--- Reports whether the program has printed a text since an offset. Searches the newest output first.
---@param text string  shorter than a search step
function M.has_printed(root, id, since, text)
  local _, to = M.bounds(root, id)
  while to > since do
    local from = math.max(since, to - search_step)
    if M.read(root, id, from, to - from + #text - 1):find(text, 1, true) then return true end
    to = from
  end
  return false
end

--- Removes the escape sequences that a terminal would obey.
function M.plain(bytes)
  local lines = bytes:gsub("\27%[[%d;:?<=>!]*[ -/]*[@-~]", ""):gsub("\r+\n", "\n"):gsub("\n\r",
    "\n"):gsub("\r", "\n")
  return (core.text.strip(lines))
end

--- Splits off an incomplete escape sequence or character at the end.
function M.settled(bytes)
  local at = bytes:find("\27[^\27]*$")
  if at and #bytes - at < longest_sequence then
    local open = bytes:sub(at)
    local ended = open:find "^\27%[[%d;:?<=>!]*[ -/]*[@-~]" or open:find "^\27[%]PX^_].-\7"
      or open:find "^\27[ -/]*[0-OQ-WYZ\\`-~]"
    if not ended then return bytes:sub(1, at - 1), open end
  end
  local cut = bytes:find "[\192-\247][\128-\191]*$"
  if cut and #bytes - cut < 3 then
    local lead = bytes:byte(cut)
    local wanted = lead >= 240 and 4 or lead >= 224 and 3 or 2
    if #bytes - cut + 1 < wanted then return bytes:sub(1, cut - 1), bytes:sub(cut) end
  end
  return bytes, ""
end

--- Returns the length of an incomplete escape sequence or character at the start of a text.
--- `before` is the text in front, which contains the start of the escape sequence.
local function cut_start(before, text)
  local _, open = M.settled(before)
  local is_sequence, is_string = open:find "^\27", open:find "^\27[%]PX^_]"
  local _, last = text:find(is_string and "^[^\7\27]*\27?[\7\\]"
    or is_sequence and "^%[?[%d;:?<=>!]*[ -/]*[@-~]"
    or "^[\128-\191]+")
  return last and (is_sequence or last < 4) and last or 0
end

--- Returns the last `most` bytes, without a partial sequence, their offset, and the oldest offset.
function M.tail(root, id, most)
  local first, last = M.bounds(root, id)
  local from = math.max(first, last - most)
  local before = from > first and M.read(root, id, math.max(first, from - longest_sequence),
    math.min(longest_sequence, from - first)) or ""
  local text, began = M.read(root, id, from, most)
  local skip = from > first and cut_start(before, text) or 0
  return text:sub(skip + 1), began + skip, first
end

return M
