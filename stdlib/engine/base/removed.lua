--- Finds runs and sessions that still run although their folders were removed.
--- The index of live keepers in the user's state folder also lists runs whose folder is gone.
local command_line = require "moonlet.engine.base.command_line"

local M = {}

---@class moonlet.Removed
---@field id string
---@field kind "runs"|"sessions"
---@field top string       folder in which `.agent` was
---@field place string
---@field label string     name of the run or session
---@field pid integer      process id of the keeper
---@field age_ms integer
---@field children table[]  processes of the run or session, as in core.runs.live

--- Lists all of this user's removed runs and sessions, the oldest first.
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

---@param kind "runs"|"sessions"
---@return moonlet.Removed[]
function M.of(agent_path, kind)
  local list = {}
  for _, entry in ipairs(M.all()) do
    if entry.place == ("%s/%s/%s"):format(agent_path, kind, entry.id) then
      list[#list + 1] = entry
    end
  end
  return list
end

---@param entry moonlet.Removed
---@param here string?  `.agent` folder of the current command
function M.ending(entry, here)
  local verb = entry.kind == "runs" and "cancel" or "session kill"
  local where = entry.top .. "/.agent" ~= here and " --repo "
    .. command_line.quoted(entry.top) or ""
  return ("moonlet %s %s%s"):format(verb, entry.id, where)
end

function M.warning()
  local err = core.runs.index_error()
  return err and "moonlet ps will not find this run if its .agent folder is removed: "
    .. err.message or nil
end

---@param kind "runs"|"sessions"
---@return moonlet.Removed?
function M.find(agent_path, kind, word)
  local number = math.tointeger(tonumber(word:match "^%a?%-?(%d+)$"))
  for _, entry in ipairs(number and M.of(agent_path, kind) or {}) do
    if math.tointeger(tonumber(entry.id:match "%d+$")) == number then return entry end
  end
end

return M
