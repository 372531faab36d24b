--- `moonlet mcp` serves the Model Context Protocol on standard input and output.
local client_rights = require "moonlet.engine.load.client_rights"
local config = require "moonlet.engine.load.config"
local options = require "moonlet.engine.cli.options"
local verbs = require "moonlet.engine.cli.verbs"
local worker = require "moonlet.engine.effects.worker"

local M = {}

M.known = { help = { help = "this text" } }

function M.main(words)
  local _, rest = verbs.read("mcp", words, M.known)
  if rest[1] then
    options.refuse(("moonlet mcp takes no argument '%s'"):format(core.text.printable(rest[1], 40)),
      "a client starts it: codex mcp add moonlet -- moonlet mcp")
  end
  if core.terminal.page(1) then
    core.system.print(2,
      "moonlet mcp speaks to a program, not to a person: codex mcp add moonlet -- moonlet mcp\n")
  end
  core.event.display "none"
  require("moonlet.engine.mcp.server").serve(client_rights.of(config.current()), worker.is_one())
  return nil, 0
end

return M
