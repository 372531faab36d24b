--- Describes the terminal or pipe that text is formatted for.
--- Colour only repeats what the text says, because some terminals have none.
local M = {}

---@class moonlet.Page
---@field columns integer   width for text
---@field colour boolean
---@field unicode boolean
---@field terminal boolean  false for a pipe or file

local tones = { bold = "1", dim = "2", red = "31", green = "32", yellow = "33", cyan = "36" }
--- Longer lines are hard to read, even on a wide terminal.
local widest = 100
local longest_quoted = 256 * 1024

--- Returns the width and the abilities of standard output, or of standard error if `stream` is 2.
--- Output to a pipe has no colours, and its help texts have 80 columns.
---@return moonlet.Page
function M.out(stream)
  local found = core.terminal.page(stream)
  if not found then return { columns = 80, colour = false, unicode = true, terminal = false } end
  return { columns = math.max(20, math.min(found.columns, widest)), colour = found.colour,
    unicode = found.unicode, terminal = true }
end

function M.paint(page, tone, text)
  if not page.colour or text == "" then return text end
  return ("\27[%sm%s\27[0m"):format(tones[tone], text)
end

function M.pad(text, columns) return text .. (" "):rep(columns - core.text.width(text)) end

--- Splits a word that is wider than a line, so that no part of it is lost.
local function split_word(word, columns, lines)
  while core.text.width(word) > columns do
    local part, stop = 0, 0
    for from, code in utf8.codes(word, true) do
      local piece = utf8.char(code)
      part = part + core.text.width(piece)
      if part > columns and stop > 0 then break end
      stop = from + #piece - 1
    end
    if stop >= #word then break end
    lines[#lines + 1] = word:sub(1, stop)
    word = word:sub(stop + 1)
  end
  return word
end

--- Wraps valid UTF-8 without control characters between words, and keeps its line ends.
function M.wrap(text, columns)
  columns = math.max(columns, 8)
  local lines = {}
  for paragraph in (text .. "\n"):gmatch "(.-)\n" do
    local line, taken = "", 0
    for word in paragraph:gmatch "%S+" do
      local needs = core.text.width(word)
      if taken > 0 and taken + 1 + needs <= columns then
        line, taken = line .. " " .. word, taken + 1 + needs
      else
        if taken > 0 then lines[#lines + 1] = line end
        line = split_word(word, columns, lines)
        taken = core.text.width(line)
      end
    end
    lines[#lines + 1] = line
  end
  return lines
end

--- Quotes a text that a person must judge. Each line starts with a bar, so that the text cannot
--- look like moonlet's own output. Colours are removed, and other escape sequences become visible.
function M.quote(text, columns)
  local lines = {}
  local said = text:gsub("\27%[[%d;:]*m", ""):gsub("\r\n", "\n"):gsub("\t", "    "):gsub("\n*$", "")
  for line in (said .. "\n"):gmatch "(.-)\n" do
    local parts = {}
    local last = split_word(core.text.printable(line, longest_quoted),
      math.max(columns - 4, 8), parts)
    for _, part in ipairs(parts) do lines[#lines + 1] = "  | " .. part end
    lines[#lines + 1] = "  | " .. last
  end
  return lines
end

--- Adds a name and a text. Wraps the text and indents its further lines, so that none of them looks
--- like a line of its own.
---@param cap integer?  maximum size in bytes
function M.hang(lines, page, name, text, cap)
  for i, line in ipairs(M.wrap(core.text.printable(text, cap), page.columns - #name)) do
    lines[#lines + 1] = (i == 1 and name or (" "):rep(#name)) .. line
  end
end

--- Adds a hint, indented by two columns. A command stays on one line, so that it can be copied.
function M.add_hint(lines, page, hint)
  local wrapped = hint:find "^moonlet " and { hint } or M.wrap(hint, page.columns - 2)
  for _, line in ipairs(wrapped) do lines[#lines + 1] = "  " .. line end
end

--- Formats rows as columns. If the page is too narrow, one column is truncated.
---@param rows string[][]
---@param cut integer?   number of the column that may be truncated
---@param right integer? first column that is aligned to the right
---@return string[] lines
function M.columns(out, rows, cut, right)
  local widths, whole, lines = {}, -2, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, core.text.width(cell)) end
  end
  for _, width in ipairs(widths) do whole = whole + width + 2 end
  if cut and out.terminal and whole > out.columns then
    widths[cut] = math.max(widths[cut] - whole + out.columns, math.min(widths[cut], 6))
  end
  for n, row in ipairs(rows) do
    local parts = {}
    for i, cell in ipairs(row) do
      cell = i == cut and core.text.fit(cell, widths[i]) or cell
      local gap = (" "):rep(widths[i] - core.text.width(cell))
      parts[i] = right and i >= right and gap .. cell or cell .. gap
    end
    lines[n] = (table.concat(parts, "  "):gsub(" +$", ""))
  end
  return lines
end

--- Adds a row of two columns. The right text is wrapped, and starts on the next line if the left
--- one is too wide.
---@param indent integer   columns before `left`
---@param column integer   column in which `right` starts
function M.row(lines, page, indent, left, column, right)
  local start = (" "):rep(indent) .. left
  local wrapped = M.wrap(right, page.columns - column)
  if core.text.width(start) + 2 > column then
    lines[#lines + 1] = start
  else
    lines[#lines + 1] = M.pad(start, column) .. table.remove(wrapped, 1)
  end
  for _, text in ipairs(wrapped) do lines[#lines + 1] = (" "):rep(column) .. text end
end

return M
