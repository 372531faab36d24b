--- Records the whole content of each file that an agent changed, for a cassette.
--- A replay writes the same bytes into its own work tree, where they are merged like live changes.
local values = require "moonlet.engine.journal.values"

local M = {}

local file_cap, whole_cap = 8 << 20, 64 << 20
M.file = "changes.json"

--- Reports whether a path is inside a work tree, but not in a folder of git or of moonlet.
local function is_safe(path)
  return type(path) == "string" and path ~= "" and path:sub(1, 1) ~= "/"
    and not path:find("\0", 1, true)
    and not ("/" .. path .. "/"):find("/%.%.?/")
      and not ("/" .. path:lower() .. "/"):find("/%.git/")
    and path:sub(1, 7) ~= ".agent/"
end

local function entry_of(root, path)
  local info = core.file.stat(root, path)
  if not info then return { path = path, deleted = true } end
  if info.type ~= "file" then return nil end
  local text, _, cut = core.file.read(root, path, file_cap)
  if not text or cut then return nil end
  return { path = path, text = core.run.redact(text),
    executable = info.mode and info.mode & 64 ~= 0 or nil }
end

--- Returns the text of changes.json, or nil if nothing changed, and the changed paths that cannot
--- be recorded.
---@param place moonlet.Workspace
function M.text_of(place)
  local left_out = {}
  if not place or not place.recorded then return nil, left_out end
  local root = core.file.root(place.root)
  local list, bytes = core.json.array {}, 0
  for _, path in ipairs(root and place.recorded() or {}) do
    local entry = is_safe(path) and entry_of(root, path)
    bytes = bytes + (entry and #(entry.text or "") or 0)
    if entry and bytes <= whole_cap then
      list[#list + 1] = entry
    else
      left_out[#left_out + 1] = path
    end
  end
  return #list > 0 and values.text { version = 1, changes = list } or nil, left_out
end

local function write(root, place, entry)
  if entry.deleted then return core.file.remove(root, entry.path) end
  local folder = entry.path:match "^(.*)/[^/]+$"
  if folder then core.file.make_root(place.root .. "/" .. folder) end
  local written, err = core.file.write(root, entry.path, entry.text)
  if written and entry.executable then core.file.set_mode(root, entry.path, 493) end
  return written, err
end

--- Applies recorded changes to a workspace. Returns an error message, or nil.
---@param place moonlet.Workspace
function M.apply(place, text)
  local ok, kept = pcall(values.read, text)
  local list = ok and type(kept) == "table" and type(kept.changes) == "table" and kept.changes
  if not list then return "changes.json cannot be read" end
  local root = core.file.root(place.root)
  if not root then return "there is no place for its changes" end
  for _, entry in ipairs(list) do
    local is_entry = type(entry) == "table" and is_safe(entry.path)
      and (entry.deleted or type(entry.text) == "string")
    if not is_entry or place.allows and not place.allows(entry.path) then
      return "it changed a file that this step may not write"
    end
    local written, err = write(root, place, entry)
    if not written and not entry.deleted then return err.message end
  end
end

return M
