--- Builds the sandbox of a session's program, which may write to its temporary folder, the agent's
--- state and one more folder. Codex has its own sandbox, and sandboxes do not nest.
local grammars = require "moonlet.engine.session.grammars"

local M = {}

--- Returns a function that builds the sandbox rules of a session, or nil for an agent with its own
--- sandbox. Returns nil and a reason if the system cannot confine a program.
---@param folder string?  a folder that the program may write
---@return (fun(temporary: string): table)? rules, string? why
function M.rules(argv, agent, folder)
  local grammar = grammars.named(agent or grammars.of(argv))
  if grammar and grammar.sandbox == "runner" then return nil end
  local support, why = core.process.confinement()
  if not support then return nil, why end
  return function(temporary)
    local writable = { temporary, folder }
    local home = core.system.env "HOME"
    for _, name in ipairs(home and grammar and grammar.state or {}) do
      local path = core.system.real_path(home .. "/" .. name)
      if path then writable[#writable + 1] = path end
    end
    return { writable = writable }
  end
end

return M
