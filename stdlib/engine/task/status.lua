--- Derives the state of a packet from its runs: draft, ready, running, review, blocked or done.
local ledger = require "moonlet.engine.run.ledger"
local store = require "moonlet.engine.run.store"

local M = {}

local null = core.json.null
local most_runs = 200

---@class moonlet.TaskState
---@field status "draft"|"ready"|"running"|"review"|"blocked"|"done"
---@field run string?      run that decides the state
---@field why string?      reason why the packet is blocked
---@field go_on string?    command that continues the packet's work
---@field waits_for string[]?  unfinished packets that the packet depends on
---@field interrupted boolean?  true if the packet's run ended because its host died
---@field runs string[]    runs of the packet, newest first

local function from_files(root, id)
  local list = {}
  for _, run in ipairs(store.ids(root)) do
    local rec = store.look(root, run)
    if rec and type(rec.packet) == "table" and rec.packet.id == id then list[#list + 1] = run end
    core.task.sleep(0)
  end
  return list
end

function M.runs(home, id)
  local root = store.root(home)
  if not root then return {} end
  local rows = ledger.ready(home, true) and core.ledger.list(home.handle, { task = id }, most_runs)
  if not rows then return from_files(root, id) end
  local list = {}
  for i, row in ipairs(rows) do list[i] = row.id end
  return list
end

local function first_failed(rec)
  for _, item in ipairs(type(rec.validation) == "table" and rec.validation or {}) do
    if item.status ~= "passed" and item.status ~= "skipped" then return item end
  end
end

local function blocked(id, why, go_on)
  return { status = "blocked", run = id, why = why, go_on = go_on }
end

local function ended_state(id, rec)
  local state = type(rec.review) == "table" and rec.review.state
  if state == "approved" then return { status = "done", run = id } end
  if state == "rejected" then
    local note = type(rec.review.note) == "string" and ": " .. rec.review.note or ""
    return blocked(id, ("%s was rejected%s"):format(id, note), "moonlet run replay " .. id)
  end
  if state == "pending" then
    return { status = "review", run = id, go_on = "moonlet review show " .. id }
  end
  if rec.verdict == "needs-human" then
    return blocked(id, id .. " waits for an answer", "moonlet answer " .. id)
  elseif rec.verdict == "quota" then
    return blocked(id, id .. " waits for a quota", "moonlet wait " .. id)
  elseif rec.verdict == "cancelled" then
    return blocked(id, id .. " was cancelled", "moonlet resume " .. id)
  end
  local failed = rec.verdict == "blocked" and first_failed(rec)
  if failed then
    return blocked(id, ("%s: the %s validation %s: %s"):format(id, failed.kind,
      failed.status == "timeout"
      and "ran out of time" or "failed", failed.command), "moonlet run replay " .. id)
  end
  local message = type(rec.error) == "table" and rec.error ~= null and rec.error.message
  return blocked(id, ("%s: %s%s"):format(id, rec.verdict, message and ", " .. message or ""),
    "moonlet run replay " .. id)
end

--- Returns the packet's state according to one of its runs. Returns nil if the run is missing, or
--- is a dry run that has not ended.
local function state_of_run(home, root, id)
  local rec = store.look(root, id)
  if not rec then return nil end
  if rec.ended then return ended_state(id, rec) end
  if core.runs.holder(home.handle, id) then
    return { status = "running", run = id, go_on = "moonlet wait " .. id }
  end
  if rec.options.dry_run then return nil end
  -- The run may have ended since it was read, so read it again.
  rec = store.look(root, id) or rec
  if rec.ended then return ended_state(id, rec) end
  local state = blocked(id, id .. (rec.reviewing and " was interrupted in its review"
    or " was interrupted"),
    "moonlet resume " .. id)
  state.interrupted = true
  return state
end

---@return moonlet.TaskState
function M.of(home, packet)
  local runs, latest = M.runs(home, packet.id), nil
  local root = store.root(home)
  for _, id in ipairs(runs) do
    local state = state_of_run(home, root, id)
    latest = latest or state
    local is_open = latest and (latest.status == "running" or latest.status == "review")
    if is_open or state and state.status == "done" then
      latest = is_open and latest or state
      break
    end
  end
  latest = latest or { status = packet.status }
  latest.runs = runs
  return latest
end

---@return table<string, moonlet.TaskState>
function M.all(home, found)
  local states = {}
  for _, packet in ipairs(found.list) do states[packet.id] = M.of(home, packet) end
  for _, packet in ipairs(found.list) do
    for _, other in ipairs(packet.depends_on) do
      if not states[other] or states[other].status ~= "done" then
        local state = states[packet.id]
        state.waits_for = state.waits_for or {}
        table.insert(state.waits_for, other)
      end
    end
  end
  return states
end

return M
