--- `moonlet task` manages packets of work, one JSON file each under .agent/tasks.
local repository = require "moonlet.engine.run.repository"
local options = require "moonlet.engine.cli.options"
local packet_form = require "moonlet.engine.task.packet"
local packets = require "moonlet.engine.task.packets"
local status = require "moonlet.engine.task.status"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

local null = core.json.null

local fields = {
  title = { value = "TEXT", help = "what it is, in one line" },
  summary = { value = "TEXT", help = "what is to be done" },
  goal = { value = "TEXT", help = "what a good result is" },
  input = { value = "SPEC", many = true,
    help = "what the agent is given: file:, glob:, cmd:, diff:" },
  runner = { value = "R", help = "the runner, where the command line of run names none" },
  ["agent-role"] = { value = "ROLE", help = "the role of the agent" },
  ["prompt-tokens"] = { value = "N",
    help = "the most tokens of the agent's prompt: inputs that do not fit are left out" },
  preset = { value = "NAME", help = "the preset that runs it (default: task)" },
  ["depends-on"] = { value = "T-001,…", many = true, help = "packets that must be done before" },
  ["validate-cmds"] = { value = "KIND:COMMAND,…", many = true,
    help = "checks after the run: typecheck, lint, test, build or custom; repeat it for a "
      .. "command with a comma" },
  ["auto-approve"] =
    { help = "approve a run by itself when all checks pass; at least one is needed" },
  status = { value = "draft|ready",
    help = "ready: moonlet run start-ready may start it (default draft)" },
}

local with = options.with_common
local known = { list = with(), show = with(), create = with(fields), edit = with(fields),
  ready = with { draft = { help = "make it a draft again" } } }
M.known, M.known_of = with(fields), known

local function printable(text, size) return core.text.printable(text, size or 200) end

local function envelope(result, text) return options.envelope(result), 0, text end

local function dependencies(list)
  local names = {}
  for _, item in ipairs(list) do
    for name in item:gmatch "[^,%s]+" do names[#names + 1] = packet_form.id(name) or name end
  end
  return names
end

local function fill(packet, found)
  for option, field in pairs { title = "title", summary = "summary", goal = "goal",
      runner = "runner",
    preset = "preset", status = "status", ["agent-role"] = "agent_role" } do
    if found[option] then packet[field] = found[option] ~= "" and found[option] or nil end
  end
  local tokens = found["prompt-tokens"]
  if tokens then
    packet.prompt_tokens = tokens ~= "" and options.tokens(tokens, "prompt-tokens") or nil
  end
  if found.input then packet.inputs = found.input end
  if found["depends-on"] then packet.depends_on = dependencies(found["depends-on"]) end
  if found["validate-cmds"] then
    local is_empty = #found["validate-cmds"] == 1 and found["validate-cmds"][1] == ""
    packet.validation = is_empty and {} or packet_form.parse_checks(found["validate-cmds"])
  end
  if found["auto-approve"] ~= nil then packet.auto_approve = found["auto-approve"] end
  return packet
end

--- Rejects dependencies that do not exist, or that lead back to the packet.
local function check_dependencies(home, packet)
  local all = packets.all(home)
  for _, name in ipairs(packet.depends_on) do
    if not all.by_id[name] then
      options.refuse(("--depends-on %s: there is no such packet"):format(printable(name, 40)),
        "moonlet task list shows the packets")
    end
  end
  local seen, pending = {}, { table.unpack(packet.depends_on) }
  while #pending > 0 do
    local name = table.remove(pending)
    if name == packet.id then
      options.refuse(("--depends-on: %s would depend on itself"):format(packet.id),
        "moonlet task show prints the dependencies of a packet")
    end
    for _, other in ipairs(not seen[name] and all.by_id[name]
        and all.by_id[name].depends_on or {}) do
      pending[#pending + 1] = other
    end
    seen[name] = true
  end
end

local function record_of(home, packet, state)
  local value = packet_form.record(packet)
  value.file = packets.path(home, packet.id)
  value.stored_status = packet.status
  value.status = state.status
  value.blocker = state.why or null
  value.next = state.go_on or null
  value.run = state.run or null
  value.runs = core.json.array(state.runs)
  value.waits_for = core.json.array(state.waits_for or {})
  return value
end

local function list(home, _, rest)
  options.no_more(rest, 0, "task list")
  local all = packets.all(home)
  local states = status.all(home, all)
  local rows, faults = {}, {}
  local lines = { ("%-7s %-8s %-9s %s"):format("TASK", "STATUS", "RUN", "TITLE") }
  for _, packet in ipairs(all.list) do
    local state = states[packet.id]
    rows[#rows + 1] = record_of(home, packet, state)
    local more = state.why or state.waits_for and "waits for "
      .. table.concat(state.waits_for, ", ")
    lines[#lines + 1] = ("%-7s %-8s %-9s %s%s"):format(packet.id, state.status, state.run or "-",
      printable(packet.title, 60), more and " (" .. printable(more, 100) .. ")" or "")
  end
  for i, fault in ipairs(all.faults) do
    faults[i] = { file = fault.file, id = fault.id or null, message = fault.message,
      hint = fault.hint or null }
  end
  packets.tell(all.faults)
  if #rows == 0 then lines = { "no packets: moonlet task create --title TEXT makes one" } end
  return envelope({ tasks = core.json.array(rows), errors = core.json.array(faults) },
    table.concat(lines, "\n") .. "\n")
end

local function one_of(home, rest, command)
  if #rest ~= 1 then
    options.refuse(command .. " which packet?", ("moonlet task %s T-001"):format(command))
  end
  return packets.get(home, rest[1])
end

local function shown(home, packet)
  local state = status.all(home, packets.all(home))[packet.id] or status.of(home, packet)
  local lines = { ("%s  %s  %s"):format(packet.id, state.status, printable(packet.title)) }
  local function add(name, text)
    if text and text ~= "" then
      lines[#lines + 1] = ("%s: %s"):format(name, printable(text, 2000))
    end
  end
  add("blocked", state.why)
  add("waits for", state.waits_for and table.concat(state.waits_for, ", "))
  add("summary", packet.summary)
  add("goal", packet.goal)
  add("runner", packet.runner)
  add("role", packet.agent_role)
  add("prompt tokens", packet.prompt_tokens and ("%d"):format(packet.prompt_tokens))
  add("preset", packet.preset)
  add("inputs", table.concat(packet.inputs, ", "))
  add("depends on", table.concat(packet.depends_on, ", "))
  for _, check in ipairs(packet.validation) do
    add("validation", ("%s: %s%s"):format(check.kind, check.command,
      check.timeout_ms and (" (%d ms)"):format(check.timeout_ms) or ""))
  end
  if packet.auto_approve then
    lines[#lines + 1] = "review: approved by itself when all checks pass"
  end
  add("runs", table.concat(state.runs, ", "))
  add("file", packets.path(home, packet.id))
  add("next", state.go_on or "moonlet run " .. packet.id)
  return envelope(record_of(home, packet, state), table.concat(lines, "\n") .. "\n")
end

local function create(home, found, rest)
  options.no_more(rest, 0, "task create", "the title is an option: --title TEXT")
  if not found.title then
    options.refuse("a packet needs a title", "moonlet task create --title TEXT")
  end
  local packet = fill({ status = "draft", inputs = {}, depends_on = {}, validation = {},
    auto_approve = false }, found)
  check_dependencies(home, packet)
  packet = packets.create(home, packet)
  local made, _, text = shown(home, packet)
  return made, 0, ("created %s\n%s"):format(packet.id, text)
end

local function edit(home, found, rest)
  local packet = one_of(home, rest, "edit")
  local some = false
  for name in pairs(fields) do some = some or found[name] ~= nil end
  if not some then
    require("moonlet.engine.cli.task.editor").edit(packets.path(home, packet.id))
    return shown(home, packets.get(home, packet.id))
  end
  local hash = packet.sha256
  fill(packet, found)
  check_dependencies(home, packet)
  -- Validate the packet after the command line has changed it.
  local checked = packet_form.of(packet_form.record(packet))
  checked.sha256 = hash
  packets.put(home, checked)
  return shown(home, packets.get(home, packet.id))
end

local function ready(home, found, rest)
  if #rest == 0 then options.refuse("which packet is ready?", "moonlet task ready T-001") end
  local wanted, rows, lines = found.draft and "draft" or "ready", {}, {}
  for i, word in ipairs(rest) do rows[i] = packets.get(home, word) end
  for i, packet in ipairs(rows) do
    if packet.status ~= wanted then
      packet.status = wanted
      packets.put(home, packet)
    end
    local state = status.of(home, packet)
    rows[i], lines[i] = record_of(home, packet, state),
      ("%s is %s\n"):format(packet.id, state.status)
  end
  return envelope({ tasks = core.json.array(rows) }, table.concat(lines))
end

local actions = { list = list, create = create, edit = edit, ready = ready,
  show = function(home, _, rest) return shown(home, one_of(home, rest, "show")) end }

function M.main(words)
  local name = words[2]
  local found, rest = verbs.read("task " .. name, words, known[name])
  return actions[name](repository.open(found.repo), found, rest)
end

return M
