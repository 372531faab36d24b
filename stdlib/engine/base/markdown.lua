--- Formats Markdown for a terminal: headings, lists, quotes, code and tables.
local page = require "moonlet.engine.base.page"

local M = {}

--- Returns the text of a code span, which ends with as many backticks as it began, and its end.
local function span_at(text, pos, ticks)
  local from = pos + #ticks
  for stop, found, after in text:gmatch("()(`+)()", from) do
    if found == ticks then
      local code = text:sub(from, stop - 1)
      return code:match "^ (.*%S.*) $" or code, after
    end
  end
end

--- Replaces each code span and escaped character by `keep(code)`.
local function without_code(text, keep)
  local parts, pos = {}, 1
  while true do
    local from = text:find("[\\`]", pos)
    if not from then break end
    parts[#parts + 1] = text:sub(pos, from - 1)
    local escaped, ticks = text:match("^\\(%p)", from), text:match("^`+", from)
    local code, after
    if ticks then code, after = span_at(text, from, ticks) end
    parts[#parts + 1] = (code or escaped) and keep(code or escaped) or ticks or "\\"
    pos = after or from + (escaped and 2 or ticks and #ticks or 1)
  end
  return table.concat(parts) .. text:sub(pos)
end

--- Removes bold marks, comments and escapes outside of code, and writes a link as "text (URL)".
local function inline(text)
  local codes = {}
  text = without_code(text, function(code)
    codes[#codes + 1] = code
    return ("\1%d\2"):format(#codes)
  end)
  text = text:gsub("<!%-%-.-%-%->", ""):gsub("%*%*(.-)%*%*",
    "%1"):gsub("%f[%w_]__(.-)__%f[^%w_]", "%1")
  text = text:gsub("%[([^%]]+)%]%(([^)]+)%)", "%1 (%2)"):gsub("&lt;", "<"):gsub("&gt;",
    ">"):gsub("&amp;", "&")
  return (text:gsub("\1(%d+)\2", function(number) return codes[tonumber(number)] end))
end

local function add(lines, out, indent, text, first)
  for i, line in ipairs(page.wrap(text, out.columns - indent)) do
    lines[#lines + 1] = i == 1 and first and first .. line or (" "):rep(indent) .. line
  end
end

local function cells_of(line)
  local cells = {}
  for cell in line:gsub("\\|", "\1"):gsub("^%s*|", ""):gsub("|%s*$", ""):gmatch "[^|]+" do
    cells[#cells + 1] = inline((cell:gsub("\1", "|"))):match "^%s*(.-)%s*$"
  end
  return cells
end

--- Formats a table in columns. If it is too wide, shrinks its widest columns.
local function add_table(lines, out, rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, core.text.width(cell)) end
  end
  local function total()
    local sum = 2 * (#widths - 1)
    for _, width in ipairs(widths) do sum = sum + width end
    return sum
  end
  while total() > out.columns - 2 do
    local widest = 1
    for i, width in ipairs(widths) do if width > widths[widest] then widest = i end end
    if widths[widest] <= 6 then break end
    widths[widest] = math.max(widths[widest] - (total() - (out.columns - 2)), 6)
  end
  for i, row in ipairs(rows) do
    local parts = {}
    for column, cell in ipairs(row) do
      local most = widths[column]
      parts[column] = page.pad(core.text.fit(cell, most), most)
    end
    local line = table.concat(parts, "  "):gsub("%s+$", "")
    lines[#lines + 1] = "  " .. (i == 1 and page.paint(out, "dim", line) or line)
  end
end

function M.lines(text, out)
  local lines, fence, rows, paragraph = {}, nil, nil, nil
  local function flush()
    if paragraph then add(lines, out, paragraph.indent, inline(paragraph.text), paragraph.first) end
    if rows then add_table(lines, out, rows) end
    paragraph, rows = nil, nil
  end
  for raw in (core.text.strip(text):gsub("\t", "  "):gsub("\n*$", "") .. "\n"):gmatch "(.-)\n" do
    local mark = raw:match "^%s*(```+)[^`]*$" or raw:match "^%s*(~~~+)"
    local level, heading = raw:match "^(#+)%s+(.*)$"
    local space, bullet, item = raw:match "^(%s*)([-*+])%s+(.*)$"
    local number_space, number, numbered = raw:match "^(%s*)(%d+[.)])%s+(.*)$"
    if fence then
      local is_end = raw:match("^%s*" .. fence .. fence:sub(1, 1) .. "*%s*$")
      if is_end then fence = nil else lines[#lines + 1] = "    " .. raw end
    elseif mark then
      flush()
      fence = mark
    elseif level then
      flush()
      lines[#lines + 1] = page.paint(out, "bold", inline(heading))
    elseif raw:match "^%s*|.*|%s*$" then
      if not rows then flush() end
      rows = rows or {}
      if not raw:match "^[%s|:-]+$" then rows[#rows + 1] = cells_of(raw) end
    elseif item or numbered then
      flush()
      local lead = (space or number_space) .. (bullet and (out.unicode and "•" or "-")
        or number) .. " "
      paragraph = { text = item or numbered, indent = core.text.width(lead), first = lead }
    elseif raw:match "^%s*$" then
      flush()
      if lines[#lines] ~= "" and #lines > 0 then lines[#lines + 1] = "" end
    else
      local said = raw:gsub("^%s*>%s?", "")
      if rows then flush() end
      if paragraph then
        paragraph.text = paragraph.text .. (paragraph.breaks and "\n" or " ")
          .. said:match "^%s*(.-)%s*$"
      else
        paragraph = { text = said:match "^%s*(.-)%s*$", indent = 0 }
      end
    end
    if paragraph then paragraph.breaks = raw:match "  $" ~= nil or raw:match "\\$" ~= nil end
  end
  flush()
  return lines
end

return M
