--- Redacts secrets in git's output and in files' texts before they are printed or stored.
--- Files that consist of secrets are withheld. Redacting a text twice changes nothing more.

local git = require "moonlet.git"
local paths = require "moonlet.paths"
local secrets = require "moonlet.secrets"

local byte, find, format, gmatch, match, sub = string.byte, string.find, string.format,
  string.gmatch, string.match, string.sub
local concat = table.concat

local M = {}

-- Returns, for each byte offset, the mark of the diff line and its line number in the new file.
local function locate(chunk, offsets)
  local found, i, pos, line = {}, 1, 1, nil
  while i <= #offsets and pos <= #chunk do
    local stop = find(chunk, "\n", pos, true) or #chunk + 1
    local mark = byte(chunk, pos)
    if mark == 64 and (not line or find(chunk, "^@@ %-", pos)) then
      line = tonumber(match(sub(chunk, pos, math.min(stop, pos + 80)), "^@@ %-[%d,]+ %+(%d+)"))
        or line
    else
      while i <= #offsets and offsets[i] <= stop do
        found[i] = { mark = string.char(mark or 32), line = line }
        i = i + 1
      end
      if line and (mark == 43 or mark == 32) then line = line + 1 end
    end
    pos = stop + 1
  end
  return found
end

local function scan_options(path)
  local d = paths.describe(path)
  local context = d.kind == "docs" and "docs" or d.test and "test"
    or d.generated and "generated" or "code"
  return { context = context,
    loose = d.kind == "config" or d.language == "shell" or d.language == "docker" }
end

-- Returns the secrets in added lines, and with `cleaned` also those that were redacted earlier.
local function added(chunk, hits, cleaned)
  local all = {}
  for i = 1, #hits do all[i] = { from = hits[i].from, kind = hits[i].kind } end
  if cleaned then
    for at, kind in gmatch(chunk, "()%[redacted: ([^%]\n]+)%]") do
      all[#all + 1] = { from = at, kind = kind }
    end
    table.sort(all, function(a, b) return a.from < b.from end)
  end
  local offsets, list = {}, {}
  for i = 1, #all do offsets[i] = all[i].from end
  for i, place in ipairs(locate(chunk, offsets)) do
    if place.mark == "+" then list[#list + 1] = { kind = all[i].kind, line = place.line } end
  end
  return list
end

-- Returns the hits of a file's text, whether all of it was searched, and the reason to withhold it, if any.
local function judge(path, text)
  local hits, all = secrets.scan(text, scan_options(path))
  -- The scanner stops at its limit of hits.
  if not all then return hits, false, "too much that looks like secrets" end
  local what, maybe = secrets.name(path)
  return hits, true, not (maybe and #hits == 0) and what or nil
end

---@param chunk string    diff of one file, from "diff --git" on
---@param cleaned boolean?  true if the diff was cleaned before
---@return table[] secrets  {kind, line} of each secret in an added line
---@return boolean? cut    true if the whole diff was withheld for too many suspected secrets
function M.chunk(path, chunk, cleaned)
  if cleaned and not find(chunk, "\n@@", 1, true) and find(chunk, "\n%[withheld: [^\n]+%]\n$") then
    return chunk, {}
  end
  local hits, all, why = judge(path, chunk)
  local list = added(chunk, hits, cleaned)
  if why then
    local head = match(chunk, "^(.-\n)@@") or match(chunk, "^[^\n]*\n?") or ""
    return format("%s[withheld: %s]\n", head, why), list, not all or nil
  end
  return secrets.redact(chunk, hits), list
end

--- Redacts the output of `git diff` file by file, so that it may be stored.
---@param text string  output that may begin with the lists of --raw and --numstat
function M.diff(text)
  local _, patch = git.parse_changes(text)
  local parts, pos = { sub(text, 1, #text - #patch) }, 1
  for _, file in ipairs(git.parse_diff(patch)) do
    parts[#parts + 1] = sub(patch, pos, file.from - 1)
    parts[#parts + 1] = (M.chunk(file.path, sub(patch, file.from, file.to)))
    pos = file.to + 1
  end
  parts[#parts + 1] = sub(patch, pos)
  return concat(parts)
end

--- Redacts a file's text, or withholds the file, so that it may be stored.
function M.file(path, text)
  local hits, _, why = judge(path, text)
  return why and format("[withheld: %s]\n", why) or secrets.redact(text, hits)
end

---@param path string?  path of the file that the text comes from
function M.text(text, path)
  if path then return M.file(path, text) end
  if sub(text, 1, 11) == "diff --git " or find(text, "\ndiff --git ", 1, true) then
    return M.diff(text)
  end
  local hits, all = secrets.scan(text)
  if not all then return "[withheld: too much that looks like secrets]\n" end
  return secrets.redact(text, hits)
end

return M
