--- Failures of the host's own files: a full disk says nothing of the step at which it was noticed. They are
--- raised like all others, but are put on record as the end of no step, and end nobody else's.
local M = {}

-- Beside the errors, not in them: a script cannot make one, and sees none of this.
local known = setmetatable({}, { __mode = "k" })

--- What the system says of a file; anything else is a mistake of the script, or the end of the run.
local kinds = { failed = true, denied = true, lost = true }

--- Whether what was raised is such a failure.
---@param err any
---@return boolean
function M.is(err) return type(err) == "table" and known[err] == true end

--- Says of an error that it is one, if it is of a kind that can be.
---@param err any
---@return any err
function M.mark(err)
  if type(err) == "table" and kinds[rawget(err, "kind") or ""] then known[err] = true end
  return err
end

--- Calls `fn`, whose failures are the host's own.
---@param fn function
---@return any ...  what it returned
function M.call(fn, ...)
  local results = table.pack(pcall(fn, ...))
  if not results[1] then
    -- Of a task that is cancelled it may be what it is cancelled with.
    error(core.task.pending_error() == nil and M.mark(results[2]) or results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

return M
