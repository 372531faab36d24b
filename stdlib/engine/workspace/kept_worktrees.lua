--- Formats messages about kept worktrees, and about files that exist only in a kept worktree.
local names = require "moonlet.git.names"

local M = {}

--- Returns the command that removes a kept worktree.
function M.removal(path)
  return "git worktree remove --force --force "
    .. (names.shell_word(path) or core.text.printable(path, 400))
end

--- Formats the first paths of a list for a message.
function M.shown(list)
  local more = #list > 8 and (" and %d more"):format(#list - 8) or ""
  return core.text.printable(table.concat(list, ", ", 1, math.min(#list, 8)), 300) .. more
end

--- Describes the files that the merge did not carry over, so that only the worktree has them.
---@param left moonlet.LeftBehind
function M.left_behind(path, left)
  local parts = {}
  local function add(list, text)
    if #list > 0 then parts[#parts + 1] = text:format(M.shown(list)) end
  end
  add(left.histories,
    "the agent made a repository of its own: the files in %s were carried over, its history "
      .. "was not")
  add(left.files, "git does not take what the agent made as %s")
  add(left.ours, "%s is in moonlet's own folder, where no agent writes, and was not carried over")
  add(left.submodules, "the removal of the submodule %s was not carried over")
  if #parts == 0 then return nil end
  return ("%s, and is kept in %s; when you no longer need it: %s"):format(table.concat(parts, "; "),
    path, M.removal(path))
end

--- Explains which files were not merged because they start programs.
---@param dir string  absolute path of the folder with the patch of these files
function M.held_back(paths, dir)
  local patch = dir .. "/held-back.patch"
  return ("held back from the merge, because %s on this machine: %s; read %s, and apply it "
    .. "with: git apply %s"):format(
    #paths == 1 and "it starts programs" or "they start programs", M.shown(paths),
    core.text.printable(patch, 400), names.shell_word(patch) or core.text.printable(patch, 400))
end

--- Describes a kept worktree for a person.
function M.text(path)
  return ("worktree: %s (%s drops it)"):format(core.text.printable(path, 400), M.removal(path))
end

return M
