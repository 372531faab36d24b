--- The host's own files. A missing file reads as nil. A file that cannot be examined or written raises an
--- infrastructure error, for it may well exist.
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"

local M = {}

--- Raises an infrastructure error for one of the host's own files.
---@param err table
function M.fail(err) error(infrastructure_error.mark(err), 0) end

local function found(value, err, ...)
  -- The kind `invalid` is that of paths that lead nowhere.
  if value == nil and err.kind ~= "invalid" then M.fail(err) end
  return value, err, ...
end

--- The value of a call of core.file; raises if there is none.
---@generic T
---@param value T?
---@param err table?
---@return T
function M.must(value, err)
  if not value then M.fail(err) end
  return value
end

---@param path string
---@return any? root
function M.root(path) return (found(core.file.root(path))) end

---@return string? text
function M.read(root, path, cap) return (found(core.file.read(root, path, cap))) end

---@return table? info
function M.stat(root, path) return (found(core.file.stat(root, path))) end

---@return boolean
function M.is_there(root, path) return M.stat(root, path) ~= nil end

---@return table[]? entries
function M.list(root, path) return (found(core.file.list(root, path))) end

---@param path string  a folder, which is made if it does not exist
---@return any root
function M.make_root(path) return M.must(core.file.make_root(path)) end

--- Writes a file in one step, and durably.
function M.write(root, path, text) M.must(core.file.write(root, path, text)) end

--- A file that the agent may have left: nil when there is none that can be used. A read that the system refuses
--- raises an infrastructure error, for it proves neither that there is an answer nor that there is none.
---@param run table
---@param path string
---@param cap integer
---@return string? text, boolean? cut
function M.read_left(run, path, cap)
  local text, err, cut = run.read_artifact(path, cap)
  if not text and err.kind == "failed" then error(infrastructure_error.mark(err), 0) end
  return text, cut
end

return M
