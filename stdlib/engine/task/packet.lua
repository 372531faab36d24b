--- Parses, validates and formats one task packet as JSON.
local record = require "moonlet.record"
local validation = require "moonlet.engine.effects.validation"

local M = {}

local null = core.json.null
local most_listed = 200

---@class moonlet.Packet
---@field id string                  "T-001"
---@field title string
---@field summary string?
---@field goal string?
---@field status "draft"|"ready"     all other states are derived from the packet's runs
---@field inputs string[]            values of --input
---@field runner string?
---@field agent_role string?
---@field prompt_tokens integer?     token budget of each prompt
---@field preset string?             default: "task"
---@field depends_on string[]
---@field validation moonlet.PacketCheck[]
---@field auto_approve boolean
---@field sha256 string              hash of the text of the packet's file

---@class moonlet.PacketCheck
---@field kind string
---@field command string
---@field timeout_ms integer?

--- A packet's file lists its fields in this order.
local order = { "id", "title", "summary", "goal", "status", "inputs", "runner", "agent_role",
  "prompt_tokens", "preset", "depends_on", "execution", "review" }
local known = {}
for _, name in ipairs(order) do known[name] = true end

local refuse = record.refuse

local function shown(value)
  return core.text.printable(type(value) == "string" and value or core.json.encode(value), 60)
end

local function kind_name(value)
  if value == null then return "null" end
  if type(value) == "table" then return core.json.is_array(value) and "a list" or "an object" end
  return type(value) == "string" and "a text" or "a " .. type(value)
end

local function names_of(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  return names
end

--- Returns a field of the form `form`; nil if it is missing or null. Rejects unknown keys.
---@param form "object"|"list"
---@param fields table<string, any>?  keys that an object may have
local function part_of(value, form, where, fields)
  if value == nil or value == null then return nil end
  local is_list = core.json.is_array(value)
  if type(value) ~= "table" or (form == "object") == is_list
      and (is_list or next(value) ~= nil) then
    refuse(("%s must be %s, not %s"):format(where, form == "list" and "a list" or "an object",
      kind_name(value)))
  end
  for key in pairs(fields and value or {}) do
    if not fields[key] then
      refuse(("%s has no key '%s'"):format(where, shown(key)),
        record.suggest(tostring(key), names_of(fields)))
    end
  end
  return value
end

--- Checks a text field. Control characters would act on a terminal, so they are rejected.
local function text_of(value, name, is_line)
  if value == nil or value == null then return nil end
  if type(value) ~= "string" then
    refuse(("'%s' must be a text, not %s"):format(name, kind_name(value)))
  end
  if value:find(is_line and "[%c]" or "[%z\1-\8\11-\31\127]") then
    refuse(("'%s' has a control character"):format(name), is_line and "write it on one line" or nil)
  end
  return value:find "%S" and value or nil
end

local function texts_of(value, name)
  if value ~= nil and type(value) ~= "table" and value ~= null then
    refuse(("'%s' must be a list of texts, not %s"):format(name, kind_name(value)))
  end
  local list = {}
  for i, item in ipairs(part_of(value, "list", ("'%s'"):format(name)) or {}) do
    if i > most_listed then refuse(("'%s' has more than %d items"):format(name, most_listed)) end
    list[i] = text_of(item, ("%s[%d]"):format(name, i), true)
      or refuse(("'%s[%d]' is empty"):format(name, i))
  end
  return list
end

--- Returns the canonical id of a packet: T-001 for T-1 and t-001; nil for any other text.
function M.id(text)
  local digits = type(text) == "string" and text:match "^[Tt]%-0*(%d+)$"
  if not digits or #digits > 9 or digits == "0" then return nil end
  return ("T-%03d"):format(math.tointeger(tonumber(digits)))
end

local function checked(kind, command, timeout_ms, where)
  command = text_of(command, where, true)
  if not command then
    refuse(("%s has no command"):format(where), 'write { "kind": "test", "command": "npm test" }')
  end
  local timeouts = validation.timeouts
  if type(kind) ~= "string" or not timeouts[kind] then
    refuse(("%s has the unknown kind '%s'"):format(where, shown(kind)),
      record.suggest(tostring(kind), names_of(timeouts)))
  end
  if timeout_ms ~= nil and (math.type(timeout_ms) ~= "integer" or timeout_ms < 1) then
    refuse(("%s: timeout_ms must be a whole number from 1, not %s"):format(where,
      shown(timeout_ms)))
  end
  validation.words_of(command, where)
  return { kind = kind, command = command, timeout_ms = timeout_ms }
end

local function tokens_of(value, name)
  if value == nil or value == null then return nil end
  if math.type(value) == "integer" and value >= 1 then return value end
  refuse(("'%s' must be a whole number from 1, not %s"):format(name,
    type(value) == "number" and shown(value)
    or kind_name(value)))
end

local check_fields = { kind = true, command = true, timeout_ms = true }

local function validation_of(execution)
  local commands = (part_of(execution, "object", "'execution'", { commands = true }) or {}).commands
  commands = part_of(commands, "object", "'execution.commands'", { validation = true }) or {}
  local checks = {}
  for i, item in ipairs(part_of(commands.validation, "list", "'execution.commands.validation'")
      or {}) do
    local where = ("validation command %d"):format(i)
    if type(item) == "string" then item = { command = item } end
    if item == null then refuse(("%s must be an object, not null"):format(where)) end
    part_of(item, "object", where, check_fields)
    local timeout = item.timeout_ms ~= null and item.timeout_ms or nil
    checks[i] = checked(item.kind == nil and "custom" or item.kind, item.command, timeout, where)
  end
  return checks
end

local function auto_approve_of(review)
  local auto = (part_of(review, "object", "'review'", { autoApproveOnAllGreen = true })
    or {}).autoApproveOnAllGreen
  if auto == nil or auto == null then return false end
  if type(auto) ~= "boolean" then
    refuse(("'review.autoApproveOnAllGreen' must be true or false, not %s"):format(kind_name(auto)))
  end
  return auto
end

--- Validates the decoded JSON of a packet. Raises an error for the first fault.
function M.of(value)
  if value == null then refuse "the packet must be an object, not null" end
  part_of(value, "object", "the packet", known)
  local id = M.id(value.id)
  if value.id == nil then
    refuse("the packet has no id", 'write "id": "T-001", as the file is named')
  end
  if not id or id ~= value.id then
    refuse(("'%s' is not the id of a packet"):format(shown(value.id)), "write it like T-001")
  end
  local title = text_of(value.title, "title", true)
  if not title then refuse("the packet has no title", 'write "title": "…", in one line') end
  local status = value.status == nil and "draft" or value.status
  if status ~= "draft" and status ~= "ready" then
    refuse(("'status' is draft or ready, not %s"):format(shown(value.status)),
      "running, review, blocked and done are derived from the runs of the packet")
  end
  local depends, seen = {}, {}
  for i, name in ipairs(texts_of(value.depends_on, "depends_on")) do
    local other = M.id(name)
    if not other then
      refuse(("'depends_on[%d]' is not the id of a packet: %s"):format(i, shown(name)),
        "write it like T-001")
    end
    if other == id then refuse(("%s depends on itself"):format(id), "take it out of depends_on") end
    if not seen[other] then depends[#depends + 1] = other end
    seen[other] = true
  end
  return { id = id, title = title, status = status, summary = text_of(value.summary, "summary"),
    goal = text_of(value.goal, "goal"), inputs = texts_of(value.inputs, "inputs"),
    runner = text_of(value.runner, "runner", true),
    agent_role = text_of(value.agent_role, "agent_role", true),
    prompt_tokens = tokens_of(value.prompt_tokens, "prompt_tokens"),
    preset = text_of(value.preset, "preset", true), depends_on = depends,
    validation = validation_of(value.execution), auto_approve = auto_approve_of(value.review) }
end

function M.parse(text)
  local ok, value = pcall(core.json.decode, text)
  if not ok then
    local why = type(value) == "table" and value.message or tostring(value)
    refuse("it is not JSON: " .. core.text.printable(why, 200),
      "the file may be half written; git may have a "
      .. "complete version")
  end
  local packet = M.of(value)
  packet.sha256 = core.text.sha256(text)
  return packet
end

--- Parses the checks of --validate-cmds. A single value is split at commas, several are not.
---@return moonlet.PacketCheck[]
function M.parse_checks(values)
  local list, checks = values, {}
  if #values == 1 then
    list = {}
    for item in (values[1] .. ","):gmatch "([^,]*)," do list[#list + 1] = item end
  end
  for i, item in ipairs(list) do
    local where = ("validation command %d"):format(i)
    if not item:find "%S" then
      refuse(where .. " of --validate-cmds is empty",
        "repeat the flag for a command that holds a comma")
    end
    local kind, command = validation.split_kind(item, "--validate-cmds")
    checks[i] = checked(kind, (command:gsub("^%s+", ""):gsub("%s+$", "")), nil, where)
  end
  return checks
end

local function checks_record(checks)
  local list = {}
  for i, check in ipairs(checks) do
    list[i] = { kind = check.kind, command = check.command, timeout_ms = check.timeout_ms }
  end
  return core.json.array(list)
end
M.checks_record = checks_record

--- Returns the packet as a JSON value for its file and for `--json`.
function M.record(packet)
  return { id = packet.id, title = packet.title, summary = packet.summary, goal = packet.goal,
    status = packet.status, inputs = core.json.array(packet.inputs), runner = packet.runner,
    agent_role = packet.agent_role, prompt_tokens = packet.prompt_tokens, preset = packet.preset,
    depends_on = core.json.array(packet.depends_on),
    execution = { commands = { validation = checks_record(packet.validation) } },
    review = { autoApproveOnAllGreen = packet.auto_approve } }
end

function M.text(packet)
  local value, lines = M.record(packet), {}
  for _, name in ipairs(order) do
    if value[name] ~= nil then
      local text = core.json.encode(value[name], 2):gsub("\n", "\n  ")
      lines[#lines + 1] = ("  %s: %s"):format(core.json.encode(name), text)
    end
  end
  return "{\n" .. table.concat(lines, ",\n") .. "\n}\n"
end

return M
