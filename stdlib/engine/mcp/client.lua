--- The program at the other end: its name, the revision it speaks and what it can do. A client up
--- to 2025-11-25 says so once, with `initialize`; a later one with each request. The name is the
--- client's own word: it tells its runs from those of other clients, and grants nothing.
local protocol = require "moonlet.engine.mcp.protocol"

local M = {}

local prefix = "io.modelcontextprotocol/"

---@class moonlet.McpClient
---@field name string
---@field version string
---@field revision string
---@field elicits boolean   it can put a form before a person
---@field roots boolean     it can say which folders it works in

local function text_of(value, size)
  return type(value) == "string" and value ~= "" and core.text.printable(value, size) or nil
end

local function of(info, capabilities, revision)
  info = protocol.is_object(info) and info or {}
  capabilities = protocol.is_object(capabilities) and capabilities or {}
  local elicitation = capabilities.elicitation
  local modes = protocol.is_object(elicitation) and elicitation or {}
  return { name = text_of(info.name, 80) or "unknown", version = text_of(info.version, 40) or "",
    revision = revision,
    -- A client that names no mode has the only one that there was once: forms.
    elicits = protocol.is_object(elicitation) and (modes.form ~= nil or modes.url == nil),
    roots = protocol.is_object(capabilities.roots) }
end

--- Returns the client that sent an `initialize`. An unknown revision becomes the newest one that has
--- a handshake.
---@param params table
---@return moonlet.McpClient
function M.of_initialize(params)
  if type(params.protocolVersion) ~= "string" then
    protocol.fail("params", "initialize: protocolVersion is a text")
  end
  local asked = params.protocolVersion
  local is_spoken = protocol.is_known(asked) and asked ~= protocol.stateless
  return of(params.clientInfo, params.capabilities, is_spoken and asked or protocol.revisions[2])
end

--- Returns the client of a request that carries its revision, or nil for other requests.
---@param params table
---@return moonlet.McpClient?
function M.of_request(params)
  local meta = protocol.is_object(params._meta) and params._meta or {}
  local revision, capabilities = meta[prefix .. "protocolVersion"], meta[prefix .. "clientCapabilities"]
  if revision == nil then return nil end
  if type(revision) ~= "string" then protocol.fail("params", "_meta: protocolVersion is a text") end
  if revision ~= protocol.stateless then
    protocol.fail("revision", "this revision is not spoken in this way",
      { supported = core.json.array { table.unpack(protocol.revisions) }, requested = revision })
  end
  if not protocol.is_object(capabilities) then
    protocol.fail("params", "_meta: clientCapabilities is an object, if only an empty one")
  end
  return of(meta[prefix .. "clientInfo"], capabilities, revision)
end

--- Completes a result for the revision of a client: the newest one marks each.
---@param client moonlet.McpClient
---@param result table
---@param method string
---@return table
function M.complete(client, result, method)
  if client.revision ~= protocol.stateless then return result end
  result.resultType = result.resultType or "complete"
  local is_list = method:find "/list$" or method == "server/discover" or method == "resources/read"
  if is_list and result.resultType == "complete" then
    result.ttlMs, result.cacheScope = 0, "private"
  end
  result._meta = result._meta or {}
  result._meta[prefix .. "serverInfo"] = M.server_info()
  return result
end

---@return table
function M.server_info()
  return { name = "moonlet", title = "moonlet", version = core.system.version }
end

return M
