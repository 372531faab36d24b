--- Loads a text from the prompt as Lua code: first as an expression, otherwise as statements.
--- Detects an incomplete text.
local M = {}

local longest, longest_shown = 64 << 10, 200

--- Drops `local` at the start of a line, so that the variable is visible in later lines.
local function without_local(text)
  if text:match("^%s*local%s+function%s") then return (text:gsub("^(%s*)local%s+", "%1")) end
  local names, rest = text:match("^%s*local%s+([%a_][%w_%s,]*)(=[^=].*)$")
  return names and names .. rest or text
end

--- Reports whether a text that does not parse could become valid with further lines.
--- An open quoted string must end in a backslash to continue on the next line.
local function wants_more(message, text)
  if message:find("unfinished string", 1, true) then return text:sub(-1) == "\\" end
  return message:find("near <eof>$") ~= nil
end

--- Returns the approximate ends of the tokens of a text. A word or number is never split.
local function token_ends(text)
  local ends = {}
  for at in text:gmatch("()") do
    local here, next_one = text:sub(at - 1, at - 1), text:sub(at, at)
    if at > 1 and here:match("%S") and not (here:match("[%w_.]") and next_one:match("[%w_.]")) then
      ends[#ends + 1] = at - 1
    end
  end
  return ends
end

--- Returns the byte position of the first token that makes the text invalid, whatever text may
--- follow.
local function bad_byte(load, text, whole)
  local string_text = whole:match("unfinished string near '(.*)'$")
  if string_text then return text:find(string_text, 1, true) or 1 end
  local ends = token_ends(text)
  local low, high = 1, #ends
  while low < high do
    local middle = (low + high) // 2
    local chunk, message = load(text:sub(1, ends[middle]))
    if chunk or message:find("near <eof>$") or message:find("unfinished", 1, true) then
      low = middle + 1
    else
      high = middle
    end
  end
  if not ends[low] then return 1 end
  return text:match("^%s*()", (ends[low - 1] or 0) + 1)
end

--- Adds the row number of a syntax error to its message. Also returns that row of the text with a mark
--- below the error.
local function with_place(message, text, byte)
  local before = text:sub(1, byte - 1)
  local row = select(2, before:gsub("\n", "\n"))
  local start = before:match("^.*\n()") or 1
  local shown = text:sub(start):match("^[^\n]*")
  message = message:gsub("^(line %d+):%d+: ", row > 0 and "%1, row " .. row + 1 .. ": " or "%1: ")
  if #shown > longest_shown then return message, "" end
  local width = core.text.width(text:sub(start, byte - 1))
  return message, ("  %s\n  %s^"):format(core.text.printable(shown), (" "):rep(width))
end

---@param name string        the text's name in errors, such as "line 3"
---@return string? message   reason why the text does not parse
---@return boolean? more     true if more text may complete it
---@return string? excerpt   faulty row with a mark below the fault
function M.load(environment, text, name)
  if #text > longest then return nil, "a line has at most 64 KB", false end
  local function as_value(part)
    return core.script.load_in(environment, "return " .. part, "@" .. name)
  end
  local function as_statements(part) return core.script.load_in(environment, part, "@" .. name) end
  local chunk, no_value = as_value(text)
  if chunk then return chunk end
  local statements = without_local(text)
  local message
  chunk, message = as_statements(statements)
  if chunk then return chunk end
  if wants_more(message, text) or wants_more(no_value, text) then return nil, message, true end
  -- The text parses neither as an expression nor as statements, so report the error that is further
  -- to the right.
  local in_value, in_statements = bad_byte(as_value, text, no_value),
    bad_byte(as_statements, statements, message)
  local excerpt
  if in_value > in_statements + #text - #statements then
    message, excerpt = with_place(no_value, text, in_value)
  else
    message, excerpt = with_place(message, statements, in_statements)
  end
  return nil, message, false, excerpt
end

M.without_local = without_local

function M.is_expression(environment, text)
  return core.script.load_in(environment, "return " .. text, "=line") ~= nil
end

--- Reports whether statements end in `return`, which Lua allows only at the end of a block.
function M.ends_in_return(environment, text)
  return core.script.load_in(environment, text .. "\nlocal _", "=line") == nil
end

return M
