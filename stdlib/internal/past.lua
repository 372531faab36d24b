--- Agents that are on record and that the script was not asked for again, because the function that they lie in has
--- ended, or the script was edited: they were paid, and are steps of the run as before.
local endings = require "moonlet.internal.endings"
local usage = require "moonlet.internal.usage"

local M = {}

local null = core.json.null

--- Whether a function that was told from the journal holds the key.
local function lies_in_cached(by_key, key)
  for at = #key, 1, -1 do
    if key:byte(at) == 47 then
      local around = by_key[key:sub(1, at - 1)]
      if around then return around.cached or false end
    end
  end
  return false
end

--- Whether a step that the script was not asked for again is one of it all the same: it lies in a function that is told
--- from the journal, or in a clean-up, which is done anew where its body is.
---@param run table
---@param key string
---@return boolean
function M.is_told(run, key) return lies_in_cached(run.step_keys, key) or endings.holds(key) end

local function usages_of(charges)
  local list = {}
  for i, charge in ipairs(charges) do
    local told = charge.entry and charge.entry.usage
    list[i] = type(told) == "table" and told ~= null and told or false
  end
  return usage.sum(list)
end

--- What the attempts came to; what has no end was cancelled, or lost with its host.
local function status_of(charges, ended)
  if ended then return ended.s end
  local entry = charges[#charges].entry
  return entry and entry.status ~= "ok" and "failed" or "cancelled"
end

local function step_of(run, key, charges)
  local last, ended = charges[#charges], run.journal.history.ends[key]
  local ms = 0
  for _, charge in ipairs(charges) do
    ms = ms + (charge.entry and math.tointeger(charge.entry.duration_ms) or 0)
  end
  local step = { key = key, kind = "agent", runner = last.runner or run.runner_name, model = last.model, cached = true,
    status = status_of(charges, ended), duration_ms = ms, usage = usages_of(charges),
    gone = not lies_in_cached(run.step_keys, key) }
  if step.status == "failed" then
    step.error = ended and ended.e or { kind = "failed", message = tostring(last.entry and last.entry.error) }
  end
  return step
end

--- Adds them to the steps of the run, by their keys; and what is on record of steps that did not come to their end.
---@param run table
function M.add_steps(run)
  for _, step in ipairs(run.steps) do
    if step.kind == "agent" and not step.usage then step.usage = usage.of_attempts(run.journal.attempts[step.key]) end
  end
  local keys = {}
  for key, charges in pairs(run.journal.history.charges) do
    if not run.step_keys[key] and charges[1].number then keys[#keys + 1] = key end
  end
  if #keys == 0 then return end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local step = step_of(run, key, run.journal.history.charges[key])
    run.step_keys[key] = step
    run.steps[#run.steps + 1] = step
  end
end

return M
