--- `moonlet run export --as perfetto`: the steps of a run in the JSON of Chrome's tracing, which ui.perfetto.dev and
--- speedscope read. A phase is a lane. A step that overlaps another one of its lane is a pair of async events, because
--- slices of one lane must nest.
local spans = require "moonlet.engine.export.spans"
local step_files = require "moonlet.engine.run.step_files"

local M = {}

local process = 1

--- The steps of each lane that overlap another one of it.
local function overlapping(steps)
  local is, last = {}, {}
  for _, step in ipairs(steps) do
    local before = last[step.phase]
    if before and step.from < before.to then is[step], is[before] = true, true end
    if not before or step.to > before.to then last[step.phase] = step end
  end
  return is
end

local function args_of(step)
  return { key = step.key, status = step.status, runner = step.runner, exit_code = step.exit_code,
    attempts = step.attempts, error = step.error, usage = step.usage }
end

--- The events of the trace. Times are in microseconds since the start of the run.
---@param rec table
---@param run moonlet.RunSpans
---@return table[]
function M.events(rec, run)
  local list = core.json.array {}
  local function add(event)
    event.pid = process
    list[#list + 1] = event
  end
  local function since(ms) return (ms - run.from) * 1000 end
  local function name_lane(lane, name)
    add { ph = "M", name = "thread_name", tid = lane, args = { name = name } }
    add { ph = "M", name = "thread_sort_index", tid = lane, args = { sort_index = lane } }
  end
  add { ph = "M", name = "process_name", tid = 0, args = { name = ("%s %s"):format(rec.id, rec.preset) } }
  local is_async, has_lane = overlapping(run.steps), {}
  for _, step in ipairs(run.steps) do has_lane[step.phase] = true end
  if has_lane[0] then name_lane(0, #run.phases == 0 and rec.preset or "before the first phase") end
  for i, phase in ipairs(run.phases) do
    name_lane(i, phase.name)
    add { ph = "X", name = phase.name, cat = "phase", tid = i, ts = since(phase.from),
      dur = (phase.to - phase.from) * 1000 }
  end
  for number, step in ipairs(run.steps) do
    local name, args = step_files.label(step.key), args_of(step)
    if is_async[step] then
      add { ph = "b", name = name, cat = step.kind, id = number, tid = step.phase, ts = since(step.from), args = args }
      add { ph = "e", name = name, cat = step.kind, id = number, tid = step.phase, ts = since(step.to) }
    else
      add { ph = "X", name = name, cat = step.kind, tid = step.phase, ts = since(step.from),
        dur = (step.to - step.from) * 1000, args = args }
    end
  end
  return list
end

---@param _ table
---@param root userdata
---@param rec table
---@param dir userdata
---@param name string
---@return moonlet.LeftFile[] left
function M.write(_, root, rec, dir, name)
  local run = spans.of(root, rec)
  local done, err = core.file.write(dir, name, core.json.encode_record {
    displayTimeUnit = "ms", traceEvents = M.events(rec, run),
    otherData = { run = rec.id, preset = rec.preset, verdict = rec.verdict, started_at = rec.started_at,
      moonlet = core.system.version } } .. "\n")
  if not done then error(err, 0) end
  return {}
end

return M
