--- The baseline snapshot of a work tree in which an agent writes, and the differences after it: changed files, and,
--- if the agent may write the whole work tree, touched protected paths. The journal records the baseline before the
--- agent starts: a resumed host compares with it, and so does the next attempt in the same place.
local tree_diff = require "moonlet.engine.workspace.tree_diff"
local protected_paths = require "moonlet.engine.workspace.protected_paths"
local values = require "moonlet.engine.journal.values"

local M = {}

---@class moonlet.Baseline
---@field in_place boolean
---@field whole boolean             the whole work tree may be written
---@field tree moonlet.Snapshot?    nil in records of an earlier moonlet that could not take it
---@field guard table?              of protected_paths.lua
---@field stored any                as it is in the journal

--- Takes a baseline now.
---@param run table
---@param in_place boolean
---@param whole boolean
---@param declared string[]?  folders that it may write
---@param guarded boolean?    protected paths count although the agent may not write the whole work tree
---@return moonlet.Baseline
function M.take(run, in_place, whole, declared, guarded)
  local tree = tree_diff.snapshot(run, run.top, whole, nil, not whole and declared or nil)
  return { in_place = in_place, whole = whole, tree = tree,
    guard = (whole or guarded) and protected_paths.look(run, nil, tree.nested) or nil }
end

--- The journal's form of a baseline.
---@param look moonlet.Baseline
---@return any
function M.stored(look)
  if look.stored == nil then
    look.stored = values.put({ in_place = look.in_place, whole = look.whole,
      tree = look.tree and tree_diff.record(look.tree),
      guard = look.guard and protected_paths.record(look.guard) }, true)
  end
  return look.stored
end

--- A baseline out of the journal; nil if it is lost, or of an earlier moonlet.
---@param stored any
---@return moonlet.Baseline?
function M.kept(stored)
  local kept = stored ~= nil and values.get(stored)
  if type(kept) ~= "table" or kept.in_place == nil then return nil end
  if kept.guard and not protected_paths.is_record(kept.guard) then return nil end
  return { in_place = kept.in_place, whole = kept.whole, tree = kept.tree and tree_diff.of_record(kept.tree),
    guard = kept.guard and protected_paths.of_record(kept.guard), stored = stored }
end

--- Protected paths that differ now; none if the baseline does not cover the whole work tree.
---@param run table
---@param look moonlet.Baseline
---@return string[] paths
function M.touched(run, look)
  if not look.guard then return {} end
  return protected_paths.between(look.guard, protected_paths.look(run, look.guard))
end

--- Files that differ now. It asks git, so no protected path may differ: such a path can make git start a program.
---@param run table
---@param look moonlet.Baseline
---@return string[] paths, boolean cut
function M.changed(run, look)
  if not look.tree then
    error({ kind = "failed",
      message = "the changes in the work tree are unknown: there is no baseline from before" }, 0)
  end
  return tree_diff.between(look.tree, tree_diff.snapshot(run, run.top, look.whole, look.tree))
end

---@class moonlet.Found   the differences, as the journal keeps them
---@field text string        for a person
---@field touched string[]   protected paths
---@field changed string[]   other files; none if a protected path was touched

--- Touched protected paths; only if there are none, the other files.
---@param run table
---@param look moonlet.Baseline?
---@return moonlet.Found
function M.found(run, look)
  local none = core.json.array {}
  local function of(text, touched, changed)
    return { text = text, touched = core.json.array(touched or none), changed = core.json.array(changed or none) }
  end
  if not look then return of "unknown: the baseline from before it began is lost\n" end
  local touched = M.touched(run, look)
  if #touched == 0 then
    local looked, paths, cut = pcall(M.changed, run, look)
    if looked then return of(tree_diff.text(paths, cut), nil, paths) end
    if core.task.pending_error() then error(paths, 0) end
    return of(("unknown: %s\n"):format(type(paths) == "table" and paths.message or tostring(paths)))
  end
  return of(tree_diff.text(touched, false) .. "  (these no agent may write: look at them before you run anything here. "
    .. "Git was not asked for the rest, for they can make it start programs)\n", touched)
end

return M
