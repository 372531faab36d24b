--- The rules that confine the program of a session: it writes its own folder for temporary files and the agent's own
--- state, and where it may write, a folder. Codex has a sandbox of its own, and sandboxes do not nest.
local grammars = require "moonlet.engine.session.grammars"

local M = {}

--- The rules as session.start takes them; nil for an agent with a sandbox of its own; nil and the reason where the
--- system cannot confine a program.
---@param argv string[]
---@param agent string?
---@param folder string?  that it may write
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
