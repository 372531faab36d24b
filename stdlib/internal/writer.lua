--- The locks that all runs of a repository share: of whoever writes the work tree, an agent in place, for as long
--- as it works, or a merge; and of whoever makes or removes a worktree, at which git itself looks at all the others.
local M = {}

local short_ms, long_ms = 20, 200
local told_after = 50 -- tries: a merge is soon over

local function hold(run, key, name, what)
  local root, err = core.file.root(run.home.agent_path)
  if not root then error(err, 0) end
  local tries = 0
  while true do
    local held = core.file.lock(root, name, 0)
    if held then return function() core.file.unlock(held) end end
    tries = tries + 1
    if tries == told_after then
      run.emit("log", { step = key, text = what })
    end
    core.task.sleep(tries < told_after and short_ms or long_ms)
  end
end

--- Takes the work tree; waits while another has it. Gives the function that lets go of it.
---@param run table
---@param key string
---@return fun()
function M.hold(run, key) return hold(run, key, "writer.lock", "waits for another agent that writes in place") end

--- Calls fn(…) while nobody else makes or removes a worktree.
---@param run table
---@param key string
---@param fn function
function M.with_worktrees(run, key, fn, ...)
  local release = hold(run, key, "worktrees.lock", "waits for another run that makes a worktree")
  local ok, err = pcall(fn, ...)
  release()
  if not ok then error(err, 0) end
end

return M
