--- Remembers how observed texts were redacted. If a text has changed, a resume gets the recorded
--- form. Prompts with the full and with the redacted form get equal hashes.
local lines = require "moonlet.engine.base.lines"

local M = {}

local byte, find, sub = string.byte, string.find, string.sub

local least = 8

---@class moonlet.Unkept  list of { text, instead, json, json_instead }, longest first
---@field private by table<string, true>
---@field private sorted boolean

local function as_json(text) return sub(core.json.encode_record(text), 2, -2) end

local function add(list, text, instead)
  if #text < least or list.by[text] then return end
  list.by[text], list.sorted = true, false
  local item = { text = text, instead = instead }
  if core.text.is_utf8(text) and core.text.is_utf8(instead) then
    item.json, item.json_instead = as_json(text), as_json(instead)
  end
  list[#list + 1] = item
end

--- Returns the two lines without the text with which both begin and the text with which both end.
local function difference(line, kept)
  local first, last = 1, 0
  local shorter = math.min(#line, #kept)
  while first <= shorter and byte(line, first) == byte(kept, first) do first = first + 1 end
  while last <= shorter - first and byte(line, #line - last) == byte(kept, #kept - last) do
    last = last + 1
  end
  return sub(line, first, #line - last), sub(kept, first, #kept - last)
end

local function learn_text(list, text, kept)
  local old, new = lines.of(text), lines.of(kept)
  local covered = #old == #new
  for i = 1, covered and #old or 0 do
    if old[i] ~= new[i] then
      local piece, instead = difference(old[i], new[i])
      if #piece < least or not core.text.is_utf8(piece) then piece, instead = old[i], new[i] end
      add(list, piece, instead)
      covered = covered and #piece >= least
    end
  end
  if not covered then add(list, text, kept) end
end

---@return moonlet.Unkept
function M.new() return { by = {}, sorted = true } end

function M.learn(list, value, kept)
  if type(value) == "string" and type(kept) == "string" then
    if value ~= kept then learn_text(list, value, kept) end
  elseif type(value) == "table" and type(kept) == "table" and value ~= kept then
    for key, item in pairs(kept) do M.learn(list, value[key], item) end
  end
end

local function replaced(text, what, instead)
  local at = find(text, what, 1, true)
  if not at then return text end
  local parts, from = {}, 1
  while at do
    parts[#parts + 1] = sub(text, from, at - 1)
    parts[#parts + 1] = instead
    from = at + #what
    at = find(text, what, from, true)
  end
  parts[#parts + 1] = sub(text, from)
  return table.concat(parts)
end

---@param is_json boolean?  the text is JSON
function M.hide(list, text, is_json)
  if not list.sorted then
    table.sort(list, function(a, b) return #a.text > #b.text end)
    list.sorted = true
  end
  for _, item in ipairs(list) do
    if not is_json then
      text = replaced(text, item.text, item.instead)
    elseif item.json then
      text = replaced(text, item.json, item.json_instead)
    end
  end
  return text
end

return M
