--- What is under way in steps that the script has not come to, or has left behind it.
local attempts = require "moonlet.internal.attempt"
local journal = require "moonlet.internal.journal"
local past = require "moonlet.internal.past"
local worktree = require "moonlet.internal.worktree"

local M = {}

--- Says where the worktree is of a step that is none any more. Gives the files of it that were merged already. Its
--- folder is the run's own where no other agent of the script has that.
local function give_up(run, key, tree)
  local changed = worktree.give_up(run, key, run.sidecar .. "/steps/" .. core.run.step_name(key), tree)
  if changed or run.root_taken then return changed end
  return worktree.give_up(run, key, run.sidecar)
end

--- What was under way in a step that the script did not come to: it has been edited, or it parks before that.
--- In a script that came to its end it is no step any more; where the run is to go on later, what is paid
--- for runs to its end first. All else ends with the run.
---@param run table
---@param ok boolean  the script came to its end
---@param err any
function M.settle(run, ok, err)
  if not run.journal.resumed then return end
  local kind = not ok and type(err) == "table" and rawget(err, "kind")
  for key, last in pairs(run.journal.begins) do
    local id = attempts.id(key, last.a)
    local state = not last.spent and not run.step_keys[key] and core.process.attempt(key, id)
    if state == "running" and (last.once or kind == "parked" or kind == "quota") then
      run.emit("log", { step = key, text = "it still runs from before: waiting for it" })
      core.process.take(key, id)
    elseif ok and state == "running" then
      core.process.stop(key, id)
    end
    if ok and state and state ~= "none" and not past.is_told(run, key) then
      local text = ("it is no step of the script any more: its attempt %d is given up"):format(last.a)
      run.emit("warning", { step = key, text = text })
      local changed = last.tree and give_up(run, key, last.tree)
      journal.attempt(run, key, { number = last.a, status = "abandoned", class = "abandoned", error = text,
        changed = changed and core.json.array(changed) or nil })
      journal.spent(run, key)
    end
  end
end

--- The body goes on after its clean-up had begun: what that has under way comes to its end before, so that it neither
--- works beside the body nor is lost.
---@param run table
---@param keys string[]   of the clean-ups
function M.settle_cleanups(run, keys)
  for _, around in ipairs(keys) do
    for key, last in pairs(run.journal.begins) do
      local id = key:sub(1, #around + 1) == around .. "/" and not last.spent and attempts.id(key, last.a)
      if id and core.process.attempt(key, id) == "running" then
        run.emit("log", { step = key, text = "it still runs from a clean-up before: waiting for it" })
        core.process.take(key, id)
      end
    end
  end
end

return M
