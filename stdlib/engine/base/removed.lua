--- Runs and sessions that go on although their folders were removed, as by `git clean -fdx`: the index of live keepers
--- in the user's state folder knows them.
local command_line = require "moonlet.engine.base.command_line"

local M = {}

---@class moonlet.Removed
---@field id string
---@field kind "runs"|"sessions"
---@field top string       the folder that held `.agent`
---@field place string
---@field label string     what runs
---@field pid integer      of its keeper
---@field age_ms integer
---@field children table[]  its processes, as core.runs.live gives them

--- All of this user, oldest first.
---@return moonlet.Removed[]
function M.all()
  local list = {}
  for _, keeper in ipairs(core.runs.keepers()) do
    local top, kind = keeper.place:match "^(.*)/%.agent/(%l+)/[^/]+$"
    if keeper.removed and (kind == "runs" or kind == "sessions") then
      keeper.top, keeper.kind = top == "" and "/" or top, kind
      list[#list + 1] = keeper
    end
  end
  return list
end

--- Lists what is left of one `.agent`.
---@param agent_path string
---@param kind "runs"|"sessions"
---@return moonlet.Removed[]
function M.of(agent_path, kind)
  local list = {}
  for _, entry in ipairs(M.all()) do
    if entry.place == ("%s/%s/%s"):format(agent_path, kind, entry.id) then list[#list + 1] = entry end
  end
  return list
end

--- The command that ends it.
---@param entry moonlet.Removed
---@param here string?  the `.agent` of the command that shows it
---@return string
function M.ending(entry, here)
  local verb = entry.kind == "runs" and "run cancel" or "session kill"
  local where = entry.top .. "/.agent" ~= here and " --repo " .. command_line.quoted(entry.top) or ""
  return ("moonlet %s %s%s"):format(verb, command_line.short(entry.id), where)
end

--- The warning about what starts now, where the index cannot be written; nil where it can.
---@return string?
function M.warning()
  local err = core.runs.index_error()
  return err and "moonlet ps will not find this if its .agent is removed: " .. err.message or nil
end

--- The one that a word names: its id, or the number of that; nil if there is none.
---@param agent_path string
---@param kind "runs"|"sessions"
---@param word string
---@return moonlet.Removed?
function M.find(agent_path, kind, word)
  local number = math.tointeger(tonumber(word:match "^%a?%-?(%d+)$"))
  for _, entry in ipairs(number and M.of(agent_path, kind) or {}) do
    if math.tointeger(tonumber(entry.id:match "%d+$")) == number then return entry end
  end
end

return M
