--- Separates the terminal's echo of typed input from a program's output.
local log = require "moonlet.engine.session.log"
local store = require "moonlet.engine.session.store"

local M = {}

-- An echo has at most `longest` bytes and begins at most `farthest` bytes after its input.
local longest, farthest = 16 << 10, 256

---@class moonlet.InputNote
---@field offset integer     end of the log before the input was typed
---@field text string?       the input, unless the terminal had echo off
---@field silent_ms integer  how long the program had been silent when the input was typed
---@field same_ms integer    how long the program had printed nothing new when the input was typed

---@return moonlet.InputNote[]
function M.notes(home, id)
  local notes = {}
  for _, event in ipairs(store.events(home, id)) do
    local is_typed = event.type == "input" or event.type == "poke"
    if is_typed and event.offset then notes[#notes + 1] = event end
  end
  return notes
end

---@param began integer  offset of the first byte of `bytes`
function M.hidden(bytes, began, notes)
  for _, note in ipairs(notes) do
    local at = math.max(1, note.offset - began + 1)
    local text = (note.text or ""):gsub("\n", "\r\n")
    if text ~= "" and note.offset + farthest >= began and at <= #bytes then
      local first, last = bytes:find(text, at, true)
      if not first and text:sub(1, #bytes - at + 1) == bytes:sub(at) then
        first, last = at, #bytes
      end
      if first and first - at <= farthest then
        bytes = bytes:sub(1, first - 1) .. ("\0"):rep(last - first + 1) .. bytes:sub(last + 1)
      end
    end
  end
  return bytes
end

--- If the program has printed nothing but the echo of the last input, adds the silence before that
--- input to the silence after it. Otherwise returns the facts unchanged.
---@param note moonlet.InputNote?  the last input
---@param bytes string  the log after the offset of the note
function M.discounted(facts, note, bytes)
  if not note or not facts.input_ms or note.offset > facts.input_at then return facts end
  local rest = log.plain((M.hidden(bytes, note.offset, { note }):gsub("%z", ""))):gsub("%^%u", "")
  if rest:find "%S" then return facts end
  facts.silent_ms = math.max(facts.silent_ms, note.silent_ms + facts.input_ms)
  facts.same_ms = math.max(facts.same_ms, note.same_ms + facts.input_ms)
  return facts
end

--- Reads the state of a session like store.look, but does not count echoes as output.
---@return table? facts, moonlet.Error? err
function M.look(home, id)
  local facts, err = store.look(home, id)
  if not facts or not facts.input_at or facts.log_end - facts.input_at > longest then
    return facts, err
  end
  local notes = M.notes(home, id)
  local note = notes[#notes]
  if not note or facts.log_end - note.offset > longest then return facts end
  return M.discounted(facts, note, (log.read(store.root(home), id, note.offset, longest)))
end

return M
