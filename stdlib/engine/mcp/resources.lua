--- Serves the artifacts of a client's own runs as MCP resources, for example
--- moonlet://runs/R-007/findings.md.
local protocol = require "moonlet.engine.mcp.protocol"
local store = require "moonlet.engine.run.store"
local tools = require "moonlet.engine.mcp.tools"

local M = {}

local page_size, most_runs = 50, 50
local read_cap = 1 << 20

local types = { md = "text/markdown", json = "application/json", patch = "text/x-diff",
  log = "text/plain", jsonl = "application/x-ndjson" }

local function is_own(request, rec)
  return require("moonlet.engine.mcp.runs").is_own(request.client, rec)
end

local function type_of(path) return types[path:match "%.(%l+)$"] or "text/plain" end

local function add_files(list, root, id, rec)
  for _, entry in ipairs(core.file.list(root, rec.sidecar) or {}) do
    if entry.type == "file" then
      local stat = core.file.stat(root, rec.sidecar .. "/" .. entry.name)
      list[#list + 1] = { uri = ("moonlet://runs/%s/%s"):format(id, entry.name),
        name = id .. " " .. entry.name, mimeType = type_of(entry.name),
        size = stat and stat.size or nil }
    end
  end
end

function M.list(server, request)
  server:await_roots()
  local list, home = {}, server.places:find()
  local root = store.root(home)
  for i, id in ipairs(root and store.ids(root) or {}) do
    if i > most_runs then break end
    local rec = store.look(root, id)
    if rec and is_own(request, rec) then add_files(list, root, id, rec) end
  end
  local resources, cursor = tools.page(list, request.params, page_size)
  return { resources = resources, nextCursor = cursor }
end

function M.templates()
  return { resourceTemplates = core.json.array { { uriTemplate = "moonlet://runs/{run}/{file}",
    name = "artifact", title = "A file of a run",
    description = "findings.md, output.md, changes.patch and others, of a run of yours" } } }
end

local function missing(request, uri)
  local is_newest = request.client.revision == protocol.stateless
  error({ kind = "protocol", code = is_newest and protocol.codes.params or -32002,
    message = "there is no such resource", data = { uri = uri } }, 0)
end

function M.read(server, request)
  local uri = request.params.uri
  if type(uri) ~= "string" then protocol.fail("params", "resources/read: uri is a text") end
  server:await_roots()
  local id, path = uri:match "^moonlet://runs/(R%-%d+)/([%w][%w._/-]*)$"
  local home = server.places:find()
  local root = store.root(home)
  if not id or path:find("..", 1, true) or not store.number(id) or not root then
    missing(request, uri)
  end
  local rec = store.look(root, id)
  if not rec or not is_own(request, rec) then missing(request, uri) end
  local text, _, cut, size = core.file.read(root, rec.sidecar .. "/" .. path, read_cap)
  if not text then missing(request, uri) end
  if cut then
    text = ("%s\n… cut at %d of %d bytes: %s/%s/%s\n"):format(text, read_cap, size or 0,
      home.agent_path, rec.sidecar, path)
  end
  return { contents = core.json.array { { uri = uri, mimeType = type_of(path),
    text = core.text.clean(text) } } }
end

return M
