--- Which runners there are, and what --runner means.
local record = require "moonlet.record"
local command = require "moonlet.internal.runner.command"

local M = {}

local known = { "command", "rules" }

--- Agent programs that people have; named in reports so that nobody has to guess.
M.agent_programs = { "codex", "claude", "gemini", "opencode" }

--- Reads a --runner value (or ctx:agent's runner).
---@param text string
---@return {name: string, argv: string[]?}
function M.parse(text)
  local name, rest = text:match("^([^:]+):(.*)$")
  name = name or text
  if name == "rules" and not rest then return { name = "rules" } end
  if name == "command" then
    local argv = rest and command.split(rest) or nil
    if rest and #argv == 0 then
      error(record.invalid("--runner command: names no program", "write --runner 'command:PROGRAM ARG…'"), 0)
    end
    return { name = "command", argv = argv }
  end
  local hint = record.suggest(name, { table.unpack(known) })
  for _, program in ipairs(M.agent_programs) do
    if name == program then
      hint = ("run it as a command: --runner 'command:%s …'"):format(program)
    end
  end
  error(record.invalid(("there is no runner '%s'"):format(name), hint), 0)
end

--- The agent programs found in PATH, name -> path.
---@return table<string, string>
function M.installed()
  local found = {}
  for _, program in ipairs(M.agent_programs) do
    found[program] = core.system.find_program(program)
  end
  return found
end

return M
