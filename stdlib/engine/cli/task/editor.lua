--- Opens a file in the person's editor: $VISUAL, else $EDITOR.
local command = require "moonlet.engine.runner.command"
local options = require "moonlet.engine.cli.options"

local M = {}

local function program()
  for _, name in ipairs { "VISUAL", "EDITOR" } do
    local text = core.system.env(name)
    if text and text:find "%S" then return command.split(text), name end
  end
  options.refuse("there is no editor: neither VISUAL nor EDITOR is set", "EDITOR=vi moonlet …")
end

--- Raises an error if there is no editor, before anything is started.
function M.check() program() end

--- Waits until the editor exits. Raises an error unless its exit code is 0.
---@param path string  absolute
function M.edit(path)
  local argv, name = program()
  argv[#argv + 1] = path
  local code = core.terminal.run(argv)
  if code ~= 0 then
    error({ kind = "cancelled",
      message = ("the editor ended with exit code %d: nothing is started"):format(code),
      hint = ("$%s is %s"):format(name, core.text.printable(argv[1], 100)), at = path }, 0)
  end
end

return M
