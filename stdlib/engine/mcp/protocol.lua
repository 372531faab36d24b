--- Parses and formats messages of the Model Context Protocol: JSON-RPC 2.0, one object per line.
local M = {}

local null = core.json.null

--- Lists the protocol revisions that the server supports, newest first.
--- Since the revision `stateless`, each request contains what `initialize` negotiated before.
M.revisions = { "2026-07-28", "2025-11-25", "2025-06-18" }
M.stateless = "2026-07-28"

M.codes = { parse = -32700, request = -32600, method = -32601, params = -32602, internal = -32603,
  busy = -32000, revision = -32022 }

--- Limits the size of a client's message, in bytes.
M.line_cap = 4 << 20

function M.is_known(revision)
  for _, known in ipairs(M.revisions) do
    if known == revision then return true end
  end
  return false
end

--- Raises an error that becomes a JSON-RPC error, not the result of a tool that failed.
---@param code "parse"|"request"|"method"|"params"|"internal"|"busy"|"revision"
---@param data any?
function M.fail(code, message, data)
  error({ kind = "protocol", message = message, code = M.codes[code], data = data }, 0)
end

---@class moonlet.McpMessage
---@field kind "request"|"notification"|"response"
---@field id string|integer|nil
---@field method string?
---@field params table?
---@field result table?
---@field error table?

function M.is_object(value)
  return type(value) == "table" and value ~= null and not core.json.is_array(value)
end

function M.is_id(value) return type(value) == "string" or math.type(value) == "integer" end

local is_object, is_id = M.is_object, M.is_id

--- Parses a line. Returns a message, or nil and an error with the id of the request.
---@return moonlet.McpMessage?
---@return table? err  with code, message and id
function M.read(line)
  local function bad(code, message, id)
    return nil, { code = M.codes[code], message = message, id = is_id(id) and id or nil }
  end
  local decoded, value = pcall(core.json.decode, line)
  if not decoded then
    return bad("parse",
      "the line is not JSON: " .. core.text.printable(tostring(value.message), 200))
  end
  if not is_object(value) then
    local is_batch = type(value) == "table" and value ~= null
    return bad("request",
      is_batch and "no revision here has batches: send each message on a line of its own"
      or "a message is a JSON object")
  end
  local id = value.id
  if value.jsonrpc ~= "2.0" then return bad("request", 'a message has "jsonrpc": "2.0"', id) end
  if value.method == nil then
    local answers = is_object(value.result) or is_object(value.error)
    if not answers or not is_id(id) then
      return bad("request", "a message has a method, or answers a request", id)
    end
    return { kind = "response", id = id, result = is_object(value.result) and value.result or nil,
      error = value.error }
  end
  if type(value.method) ~= "string" then return bad("request", "the method is a text", id) end
  if id ~= nil and not is_id(id) then return bad("request", "an id is a text or a whole number") end
  local params = value.params
  if params ~= nil and not is_object(params) then
    return bad("params", "params is an object", id)
  end
  return { kind = id == nil and "notification" or "request", id = id, method = value.method,
    params = params or {} }
end

--- Formats a message as a line. JSON escapes newlines in texts of the message.
---@param message table
function M.line(message)
  message.jsonrpc = "2.0"
  return core.json.encode(message) .. "\n"
end

return M
