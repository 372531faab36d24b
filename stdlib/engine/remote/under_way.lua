--- Lists the attempts of a run that were sent to another machine and have no recorded end.
local M = {}

local journal_cap = 256 << 20

---@class moonlet.RemoteIntent
---@field key string    key of the step
---@field id string     id of the attempt
---@field nonce string
---@field on string     name of the machine
---@field at integer    ms since 1970

--- Returns the attempts that were sent to another machine and have no recorded end. Returns at most
--- one attempt for each step, in the order in which the attempts were sent.
---@return moonlet.RemoteIntent[]
function M.of(root, id)
  local text = core.file.read(root, ("runs/%s/steps.jsonl"):format(id), journal_cap) or ""
  if not text:find('"type":"remote"', 1, true) then return {} end
  local open, list = {}, {}
  for line in text:gmatch "[^\n]+" do
    local may_tell = line:find('"type":"remote"', 1, true) or line:find('"type":"end"', 1, true)
      or line:find('"type":"attempt"', 1, true)
    if may_tell then
      local ok, entry = pcall(core.json.decode_record, line)
      local item = ok and type(entry) == "table" and entry.body
      local tells = type(item) == "table" and type(item.key) == "string"
        and (item.type == "remote" or item.type == "end" or item.type == "attempt")
      if tells then
        open[item.key] = item.type == "remote" and item or nil
        if item.type == "remote" then list[#list + 1] = item end
      end
    end
  end
  local last = {}
  for _, item in ipairs(list) do
    if open[item.key] == item then last[#last + 1] = item end
  end
  return last
end

return M
