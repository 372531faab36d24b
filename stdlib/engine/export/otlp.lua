--- `moonlet run export --as otlp` writes a run as spans: OTLP JSON, one message per line.
--- The file receiver of an OpenTelemetry collector can read the spans.
--- The run is the root span. Phases and steps are its descendants, and tool calls are children of the
--- agent's step. Span ids depend only on the run, so a second export produces the same ids.
local genai = require "moonlet.engine.export.genai"
local place = require "moonlet.engine.export.place"
local spans = require "moonlet.engine.export.spans"
local step_files = require "moonlet.engine.run.step_files"
local store = require "moonlet.engine.run.store"
local trace = require "moonlet.engine.run.trace"

local M = {}

local null = core.json.null
local internal, client = 1, 3
local status_ok, status_error = 1, 2
local spans_a_line = 500
local content_cap = 1 << 20

local function attribute(list, name, value)
  if value == nil or value == null or not name then return end
  local kind = math.type(value)
  local typed = kind == "integer" and { intValue = tostring(value) }
    or kind == "float" and { doubleValue = value }
    or type(value) == "boolean" and { boolValue = value }
      or { stringValue = core.text.clean(tostring(value)) }
  list[#list + 1] = { key = name, value = typed }
end

local function nanoseconds(ms) return ("%d000000"):format(ms) end

local function messages(role, text)
  return core.json.encode(core.json.array { { role = role,
    parts = core.json.array { { type = "text",
      content = core.text.cut(core.text.clean(text), content_cap) } } } })
end

local function read_model(root, folder)
  local ok, model = pcall(core.json.decode_record,
    core.file.read(root, folder .. "/model.json", 4 << 20) or "")
  return ok and type(model) == "table" and model ~= null and model or {}
end

--- Adds the OTLP attributes of an agent's step to `list`. `content` adds its prompt and answer.
local function agent_attributes(list, root, rec, step, content)
  local folder = step_files.folder(root, rec, step)
  local model = read_model(root, folder)
  attribute(list, genai.operation.name, genai.operation.agent)
  attribute(list, genai.provider.name, genai.provider[step.runner] or step.runner)
  attribute(list, genai.agent_name, step_files.label(step.key))
  attribute(list, genai.request_model, type(model.model) == "string" and model.model or nil)
  local used = step.usage or type(model.usage) == "table" and model.usage or {}
  for field, name in pairs(genai.usage) do attribute(list, name, math.tointeger(used[field])) end
  attribute(list, "moonlet.usage.cost_usd",
    type(used.cost_usd) == "number" and used.cost_usd or nil)
  if not content then return end
  local prompt = core.file.read(root, folder .. "/prompt.md", content_cap)
  local answer = core.file.read(root, folder .. "/output.md", content_cap)
  if prompt then attribute(list, genai.input_messages, messages("user", prompt)) end
  if answer then attribute(list, genai.output_messages, messages("assistant", answer)) end
end

---@param options {content: boolean?}
function M.spans(root, rec, options)
  local run, list, context = spans.of(root, rec), {}, trace.of(rec)
  local function add(name, kind, from, to, parent, key)
    local span = { traceId = context.trace, spanId = trace.id(rec, key, 16), parentSpanId = parent,
      name = core.text.clean(name), kind = kind,
      startTimeUnixNano = nanoseconds(from), endTimeUnixNano = nanoseconds(to),
      attributes = core.json.array {}, status = {} }
    list[#list + 1] = span
    return span, span.attributes
  end
  local function set_status(span, attributes, is_well, why, kind)
    span.status = is_well and { code = status_ok }
      or { code = status_error, message = why and core.text.clean(why) }
    if not is_well then attribute(attributes, genai.error_type, kind or "failed") end
  end
  local whole, about = add(genai.operation.run .. " " .. rec.preset, internal, run.from, run.to,
    context.parent, "run")
  attribute(about, genai.operation.name, genai.operation.run)
  attribute(about, genai.agent_name, rec.preset)
  attribute(about, "moonlet.run.id", rec.id)
  attribute(about, "moonlet.run.verdict", rec.verdict)
  attribute(about, "moonlet.run.task_id", rec.task_id)
  local err = type(rec.error) == "table" and rec.error ~= null and rec.error or {}
  local is_well = rec.verdict == "ok" or rec.verdict == "findings"
  set_status(whole, about, is_well, type(err.message) == "string" and err.message or rec.verdict,
    rec.verdict)
  local parents = { [0] = whole.spanId }
  for i, phase in ipairs(run.phases) do
    parents[i] = add("phase " .. phase.name, internal, phase.from, phase.to, whole.spanId,
      "phase " .. i).spanId
  end
  for number, step in ipairs(run.steps) do
    local is_agent, label = step.kind == "agent", step_files.label(step.key)
    local span, attributes = add((is_agent and genai.operation.agent or step.kind) .. " " .. label,
      is_agent and client or internal, step.from, step.to, parents[step.phase], "step " .. number)
    attribute(attributes, "moonlet.step.key", step.key)
    attribute(attributes, "moonlet.step.kind", step.kind)
    attribute(attributes, "moonlet.step.attempts", step.attempts)
    attribute(attributes, "process.exit.code", step.exit_code)
    if is_agent then agent_attributes(attributes, root, rec, step, options.content) end
    set_status(span, attributes, step.status == "ok", step.error or step.status,
      step.error_kind or step.status)
    for i, tool in ipairs(step.tools) do
      local used, of_tool = add(genai.operation.tool .. " " .. tool.name, internal, tool.from,
        tool.to, span.spanId, ("tool %d %d"):format(number, i))
      attribute(of_tool, genai.operation.name, genai.operation.tool)
      attribute(of_tool, genai.tool_name, tool.name)
      set_status(used, of_tool, tool.status == "ok" or tool.status == "running", tool.status,
        tool.status)
    end
  end
  return list
end

function M.text(root, rec, options)
  local resource = core.json.array {}
  attribute(resource, "service.name", "moonlet")
  attribute(resource, "service.version", core.system.version)
  local lines, list = {}, M.spans(root, rec, options)
  for first = 1, #list, spans_a_line do
    local part = table.move(list, first, math.min(first + spans_a_line - 1, #list), 1,
      core.json.array {})
    local scoped = { scope = { name = genai.scope, version = genai.version }, spans = part }
    lines[#lines + 1] = core.json.encode_record { resourceSpans = core.json.array {
      { resource = { attributes = resource }, scopeSpans = core.json.array { scoped } } } }
  end
  return table.concat(lines, "\n") .. "\n"
end

---@param options {content: boolean?}
---@return moonlet.LeftFile[] left
function M.write(_, root, rec, dir, name, options)
  assert(core.file.write(dir, name, M.text(root, rec, options)))
  return {}
end

--- Writes the spans of an ended run to MOONLET_OTLP_DIR, if set. A failure is only a warning.
---@param is_new boolean  false: write only if the file is missing, for example after a killed host
function M.at_end(home, id, is_new)
  local folder = core.system.env "MOONLET_OTLP_DIR"
  if not folder or folder == "" then return end
  local written, err = pcall(function()
    local root = store.root(home)
    local rec = store.read(root, id)
    if not rec or not rec.ended or rec.verdict == "needs-human" or rec.verdict == "quota" then
      return
    end
    local dir, name = place.of(("%s/%s-%s.otlp.jsonl"):format(folder, rec.task_id, id),
      "MOONLET_OTLP_DIR")
    if is_new or not core.file.stat(dir, name) then M.write(home, root, rec, dir, name, {}) end
  end)
  if written then return end
  core.system.print(2, ("moonlet: the spans of %s were not written: %s\n"):format(id,
    core.text.printable(type(err) == "table" and tostring(err.message) or tostring(err), 400)))
end

return M
