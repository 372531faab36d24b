--- The names of the built-in runners. Other modules read these lists and keep none of their own.
local M = {}

--- Agent CLIs: each has a module of its name in this folder.
M.agents = { "codex", "claude", "gemini", "opencode" }

local function with_agents(name)
  local list = { table.unpack(M.agents) }
  list[#list + 1] = name
  return list
end

--- Runners with a program, which the config may set up.
M.programs = with_agents "executor"
--- Formats of the events that a program may print.
M.events = with_agents "moonlet"
--- Runners without a program of their own.
M.internal = { "mock", "command", "cassette" }

function M.has(list, name)
  for _, known in ipairs(list) do
    if known == name then return true end
  end
  return false
end

return M
