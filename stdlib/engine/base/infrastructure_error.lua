--- Infrastructure errors: failures of the host's own files, such as a full disk, which say nothing of the step that
--- met them. They are raised like all others, but are recorded as the end of no step, and end no other.
local M = {}

-- Beside the errors, not in them: a script cannot make one, and sees none of this.
local known = setmetatable({}, { __mode = "k" })

--- Kinds that the system reports for a file; any other kind is a mistake of the script, or the end of the run.
local kinds = { failed = true, denied = true, lost = true }

--- Distinguishes an infrastructure error from every other one.
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

--- Calls `fn`; its failures become infrastructure errors.
---@param fn function
---@return any ...  its results
function M.call(fn, ...)
  local results = table.pack(pcall(fn, ...))
  if not results[1] then
    -- In a cancelled task the error may be the cancellation itself.
    error(core.task.pending_error() == nil and M.mark(results[2]) or results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

--- Runs a program; a failure of the host around it becomes an infrastructure error.
---@param spec table  of core.process.run
---@return table exit
function M.run_child(spec) return M.call(core.process.run, spec) end

return M
