--- Lists the files of a run's record that may leave this machine, by their path in the archive, and
--- the others with the reason why they stay.
local M = {}

--- Lists the exported files of a run's folder. The run's key stays, because whoever has it can check
--- guesses of the redacted secrets.
local run_files = { "run.json", "steps.jsonl", "keeper.log" }
local own_folder = "sidecar/"

---@class moonlet.ExportedFile
---@field name string     path in the archive
---@field from string     path below `.agent`
---@field bytes integer
---@field sha256 string

---@class moonlet.LeftFile
---@field path string     redacted
---@field bytes integer?
---@field sha256 string?
---@field why string

---@class moonlet.RecordFiles
---@field files moonlet.ExportedFile[]
---@field left moonlet.LeftFile[]

local function reason(entry, name)
  if entry.error then return "it cannot be read: " .. entry.error end
  if entry.link then return "it is a link" end
  if entry.special then return "it is not a regular file" end
  if entry.files then return ("it is a folder of %d files"):format(entry.files) end
  if not entry.sha256 then return "it is too large for a hash" end
  if core.secret.hide(name) ~= name then return "its name has a secret" end
  if not core.archive.fits(name) then return "its name does not fit into an archive" end
end

local function add(list, name, from, entry)
  local why = reason(entry, name)
  if not why then
    list.files[#list.files + 1] = { name = name, from = from, bytes = entry.bytes,
      sha256 = entry.sha256 }
    return
  end
  list.left[#list.left + 1] = { path = core.text.clean((core.secret.hide(name))),
    bytes = entry.bytes, sha256 = entry.sha256, why = why }
end

local function add_tree(list, root, folder, as)
  local tree = assert(core.audit.tree(root, folder, {}, nil))
  local paths = {}
  for path in pairs(tree.files) do paths[#paths + 1] = path end
  table.sort(paths)
  for _, path in ipairs(paths) do add(list, as .. path, folder .. "/" .. path, tree.files[path]) end
end

--- Raises an error if run.json, the journal or a folder of the record cannot be read.
---@param root userdata  the opened `.agent` folder
---@param rec table      the run's run.json
---@return moonlet.RecordFiles
function M.of(root, rec)
  local list = { files = {}, left = {} }
  local folder = "runs/" .. rec.id
  for _, name in ipairs(run_files) do
    local entry, err = core.audit.beginning(root, folder .. "/" .. name)
    if entry then add(list, name, folder .. "/" .. name, entry)
    elseif name ~= "keeper.log" or err.kind ~= "invalid" then error(err, 0) end
  end
  if core.file.stat(root, folder .. "/values") then
    add_tree(list, root, folder .. "/values", "values/")
  end
  add_tree(list, root, rec.sidecar, own_folder)
  return list
end

--- Reports whether a path may occur in an exported record. An import rejects other paths.
function M.is_known(path)
  for _, name in ipairs(run_files) do
    if path == name then return true end
  end
  return path:find "^values/[%w_-][%w._-]*$" ~= nil or path:sub(1, #own_folder) == own_folder
    and #path > #own_folder
end

return M
