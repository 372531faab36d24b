--- Quotes file names for people, shells and models.
--- A path may be any bytes: newlines, quotes, invalid UTF-8 or invisible characters.

local byte, find, format, gsub, match, sub = string.byte, string.find, string.format, string.gsub,
  string.match, string.sub
local concat = table.concat

local M = {}

-- Reports whether a code point is invisible or reorders text.
-- With such code points, different names can look alike.
function M.invisible(code)
  return code < 0x20 or (code >= 0x7f and code < 0xa0) or code == 0xad or code == 0x61c
    or code == 0xfeff or (code >= 0x200b and code <= 0x200f) or (code >= 0x2028 and code <= 0x202e)
    or (code >= 0x2060 and code <= 0x206f) or (code >= 0xfff9 and code <= 0xfffb)
    or (code >= 0xe0000 and code <= 0xe0fff)
end
local invisible = M.invisible

-- Truncates a text longer than `cap` bytes at a whole character.
function M.cut(text, cap)
  if #text <= cap then return text end
  local stop = cap - 3
  while stop > 1 and (byte(text, stop + 1) or 0) & 0xC0 == 0x80 do stop = stop - 1 end
  return sub(text, 1, stop) .. "..."
end

-- Resolves "." and ".." in a relative path. Returns nil if the path leads above its start.
function M.flatten(path)
  local parts = {}
  for part in string.gmatch(path, "[^/]+") do
    if part == ".." then
      if #parts == 0 then return nil end
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return concat(parts, "/")
end

local NAMED = { [7] = "\\a", [8] = "\\b", [9] = "\\t", [10] = "\\n", [11] = "\\v", [12] = "\\f",
  [13] = "\\r" }

local function octal(text)
  return (gsub(text, ".", function(char)
    return NAMED[byte(char)] or format("\\%03o", byte(char))
  end))
end

--- Returns any text as one line of valid UTF-8 without control or invisible characters.
--- A text that had to be changed is quoted with C escapes, as git quotes names.
--- ```lua
--- m.git.show_path "a\nb.txt" --> [["a\nb.txt"]]
--- ```
---@param path string
---@param limit integer? longest result in bytes (default 300)
---@return string
function M.show_path(path, limit)
  limit = limit or 300
  local shown = path
  if find(path, '[^%w%._/%-+=@ ,:%%~#]') then
    local parts, changed, pos = {}, find(path, '["\\]') ~= nil, 1
    while pos <= #path do
      local good = utf8.len(path, pos)
      local stop = good and #path or select(2, utf8.len(path, pos)) - 1
      for _, code in utf8.codes(sub(path, pos, stop)) do
        if code == 34 or code == 92 then
          parts[#parts + 1] = "\\" .. utf8.char(code)
        elseif invisible(code) then
          parts[#parts + 1], changed = octal(utf8.char(code)), true
        else
          parts[#parts + 1] = utf8.char(code)
        end
      end
      if good then break end
      parts[#parts + 1], changed = octal(sub(path, stop + 1, stop + 1)), true
      pos = stop + 2
    end
    if changed then shown = '"' .. concat(parts) .. '"' end
  end
  return M.cut(shown, limit)
end

-- Reports whether a text is valid UTF-8 without invisible characters, and so readable in a command line.
local function plain(text)
  if not utf8.len(text) then return false end
  for _, code in utf8.codes(text) do
    if invisible(code) then return false end
  end
  return true
end

--- Quotes a path as one word of a shell command. Returns nil if the path has unreadable characters.
--- ```lua
--- m.git.shell_word "it's.txt" --> [['it'\''s.txt']]
--- ```
---@param path string
---@return string?
function M.shell_word(path)
  if not plain(path) or path == "" then return nil end
  if sub(path, 1, 1) == "-" then path = "./" .. path end
  if find(path, "^[%w%._/%-+=@,:%%]+$") then return path end
  return "'" .. gsub(path, "'", "'\\''") .. "'"
end

local ESCAPES = { a = "\a", b = "\b", t = "\t", n = "\n", v = "\v", f = "\f", r = "\r" }

--- Decodes git's quoting of a name in a diff header. An unquoted name is returned unchanged.
--- ```lua
--- m.git.unquote [["a\tb"]] --> "a\tb"
--- ```
---@param text string
---@return string
function M.unquote(text)
  local inner = match(text, '^"(.*)"$')
  if not inner then return text end
  return (gsub(inner, "\\(.)([0-7]?[0-7]?)", function(char, digits)
    if find(char, "[0-3]") and #digits == 2 then return string.char(tonumber(char .. digits, 8)) end
    return (ESCAPES[char] or char) .. digits
  end))
end

return M
