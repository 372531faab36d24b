--- Finds the file that an export writes or an import reads.
local record = require "moonlet.record"

local M = {}

--- Opens a file's folder, which must exist. Returns it, the file's name and its absolute path.
---@param path string   absolute, or relative to the working directory
---@param option string  name of the option in messages
---@return userdata dir, string name, string absolute
function M.of(path, option)
  if path:sub(1, 1) ~= "/" then path = core.system.cwd() .. "/" .. path end
  local folder, name = path:match "^(.*)/([^/]+)$"
  if not name or name == "." or name == ".." then
    record.refuse(("%s names no file: '%s'"):format(option, core.text.printable(path, 200)),
      "name a file, such as run.html")
  end
  local dir = assert(core.file.root(folder == "" and "/" or folder))
  local stat = core.file.stat(dir, name)
  if stat and stat.type ~= "file" then
    record.refuse(("%s is a %s"):format(core.text.printable(path, 400), stat.type), "name a file")
  end
  return dir, name, path
end

return M
