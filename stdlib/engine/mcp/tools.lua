--- Lists the server's tools. Checks the arguments of each tool call, executes the call and logs it.
local answers = require "moonlet.engine.mcp.answers"
local call_log = require "moonlet.engine.mcp.call_log"
local presets = require "moonlet.engine.mcp.presets"
local protocol = require "moonlet.engine.mcp.protocol"
local record = require "moonlet.record"

local M = {}

local page_size = 40

---@class moonlet.McpTool
---@field name string
---@field title string
---@field description string
---@field properties table<string, table>   JSON Schema of each argument
---@field required string[]?
---@field reads boolean?   true if the tool changes nothing and costs nothing
---@field needs "sessions"|nil   listed only if the config allows some sessions
---@field run fun(call: moonlet.McpCall): table

---@class moonlet.McpCall
---@field server moonlet.McpServer
---@field request moonlet.McpRequest
---@field tool string
---@field arguments table
---@field home table
---@field began integer  time on the monotonic clock
---@field run string?   run that the call concerns, for the log

local repo_schema = { type = "string",
  description = "a folder of the work tree, where the server serves several" }

local function is_offered(server, tool)
  if server.is_worker and not tool.reads then return false end
  return tool.needs ~= "sessions" or #server.rights.sessions > 0
end

--- Returns the tools other than those of presets, in the order of the list.
---@return moonlet.McpTool[]
local function offered(server)
  local list = {}
  for _, room in ipairs { "runs", "work", "sessions" } do
    for _, tool in ipairs(require("moonlet.engine.mcp." .. room).tools) do
      if is_offered(server, tool) then list[#list + 1] = tool end
    end
  end
  return list
end

--- Returns the names of the presets that the client can call as MCP tools.
local function preset_names(server) return server.is_worker and {} or server.rights.presets end

local function schema_of(tool, with_repo)
  local properties = {}
  for name, schema in pairs(tool.properties) do properties[name] = schema end
  if with_repo then properties.repo = repo_schema end
  return { type = "object", properties = properties,
    required = tool.required and core.json.array(tool.required) or nil,
    additionalProperties = false }
end

--- Describes a tool for the client. The argument `repo` is only for a server with several work trees.
local function described(server, tool)
  return { name = tool.name, title = tool.title, description = tool.description,
    inputSchema = schema_of(tool, #server.places.homes > 1),
    annotations = { title = tool.title, readOnlyHint = tool.reads or false, destructiveHint = false,
      idempotentHint = tool.reads or false, openWorldHint = not tool.reads } }
end

--- Returns the part of a list that starts at the client's cursor, and the cursor of the next part.
--- At the end of the list, this cursor is nil.
---@param list table[]
---@param size integer
---@return table[] items, string? next_cursor
function M.page(list, params, size)
  local first = 1
  if params.cursor ~= nil then
    first = type(params.cursor) == "string" and #params.cursor < 10
      and math.tointeger(tonumber(params.cursor)) or 0
    if first < 2 or first > #list then
      protocol.fail("params", "the cursor does not belong to this list")
    end
  end
  local last = math.min(first + size - 1, #list)
  return core.json.array(table.move(list, first, last, 1, {})),
    last < #list and tostring(last + 1) or nil
end

function M.list(server, request)
  server:await_roots()
  local list = {}
  for _, tool in ipairs(offered(server)) do list[#list + 1] = described(server, tool) end
  for _, name in ipairs(preset_names(server)) do
    local tool = presets.tool(server, name)
    if tool then list[#list + 1] = described(server, tool) end
  end
  local tools, cursor = M.page(list, request.params, page_size)
  return { tools = tools, nextCursor = cursor }
end

local function find(server, name)
  local names = {}
  for _, tool in ipairs(offered(server)) do
    if tool.name == name then return tool end
    names[#names + 1] = tool.name
  end
  for _, preset in ipairs(preset_names(server)) do
    if presets.tool_name(preset) == name then
      local tool = presets.tool(server, preset)
      if tool then return tool end
    end
    names[#names + 1] = presets.tool_name(preset)
  end
  return nil, record.suggest(name, names)
end

--- Checks a call and executes its tool. Raises the tool's error.
local function run(call)
  local tool, hint = find(call.server, call.tool)
  if not tool then
    protocol.fail("params",
      ("there is no tool '%s'; %s"):format(core.text.printable(call.tool, 60), hint))
  end
  local wrong = core.json.validate(schema_of(tool, true), call.arguments)
  if wrong then
    wrong = wrong:gsub("^%- ", "")
    error({ kind = "invalid", message = ("%s: %s"):format(tool.name,
      core.text.printable(wrong, 400)), hint = "its input schema says what it takes" }, 0)
  end
  call.home = call.server.places:find(call.arguments.repo)
  return tool.run(call)
end

local function error_in(result)
  local data = result.structuredContent
  return result.isError and type(data) == "table" and data.error or nil
end

function M.call(server, request)
  local params = request.params
  if type(params.name) ~= "string" then protocol.fail("params", "tools/call: name is a text") end
  local arguments = params.arguments == nil and {} or params.arguments
  if not protocol.is_object(arguments) then
    protocol.fail("params", "tools/call: arguments is an object")
  end
  server:await_roots()
  local call = { server = server, request = request, tool = params.name, arguments = arguments,
    home = server.places:find(), began = core.clock.monotonic() }
  local ok, result = pcall(run, call)
  local err = request.cancelled and { kind = "cancelled",
    message = "the client cancelled the call" }
    or not ok and result or ok and error_in(result) or nil
  if type(err) == "string" then err = { kind = "failed", message = err } end
  call_log.add(call.home, { client = request.client, tool = params.name, arguments = arguments,
    run = call.run, error = err })
  if not ok and type(result) == "table" and rawget(result, "kind") == "protocol" then
    error(result, 0)
  end
  return ok and result or answers.failure(result)
end

return M
