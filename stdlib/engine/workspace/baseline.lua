--- Takes a snapshot of the work tree before an agent writes in it, and compares later states.
--- Finds changed files. If the agent may write the whole tree, also finds changed protected paths.
--- The snapshot is journaled before the agent starts, so that a resumed host can use it.
local tree_diff = require "moonlet.engine.workspace.tree_diff"
local protected_paths = require "moonlet.engine.workspace.protected_paths"
local values = require "moonlet.engine.journal.values"

local M = {}

---@class moonlet.Baseline
---@field in_place boolean
---@field whole boolean             the agent may write the whole work tree
---@field tree moonlet.Snapshot?    nil in records of old versions, which took no snapshot
---@field guard table?              snapshot of the protected paths
---@field stored any                the baseline in the form of the journal

--- Takes a baseline of the work tree as it is now.
---@param declared string[]?  folders that the agent may write
---@param guarded boolean?    include protected paths even if the agent may not write the whole tree
---@return moonlet.Baseline
function M.take(run, in_place, whole, declared, guarded)
  local tree = tree_diff.snapshot(run, run.top, whole, nil, not whole and declared or nil)
  return { in_place = in_place, whole = whole, tree = tree,
    guard = (whole or guarded) and protected_paths.look(run, nil, tree.nested) or nil }
end

--- Returns the baseline in the form in which the journal stores it.
---@param look moonlet.Baseline
function M.stored(look)
  if look.stored == nil then
    look.stored = values.put({ in_place = look.in_place, whole = look.whole,
      tree = look.tree and tree_diff.record(look.tree),
      guard = look.guard and protected_paths.record(look.guard) }, true)
  end
  return look.stored
end

--- Restores a baseline from the journal. Returns nil if it is missing or from an old version.
---@return moonlet.Baseline?
function M.kept(stored)
  local kept = stored ~= nil and values.get(stored)
  if type(kept) ~= "table" or kept.in_place == nil then return nil end
  if kept.guard and not protected_paths.is_record(kept.guard) then return nil end
  return { in_place = kept.in_place, whole = kept.whole,
    tree = kept.tree and tree_diff.of_record(kept.tree),
    guard = kept.guard and protected_paths.of_record(kept.guard), stored = stored }
end

--- Returns the protected paths that have changed since the baseline.
--- Returns {} if the baseline does not record protected paths.
---@param look moonlet.Baseline
function M.touched(run, look)
  if not look.guard then return {} end
  return protected_paths.between(look.guard, protected_paths.look(run, look.guard))
end

--- Returns the files that have changed since the baseline.
--- Must not be called after a protected path changed, because git could then start a program.
---@param look moonlet.Baseline
function M.changed(run, look)
  if not look.tree then
    error({ kind = "failed",
      message = "the changes in the work tree are unknown: there is no baseline from before" }, 0)
  end
  return tree_diff.between(look.tree, tree_diff.snapshot(run, run.top, look.whole, look.tree))
end

---@class moonlet.Found   changes since a baseline, in the form of the journal
---@field text string        description for a person
---@field touched string[]   changed protected paths
---@field changed string[]   other changed files; empty if a protected path changed

--- Compares a work tree with its baseline. If a protected path changed, compares no other files.
---@param look moonlet.Baseline?
---@return moonlet.Found
function M.found(run, look)
  local none = core.json.array {}
  local function of(text, touched, changed)
    return { text = text, touched = core.json.array(touched or none),
      changed = core.json.array(changed or none) }
  end
  if not look then return of "unknown: the baseline from before it began is lost\n" end
  local touched = M.touched(run, look)
  if #touched == 0 then
    local looked, paths, cut = pcall(M.changed, run, look)
    if looked then return of(tree_diff.text(paths, cut), nil, paths) end
    if core.task.pending_error() then error(paths, 0) end
    return of(("unknown: %s\n"):format(type(paths) == "table" and paths.message or tostring(paths)))
  end
  return of(tree_diff.text(touched, false)
    .. "  (no agent may write these: check them before you run anything here. "
    .. "Git was not asked for the rest, because these files can make it start programs)\n", touched)
end

return M
