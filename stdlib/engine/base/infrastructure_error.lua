--- Marks infrastructure errors: failures of the host's own files, such as a full disk. They do not
--- end the step in which they occur, and are not recorded as its outcome.
local M = {}

-- Marked errors are listed here instead of having a field, so that a script can neither forge nor
-- read the mark.
local known = setmetatable({}, { __mode = "k" })

--- System failures of files have these kinds. Errors of any other kind are a script's mistake or
--- end the run.
local kinds = { failed = true, denied = true, lost = true }

function M.is(err) return type(err) == "table" and known[err] == true end

--- Marks an error as an infrastructure error if its kind allows that.
function M.mark(err)
  if type(err) == "table" and kinds[rawget(err, "kind") or ""] then known[err] = true end
  return err
end

---@return any ...  results of `fn`
function M.call(fn, ...)
  local results = table.pack(pcall(fn, ...))
  if not results[1] then
    -- In a cancelled task the error may be the cancellation.
    error(core.task.pending_error() == nil and M.mark(results[2]) or results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

---@param spec table  argument of core.process.run
function M.run_child(spec) return M.call(core.process.run, spec) end

return M
