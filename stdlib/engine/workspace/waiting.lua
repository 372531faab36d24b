--- Keeps the worktree of an agent that asked a question.
--- Nothing is merged before the answer, and the agent's next step continues in the worktree.
--- A patch preserves the changes if the run is cancelled or the worktree is removed.
local files = require "moonlet.engine.base.files"
local merge_apply = require "moonlet.engine.workspace.merge_apply"
local worktree = require "moonlet.engine.workspace.worktree"
local worktree_changes = require "moonlet.engine.workspace.worktree_changes"

local M = {}

---@class moonlet.Waiting
---@field key string      key of the step that created the worktree
---@field path string     path of the worktree
---@field patch string?   file with the changes, relative to `.agent`
---@field count integer   number of changed files
---@field is_empty boolean  true if the agent changed nothing

--- Keeps a worktree until the question is answered, and writes its patch.
---@param dir string    folder of the step, below `.agent`
---@param owner string  key of the step that created the worktree
---@param name string   name of the patch in `dir`
---@return moonlet.Waiting
function M.leave(run, key, dir, tree, owner, name)
  local patch, count, others = dir .. "/" .. name, 0, 0
  worktree_changes.with(run, key, dir, tree, patch, function(changes, left)
    count = #changes
    others = #left.files + #left.folders + #left.histories + #left.submodules
  end)
  if count == 0 then core.file.remove(files.must(core.file.root(run.absolute(dir))), name) end
  return { key = owner, path = tree.path, patch = count > 0 and patch or nil, count = count,
    is_empty = count + others == 0 }
end

--- Restores the changes of a missing worktree by applying their patch to a new worktree.
---@param waiting moonlet.Waiting
function M.restore(run, key, tree, waiting)
  if not waiting.patch then return end
  local patch = run.absolute(waiting.patch)
  local ok, err = pcall(worktree_changes.apply, run, key, tree, patch)
  if ok then return end
  merge_apply.shielded(worktree.remove, run, key, tree)
  local why = type(err) == "table" and err.message or err
  error({ kind = "failed", hint = ("merge %s by hand, then start a new run"):format(patch),
    message = ("the worktree %s is gone, and its changes do not fit the files as they are now: %s")
      :format(waiting.path, tostring(why)) }, 0)
end

--- Removes a worktree that was kept for a question, because no step will continue in it.
--- Returns a note that names the patch with the agent's changes, or nil if there is no patch.
---@param waiting moonlet.Waiting
function M.give_up(run, waiting)
  worktree.remove_left(run, waiting.key, waiting.path)
  if not waiting.patch then return nil end
  return ("the agent's changes (%d %s) are not merged, and are in %s"):format(waiting.count,
    waiting.count == 1 and "file" or "files", run.absolute(waiting.patch))
end

return M
