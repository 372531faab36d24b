--- Rolls back merges that a killed host left half done, with some changes in the work tree.
local merge_receipt = require "moonlet.engine.workspace.merge_receipt"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local files = require "moonlet.engine.base.files"
local merge_apply = require "moonlet.engine.workspace.merge_apply"
local merge_plan = require "moonlet.engine.workspace.merge_plan"
local write_lock = require "moonlet.engine.workspace.write_lock"

local M = {}

local merge_ms = 10 * 1000 -- maximum wait for another writer of the work tree

local function bring_back(run, dir, folder)
  local ok, undone = pcall(function()
    local release = write_lock.hold(run, "the merge", merge_ms)
    local done, result
    if merge_receipt.is_there(folder) then
      -- The merge was completed but not reported.
      done, result = pcall(merge_apply.forget, run, dir)
    else
      done, result = pcall(merge_apply.undo, run, dir)
    end
    release()
    if not done then error(result, 0) end
    return result
  end)
  if ok and not undone then return end
  if not ok and infrastructure_error.is(undone) then error(undone, 0) end
  run.emit("warning", { text = ok
    and "an interrupted merge is undone: the agent's work is in its worktree"
    or ("an interrupted merge is not undone: %s; see %s"):format(
      type(undone) == "table" and tostring(undone.message) or tostring(undone),
      run.absolute(merge_plan.folder(dir))) })
end

--- Lists the step folders that contain a started merge.
local function begun_merges(run)
  local root = files.root(run.absolute(run.sidecar))
  local list, dirs = {}, { run.sidecar }
  for _, entry in ipairs(root and files.list(root, "steps") or {}) do
    if entry.type == "directory" then dirs[#dirs + 1] = run.sidecar .. "/steps/" .. entry.name end
  end
  for _, dir in ipairs(dirs) do
    local folder = files.root(run.absolute(dir))
    if folder and files.is_there(folder, "landing") then
      list[#list + 1] = { dir = dir, folder = folder }
    end
  end
  return list
end

--- Reports whether a killed host left a merge half done.
---@param run { absolute: fun(path: string), sidecar: string }
function M.is_half_merged(run)
  for _, place in ipairs(begun_merges(run)) do
    if files.is_there(place.folder, "landing/record")
        and not merge_receipt.is_there(place.folder) then
      return true
    end
  end
  return false
end

--- Rolls back the unfinished merges of earlier hosts. The worktrees still contain the changes.
function M.bring_back(run)
  for _, place in ipairs(begun_merges(run)) do bring_back(run, place.dir, place.folder) end
end

return M
