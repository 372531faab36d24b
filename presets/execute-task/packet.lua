--- A packet as the task: .agent/tasks/T-001.json.
local m = require "moonlet"

local M = {}

local function invalid(message, hint) error({ kind = "invalid", message = message, hint = hint }, 0) end

--- The packet of a name; raises where there is none.
---@param look table
---@param name string
---@return table
function M.read(look, name)
  if not name:find("^T%-%d+$") then
    invalid(("--packet '%s' is no name of a packet"):format(name), "write it like T-001")
  end
  local text = look:read((".agent/tasks/%s.json"):format(name), { cap = 1 << 20 })
  if not text then invalid("there is no packet " .. name, "moonlet task list shows what there is") end
  local ok, packet = pcall(m.json.decode, text)
  if not ok or type(packet) ~= "table" then invalid(("the packet %s cannot be read"):format(name)) end
  return packet
end

--- The task that it describes, in words.
---@param packet table
---@return string
function M.text(packet)
  local lines = {}
  for _, field in ipairs { "title", "summary", "goal" } do
    if type(packet[field]) == "string" and packet[field] ~= "" then lines[#lines + 1] = packet[field] end
  end
  return table.concat(lines, "\n\n")
end

--- Its validation commands: {kind, command, timeout_ms}.
---@param packet table
---@return table[]
function M.validation(packet)
  local commands = type(packet.execution) == "table" and packet.execution.commands
  local list = {}
  for _, item in ipairs(type(commands) == "table" and commands.validation or {}) do
    list[#list + 1] = type(item) == "string" and { kind = "custom", command = item } or item
  end
  return list
end

return M
