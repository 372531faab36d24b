--- Finds credentials in a text and removes them.
--- A preset that knows more kinds of private text supplies its own scanners.
--- A hit has a place and a kind, but never contains the text itself.
--- The search may miss credentials.
--- If the search of a line takes too long, the whole line is redacted.

local credentials = require "moonlet.redaction.credentials"

local find, format, lower, sub = string.find, string.format, string.lower, string.sub

---@class moonlet.redaction
local M = {}

local line_cap = 2000

---@class moonlet.redaction.Hit
---@field from integer   first byte
---@field to integer     last byte
---@field kind string    kind of the private text in words, such as "e-mail address"
---@field class string   "secret", or a class that the preset defines

---@alias moonlet.redaction.Add fun(from: integer, to: integer, kind: string)

---@class moonlet.redaction.Scanner
---@field class string | fun(kind: string): string
---@field scan fun(text: string, low: string, add: moonlet.redaction.Add)   `low` is in lower case

-- Joins overlapping hits. The class "secret" has priority.
local function joined(hits)
  table.sort(hits, function(a, b)
    if a.from ~= b.from then return a.from < b.from end
    return a.to > b.to
  end)
  local result = {}
  for _, hit in ipairs(hits) do
    local last = result[#result]
    if last and hit.from <= last.to then
      if hit.class == "secret" and last.class ~= "secret" then
        last.class, last.kind = "secret", hit.kind
      end
      if hit.to > last.to then last.to = hit.to end
    else
      result[#result + 1] = hit
    end
  end
  return result
end

-- Runs a scanner over a text. If matching takes too long, the text is scanned line by line.
-- A line that still takes too long is reported as a secret.
local function guarded(scan, text, low, add)
  local pending = {}
  local function collect(from, to, kind) pending[#pending + 1] = { from, to, kind } end
  if pcall(scan, text, low, collect) then
    for _, hit in ipairs(pending) do add(hit[1], hit[2], hit[3]) end
    return
  end
  local from = 1
  while from <= #text do
    local stop = find(text, "\n", from, true) or #text + 1
    stop = math.min(stop, from + line_cap)
    pending = {}
    if from > 1 or stop <= #text then
      if pcall(scan, sub(text, from, stop - 1), sub(low, from, stop - 1), collect) then
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

--- Defines the scanner that finds credentials.
--- ```lua
--- require("moonlet.redaction").credentials.class --> "secret"
--- ```
---@type moonlet.redaction.Scanner
M.credentials = { class = "secret", scan = credentials.scan }

--- Returns the hits of the scanners in a text, in order, without overlaps.
--- ```lua
--- #require("moonlet.redaction").scan "plain words" --> 0
--- ```
---@param text string
---@param scanners moonlet.redaction.Scanner[]? default: the scanner of credentials
---@return moonlet.redaction.Hit[]
function M.scan(text, scanners)
  local hits, low = {}, lower(text)
  for _, scanner in ipairs(scanners or { M.credentials }) do
    local class = scanner.class
    guarded(scanner.scan, text, low, function(from, to, kind)
      hits[#hits + 1] = { from = from, to = math.min(to, #text), kind = kind,
        class = type(class) == "function" and class(kind) or class }
    end)
  end
  return joined(hits)
end

--- Replaces each hit by its kind, and counts the hits.
--- Line breaks are kept, so line numbers do not change.
--- ```lua
--- local text, counts = require("moonlet.redaction").redact "plain words"
--- counts.secret --> 0
--- ```
---@param text string
---@param scanners moonlet.redaction.Scanner[]? default: the scanner of credentials
---@return string text
---@return table<string, integer> counts by class
function M.redact(text, scanners)
  local counts = { secret = 0 }
  local parts, pos = {}, 1
  for _, hit in ipairs(M.scan(text, scanners)) do
    counts[hit.class] = (counts[hit.class] or 0) + 1
    parts[#parts + 1] = sub(text, pos, hit.from - 1)
    parts[#parts + 1] = format("[left out: %s]", hit.kind)
    local _, breaks = string.gsub(sub(text, hit.from, hit.to), "\n", "")
    parts[#parts + 1] = string.rep("\n", breaks)
    pos = hit.to + 1
  end
  parts[#parts + 1] = sub(text, pos)
  return table.concat(parts), counts
end

--- Returns class and kind of the first hit in a text, or nil.
--- Hits of the class "secret" have priority.
--- ```lua
--- require("moonlet.redaction").holds "plain words" --> nil
--- ```
---@param text string
---@param scanners moonlet.redaction.Scanner[]? default: the scanner of credentials
---@return string? class
---@return string? kind
function M.holds(text, scanners)
  local first
  for _, hit in ipairs(M.scan(text, scanners)) do
    if hit.class == "secret" then return "secret", hit.kind end
    first = first or hit
  end
  if first then return first.class, first.kind end
end

return M
