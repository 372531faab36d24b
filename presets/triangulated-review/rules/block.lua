--- Units of several lines: the body of a block, the lines of an indented one, a statement that is broken over lines.
--- All of it gives up after a few lines: longer ones are no concern of a rule about lines.

local shape = require "moonlet.text"
local V = require "rules.view"

local find, sub = string.find, string.sub

local M = {}

local most_lines = 8

---@class rules.Block
---@field code string      its statements, a line each, without spaces at the ends
---@field comment string   all of its comments
---@field last integer     its last line

-- The brace that opens the block of line n: on it, after column `from`, or alone on the line below.
local function opening(view, n, from)
  local at = find(view.lines[n].code, "{", from, true)
  if at then return n, at end
  local below, number = V.next_code(view, n, 2)
  if below and find(below.code, "^%s*{") then return number, find(below.code, "{", 1, true) end
  return nil
end

--- The block in braces that belongs to line n; nil if there is none, or if it is long.
---@param view rules.View
---@param n integer
---@param from integer the column after which its brace may stand
---@return rules.Block?
function M.braces(view, n, from)
  local number, column = opening(view, n, from)
  if not number then return nil end
  local depth, statements, comments = 1, {}, {}
  for i = number, number + most_lines do
    local line = view.lines[i]
    if not line then return nil end
    local first = i == number and column + 1 or 1
    local at = first
    while true do
      at = find(line.code, "[{}]", at)
      if not at then break end
      depth = depth + (sub(line.code, at, at) == "{" and 1 or -1)
      if depth == 0 then break end
      at = at + 1
    end
    statements[#statements + 1] = shape.trim(sub(line.code, first, at and at - 1))
    comments[#comments + 1] = shape.trim(line.comment)
    if at then
      return { code = shape.trim(table.concat(statements, "\n")), comment = shape.trim(table.concat(comments, " ")),
        last = i }
    end
  end
  return nil
end

--- The lines below line n that are indented deeper than it; nil if they are many, or not all known.
---@param view rules.View
---@param n integer
---@return rules.Block?
function M.indented(view, n)
  local width = V.indent(view.lines[n].text)
  local statements, comments, last = {}, { shape.trim(view.lines[n].comment) }, n
  for i = n + 1, n + most_lines do
    local line = view.lines[i]
    if not line then
      if not view.whole then return nil end
      break
    end
    local code = shape.trim(line.code)
    if code ~= "" and V.indent(line.text) <= width then break end
    if i == n + most_lines then return nil end
    if code ~= "" then
      statements[#statements + 1] = code
      last = i
    end
    comments[#comments + 1] = shape.trim(line.comment)
  end
  return { code = table.concat(statements, "\n"), comment = shape.trim(table.concat(comments, " ")), last = last }
end

local function open_brackets(code)
  local depth = 0
  for char in string.gmatch(code, "[%(%)%[%]]") do depth = depth + ((char == "(" or char == "[") and 1 or -1) end
  return depth
end

--- The code of the statement that begins on line n, on one line, as far as its brackets are open.
---@param view rules.View
---@param n integer
---@param field "code"|"text"|nil
---@return string code
---@return integer last its last line
function M.statement(view, n, field)
  field = field or "code"
  local text, code, last = view.lines[n][field], view.lines[n].code, n
  while open_brackets(code) > 0 and last < n + most_lines do
    local line = view.lines[last + 1]
    if not line then break end
    last = last + 1
    code = code .. " " .. shape.trim(line.code)
    text = text .. " " .. shape.trim(line[field])
  end
  return text, last
end

return M
