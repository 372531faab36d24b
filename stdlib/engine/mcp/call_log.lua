--- Records all calls of clients, even refused ones, in `.agent/mcp.jsonl`, one line per call.
local files = require "moonlet.engine.base.files"
local manifest = require "moonlet.engine.run.manifest"

local M = {}

local file = "mcp.jsonl"
local most_arguments = 4000

--- Maps an error's kind to the outcome in the log. A protocol error counts as refused, because the
--- client asked for a tool that it may not use.
local outcomes = { denied = "refused", protocol = "refused" }

--- Appends a call to the log. If that fails, prints a warning, so that the client still gets the call's
--- answer.
---@param entry {client: moonlet.McpClient, tool: string, arguments: any, run: string?, error: table?}
function M.add(home, entry)
  local arguments = core.json.encode(entry.arguments)
  local record = { at = core.clock.iso(core.clock.wall()), client = entry.client.name,
    version = entry.client.version, tool = core.text.printable(entry.tool, 100),
    arguments = #arguments <= most_arguments and entry.arguments
      or core.text.cut(core.text.clean(arguments),
      most_arguments),
    run = entry.run,
    outcome = entry.error and (outcomes[entry.error.kind] or entry.error.kind or "failed")
      or "done",
    error = entry.error and core.text.printable(tostring(entry.error.message), 400) or nil }
  local line = (core.secret.hide(core.json.encode(record))) .. "\n"
  local ok, err = pcall(function()
    core.run.make_home(home.handle)
    local root = files.must(core.file.root(home.agent_path))
    files.must(core.file.append(root, file, line))
  end)
  if not ok then
    core.system.print(2, ("moonlet mcp: the call is not on record: %s\n"):format(
      core.text.printable(manifest.error(err).message, 400)))
  end
end

return M
