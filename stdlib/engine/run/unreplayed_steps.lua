--- Finds paid agent attempts that a resumed script did not reach: a replayed function skips its
--- inner steps, and an edited script may have lost a step.
local adoption = require "moonlet.engine.journal.adoption"
local finalizer_journal = require "moonlet.engine.journal.finalizer_journal"
local records = require "moonlet.engine.journal.records"
local usage = require "moonlet.engine.runner.usage"
local values = require "moonlet.engine.journal.values"

local M = {}

local null = core.json.null

local function lies_in_cached(by_key, key)
  for at = #key, 1, -1 do
    if key:byte(at) == 47 then
      local around = by_key[key:sub(1, at - 1)]
      if around then return around.cached or false end
    end
  end
  return false
end

--- Reports whether the script may still contain a step: one in a replayed function or a clean-up.
function M.is_told(run, key)
  return lies_in_cached(run.step_keys, key) or finalizer_journal.holds(key)
end

local function usages_of(charges)
  local list = {}
  for i, charge in ipairs(charges) do
    local told = charge.entry and charge.entry.usage
    list[i] = type(told) == "table" and told ~= null and told or false
  end
  return usage.sum(list)
end

--- Derives a step's status from its attempts. A step without an end was cancelled or lost.
local function status_of(charges, ended)
  if ended then
    local is_late = ended.status == "cancelled" and type(ended.error) == "table"
      and ended.error.kind == "timeout"
    return is_late and "failed" or ended.status
  end
  local entry = charges[#charges].entry
  return entry and entry.status ~= "ok" and entry.why ~= "cancelled" and "failed" or "cancelled"
end

local function changed_of(run, key, ended)
  local paths, seen = {}, {}
  local function add(list)
    for _, path in ipairs(type(list) == "table" and list or {}) do
      if not seen[path] then paths[#paths + 1] = path end
      seen[path] = true
    end
  end
  local value = ended and ended.status == "ok" and values.get(records.stored(ended, "result"))
  add(type(value) == "table" and value.files_changed or nil)
  for _, entry in ipairs(run.journal.attempts[key] or {}) do add(entry.changed) end
  return paths
end

local function step_of(run, key, charges)
  local last, ended = charges[#charges], run.journal.history.ends[key]
  local ms = 0
  for _, charge in ipairs(charges) do
    ms = ms + (charge.entry and math.tointeger(charge.entry.duration_ms) or 0)
  end
  local told = usage.model_of { last.entry }
  local step = { key = key, kind = "agent", runner = last.runner or run.runner_name,
    model = told or last.model, files_changed = changed_of(run, key, ended),
    cached = true, status = status_of(charges, ended), duration_ms = ms, usage = usages_of(charges),
    gone = not lies_in_cached(run.step_keys, key) }
  if step.status == "failed" then
    step.error = ended and ended.error
      or { kind = "failed", message = tostring(last.entry and last.entry.error) }
  end
  return step
end

--- Adds to `run.steps` the paid steps that the script did not reach, and usage of unfinished ones.
function M.add_steps(run)
  for _, step in ipairs(run.steps) do
    if step.kind == "agent" and not step.usage then
      step.usage = usage.of_attempts(run.journal.attempts[step.key])
    end
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

local function begun_of(run, key)
  local found, last = {}, run.journal.begins[key] or {}
  local function note(number, item, entry)
    -- Skip a command that runs at most once. It has a begin record, too, but starts no agent.
    if math.type(number) ~= "integer" or last.once and number == last.attempt then return end
    local attempt = found[number] or { step = key, number = number }
    found[number] = attempt
    attempt.runner = item.runner or attempt.runner
    attempt.model = usage.model_of { entry } or attempt.model or item.model
    local told = entry and entry.usage
    if type(told) == "table" and told ~= null then attempt.usage = told end
  end
  for _, charge in ipairs(run.journal.history.charges[key] or {}) do
    note(charge.number, charge, charge.entry)
  end
  -- Add this host's attempts, which `charges` lacks. Their runner is in the begin record.
  for _, entry in ipairs(run.journal.attempts[key] or {}) do
    note(entry.number, not found[entry.number] and last or {}, entry)
  end
  note(last.attempt, last)
  return found
end

--- Adds agent sessions to `list` from `run.steps`, because they have no begin records.
local function add_sessions(run, list)
  for _, step in ipairs(run.steps) do
    if step.kind == "session" and step.usage then
      list[#list + 1] = { step = step.key, number = 1, runner = step.runner, model = step.model,
        usage = next(step.usage) and step.usage or nil }
    end
  end
end

--- Lists every agent attempt that was started for the run: { step, number, runner, model, usage, on }.
function M.attempts(run)
  local seen, keys, list = {}, {}, {}
  for _, by_key in ipairs { run.journal.history.charges, run.journal.attempts,
      run.journal.begins } do
    for key in pairs(by_key) do
      if not seen[key] then keys[#keys + 1] = key end
      seen[key] = true
    end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local found, numbers = begun_of(run, key), {}
    for number in pairs(found) do numbers[#numbers + 1] = number end
    table.sort(numbers)
    for _, number in ipairs(numbers) do
      local attempt = found[number]
      attempt.runner = attempt.runner or run.runner_name
      local intent = run.journal.remotes[key .. "\0" .. adoption.id(key, number)]
      attempt.on, attempt.queue_ms = intent and intent.on, intent and intent.queue_ms
      list[#list + 1] = attempt
    end
  end
  add_sessions(run, list)
  return list
end

return M
