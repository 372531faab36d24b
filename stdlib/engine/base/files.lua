--- Reads and writes the host's own files. A missing file reads as nil.
--- Any other failure raises an infrastructure error, because the file may exist.
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"

local M = {}

function M.fail(err) error(infrastructure_error.mark(err), 0) end

local function found(value, err, ...)
  -- An error of kind `invalid` means that the path does not exist, so it is not raised.
  if value == nil and err.kind ~= "invalid" then M.fail(err) end
  return value, err, ...
end

---@generic T
---@param value T?
---@return T
function M.must(value, err)
  if not value then M.fail(err) end
  return value
end

function M.root(path) return (found(core.file.root(path))) end

function M.read(root, path, cap) return (found(core.file.read(root, path, cap))) end

function M.stat(root, path) return (found(core.file.stat(root, path))) end

function M.is_there(root, path) return M.stat(root, path) ~= nil end

function M.list(root, path) return (found(core.file.list(root, path))) end

---@param path string  folder, which is created if it does not exist
function M.make_root(path) return M.must(core.file.make_root(path)) end

function M.write(root, path, text) M.must(core.file.write(root, path, text)) end

---@return string? text, table? err, boolean? cut
function M.read_path(path, cap)
  local folder, name = path:match "^(.*)/([^/]+)$"
  local root, err = core.file.root(folder == "" and "/" or folder)
  if not root then return nil, err end
  return core.file.read(root, name, cap)
end

--- Reads a file that an agent may have written, or returns nil.
--- A failed read raises an infrastructure error, because the file may contain an answer.
---@return string? text, boolean? cut
function M.read_left(run, path, cap)
  local text, err, cut = run.read_artifact(path, cap)
  if not text and err.kind == "failed" then error(infrastructure_error.mark(err), 0) end
  return text, cut
end

return M
