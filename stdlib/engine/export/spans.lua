--- Derives the times of a run's phases, steps and tool calls from the events of the run.
local step_files = require "moonlet.engine.run.step_files"

local M = {}

local null = core.json.null

---@class moonlet.Phase
---@field name string
---@field from integer   ms since 1970
---@field to integer

---@class moonlet.StepSpan
---@field key string
---@field kind string
---@field status string       as in run.json; "cut off" if a killed host recorded no end
---@field from integer        ms since 1970
---@field to integer
---@field phase integer       index in `phases`; 0 before the first phase
---@field runner string?
---@field exit_code integer?
---@field error string?
---@field error_kind string?
---@field attempts integer?
---@field usage table?
---@field tools moonlet.ToolSpan[]

---@class moonlet.ToolSpan
---@field name string
---@field status string
---@field from integer
---@field to integer

---@class moonlet.RunSpans
---@field from integer
---@field to integer
---@field phases moonlet.Phase[]
---@field steps moonlet.StepSpan[]  sorted by their start

local function text_of(value) return type(value) == "string" and value or nil end

local function fill(span, data)
  span.status, span.exit_code = text_of(data.status) or "ok", math.tointeger(data.exit_code)
  span.error, span.error_kind = text_of(data.error), text_of(data.error_kind)
  span.runner, span.attempts = text_of(data.runner) or span.runner, math.tointeger(data.attempts)
  span.usage = type(data.usage) == "table" and data.usage ~= null and data.usage or nil
end

--- Begins the span of a tool at an event "running", and ends it at the tool's next event.
local function add_tool(span, data, at)
  local name = text_of(data.name) or "tool"
  local open = span.open_tools[name]
  if open and data.status ~= "running" then
    open.status, open.to, span.open_tools[name] = text_of(data.status) or "ok", at, nil
    return
  end
  local tool = { name = name, status = text_of(data.status) or "ok", from = at, to = at }
  span.tools[#span.tools + 1] = tool
  if data.status == "running" then span.open_tools[name] = tool end
end

---@return moonlet.RunSpans
function M.of(root, rec)
  local from = core.clock.parse(rec.started_at) or 0
  local to = core.clock.parse(tostring(rec.ended_at)) or from
  local phases, steps, open = {}, {}, {}
  local function close(span, at)
    span.to, span.open_tools, open[span.key] = math.max(at, span.from), nil, nil
  end
  for _, event in ipairs(step_files.events(root, rec)) do
    local data, key = event.data, text_of(event.step)
    local at = core.clock.parse(tostring(event.ts)) or from
    to = math.max(to, at)
    data = type(data) == "table" and data ~= null and data or {}
    local is_phase = event.type == "phase" and not (phases[1] and phases[#phases].name == data.name)
    if is_phase then
      if phases[1] then phases[#phases].to = at end
      phases[#phases + 1] = { name = text_of(data.name) or "phase", from = at, to = at }
    elseif event.type == "run.resumed" then
      -- The killed host did not record when its steps ended, so end them at their last event.
      for _, span in pairs(open) do close(span, span.seen) end
    elseif event.type == "step.started" and key then
      local span = { key = key, kind = text_of(data.kind) or "step", status = "cut off", from = at,
        to = at, seen = at, phase = #phases, runner = text_of(data.runner), tools = {},
        open_tools = {} }
      if open[key] then close(open[key], at) end
      steps[#steps + 1], open[key] = span, span
    elseif key and open[key] then
      local span = open[key]
      span.seen = at
      if event.type == "agent.tool" then add_tool(span, data, at) end
      if event.type == "step.finished" then
        fill(span, data)
        close(span, at)
      end
    end
  end
  if phases[1] then phases[#phases].to = to end
  for _, span in pairs(open) do close(span, to) end
  return { from = math.min(from, to), to = to, phases = phases, steps = steps }
end

return M
