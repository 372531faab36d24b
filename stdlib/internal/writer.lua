--- The lock of whoever writes the work tree: an agent in place, for as long as it works, or a merge. There is
--- one of it for all runs of a repository.
local M = {}

local short_ms, long_ms = 20, 200
local told_after = 50 -- tries: a merge is soon over

--- Takes it; waits while another has it. Gives the function that lets go of it.
---@param run table
---@param key string
---@return fun()
function M.hold(run, key)
  local root, err = core.file.root(run.home.agent_path)
  if not root then error(err, 0) end
  local tries = 0
  while true do
    local held = core.file.lock(root, "writer.lock", 0)
    if held then return function() core.file.unlock(held) end end
    tries = tries + 1
    if tries == told_after then
      run.emit("log", { step = key, text = "waits for another agent that writes in place" })
    end
    core.task.sleep(tries < told_after and short_ms or long_ms)
  end
end

return M
