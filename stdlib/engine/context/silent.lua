--- Warns about a function without a return value, which usually loses agents' answers.
--- A run warns only about the first function without a return value.
local M = {}

---@param told string     description of the mistake
---@param fn function     function whose place is reported
function M.tell(run, told, fn)
  if run.silent_told then return end
  run.silent_told = true
  run.emit("warning",
    { text = ("%s (%s): write return, if %s"):format(told, core.text.place(fn) or "its function",
    told:find "branch" and "their results matter" or "its result matters") })
end

---@param path string     prefix of the keys of the function's steps
---@param results {n: integer}  the function's results
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
