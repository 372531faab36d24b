--- Finds passwords that no format gives away: by the name in front of them, and by the options of programs that take
--- them. Returns only that there is one, never the password.

local shape = require "moonlet.text"

local byte, find, gsub, lower, match, sub = string.byte, string.find, string.gsub, string.lower, string.match,
  string.sub
local concat = table.concat

---@class moonlet.passwords
local M = {}

-- A name and the text that it is set to.
local ASSIGNED = { "([%w_.%-]+)[\"']?%s*:?=>?%s*\"([^\"]*)\"", "([%w_.%-]+)[\"']?%s*:?=>?%s*'([^']*)'",
  "([%w_.%-]+)[\"']?%s*:%s*\"([^\"]*)\"", "([%w_.%-]+)[\"']?%s*:%s*'([^']*)'",
  "#%s*define%s+([%w_]+)%s+\"([^\"]*)\"" }
local NAMES = { "password$", "passwd$", "passphrase$", "_pass$", "%f[%a]pass$", "dbpass$", "_pwd$", "%f[%a]pwd$" }

-- Words of texts that stand for a password and are none.
local STANDS_FOR = { "pass", "secret", "token", "example", "change", "your", "dummy", "test", "sample", "placeholder",
  "xxx", "***", "...", "<", "{", "%(", "fake", "none", "null", "redacted", "default", "demo", "foo", "http", "enter" }

local least_length = 8

local function is_password(text)
  if #text < least_length or #text > 200 or find(text, "[%s/\\]") or find(text, "^%$") then return false end
  local mixed = find(text, "%a") and find(text, "[%d!#$%%&*+=?@^~]")
  return mixed ~= nil and not shape.word(text, STANDS_FOR)
end

-- The first password that a name gives away.
local function assigned(text)
  for _, pattern in ipairs(ASSIGNED) do
    for name, value in string.gmatch(text, pattern) do
      if shape.any(lower(name), NAMES) and is_password(value) then return value end
    end
  end
  return nil
end

local OPTIONS = { "%f[%w]mysql%w*%s[^|;]*%s%-p([^%s$\"'%-][^%s]+)",
  "%f[%w]curl%s[^|;]*%-u%s*[\"']?[%w_.-]+:([^%s\"'$@]+)", "%f[%w]sshpass%s+%-p%s*[\"']?([^%s\"'$]+)" }
local BEARER = "[aA]uthorization:%s*[bB]earer%s+([%w_%-.]+)"

-- The first that an option or a header holds.
local function given(text)
  local option = shape.first(text, OPTIONS)
  if option and #option >= 6 and not shape.word(option, STANDS_FOR) then return option end
  local bearer = match(text, BEARER)
  local real = bearer and #bearer >= 20 and find(bearer, "%d") and not shape.word(bearer, STANDS_FOR)
  return real and bearer or nil
end

-- Cheap to look for, and in every line that can hold one.
local MAY_HOLD = { "pass", "pwd", "curl", "mysql", "bearer" }

local function held(line) return shape.word(line, MAY_HOLD) and (assigned(line) or given(line)) or nil end

--- True if a line holds a password.
--- ```lua
--- require("moonlet.passwords").has "a plain line" --> false
--- ```
---@param text string
---@return boolean
function M.has(text) return held(text) ~= nil end

local longest = 2000

-- The start and end of each line that can hold one, in order: few of many.
local function candidates(text)
  local low, seen, list = lower(text), {}, {}
  for _, word in ipairs(MAY_HOLD) do
    local at = find(low, word, 1, true)
    while at do
      local from = at
      while from > 1 and at - from <= longest and byte(text, from - 1) ~= 10 do from = from - 1 end
      local to = (find(text, "\n", at, true) or #text + 1) - 1
      if not seen[from] and to - from < longest then
        seen[from] = true
        list[#list + 1] = { from, to }
      end
      at = find(low, word, to + 1, true)
    end
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

--- A text of many lines without the passwords that are found in it.
--- ```lua
--- local passwords = require "moonlet.passwords"
--- passwords.redact "a plain line" --> "a plain line"
--- ```
---@param text string
---@return string
function M.redact(text)
  local parts, pos = {}, 1
  for _, place in ipairs(candidates(text)) do
    local line = sub(text, place[1], place[2])
    local value = held(line)
    if value then
      parts[#parts + 1] = sub(text, pos, place[1] - 1)
      parts[#parts + 1] = gsub(line, shape.plain(value), "[redacted: password]")
      pos = place[2] + 1
    end
  end
  parts[#parts + 1] = sub(text, pos)
  return concat(parts)
end

return M
