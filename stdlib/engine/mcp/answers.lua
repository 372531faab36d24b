--- Formats a run for an MCP client: as a short text for the client's model, and as structured data.
--- Long content stays in a file, whose path is part of the answer.
local state = require "moonlet.engine.run.state"
local store = require "moonlet.engine.run.store"

local M = {}

local null = core.json.null
local text_cap, read_cap, result_cap = 6000, 1 << 20, 6000

--- Returns the answer of a run, and the name of the file that contains the whole answer.
local function answer_of(home, root, rec)
  local findings = core.file.read(root, rec.sidecar .. "/findings.md", read_cap)
  if findings and findings ~= "" then return findings, "findings.md" end
  local ok, result = pcall(store.result, home, rec)
  if ok and type(result) == "string" then return result, "output.md" end
  if ok and result ~= null then return core.json.encode_record(result, 2), "run.json" end
  return core.file.read(root, rec.sidecar .. "/output.md", read_cap), "output.md"
end

local function open_points(rec)
  local list = {}
  for i, item in ipairs(rec.ended and rec.verdict == "needs-human" and rec.parked or {}) do
    list[i] = { key = item.key, kind = item.kind, text = core.text.cut(item.text, 2000),
      by = item.agent == true and "agent" or "person",
      options = item.options and core.json.array(item.options) or nil }
  end
  return list
end

--- Returns a text that says how to continue a run: which tool the client's model can call, or which
--- command a person can run. Returns nil if nothing can be done.
local function next_of(home, id, rec, now, points)
  if now == "running" then return "call run_wait for " .. id end
  if now == "interrupted" then return "its process was killed: call run_resume for " .. id end
  local agents, persons = {}, {}
  for _, item in ipairs(points) do table.insert(item.by == "agent" and agents or persons, item) end
  if #persons > 0 then
    local command = state.answers(id, rec.parked, #points > 1)[1]
    return ("a person decides this; ask the user to run in %s: %s"):format(home.top, command)
  end
  if #agents > 0 then
    return ("its agent asks: call the tool answer for %s, or ask the user"):format(id)
  end
  if now == "quota" then return "its provider refuses for now: call run_wait later" end
  local on = state.go_on(id, now, rec.error, rec.parked, rec.steps)
  return on and ("the tool run_resume, or: %s"):format(on) or nil
end

local function spend_of(rec)
  local usage = type(rec.usage) == "table" and rec.usage or {}
  return usage.total_tokens ~= null and usage.total_tokens or nil
end

--- Builds the result of a tool call about one run.
---@return table result
function M.of_run(home, id, rec)
  local root, now = store.root(home), state.of(home, id, rec)
  local points = open_points(rec)
  local err = type(rec.error) == "table" and rec.error ~= null and rec.ended and rec.error or nil
  local folder = home.agent_path .. "/" .. rec.sidecar
  local answer, file
  if rec.ended then answer, file = answer_of(home, root, rec) end
  local is_long = answer and #answer > text_cap
  local ok, result = pcall(store.result, home, rec)
  if not ok or result ~= null and #core.json.encode_record(result) > result_cap then
    result = null
  end
  local parks = now == "needs-human" or now == "quota"
  local data = { run = { id = id, state = now, preset = rec.preset, dir = folder,
    tokens = spend_of(rec),
      exit_code = rec.exit_code }, open = core.json.array(points),
      next = next_of(home, id, rec, now, points),
    answer = answer and core.text.clean(core.text.cut(answer, text_cap)) or nil,
    answer_file = is_long and folder .. "/" .. file or nil, result = rec.ended and result or nil,
    files_changed = core.json.array(type(rec.files_changed) == "table" and rec.files_changed or {}),
    error = err and not parks and { kind = err.kind, message = err.message, hint = err.hint }
      or nil }
  local lines = { ("%s %s: %s"):format(id, core.text.printable(rec.preset, 60), now) }
  for _, item in ipairs(points) do
    lines[#lines + 1] = ("waits (%s %s): %s"):format(item.kind, item.key, item.text)
  end
  if data.error then
    lines[#lines + 1] = ("error (%s): %s"):format(err.kind, core.text.printable(err.message, 1000))
  end
  if data.error and type(err.hint) == "string" then lines[#lines + 1] = "hint: " .. err.hint end
  if data.answer then lines[#lines + 1] = data.answer end
  if data.answer_file then lines[#lines + 1] = "all of it: " .. data.answer_file end
  if data.next then lines[#lines + 1] = "next: " .. data.next end
  return M.result(table.concat(lines, "\n"), data, data.error ~= nil)
end

--- Builds the result of a tool call.
---@param data table?
---@param is_error boolean?
function M.result(text, data, is_error)
  return { content = core.json.array { { type = "text", text = core.text.clean(text) } },
    structuredContent = data, isError = is_error or false }
end

--- Builds the result of a tool call that failed.
---@param err any
function M.failure(err)
  if type(err) ~= "table" then err = { kind = "failed", message = tostring(err) } end
  local kind, message = rawget(err, "kind") or "failed",
    core.text.printable(tostring(err.message), 1000)
  local hint = err.hint ~= null and err.hint or nil
  return M.result(("%s: %s%s"):format(kind, message,
    hint and "\nhint: " .. core.text.printable(hint, 1000) or ""),
    { error = { kind = kind, message = message, hint = hint } }, true)
end

return M
