--- `moonlet run export --as record`: the record of a run as one file that another machine can import.
local files = require "moonlet.engine.export.files"

local M = {}

M.version = 1

--- The manifest of an archive, which is its first file.
---@param home table
---@param rec table
---@param list moonlet.RecordFiles
---@return string
function M.manifest(home, rec, list)
  local held = core.json.array {}
  for i, file in ipairs(list.files) do held[i] = { path = file.name, bytes = file.bytes, sha256 = file.sha256 } end
  -- Prompts name the folder in which the run was made.
  local from = type(rec.imported) == "table" and rec.imported.dir
  return core.json.encode({
    moonlet_record = M.version, moonlet = core.system.version, run = rec.id,
    dir = type(from) == "string" and from or home.agent_path .. "/" .. rec.sidecar, files = held,
    left = core.json.array(list.left),
  }) .. "\n"
end

--- Writes the archive.
---@param home table
---@param root userdata  the opened `.agent` folder
---@param rec table
---@param dir userdata
---@param name string
---@return moonlet.LeftFile[] left
function M.write(home, root, rec, dir, name)
  local list = files.of(root, rec)
  local done, err = core.archive.write(root, M.manifest(home, rec, list), list.files, dir, name)
  if not done then error(err, 0) end
  return list.left
end

return M
