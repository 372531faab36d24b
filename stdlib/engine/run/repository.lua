--- Locates the repository or folder in which a command works.
local record = require "moonlet.record"

local M = {}

--- Returns the folder of `--repo`, or the working directory.
function M.folder(repo)
  local cwd = core.system.cwd()
  if repo == "" then
    local err = record.invalid("--repo is empty",
      "name a folder, or leave --repo out for the working directory")
    err.usage = true
    error(err, 0)
  end
  return not repo and cwd or repo:sub(1, 1) == "/" and repo or cwd .. "/" .. repo
end

function M.agent_path(repo)
  local folder = M.folder(repo)
  local ok, home = pcall(core.run.home, folder)
  return ok and home.agent_path or folder:gsub("/+$", "") .. "/.agent"
end

--- Opens the repository of the folder `--repo`, or the folder itself if it has none.
---@return table home  { handle, top, agent_path, git, root, from }; `from` is the folder that was opened
function M.open(repo)
  local home = core.run.home(M.folder(repo))
  home.root, home.from = assert(core.file.root(home.top)), M.folder(repo)
  return home
end

--- Reports whether this is a linked work tree, whose runs are in the main work tree's `.agent`.
function M.is_linked(home) return home.agent_path ~= home.top .. "/.agent" end

--- Opens the work tree in which a run was started, even if the repository has moved since then.
function M.of_run(home, rec)
  local top = rec.top
  if type(top) ~= "string" or top == home.top then return home end
  local ok, there = pcall(M.open, top)
  if ok and there.agent_path == home.agent_path then return there end
  if (rec.linked == true) == M.is_linked(home) then return home end
  record.refuse(("%s was started in a work tree that is not there any more"):format(rec.id),
    "bring it back (git worktree add), or name the one in its place: --repo DIR", top)
end

--- Converts a recorded path in a run's work tree, which may have moved since.
function M.moved(home, rec, path)
  local top = rec.top
  if type(top) ~= "string" or top == home.top or path:sub(1, #top + 1) ~= top .. "/" then
    return path
  end
  return home.top .. path:sub(#top + 1)
end

return M
