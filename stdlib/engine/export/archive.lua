--- `moonlet run export --as record` writes a run's record to one file, for import on another machine.
local files = require "moonlet.engine.export.files"

local M = {}

M.version = 1

---@param list moonlet.RecordFiles
function M.manifest(home, rec, list)
  local held = core.json.array {}
  for i, file in ipairs(list.files) do
    held[i] = { path = file.name, bytes = file.bytes, sha256 = file.sha256 }
  end
  -- Record the original path of the run's folder, because prompts contain this path.
  local from = type(rec.imported) == "table" and rec.imported.dir
  return core.json.encode({
    moonlet_record = M.version, moonlet = core.system.version, run = rec.id,
    dir = type(from) == "string" and from or home.agent_path .. "/" .. rec.sidecar, files = held,
    left = core.json.array(list.left),
  }) .. "\n"
end

---@param root userdata  the opened `.agent` folder
---@return moonlet.LeftFile[] left
function M.write(home, root, rec, dir, name)
  local list = files.of(root, rec)
  assert(core.archive.write(root, M.manifest(home, rec, list), list.files, dir, name))
  return list.left
end

return M
