--- Watches the work tree while an unconfined agent runs.
--- The user's own programs share the tree, so a change cannot be attributed to the agent.
--- The run becomes degraded instead, and the report lists the changed files.
local baseline = require "moonlet.engine.workspace.baseline"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

--- Lists paths that moonlet itself merged into the work tree, in merge order.
local merged_of_run = per_run(function() return {} end)

---@class moonlet.TreeWatch
---@field private run table
---@field private seen moonlet.Baseline?  nil if an earlier host took no baseline or lost it
---@field private merged integer          number of merged paths at the start
local Watch = {}
Watch.__index = Watch

--- Records paths that moonlet merged, so that no watch reports them.
function M.note_merged(run, paths)
  local merged = merged_of_run(run)
  table.move(paths, 1, #paths, #merged + 1, merged)
end

--- Starts to watch the work tree for an attempt.
--- If an earlier host started the attempt and it still runs, its journaled baseline is used.
--- If it has ended, nothing is watched, because the user may have changed the tree since.
---@return moonlet.TreeWatch
function M.begin(run, attempt)
  local seen = attempt.state == "running" and baseline.kept(attempt.seen) or nil
  if not attempt.state then seen = baseline.take(run, false, false, nil, true) end
  return setmetatable({ run = run, seen = seen, merged = #merged_of_run(run) }, Watch)
end

--- Returns the baseline in the form in which the journal stores it.
function Watch:stored() return self.seen and baseline.stored(self.seen) end

--- Returns the sorted paths that changed.
--- Omits paths that moonlet merged itself, and paths that the agent may write.
---@param allows (fun(path: string): boolean)?
function Watch:changed(allows)
  if not self.seen then return {} end
  local merged, own = merged_of_run(self.run), {}
  for i = self.merged + 1, #merged do own[merged[i]] = true end
  local paths = baseline.touched(self.run, self.seen)
  -- A changed protected path can make git start a program, so git runs only if none has changed.
  if #paths == 0 and self.seen.tree then paths = baseline.changed(self.run, self.seen) end
  local list = {}
  for _, path in ipairs(paths) do
    if not own[path] and not (allows and allows(path)) then list[#list + 1] = path end
  end
  return list
end

return M
