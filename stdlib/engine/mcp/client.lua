--- Describes the client: its name, its protocol revision and its capabilities.
--- A client up to revision 2025-11-25 identifies itself once in `initialize`.
--- A later client identifies itself in each request.
--- A client's name only separates its runs from the runs of other clients, and grants no rights.
local protocol = require "moonlet.engine.mcp.protocol"

local M = {}

local prefix = "io.modelcontextprotocol/"

---@class moonlet.McpClient
---@field name string
---@field version string
---@field revision string
---@field elicits boolean   true if the client can show a form to a person (elicitation)
---@field roots boolean     true if the client can list the folders it works in

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
    -- Forms were once the only mode, so a client that declares no modes supports forms.
    elicits = protocol.is_object(elicitation) and (modes.form ~= nil or modes.url == nil),
    roots = protocol.is_object(capabilities.roots) }
end

--- Returns the client that sent an `initialize` request.
--- Replaces an unknown protocol revision by the newest revision that has this handshake.
---@return moonlet.McpClient
function M.of_initialize(params)
  if type(params.protocolVersion) ~= "string" then
    protocol.fail("params", "initialize: protocolVersion is a text")
  end
  local asked = params.protocolVersion
  local is_spoken = protocol.is_known(asked) and asked ~= protocol.stateless
  return of(params.clientInfo, params.capabilities, is_spoken and asked or protocol.revisions[2])
end

--- Returns the client of a request that contains a protocol revision, or nil for other requests.
---@return moonlet.McpClient?
function M.of_request(params)
  local meta = protocol.is_object(params._meta) and params._meta or {}
  local revision, capabilities = meta[prefix .. "protocolVersion"],
    meta[prefix .. "clientCapabilities"]
  if revision == nil then return nil end
  if type(revision) ~= "string" then protocol.fail("params", "_meta: protocolVersion is a text") end
  if revision ~= protocol.stateless then
    protocol.fail("revision", "this protocol revision is not supported in this form",
      { supported = core.json.array { table.unpack(protocol.revisions) }, requested = revision })
  end
  if not protocol.is_object(capabilities) then
    protocol.fail("params", "_meta: clientCapabilities is an object, if only an empty one")
  end
  return of(meta[prefix .. "clientInfo"], capabilities, revision)
end

--- Completes a result with the fields that the client's protocol revision requires.
---@param client moonlet.McpClient
---@param result table
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

function M.server_info()
  return { name = "moonlet", title = "moonlet", version = core.system.version }
end

return M
