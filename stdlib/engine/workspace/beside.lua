--- Watches the work tree while an agent runs that no kernel sandbox confines. The tree is shared with the user's own
--- programs, so a change in it cannot be blamed on the agent: the run becomes degraded, and the report names the files.
local baseline = require "moonlet.engine.workspace.baseline"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

--- Paths that moonlet itself merged into the work tree, in the order of the merges.
local merged_of_run = per_run(function() return {} end)

---@class moonlet.TreeWatch
---@field private run table
---@field private seen moonlet.Baseline?  nil if an earlier host took none, or it is lost
---@field private merged integer          how many merged paths there were before
local Watch = {}
Watch.__index = Watch

--- Notes paths that moonlet merged: a watch does not report them.
---@param run table
---@param paths string[]
function M.note_merged(run, paths)
  local merged = merged_of_run(run)
  table.move(paths, 1, #paths, #merged + 1, merged)
end

--- Begins to watch. An attempt that still runs continues with the baseline of the journal. One that ended under an
--- earlier host is not watched: since then the tree was the user's alone.
---@param run table
---@param attempt moonlet.Attempt
---@return moonlet.TreeWatch
function M.begin(run, attempt)
  local seen = attempt.state == "running" and baseline.kept(attempt.seen) or nil
  if not attempt.state then seen = baseline.take(run, false, false, nil, true) end
  return setmetatable({ run = run, seen = seen, merged = #merged_of_run(run) }, Watch)
end

--- The baseline as the journal keeps it.
---@return any
function Watch:stored() return self.seen and baseline.stored(self.seen) end

--- The paths that changed since, sorted, without those that moonlet merged or that the agent may write.
---@param allows (fun(path: string): boolean)?
---@return string[]
function Watch:changed(allows)
  if not self.seen then return {} end
  local merged, own = merged_of_run(self.run), {}
  for i = self.merged + 1, #merged do own[merged[i]] = true end
  local paths = baseline.touched(self.run, self.seen)
  -- A changed file of git's own can make git start a program, so git is asked only where there is none.
  if #paths == 0 and self.seen.tree then paths = baseline.changed(self.run, self.seen) end
  local list = {}
  for _, path in ipairs(paths) do
    if not own[path] and not (allows and allows(path)) then list[#list + 1] = path end
  end
  return list
end

return M
