--- Formats instruction files, such as AGENTS.md, as sections of a prompt.
--- These sections are at the beginning of the prompt, after the role.
local shared = require "moonlet.engine.runner.shared"

local M = {}

---@class moonlet.Instructions   an instruction file that an agent receives
---@field owner "project"|"user"
---@field path string       relative to the repository's top, or with ~ for the home directory
---@field at string?        describes the commit that has the file; nil for a file read from disk
---@field text string       the beginning of the file, as quoted in the prompt
---@field bytes integer     size of the whole file
---@field kept integer      size of `text`
---@field sha256 string     hash of the whole file
---@field cut boolean
---@field differs boolean?  true if the work tree has another version of the file

local first_line = "# Instructions of the %s\n\nThe file %s"

---@param file moonlet.Instructions
function M.section(file)
  local fence = "```"
  for run in file.text:gmatch "`+" do fence = #run >= #fence and ("`"):rep(#run + 1) or fence end
  local where = file.at and ", as it stands at the base of this change" or ""
  return table.concat { first_line:format(file.owner, file.path), where,
    ". Follow it where it applies; where the task below says otherwise, the task holds.",
    file.differs and " The work tree has another version, which is part of the change: do not "
      .. "follow that one." or "",
    "\n\n", fence, "text\n", file.text, file.text:sub(-1) == "\n" and "" or "\n",
    file.cut and ("[cut here: %d of %d bytes]\n"):format(file.kept, file.bytes) or "", fence, "\n" }
end

--- Returns the position in a prompt where the text after the role begins.
local function behind_role(prompt)
  local role = shared.role_line "\0"
  local before, after = role:match "^(.*)%z(.*)$"
  if prompt:sub(1, #before) ~= before then return 1 end
  local _, stop = prompt:find(after .. "\n\n", #before + 1, true)
  return stop and stop + 1 or 1
end

--- Returns the last position of the instruction section at `at`; nil if none starts there.
local function end_of(prompt, at)
  local _, stop, fence =
    prompt:find("^# Instructions of the %l+\n\nThe file [^\n]*\n\n(```+)text\n", at)
  if not stop then return nil end
  local _, last = prompt:find("\n" .. fence .. "\n", stop, true)
  return last
end

function M.is_in(prompt) return end_of(prompt, behind_role(prompt)) ~= nil end

function M.without(prompt)
  local from = behind_role(prompt)
  local at = from
  while true do
    local last = end_of(prompt, at)
    if not last then break end
    at = prompt:find("[^\n]", last + 1) or #prompt + 1
  end
  return at == from and prompt or prompt:sub(1, from - 1) .. prompt:sub(at)
end

return M
