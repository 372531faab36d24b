--- Looks up in the table of paths how carefully the file at a path must be reviewed.
local data = require "table"
local paths = require "moonlet.paths"

local find, lower, match = string.find, string.lower, string.match

local M = {}

local plain = data.plain[1]
-- Maps each kind of file to its description in the text that explains a level of review.
local BASE = { config = "configuration", lock = "configuration", data = "data",
  code = "source code", unknown = "file of an unknown kind", asset = "asset of the product",
  binary = "binary file" }

-- Reports whether a path is in one of the folders. "^ci" matches only at the repository's top.
local function in_any(path, dirs)
  local low = "/" .. lower(path) .. "/"
  for _, dir in ipairs(dirs or {}) do
    local top = match(dir, "^%^(.*)")
    local at = find(low, "/" .. (top or dir) .. "/", 1, true)
    if at and (not top or at == 1) then return true end
  end
  return false
end

local function any_word(words, wanted)
  for word in pairs(wanted and words or {}) do
    if wanted[word] then return true end
  end
  return false
end

-- Reports whether the path of code or configuration contains a risky word.
-- Other files are not risky, such as a page about authentication.
local function by_words(row, d)
  if d.kind ~= "code" and d.kind ~= "config" or d.generated
    or plain.languages[d.language or ""] or in_any(d.dir, plain.dirs) then
    return false
  end
  if any_word(paths.words_of(d), row.words) then return true end
  local folder = lower(match(d.dir, "([^/]*)$"))
  local here = not row.at or d.dir == "" or row.at[folder] or d.language == "shell"
  return here and any_word(paths.words(d.stem), row.stems)
end

local function matches(row, d)
  if d.test and not row.tests then return false end
  return row.names and row.names[lower(d.name)] or row.exts and row.exts[d.ext]
    or in_any(d.path, row.dirs) or by_words(row, d)
end

--- Reports whether a file contains instructions for agents, such as a command, a rule or a prompt.
function M.agent_text(path) return in_any(match(path, "^(.*)/") or "", data.agents[1].dirs) end

--- Returns the reasons why the file at a path has the review level `risk`, from its path only.
---@param d moonlet.paths.Description
function M.reasons(d)
  local stem, list = match(lower(d.name), "^(%l+)"), {}
  if (stem == "license" or stem == "licence" or stem == "copying" or stem == "unlicense")
    and d.kind ~= "code" and d.kind ~= "config" then
    return { "license" }
  end
  if d.kind == "asset" or M.agent_text(d.path) or d.kind == "docs" then return list end
  for _, row in ipairs(data.risk) do
    if matches(row, d) then list[#list + 1] = row.why end
  end
  return list
end

--- Returns the minimum level of review for a file of this kind, and the reason.
---@param d moonlet.paths.Description
---@return string level, string why
function M.base(d)
  if M.agent_text(d.path) then return "skill", "instructions for agents" end
  if d.kind == "docs" then return "fast", "documentation or plain text" end
  if d.kind == "asset" and (d.in_docs or data.images[1].dirs[d.dir]) then
    return "fast", "image or document beside the text"
  end
  if d.test then return "code", (d.fixture or d.kind == "data") and "data of tests" or "tests" end
  return "code", BASE[d.kind]
end

return M
