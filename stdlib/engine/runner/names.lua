--- The names of the built-in runners. Other modules read these lists and keep none of their own.
local M = {}

--- Agent CLIs have a module of their name in this folder.
M.agents = { "codex", "claude", "gemini", "opencode" }

local function with_agents(name)
  local list = { table.unpack(M.agents) }
  list[#list + 1] = name
  return list
end

--- The config may set up these runners, which start a program.
M.programs = with_agents "executor"
--- A program may print events in these formats.
M.events = with_agents "moonlet"
--- These runners have no program of their own.
M.internal = { "mock", "command", "cassette" }

function M.has(list, name)
  for _, known in ipairs(list) do
    if known == name then return true end
  end
  return false
end

return M
