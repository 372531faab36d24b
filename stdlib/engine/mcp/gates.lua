--- Shows a gate or question of a run to the person at the client, if the client supports forms.
--- Only the person's answer counts. If the person declines the form, the gate stays open for
--- `moonlet answer`.
local command = require "moonlet.engine.mcp.command"
local person = require "moonlet.engine.base.person"
local protocol = require "moonlet.engine.mcp.protocol"
local store = require "moonlet.engine.run.store"

local M = {}

local poll_ms = 20
local form_cap = 16 << 10
local patience_ms = 30 * 60 * 1000

--- Returns the first open gate or question that a person must answer.
local function point_of(rec)
  for _, item in ipairs(rec.parked) do
    if item.kind == "gate" or item.agent ~= true then return item end
  end
end

--- Builds the form of a gate or question; nil if it is too long for a form.
local function form_of(id, rec, item, revision)
  local lines = { ("moonlet, run %s (%s): %s"):format(id, core.text.printable(rec.preset, 60),
    item.text) }
  if item.why then lines[#lines + 1] = "why: " .. item.why end
  if item.show then lines[#lines + 1] = "\n" .. item.show end
  local message = core.text.strip(table.concat(lines, "\n"))
  if #message > form_cap then return nil end
  local field
  if item.kind == "gate" then
    field = { type = "string", title = "Decision", enum = core.json.array { "approve", "reject" } }
  elseif item.options and #item.options > 0 then
    field = { type = "string", title = "Answer",
      enum = core.json.array { table.unpack(item.options) } }
  else
    field = { type = "string", title = "Answer", minLength = 1 }
  end
  return { mode = revision ~= "2025-06-18" and "form" or nil, message = message,
    requestedSchema = { type = "object", properties = { answer = field },
      required = core.json.array { "answer" } } }
end

--- Returns the answer that a person gave in a form.
--- Returns nil if the person declined or dismissed the form, or if the answer is invalid.
local function value_of(item, result)
  local content = protocol.is_object(result) and result.action == "accept" and result.content
  local value = protocol.is_object(content) and content.answer
  if type(value) ~= "string" or not value:find "%S" or not core.text.is_utf8(value) then
    return nil
  end
  if item.kind == "gate" and value ~= "approve" and value ~= "reject" then return nil end
  return value
end

--- Answers the gate or question of a form if it is still open. Returns true after the run has been
--- started again.
local function apply(call, id, item, value)
  local rec = select(2, store.find(call.home, id))
  for _, open in ipairs(rec.ended and rec.verdict == "needs-human" and rec.parked or {}) do
    if open.key == item.key and open.shown == item.shown then
      local by = ("%s (through %s)"):format(person.name(), call.request.client.name)
      command.leave { "answer", id, "--detached", "--json", "--repo", call.home.top, "--key",
        item.key, "--sha",
        item.shown, "--by", by, "--", value }
      return true
    end
  end
  return false
end

--- Sends the form to the client. Applies the answer when it arrives, even after the tool call has
--- ended.
local function begin(call, id, item, form)
  local asked = call.server:ask("elicitation/create", form)
  local pending = {}
  core.task.spawn(call.server.scope, function()
    local answer = call.server.await_answer(asked, core.clock.monotonic() + patience_ms)
    local value = answer and value_of(item, answer.result)
    local ok, done = pcall(function() return value ~= nil and apply(call, id, item, value) end)
    pending.state = ok and done and "answered" or "open"
    if not ok then
      core.system.print(2, ("moonlet mcp: %s: %s\n"):format(id,
        core.text.printable(tostring(done.message), 400)))
    end
  end)
  return pending
end

--- Asks the person through the result of the tool call, as the newest protocol revision requires.
--- The result contains the form, and the client repeats the call with the answer.
local function ask_by_result(call, id, item, form)
  local params = call.request.params
  local name = ("%s %s %s"):format(id, item.shown, item.key)
  local responses = protocol.is_object(params.inputResponses) and params.inputResponses or {}
  if params.requestState == name and responses.gate ~= nil then
    local value = value_of(item, responses.gate)
    params.requestState = nil
    return value and apply(call, id, item, value) and "answered" or "open"
  end
  return { resultType = "input_required", requestState = name,
    inputRequests = { gate = { method = "elicitation/create", params = form } } }
end

--- Asks the person at the client to answer the first open gate or question of a run.
---@param deadline integer  on the monotonic clock
---@return "answered"|"open"|table  a table is the result of the tool call, which contains the form
function M.ask(call, id, rec, deadline)
  local item, client = point_of(rec), call.request.client
  if not item or not client.elicits or call.server.is_worker then return "open" end
  local form = form_of(id, rec, item, client.revision)
  if not form then return "open" end
  if client.revision == protocol.stateless then return ask_by_result(call, id, item, form) end
  local forms = call.server.forms
  local name = ("%s %s %s %s"):format(call.home.top, id, item.shown, item.key)
  forms[name] = forms[name] or begin(call, id, item, form)
  while not forms[name].state and core.clock.monotonic() < deadline do core.task.sleep(poll_ms) end
  return forms[name].state or "open"
end

return M
