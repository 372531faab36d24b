--- Lists the names of the built-in runners.
local M = {}

--- Each agent CLI has a module of the same name in this folder.
M.agents = { "codex", "claude", "gemini", "opencode" }

local function with_agents(name)
  local list = { table.unpack(M.agents) }
  list[#list + 1] = name
  return list
end

--- Lists the runners that have a program of their own. The user's config can name the program.
M.programs = with_agents "executor"
--- Lists the event formats in which a program's standard output can be parsed.
M.events = with_agents "moonlet"
--- Lists the runners without a program of their own.
M.internal = { "mock", "command", "cassette" }

function M.has(list, name)
  for _, known in ipairs(list) do
    if known == name then return true end
  end
  return false
end

return M
