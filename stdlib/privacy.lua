--- Finds what is private in a text, and takes it out: credentials, and data about people (addresses of mail, post and
--- machines, telephone numbers, accounts and identity numbers, names, handles, home folders, dates of birth, health).
--- A finding says where and of what kind, never what. Nothing finds all of it: this lessens what leaves, no more, and
--- it errs towards leaving a line out.

local credentials = require "moonlet.privacy.credentials"
local numbers = require "moonlet.privacy.numbers"
local names = require "moonlet.privacy.names"
local circumstances = require "moonlet.privacy.circumstances"
local suspect = require "moonlet.privacy.suspect"
local record = require "moonlet.record"

local find, format, lower, sub = string.find, string.format, string.lower, string.sub

local M = {}

local line_cap = 2000

---@class moonlet.privacy.Hit
---@field from integer   first byte
---@field to integer     last byte
---@field kind string    for people: "e-mail address"
---@field class "secret"|"personal"

local OPTIONS = { names = "list", only = "string", strict = "boolean" }

-- Where hits touch or overlap they become one, and a secret is the graver of the two.
local function joined(hits)
  table.sort(hits, function(a, b)
    if a.from ~= b.from then return a.from < b.from end
    return a.to > b.to
  end)
  local result = {}
  for _, hit in ipairs(hits) do
    local last = result[#result]
    if last and hit.from <= last.to then
      if hit.class == "secret" and last.class ~= "secret" then last.class, last.kind = "secret", hit.kind end
      if hit.to > last.to then last.to = hit.to end
    else
      result[#result + 1] = hit
    end
  end
  return result
end

-- Runs a scanner over a text. Where the text is made so that matching it takes too long, it is scanned line by line,
-- and a line that cannot be is taken for a secret as a whole.
local function guarded(scan, text, low, add, ...)
  local pending = {}
  local function collect(from, to, kind) pending[#pending + 1] = { from, to, kind } end
  if pcall(scan, text, low, collect, ...) then
    for _, hit in ipairs(pending) do add(hit[1], hit[2], hit[3]) end
    return
  end
  local from = 1
  while from <= #text do
    local stop = find(text, "\n", from, true) or #text + 1
    stop = math.min(stop, from + line_cap)
    pending = {}
    if from > 1 or stop <= #text then
      if pcall(scan, sub(text, from, stop - 1), sub(low, from, stop - 1), collect, ...) then
        for _, hit in ipairs(pending) do add(from - 1 + hit[1], from - 1 + hit[2], hit[3]) end
      else
        add(from, stop - 1, "text that cannot be checked")
      end
    else
      add(from, #text, "text that cannot be checked")
    end
    from = sub(text, stop, stop) == "\n" and stop + 1 or stop
  end
end

---Everything private in a text, in order, without overlaps.
---@param text string
---@param options {names: string[]?, only: "secret"|"personal"|nil, strict: boolean?}? `names`: words of names known
--- from
---elsewhere; `strict`: also what only looks private
---@return moonlet.privacy.Hit[]
function M.scan(text, options)
  options = record.check(options or {}, OPTIONS, "privacy.scan")
  local hits, low, class = {}, lower(text), nil
  local function add(from, to, kind)
    hits[#hits + 1] = { from = from, to = math.min(to, #text), kind = kind, class = class }
  end
  if options.only ~= "personal" then
    class = "secret"
    guarded(credentials.scan, text, low, add)
    if options.strict then
      guarded(suspect.scan, text, low, function(from, to, kind)
        class = kind == suspect.number and "personal" or "secret"
        add(from, to, kind)
      end)
    end
  end
  if options.only ~= "secret" then
    class = "personal"
    guarded(numbers.scan, text, low, add)
    guarded(names.scan, text, low, add, options.names, options.strict)
    guarded(circumstances.scan, text, low, add)
  end
  return joined(hits)
end

---The text with each hit replaced by its kind, and how many there were. Line breaks stay, so line numbers do.
---@param text string
---@param options {names: string[]?, only: "secret"|"personal"|nil}?
---@return string text
---@return {secret: integer, personal: integer} counts
function M.redact(text, options)
  local counts = { secret = 0, personal = 0 }
  local parts, pos = {}, 1
  for _, hit in ipairs(M.scan(text, options)) do
    counts[hit.class] = counts[hit.class] + 1
    parts[#parts + 1] = sub(text, pos, hit.from - 1)
    parts[#parts + 1] = format("[left out: %s]", hit.kind)
    local _, breaks = string.gsub(sub(text, hit.from, hit.to), "\n", "")
    parts[#parts + 1] = string.rep("\n", breaks)
    pos = hit.to + 1
  end
  parts[#parts + 1] = sub(text, pos)
  return table.concat(parts), counts
end

---What class of private thing a short text holds, or nil.
---@param text string
---@param options {names: string[]?, only: "secret"|"personal"|nil}?
---@return "secret"|"personal"|nil class
---@return string? kind
function M.holds(text, options)
  local personal
  for _, hit in ipairs(M.scan(text, options)) do
    if hit.class == "secret" then return "secret", hit.kind end
    personal = personal or hit.kind
  end
  if personal then return "personal", personal end
end

---The words of the names that texts introduce; a name in one text is then known in all.
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
