--- Marks infrastructure errors: failures of the host's own files, such as a full disk.
--- An infrastructure error does not end its step, and is not recorded as the step's outcome.
local M = {}

-- Marks are in this table and not in the errors, so that a script can neither forge nor read them.
local known = setmetatable({}, { __mode = "k" })

--- Only errors of these kinds can be infrastructure errors.
local kinds = { failed = true, denied = true, lost = true }

function M.is(err) return type(err) == "table" and known[err] == true end

--- Marks an error as an infrastructure error if its kind is in `kinds`.
function M.mark(err)
  if type(err) == "table" and kinds[rawget(err, "kind") or ""] then known[err] = true end
  return err
end

---@return any ...  results of `fn`
function M.call(fn, ...)
  local results = table.pack(pcall(fn, ...))
  if not results[1] then
    -- Do not mark the error in a cancelled task, because it may be the cancellation itself.
    error(core.task.pending_error() == nil and M.mark(results[2]) or results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

---@param spec table  argument of core.process.run
function M.run_child(spec) return M.call(core.process.run, spec) end

return M
