--- Finds private parts of a text: credentials, and data about people (addresses of mail, post and machines, telephone
--- numbers, accounts and identity numbers, names, handles, home folders, dates of birth, health).

local circumstances = require "privacy.circumstances"
local names = require "privacy.names"
local numbers = require "privacy.numbers"
local redaction = require "moonlet.redaction"
local suspect = require "privacy.suspect"

local find = string.find

local M = {}

local credentials = { class = "secret", scan = redaction.credentials.scan }
local looks_private = {
  scan = suspect.scan,
  class = function(kind) return kind == suspect.number and "personal" or "secret" end,
}
local number_scanner = { class = "personal", scan = numbers.scan }
local circumstance_scanner = { class = "personal", scan = circumstances.scan }

---@class privacy.Options
---@field names string[]?     words of names known from elsewhere
---@field strict boolean?     also text that only looks private

local function scanners_of(options)
  local named = { class = "personal" }
  function named.scan(text, low, add) names.scan(text, low, add, options.names, options.strict) end
  local list = { credentials, number_scanner, named, circumstance_scanner }
  if options.strict then table.insert(list, 2, looks_private) end
  return list
end

--- Everything private in a text, in order, without overlaps.
---@param text string
---@param options privacy.Options?
---@return moonlet.redaction.Hit[]
function M.scan(text, options) return redaction.scan(text, scanners_of(options or {})) end

--- The class of private data in a text, or nil.
---@param text string
---@param options privacy.Options?
---@return "secret"|"personal"|nil class
---@return string? kind
function M.holds(text, options) return redaction.holds(text, scanners_of(options or {})) end

--- The words of the names that texts introduce; a name in one text is then known in all.
---@param texts string[]
---@return string[]
function M.names(texts)
  local seen, result = {}, {}
  for _, text in ipairs(texts) do
    local read, introduced = pcall(names.introduced, text)
    for _, word in ipairs(read and introduced or {}) do
      if not seen[word] and not find(word, "^%l") then
        seen[word] = true
        result[#result + 1] = word
      end
    end
  end
  table.sort(result)
  return result
end

return M
