--- Compares paths after following symbolic links, because two names may lead to one file.
local M = {}

--- Follows every link in a path, even if its last parts do not exist.
--- Returns nil if `.` or `..` follows a part that does not exist.
---@param path string  absolute path
function M.real(path)
  local rest = ""
  while true do
    local real = core.system.real_path(path)
    if real then return rest == "" and real or (real == "/" and "" or real) .. rest end
    local parent, name = path:match("^(.*)/([^/]+)/*$")
    if not parent or name == ".." or name == "." then return nil end
    rest = "/" .. name .. rest
    path = parent == "" and "/" or parent
  end
end

--- Reports whether a path is the given folder or inside it. Both must be results of real().
function M.holds(folder, path)
  return folder == "/" or path == folder or path:sub(1, #folder + 1) == folder .. "/"
end

--- Reports whether a path is a `.git` or `.agent` folder or inside one, in upper or lower case.
function M.is_reserved(path)
  for name in path:gmatch("[^/]+") do
    local lower = name:lower()
    if lower == ".git" or lower == ".agent" then return true end
  end
  return false
end

--- Returns a path's real location relative to the top of the repository, where "" is the top.
--- Returns nil and a reason if no agent may write there.
---@param path string  relative to the top, or absolute
function M.of_repository(run, path)
  local top = core.system.real_path(run.top)
  local real = M.real(path:sub(1, 1) == "/" and path or run.top .. "/" .. path)
  if not top or not real then return nil, "leads nowhere" end
  if not M.holds(top, real) then return nil, "leads out of the repository, to " .. real end
  local relative = real:sub(#top + 2)
  if M.is_reserved(relative) then
    return nil, "leads into " .. relative .. ", which no agent may write"
  end
  return relative, nil, real
end

return M
