--- The repository or folder that a command works on.
local M = {}

--- The home of `--repo`, or of the working directory; raises where there is none.
---@param repo string?
---@return table home  { handle, top, agent_path, git, root }
function M.open(repo)
  local folder = repo or core.system.cwd()
  if folder:sub(1, 1) ~= "/" then folder = core.system.cwd() .. "/" .. folder end
  local home = core.run.home(folder)
  local root, err = core.file.root(home.top)
  if not root then error(err, 0) end
  home.root = root
  return home
end

return M
