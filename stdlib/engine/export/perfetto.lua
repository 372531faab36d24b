--- `moonlet run export --as perfetto` writes Chrome's JSON trace format, with a lane for each
--- phase. Steps that overlap in a lane become async events, because others must nest.
local spans = require "moonlet.engine.export.spans"
local step_files = require "moonlet.engine.run.step_files"

local M = {}

local process = 1

--- Returns the lane of each phase: one for each name, and 0 before the first phase.
local function lanes_of(phases)
  local lanes, by_name, count = { [0] = 0 }, {}, 0
  for i, phase in ipairs(phases) do
    if not by_name[phase.name] then
      count = count + 1
      by_name[phase.name] = count
    end
    lanes[i] = by_name[phase.name]
  end
  return lanes
end

--- Returns the steps that overlap another step in their lane.
local function overlapping(steps, lanes)
  local is, last = {}, {}
  for _, step in ipairs(steps) do
    local lane = lanes[step.phase]
    local before = last[lane]
    if before and step.from < before.to then is[step], is[before] = true, true end
    if not before or step.to > before.to then last[lane] = step end
  end
  return is
end

local function args_of(step)
  return { key = step.key, status = step.status, runner = step.runner, exit_code = step.exit_code,
    attempts = step.attempts, error = step.error, usage = step.usage }
end

--- Returns the events of the trace. Times are in microseconds since the start of the run.
---@param run moonlet.RunSpans
function M.events(rec, run)
  local list = core.json.array {}
  local function add(event)
    event.pid = process
    list[#list + 1] = event
  end
  local function since(ms) return (ms - run.from) * 1000 end
  -- Times have a resolution of 1 ms, so a duration may be 0. Viewers drop events of duration 0.
  local function length(item) return math.max((item.to - item.from) * 1000, 1) end
  local function name_lane(lane, name)
    add { ph = "M", name = "thread_name", tid = lane, args = { name = name } }
    add { ph = "M", name = "thread_sort_index", tid = lane, args = { sort_index = lane } }
  end
  add { ph = "M", name = "process_name", tid = 0,
    args = { name = ("%s %s"):format(rec.id, rec.preset) } }
  local lanes, named = lanes_of(run.phases), {}
  local is_async = overlapping(run.steps, lanes)
  local first = run.steps[1]
  if first and first.phase == 0 then
    name_lane(0, #run.phases == 0 and rec.preset or "before the first phase")
  end
  for i, phase in ipairs(run.phases) do
    local lane = lanes[i]
    if not named[lane] then name_lane(lane, phase.name) end
    named[lane] = true
    add { ph = "X", name = phase.name, cat = "phase", tid = lane, ts = since(phase.from),
      dur = length(phase) }
  end
  for number, step in ipairs(run.steps) do
    local name, lane, args = step_files.label(step.key), lanes[step.phase], args_of(step)
    if is_async[step] then
      add { ph = "b", name = name, cat = step.kind, id = number, tid = lane, ts = since(step.from),
        args = args }
      add { ph = "e", name = name, cat = step.kind, id = number, tid = lane, ts = since(step.to) }
    else
      add { ph = "X", name = name, cat = step.kind, tid = lane, ts = since(step.from),
        dur = length(step), args = args }
    end
  end
  return list
end

---@return moonlet.LeftFile[] left
function M.write(_, root, rec, dir, name)
  local run = spans.of(root, rec)
  assert(core.file.write(dir, name, core.json.encode_record {
    displayTimeUnit = "ms", traceEvents = M.events(rec, run),
    otherData = { run = rec.id, preset = rec.preset, verdict = rec.verdict,
      started_at = rec.started_at, moonlet = core.system.version } } .. "\n"))
  return {}
end

return M
