--- The text that is typed at the prompt, as Lua: an expression, a statement, or a part of either.
local M = {}

local longest = 64 << 10

--- Variables of one line stay for the next ones: `local` at the start of a line is left out.
local function without_local(text)
  if text:match("^%s*local%s+function%s") then return (text:gsub("^(%s*)local%s+", "%1")) end
  local names, rest = text:match("^%s*local%s+([%a_][%w_%s,]*)(=[^=].*)$")
  return names and names .. rest or text
end

--- True if Lua wants more of a text that does not parse.
local function wants_more(message) return message:find("near <eof>$") ~= nil end

--- Loads a text as an expression, or as statements.
---@param environment table
---@param text string
---@param name string        names the text in errors: "line 3"
---@return function? chunk
---@return string? message   why it does not parse
---@return boolean? more     more text may complete it
function M.load(environment, text, name)
  if #text > longest then return nil, "a line has at most 64 KB", false end
  local chunk, as_value = core.script.load_in(environment, "return " .. text, "=" .. name)
  if chunk then return chunk end
  local message
  chunk, message = core.script.load_in(environment, without_local(text), "=" .. name)
  if chunk then return chunk end
  return nil, message, wants_more(message) or wants_more(as_value)
end

M.without_local = without_local

--- True if a text is an expression, whose value is printed.
---@param environment table
---@param text string
---@return boolean
function M.is_expression(environment, text)
  return core.script.load_in(environment, "return " .. text, "=line") ~= nil
end

return M
