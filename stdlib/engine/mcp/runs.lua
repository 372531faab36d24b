--- Defines the MCP tools for runs.
--- Another process drives each run, so that a run outlives the call and the server.
local answers = require "moonlet.engine.mcp.answers"
local client_rights = require "moonlet.engine.load.client_rights"
local command = require "moonlet.engine.mcp.command"
local duration = require "moonlet.duration"
local follow = require "moonlet.engine.mcp.follow"
local gates = require "moonlet.engine.mcp.gates"
local presets = require "moonlet.engine.mcp.presets"
local protocol = require "moonlet.engine.mcp.protocol"
local server = require "moonlet.engine.mcp.server"
local sorted_keys = require "moonlet.engine.base.sorted_keys"
local state = require "moonlet.engine.run.state"
local store = require "moonlet.engine.run.store"

local M = {}

--- Limits how long a call waits, so that it answers before the client's own time limit.
local longest_wait_s = 50
local listed = 20

local run_schema = { type = "string", description = "the run: R-007" }
local wait_schema = { type = "integer", minimum = 0, maximum = longest_wait_s,
  description = ("seconds to wait for its end (default %d)"):format(longest_wait_s) }

local function refuse(message, hint)
  error({ kind = "denied", message = message, hint = hint }, 0)
end

--- Returns the client, the tool and the server of a call as JSON. run.json records them as the
--- origin of the run.
local function asked_by(call)
  local client = call.request.client
  return core.json.encode { client = client.name, version = client.version, tool = call.tool,
    server = call.server.token }
end

--- Reports whether the client started the run over MCP, in this or an earlier session.
function M.is_own(client, rec)
  local by = rec.options.asked_by
  return type(by) == "table" and by ~= core.json.null and by.client == client.name
end

--- Returns the run that a call names, and remembers it for the log of calls.
---@return string id, table record
function M.find(call)
  local id, rec = store.find(call.home, call.arguments.run)
  call.run = id
  return id, rec
end

--- Returns the run that a call names. Raises an error unless the client started the run.
local function own(call)
  local id, rec = M.find(call)
  if M.is_own(call.request.client, rec) then return id, rec end
  refuse(("%s was not started by %s over MCP"):format(id, call.request.client.name),
    "the user acts on it at the command line: moonlet show " .. id)
end

--- Returns a function that sends the events of a run to the client as progress of a call, or nil if
--- the client wants no progress.
local function teller(call)
  local meta = call.request.params._meta
  local token = protocol.is_object(meta) and meta.progressToken
  if type(token) ~= "string" and type(token) ~= "number" then return nil end
  local last = 0
  return function(count, line)
    if call.request.cancelled or count <= last then return end
    last = count
    server.notify("notifications/progress",
      { progressToken = token, progress = count, message = line })
  end
end

--- Waits for a run and returns the call's result. Shows a gate to the person at the client if possible.
function M.wait(call, id)
  local seconds = call.arguments.wait_s or longest_wait_s
  local deadline = call.began + seconds * 1000
  local is_ours = M.is_own(call.request.client, select(2, store.find(call.home, id)))
    and not call.server.is_worker
  local rec, how, asked
  repeat
    rec, how = follow.wait(call.home, id, deadline, is_ours, teller(call))
    asked = is_ours and how == "ended" and rec.verdict == "needs-human"
      and gates.ask(call, id, rec, deadline)
    if type(asked) == "table" then return asked end
  until asked ~= "answered"
  return answers.of_run(call.home, id, rec)
end

--- Formats the limits that a client requests as the option --budget. Raises an error for a limit above
--- the config's limit.
local function budget_words(rights, budget)
  local parts = {}
  for _, kind in ipairs(sorted_keys(budget or {})) do
    local value, most = budget[kind], rights.budget[kind]
    if kind == "wall" then duration.ms(value, "budget.wall") end
    if most and client_rights.tighter(kind, value, most) ~= value then
      refuse(("the budget allows %s %s, not %s"):format(kind, tostring(most), tostring(value)),
        "the user sets it in the config: mcp = { budget = { … } }")
    end
    parts[#parts + 1] = ("%s=%s"):format(kind,
      math.type(value) == "float" and ("%.14g"):format(value)
      or tostring(value))
  end
  return #parts > 0 and { "--budget", table.concat(parts, ",") } or {}
end

--- Adds the kind file: or glob: to an input that has no kind. Rejects an input of the kind cmd:,
--- because it would start a program.
function M.input_word(spec)
  local kind = spec:match "^(%l+):"
  if kind == "cmd" then
    refuse(("the input '%s' would start a program"):format(core.text.printable(spec, 80)),
      "give file:PATH, glob:PATTERN or diff:")
  end
  if kind == "file" or kind == "glob" or kind == "diff" then return spec end
  return (spec:find "[*?]" and "glob:" or "file:") .. spec
end

local function add(words, more) table.move(more, 1, #more, #words + 1, words) end

--- Starts a process that drives a new run, and waits for the run.
---@param words string[]  words of `moonlet run` after --detached
function M.drive(call, words)
  local all = { "run", "--detached" }
  add(all, words)
  add(all, { "--repo", call.home.top, "--json", "--asked-by", asked_by(call) })
  local id
  call.request.after_cancel = function()
    if id then command.run { "run", "cancel", id, "--repo", call.home.top } end
  end
  id = command.leave(all)
  call.run = id
  call.server.runs[id] = call.home
  return M.wait(call, id)
end

---@param given {args: table, inputs: string[]?, title: string?, budget: table?, sandbox: string?}
function M.start(call, name, given)
  local rights = call.server.rights
  client_rights.check_preset(rights, name)
  if given.sandbox == "workspace-write" and rights.sandbox ~= "workspace-write" then
    refuse("agents may not write here",
      'the user allows it in the config: mcp = { sandbox = "workspace-write" }')
  end
  local preset = presets.check(call.home, name, given.args)
  local words = { name }
  add(words, presets.words(given.args))
  for _, spec in ipairs(given.inputs or {}) do add(words, { "--input=" .. M.input_word(spec) }) end
  if given.title then words[#words + 1] = "--title=" .. given.title end
  if given.sandbox then add(words, { "--sandbox", given.sandbox }) end
  add(words, budget_words(rights, given.budget))
  for key, arg in pairs(preset.args) do
    if arg.type == "checks" and given.args[key] and #rights.programs > 0 then
      add(words, { "--allow", "run=" .. table.concat(rights.programs, ",") })
      break
    end
  end
  return M.drive(call, words)
end

local function run_preset(call)
  local given = call.arguments
  return M.start(call, given.preset,
    { args = given.args or {}, inputs = given.inputs, title = given.title,
    budget = given.budget, sandbox = given.sandbox })
end

local function recent(call)
  local root, rows, lines = store.root(call.home), {}, {}
  local ids = root and store.ids(root) or {}
  local page, cursor = require("moonlet.engine.mcp.tools").page(ids,
    { cursor = call.arguments.cursor }, listed)
  for _, id in ipairs(page) do
    local rec = store.look(root, id)
    if rec then
      rows[#rows + 1] = { id = id, state = state.of(call.home, id, rec), preset = rec.preset,
        own = M.is_own(call.request.client, rec) }
      lines[#lines + 1] = ("%s  %s  %s"):format(id, rows[#rows].state,
        core.text.printable(rec.preset, 60))
    end
  end
  if cursor then lines[#lines + 1] = "more: cursor " .. cursor end
  return answers.result(#lines > 0 and table.concat(lines, "\n") or "there is no run yet",
    { runs = core.json.array(rows), next_cursor = cursor })
end

local function run_status(call)
  if not call.arguments.run then return recent(call) end
  local id, rec = M.find(call)
  return answers.of_run(call.home, id, rec)
end

local function run_wait(call) return M.wait(call, (M.find(call))) end

local function run_resume(call)
  local id, rec = own(call)
  if core.runs.holder(call.home.handle, id) then return M.wait(call, id) end
  if rec.ended and rec.verdict == "needs-human" then
    refuse(id .. " waits for an answer", answers.of_run(call.home, id, rec).structuredContent.next)
  end
  command.leave { "run", "resume", id, "--detached", "--asked", "--repo", call.home.top, "--json" }
  call.server.runs[id] = call.home
  return M.wait(call, id)
end

local function run_cancel(call)
  local id = own(call)
  command.run { "run", "cancel", id, "--repo", call.home.top }
  local result = answers.of_run(call.home, id, select(2, store.find(call.home, id)))
  -- The client wanted the cancellation, so it is not an error of the call.
  result.isError, result.structuredContent.error = false, nil
  return result
end

local function question_of(id, rec, key)
  local open, keys = rec.ended and rec.verdict == "needs-human" and rec.parked or {}, {}
  local found
  for i, item in ipairs(open) do
    keys[i] = item.key
    if item.key == key or not key and #open == 1 then found = item end
  end
  if not found then
    error({ kind = "invalid", message = #open == 0 and id .. " does not wait for an answer"
      or key and ("%s does not wait at '%s'"):format(id, core.text.printable(key, 80))
      or ("%s waits at %d points"):format(id, #open),
      hint = #open > 0 and "keys: " .. core.text.printable(table.concat(keys, ", "), 400) or nil },
      0)
  end
  if found.kind == "gate" or found.agent ~= true then
    refuse(found.kind == "gate" and "only a person approves or rejects a gate"
      or "the preset asks a person this",
      "ask the user to run: " .. state.answers(id, { found }, #open > 1)[1])
  end
  return found
end

local function answer(call)
  local id, rec = own(call)
  local item = question_of(id, rec, call.arguments.key)
  command.leave { "answer", id, "--detached", "--json", "--repo", call.home.top, "--key", item.key,
    "--sha", item.shown,
    "--by", ("%s (MCP client)"):format(call.request.client.name), "--", call.arguments.text }
  call.server.runs[id] = call.home
  return M.wait(call, id)
end

local budget_schema = { type = "object", additionalProperties = false,
  description = "smaller limits than the user's: tokens, agents, usd, wall",
  properties = { tokens = { type = "integer", minimum = 1 },
    agents = { type = "integer", minimum = 1 }, usd = { type = "number" },
    wall = { type = "string" } } }

---@type moonlet.McpTool[]
M.tools = {
  { name = "run_preset", title = "Run a preset", run = run_preset, required = { "preset" },
    description = "Starts a preset that the user's config allows, in a process of its own. "
      .. "Answers within a minute, "
      .. "with the result or with the run's id and state; then call run_wait.",
    properties = { preset = { type = "string", description = "its name" },
      args = { type = "object", description = "its arguments by name" },
      inputs = { type = "array", items = { type = "string" }, maxItems = 100,
        description = "what may be read: file:PATH, glob:PATTERN, diff:" },
      title = { type = "string", maxLength = 200, description = "a title for the record" },
      budget = budget_schema, sandbox = { type = "string",
        enum = { "read-only", "workspace-write" },
        description = "what agents may write, within the config's limits" },
        wait_s = wait_schema } },
  { name = "run_status", title = "State of a run", run = run_status, reads = true,
    description = "The state, open questions and result of a run; without one the newest runs.",
    properties = { run = run_schema,
      cursor = { type = "string", description = "of the answer before" } } },
  { name = "run_wait", title = "Wait for a run", run = run_wait, reads = true, required = { "run" },
    description = "Waits for the end of a run, under a minute. Call it again while the run "
      .. "continues.",
    properties = { run = run_schema, wait_s = wait_schema } },
  { name = "run_resume", title = "Resume a run", run = run_resume, required = { "run" },
    description = "Continues a run of yours that failed or was interrupted; nothing is paid twice.",
    properties = { run = run_schema, wait_s = wait_schema } },
  { name = "run_cancel", title = "Cancel a run", run = run_cancel, required = { "run" },
    description = "Ends a run of yours and every process that it started.",
    properties = { run = run_schema } },
  { name = "answer", title = "Answer an agent", run = answer, required = { "run", "text" },
    description = "Answers the question of an agent in a run of yours. Gates are for a person: "
      .. "this tool refuses them.",
    properties = { run = run_schema, text = { type = "string", minLength = 1, maxLength = 20000 },
      key = { type = "string", description = "which question, where there are several" },
      wait_s = wait_schema } },
}

return M
