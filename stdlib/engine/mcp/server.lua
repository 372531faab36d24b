--- `moonlet mcp` reads one client's messages from standard input and answers on standard output.
--- Each slow request has its own task. Other processes drive the runs.
local client_of = require "moonlet.engine.mcp.client"
local places = require "moonlet.engine.mcp.places"
local protocol = require "moonlet.engine.mcp.protocol"
local resources = require "moonlet.engine.mcp.resources"
local tools = require "moonlet.engine.mcp.tools"
local task = core.task

local M = {}

local null = core.json.null
local poll_ms = 20
local roots_patience_ms = 5000
local close_ms = 10000

--- Limits the number of parallel requests. Further requests are refused.
local most_requests = 128

---@class moonlet.McpRequest
---@field server moonlet.McpServer
---@field id string|integer
---@field method string
---@field params table
---@field client moonlet.McpClient
---@field scope any          cancel scope of the request's task
---@field cancelled boolean?

---@class moonlet.McpServer
---@field rights moonlet.ClientRights
---@field is_worker boolean   true if an agent of a run started the server: its client may only read
---@field places moonlet.McpPlaces
---@field client moonlet.McpClient?   set by initialize
---@field open table<string|integer, moonlet.McpRequest>
---@field count integer       number of running requests
---@field asked table<string, table>  requests to the client that have no answer yet, by id
---@field forms table<string, table>  forms that were sent to the client, by run and gate
---@field runs table<string, table>   runs that this server started: id -> home
---@field token string        identifies this server in the records of its runs
local Server = {}
Server.__index = Server

local function print_message(message) core.system.print(1, protocol.line(message)) end

local function error_of(err)
  if type(err) == "table" and rawget(err, "kind") == "protocol" then
    return { code = err.code, message = err.message, data = err.data }
  end
  local message = type(err) == "table" and rawget(err, "message") or err
  return { code = protocol.codes.internal, message = core.text.printable(tostring(message), 400) }
end

--- Reports an invalid or refused line as an error. If the line has no id, the error has the id null
--- before protocol revision 2025-11-25, and no id since.
function Server:refuse(err)
  local is_newer = self.client and self.client.revision ~= "2025-06-18"
  local id = err.id
  if id == nil and not is_newer then id = null end
  print_message { id = id, error = { code = err.code, message = err.message } }
end

function M.notify(method, params) print_message { method = method, params = params } end

local number = 0

--- Sends a request to the client, and returns at once.
---@param params table?
---@return table asked  has `answer` once the client has answered
function Server:ask(method, params)
  number = number + 1
  local asked = { id = "moonlet-" .. number }
  self.asked[asked.id] = asked
  print_message { id = asked.id, method = method, params = params }
  return asked
end

--- Waits for the client's answer to a request. Returns nil after the deadline.
---@param asked table
---@param until_ms integer  on the monotonic clock
function Server.await_answer(asked, until_ms)
  while not asked.answer and core.clock.monotonic() < until_ms do task.sleep(poll_ms) end
  return asked.answer
end

--- Asks the client for its folders, without waiting. Tool calls wait for the answer.
function Server:ask_roots()
  local asked = self:ask("roots/list")
  self.roots_asked = asked
  task.spawn(self.scope, function()
    local answer = Server.await_answer(asked, core.clock.monotonic() + roots_patience_ms)
    if self.roots_asked ~= asked then return end
    self.roots_asked = nil
    if answer and answer.result then self.places:take_roots(answer.result.roots) end
  end)
end

--- Waits until the client has sent its folders, or has not answered in time.
function Server:await_roots()
  while self.roots_asked do task.sleep(poll_ms) end
end

local instructions = [[
moonlet runs presets that put other coding agents to work: reviews, scans, drafts, bounded changes.
Delegate work that is bounded and that you can check; keep decisions, integration and the final word.
- preset_NAME or run_preset starts a run. It answers within a minute, with the result or with the run's id: then
  call run_wait until the run has ended.
- A run parks at a gate (a person decides; no tool here approves) or at a question of its agent, which you may
  answer with the tool `answer` if you know the answer. Tell the user how to continue where the result says so.
- Findings are claims: check them before you act. Long results are files; the answer names their
  path.]]

local function capabilities() return { tools = {}, resources = {} } end

local methods = { ["tools/list"] = tools.list, ["tools/call"] = tools.call,
  ["resources/list"] = resources.list, ["resources/templates/list"] = resources.templates,
  ["resources/read"] = resources.read }

methods["initialize"] = function(server, request)
  if server.client then protocol.fail("request", "the server is initialized already") end
  server.client = client_of.of_initialize(request.params)
  request.client = server.client
  return { protocolVersion = server.client.revision, capabilities = capabilities(),
    serverInfo = client_of.server_info(), instructions = instructions }
end

methods["ping"] = function() return {} end

methods["server/discover"] = function()
  return { supportedVersions = core.json.array { table.unpack(protocol.revisions) },
    capabilities = capabilities(), instructions = instructions }
end

--- Lists methods that never wait. Their requests are answered at once and in order.
local at_once = { ["initialize"] = true, ["ping"] = true, ["server/discover"] = true,
  ["resources/templates/list"] = true }

local function no_method(request)
  protocol.fail("method",
    ("there is no method '%s'"):format(core.text.printable(request.method, 80)))
end

--- Lists methods that the newest protocol revision no longer has.
local handshake_alone = { ["initialize"] = true, ["ping"] = true }

--- Sets `request.client`, the sender. Rejects a request that arrives before the handshake.
local function identify(server, request)
  local client = client_of.of_request(request.params)
  if client and handshake_alone[request.method] then no_method(request) end
  if request.method == "initialize" then return end
  request.client = client or server.client
  if request.client or request.method == "ping" then return end
  if request.method == "server/discover" then
    protocol.fail("params", "server/discover: _meta names no protocolVersion")
  end
  protocol.fail("request",
    "the session begins with initialize, or each request has its revision in _meta")
end

local function answer(server, request)
  local method = methods[request.method]
  if not method then no_method(request) end
  identify(server, request)
  local result = method(server, request)
  return client_of.complete(request.client or { revision = "" }, result, request.method)
end

--- Executes a request and sends the answer, unless the request was cancelled.
function Server:serve(request)
  local ok, result = pcall(answer, self, request)
  self.open[request.id] = nil
  self.count = self.count - 1
  if request.cancelled then return end
  print_message { id = request.id, result = ok and result or nil,
    error = not ok and error_of(result) or nil }
end

function Server:take_request(message)
  if self.open[message.id] then
    return self:refuse { code = protocol.codes.request, id = message.id,
      message = "a request with this id is under way" }
  elseif self.count >= most_requests then
    return self:refuse { code = protocol.codes.busy, id = message.id,
      message = ("%d requests are under way; ask again later"):format(self.count) }
  end
  local request = { server = self, id = message.id, method = message.method,
    params = message.params }
  self.open[message.id], self.count = request, self.count + 1
  if at_once[message.method] or not methods[message.method] then return self:serve(request) end
  task.spawn(self.scope, function()
    request.scope = task.open_scope {}
    if request.cancelled then
      task.cancel_scope(request.scope, { kind = "cancelled", message = "cancelled" })
    end
    local ok, err = pcall(self.serve, self, request)
    task.close_scope(request.scope)
    if request.cancelled and request.after_cancel then pcall(request.after_cancel) end
    if not ok then
      core.system.print(2, ("moonlet mcp: %s\n"):format(core.text.printable(tostring(err), 400)))
    end
  end)
end

local notifications = {}

notifications["notifications/initialized"] = function(server)
  if server.client and server.client.roots then server:ask_roots() end
end

notifications["notifications/roots/list_changed"] = notifications["notifications/initialized"]

--- Cancels a request. Ignores unknown ids, because opencode also cancels requests that have ended.
notifications["notifications/cancelled"] = function(server, params)
  local request = protocol.is_id(params.requestId) and server.open[params.requestId]
  if not request or request.cancelled then return end
  request.cancelled = true
  if not request.scope then return end
  task.cancel_scope(request.scope, { kind = "cancelled", message = "the client cancelled it" })
end

function Server:take(line)
  local message, err = protocol.read(line)
  if not message then return self:refuse(err) end
  if message.kind == "request" then
    self:take_request(message)
  elseif message.kind == "response" then
    local asked = self.asked[message.id] or {}
    self.asked[message.id], asked.answer = nil, message
  elseif notifications[message.method] then
    notifications[message.method](self, message.params)
  end
end

--- Closes the server after the client has disconnected or a signal has arrived. Ends the open requests.
--- Runs of the client continue, unless the config contains `vanished = "cancel"`.
function Server:close()
  local shield = task.open_scope { shield = true, timeout = close_ms,
    what = "the end of the server" }
  if self.rights.vanished == "cancel" then
    local command = require "moonlet.engine.mcp.command"
    for id, home in pairs(self.runs) do
      if core.runs.holder(home.handle, id) then
        pcall(command.run, { "run", "cancel", id, "--repo", home.top })
      end
    end
  end
  task.close_scope(shield)
  task.cancel_scope(self.scope, { kind = "cancelled", message = "the client is gone" })
  task.wait_scope(self.scope)
end

function Server:read_all()
  local input = core.terminal.input(protocol.line_cap)
  while true do
    local line, size = core.terminal.next(input)
    if not line and not size then break end
    if line then
      if line:find "%S" then self:take(line) end
    else
      self:refuse { code = protocol.codes.request,
        message = ("a message has at most %d bytes, not %d"):format(protocol.line_cap, size) }
    end
  end
end

--- Serves a client until it closes standard input.
---@param rights moonlet.ClientRights
---@param is_worker boolean
function M.serve(rights, is_worker)
  local server = setmetatable({ rights = rights, is_worker = is_worker, places = places.of_cwd(),
    open = {}, count = 0, asked = {}, forms = {}, runs = {}, token = core.clock.random_hex(8) },
    Server)
  server.scope = task.open_scope {}
  local ok, err = pcall(server.read_all, server)
  server:close()
  task.close_scope(server.scope)
  if not ok then error(err, 0) end
end

return M
