--- `moonlet ps` lists live processes of this repository's runs and sessions, and steps that runs
--- execute on other machines.
local context = require "moonlet.engine.context.context"
local repository = require "moonlet.engine.run.repository"
local options = require "moonlet.engine.cli.options"
local duration = require "moonlet.duration"
local removed = require "moonlet.engine.base.removed"
local states = require "moonlet.engine.session.states"
local store = require "moonlet.engine.run.store"
local under_way = require "moonlet.engine.remote.under_way"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = options.with_common()

local most_looked_at = 100

local function add_far(home, children, now)
  local root, looked = store.root(home), 0
  for _, id in ipairs(root and store.ids(root) or {}) do
    looked = looked + 1
    if looked > most_looked_at then return end
    local rec = store.look(root, id)
    for _, item in ipairs(rec and not rec.ended and under_way.of(root, id) or {}) do
      children[#children + 1] = { run = id, step = item.key, on = item.on,
        queue_ms = math.tointeger(item.queue_ms),
        age_ms = math.max(now - (math.tointeger(item.at) or now), 0) }
    end
  end
end

--- Formats the machine of a step. For a scheduler, adds the time that the step spent in the queue.
local function place_of(child)
  if not child.on then return "" end
  local place = " on " .. core.text.printable(child.on, 60)
  if not child.on:find "^slurm" then return place end
  if not child.queue_ms then return place .. ", in the queue" end
  return ("%s, %s after %s in the queue"):format(place,
    duration.text(math.max(child.age_ms - child.queue_ms, 0)), duration.text(child.queue_ms))
end

--- Returns one process of each step, and a map from this process to the number of processes of its
--- step.
local function rows_of(children)
  local rows, by_step, counts = {}, {}, {}
  for _, child in ipairs(children) do
    local key = child.run .. "\0" .. child.step
    local first = by_step[key]
    if first then
      counts[first] = counts[first] + 1
    else
      rows[#rows + 1], by_step[key], counts[child] = child, child, 1
    end
  end
  return rows, counts
end

local function row_text(child, now, count)
  local left = child.deadline_ms and duration.text(math.max(child.deadline_ms - now, 0)) or "none"
  return ("%-7s %7s %9s %9s  %s%s%s"):format(child.run, child.pid or "-",
    duration.text(child.age_ms), left, core.text.printable(context.plain(child.step), 120),
    place_of(child), count > 1 and (", %d processes"):format(count) or "")
end

function M.main(words)
  local found, rest = verbs.read("ps", words, M.known)
  options.no_more(rest, 0, "ps")
  local folder = repository.folder(found.repo)
  local home = core.run.home(folder)
  local swept = core.runs.sweep(home.handle)
  local children = core.runs.live(home.handle)
  states.add_live(home, children, swept)
  local now, gone = core.clock.wall(), removed.all()
  add_far(home, children, now)
  for _, entry in ipairs(gone) do
    local is_here = entry.top .. "/.agent" == home.agent_path
    for _, child in ipairs(is_here and entry.children or {}) do
      child.run, child.removed = entry.id, true
      children[#children + 1] = child
    end
  end
  local lines = { ("%-7s %7s %9s %9s  %s"):format("RUN", "PID", "AGE", "LEFT", "STEP") }
  local rows, counts = rows_of(children)
  for _, child in ipairs(rows) do lines[#lines + 1] = row_text(child, now, counts[child]) end
  -- Count children only: a keeper that has just ended its children still exists for a moment.
  if #children == 0 then lines = { #gone == 0 and "nothing is running" or nil } end
  for _, item in ipairs(swept) do
    if item.killed > 0 then
      lines[#lines + 1] = ("%s was left by a dead host: %d of its processes were ended"):format(
        item.run, item.killed)
    end
  end
  local list = core.json.array {}
  for i, entry in ipairs(gone) do
    local ending = removed.ending(entry, home.agent_path)
    lines[#lines + 1] = ("%s (%s) still runs, but its folder %s was removed: %s"):format(entry.id,
      core.text.printable(entry.label, 80), core.text.printable(entry.place, 400),
      core.text.printable(ending, 500))
    list[i] = { id = entry.id, place = entry.place, label = entry.label, pid = entry.pid,
      age_ms = entry.age_ms, end_with = ending }
  end
  return options.envelope({ children = core.json.array(children), swept = core.json.array(swept),
    removed = list }), 0, table.concat(lines, "\n") .. "\n"
end

return M
