--- Stores a receipt of each completed merge in the step's folder.
--- If a receipt exists, a resumed host reports the merge and does not repeat it.
local files = require "moonlet.engine.base.files"

local M = {}

local name = "changes.carried"
local cap = 64 << 20

---@class moonlet.Carried
---@field paths string[]
---@field warning string?
---@field kept boolean?     the worktree contains files that were not merged
---@field held string[]?    files that were held back for review

---@param dir string    folder of the step, below `.agent`
---@return moonlet.Carried?
function M.read(run, dir)
  local root = files.root(run.absolute(dir))
  local text = root and files.read(root, name, cap)
  if not text then return nil end
  local parts = {}
  for part in text:gmatch("([^%z]*)%z") do parts[#parts + 1] = part end
  -- The receipt lists the paths of held-back files first, then the merged paths.
  local kept, held = (parts[1] or ""):match("^(%l*) ?(%d*)$")
  local first = 3 + (tonumber(held) or 0)
  return { kept = kept == "kept", warning = parts[2] ~= "" and parts[2] or nil,
    held = table.move(parts, 3, first - 1, 1, {}), paths = table.move(parts, first, #parts, 1, {}) }
end

--- Reports whether a step's folder contains a receipt.
---@param root any   opened folder of the step
function M.is_there(root) return files.is_there(root, name) end

function M.forget(root) core.file.remove(root, name) end

--- Writes the receipt, which completes the merge. Raises an error only if no receipt exists.
---@param carried moonlet.Carried
function M.note(run, dir, carried)
  local root, err = core.file.root(run.absolute(dir))
  local written
  local held = carried.held or {}
  local parts = { ("%s %d"):format(carried.kept and "kept" or "", #held), carried.warning or "" }
  table.move(held, 1, #held, 3, parts)
  table.move(carried.paths, 1, #carried.paths, #parts + 1, parts)
  if root then written, err = core.file.write(root, name, table.concat(parts, "\0") .. "\0") end
  -- The receipt may exist even if the write failed.
  if written or root and not core.file.remove(root, name) and M.is_there(root) then return end
  files.fail(err)
end

return M
