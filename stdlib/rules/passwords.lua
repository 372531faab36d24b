--- Finds passwords that no format gives away: by the name that they are given to, and by the options of programs that
--- take them. Says only that there is one, never what it is.

local shape = require "moonlet.rules.shape"

local find, lower, match = string.find, string.lower, string.match

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

local function assigned(text)
  for _, pattern in ipairs(ASSIGNED) do
    for name, value in string.gmatch(text, pattern) do
      if shape.any(lower(name), NAMES) and is_password(value) then return true end
    end
  end
  return false
end

local OPTIONS = { "%f[%w]mysql%w*%s[^|;]*%s%-p([^%s$\"'%-][^%s]+)",
  "%f[%w]curl%s[^|;]*%-u%s*[\"']?[%w_.-]+:([^%s\"'$@]+)", "%f[%w]sshpass%s+%-p%s*[\"']?([^%s\"'$]+)" }
local BEARER = "[aA]uthorization:%s*[bB]earer%s+([%w_%-.]+)"

--- Whether a line holds a password.
---@param text string
---@return boolean
function M.has(text)
  if assigned(text) then return true end
  local option = shape.first(text, OPTIONS)
  if option and #option >= 6 and not shape.word(option, STANDS_FOR) then return true end
  local bearer = match(text, BEARER)
  return bearer ~= nil and #bearer >= 20 and find(bearer, "%d") ~= nil and not shape.word(bearer, STANDS_FOR)
end

return M
