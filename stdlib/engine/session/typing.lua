--- Types into a session and records the input, unless echo is off and it may be a password.
local echo = require "moonlet.engine.session.echo"
local grammars = require "moonlet.engine.session.grammars"
local record = require "moonlet.record"
local store = require "moonlet.engine.session.store"

local M = {}

--- Pauses before Enter, because a program may treat text and Enter that arrive together as a paste.
local enter_pause_ms = 150

local text_kind, key_kind = 0, 1
-- Linux drops bytes beyond this length when a program reads a line in canonical mode.
local longest_line = 4095
local noted_cap = 2000

---@class moonlet.SessionInput
---@field text string?
---@field keys string[]?
---@field enter boolean?
---@field by string          who typed: user, rule, run
---@field why string?        reason, for the record
---@field what string?       type of the recorded event (default "input")
---@field tag string?        makes the input idempotent: each tag is typed only once

local function check_text(text, program)
  if text:find("\27[201~", 1, true) then
    record.refuse("the text holds the sequence that ends a paste", "remove ESC [201~ from the text")
  end
  for line in program.canonical and text:gmatch "[^\n]+" or function() end do
    if #line > longest_line then
      record.refuse(("the program reads line by line, and a line holds %d bytes: this "
        .. "one has %d"):format(
        longest_line, #line), "put the text into a file, and type its name")
    end
  end
end

--- Types into a running session. Raises an error if it has ended or a person controls it.
function M.submit(home, id, input)
  local facts = assert(echo.look(home, id))
  local program = facts.program or {}
  check_text(input.text or "", program)
  local parts = {}
  if input.text and input.text ~= "" then parts[1] = { text_kind, input.text } end
  for _, key in ipairs(input.keys or {}) do parts[#parts + 1] = { key_kind, key } end
  if #parts > 0 then core.session.type(home.handle, id, parts, input.tag) end
  if input.enter then
    if #parts > 0 and program.canonical == false then
      core.task.sleep(grammars.enter_pause(store.read(home, id).agent) or enter_pause_ms)
    end
    core.session.type(home.handle, id, { { key_kind, "enter" } },
      input.tag and input.tag .. "/enter")
  end
  local is_shown = program.echo ~= false
  store.note(home, id, { type = input.what or "input", by = input.by, why = input.why,
    enter = input.enter or nil,
    keys = input.keys and #input.keys > 0 and core.json.array(input.keys) or nil,
    bytes = input.text and #input.text or nil, offset = facts.log_end,
    silent_ms = facts.silent_ms, same_ms = facts.same_ms,
    text = input.text and is_shown and core.text.clean(input.text:sub(1, noted_cap)) or nil })
end

return M
