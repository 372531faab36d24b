--- Defines the MCP tools for sessions that the config allows. No tool can answer a prompt that asks for
--- a decision.
local answers = require "moonlet.engine.mcp.answers"
local command = require "moonlet.engine.mcp.command"

local M = {}

local tail_bytes, most_tail_bytes = 4000, 16000
local step_s, longest_wait_s = 2, 50

--- Lists the kinds of prompts that ask for a decision, so that only a person answers them.
local for_a_person = { trust = true, approval = true, menu = true, ["y/n"] = true, password = true }

local function refuse(message, hint)
  error({ kind = "denied", message = message, hint = hint }, 0)
end

local function rows_of(call)
  local rows, allowed = {}, {}
  for _, name in ipairs(call.server.rights.sessions) do allowed[name] = true end
  for _, row in ipairs(command.run({ "session", "list", "--all", "--repo",
      call.home.top }).result.sessions) do
    if allowed[row.id] or allowed[row.name] then rows[#rows + 1] = row end
  end
  return rows
end

local function find(call)
  local word = call.arguments.session
  for _, row in ipairs(rows_of(call)) do
    if row.id == word or row.name == word then return row end
  end
  refuse(("the config allows no session '%s'"):format(core.text.printable(word, 60)),
    "the user allows it by its name: mcp = { sessions = { … } }")
end

local function line_of(row)
  return ("%s %s: %s%s"):format(row.id, row.name or "", row.state, type(row.waits_for) == "string"
    and ", waits for: " .. core.text.printable(row.waits_for, 400) or "")
end

local function told(row)
  return { id = row.id, name = row.name, state = row.state, waits = row.waits,
    waits_for = row.waits_for, exit_code = row.exit_code }
end

local function list(call)
  local rows, lines = rows_of(call), {}
  for i, row in ipairs(rows) do rows[i], lines[i] = told(row), line_of(row) end
  return answers.result(#lines > 0 and table.concat(lines, "\n")
    or "none of the allowed sessions is there",
    { sessions = core.json.array(rows) })
end

local function log(call)
  local row = find(call)
  local found = command.run({ "session", "log", row.id, "--repo", call.home.top, "--tail",
    tostring(call.arguments.tail or tail_bytes) }).result
  return answers.result(found.text, { id = row.id, text = found.text, offset = found.offset,
    next = found.next })
end

local function submit(call)
  local row = find(call)
  if for_a_person[row.waits] then
    refuse(("%s asks a person: %s"):format(row.id,
      core.text.printable(tostring(row.waits_for), 200)),
      "ask the user to answer: moonlet session attach " .. row.id)
  end
  command.run { "session", "submit", row.id, "--repo", call.home.top, "--", call.arguments.text }
  return answers.result(row.id .. ": typed", { id = row.id })
end

--- Waits in short steps, so that a cancelled call ends soon.
local function wait(call)
  local row = find(call)
  local deadline = core.clock.monotonic() + (call.arguments.wait_s or longest_wait_s) * 1000
  repeat
    local ok, err = pcall(command.run,
      { "session", "wait", row.id, "--repo", call.home.top, "--until",
      call.arguments["until"] or "exit", "--timeout", step_s .. "s" })
    row = find(call)
    local goes_on = not ok and err.kind == "timeout"
    if not ok and not goes_on and err.kind ~= "failed" then error(err, 0) end
  until not goes_on or core.clock.monotonic() >= deadline
  return answers.result(line_of(row), { session = told(row) })
end

local session = { type = "string", description = "its name or id" }

---@type moonlet.McpTool[]
M.tools = {
  { name = "session_list", title = "List sessions", run = list, reads = true, needs = "sessions",
    properties = {},
    description = "The sessions that the user's config allows, and what each waits for." },
  { name = "session_log", title = "Read a session", run = log, reads = true, needs = "sessions",
    required = { "session" }, description = "The last bytes that a session printed.",
    properties = { session = session,
      tail = { type = "integer", minimum = 1, maximum = most_tail_bytes } } },
  { name = "session_submit", title = "Type into a session", run = submit, needs = "sessions",
    required = { "session", "text" },
    description = "Types a text and Enter. Refused where the session asks for a decision: that "
      .. "is a person's.",
    properties = { session = session, text = { type = "string", maxLength = 20000 } } },
  { name = "session_wait", title = "Wait for a session", run = wait, reads = true,
    needs = "sessions", required = { "session" },
    description = "Waits for the end of a session, a prompt or a marker, under a minute.",
    properties = { session = session,
      ["until"] = { type = "string", enum = { "exit", "quiet", "prompt", "marker" } },
      wait_s = { type = "integer", minimum = 0, maximum = longest_wait_s } } },
}

return M
