--- Functions without a return: a slip, mostly, by which what agents said is lost. A run reports the first of them.
local M = {}

---@param run moonlet.Run
---@param told string     what is wrong
---@param fn function     it has the place
function M.tell(run, told, fn)
  if run.silent_told then return end
  run.silent_told = true
  run.emit("warning", { text = ("%s (%s): write return, if %s"):format(told, core.text.place(fn) or "its function",
    told:find "branch" and "their results matter" or "its result matters") })
end

--- Reports a body that asked agents and returned nothing at all.
---@param run moonlet.Run
---@param what string
---@param path string     of its steps
---@param fn function
---@param results {n: integer}  what it returned
function M.check(run, what, path, fn, results)
  if results.n > 0 then return end
  for _, step in ipairs(run.steps) do
    if step.kind == "agent" and step.key:sub(1, #path) == path then
      M.tell(run, what .. " asks agents and returns nothing", fn)
      return
    end
  end
end

return M
