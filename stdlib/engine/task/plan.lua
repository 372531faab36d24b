--- Plans the run of a packet. Options on the command line override the packet's fields.
local packets = require "moonlet.engine.task.packets"
local packet_form = require "moonlet.engine.task.packet"
local record = require "moonlet.record"
local review = require "moonlet.engine.task.review"

local M = {}

M.preset = "task"

--- Returns the packet whose id is the argument `target` of `moonlet run`. Other targets give nil.
function M.of_target(home, target)
  return packet_form.id(target) and packets.get(home, target) or nil
end

function M.get(home, name) return packets.get(home, name) end

---@param role string?    the agent's role on the command line
---@param linked string?  summary of the previous run in a pipeline
---@return table<string, any>
function M.args(preset, packet, role, linked)
  local text = {}
  for _, part in ipairs { packet.title, packet.summary or false, packet.goal or false } do
    if part then text[#text + 1] = part end
  end
  local whole = table.concat(text, "\n\n")
  local offered = { title = packet.title, summary = packet.summary, goal = packet.goal,
    prompt = whole, task = whole, role = role or packet.agent_role, linked = linked }
  if preset.name == M.preset then offered.packet = core.json.encode(packet_form.record(packet)) end
  local args = {}
  for name, value in pairs(offered) do
    if preset.args[name] and preset.args[name].type == "string" then args[name] = value end
  end
  return args
end

function M.inputs(packet, more)
  local list = table.move(packet.inputs, 1, #packet.inputs, 1, {})
  return table.move(more or {}, 1, #(more or {}), #list + 1, list)
end

---@param about table  the packet in run.json, or the result of M.about()
function M.attach(plan, about)
  plan.packet, plan.after = about, review.after
  plan.holds = plan.name == M.preset or nil
  for _, check in ipairs(about.validation) do
    local argv = require("moonlet.engine.effects.validation").words_of(check.command, check.kind)
    plan.grants.run[argv[1]] = true
  end
end

function M.about(packet)
  return { id = packet.id, title = packet.title, sha256 = packet.sha256,
    auto_approve = packet.auto_approve, prompt_tokens = packet.prompt_tokens,
    validation = packet_form.checks_record(packet.validation) }
end

--- Rejects a second run of a packet while one is running.
function M.check_free(home, packet)
  local state = require("moonlet.engine.task.status").of(home, packet)
  if state.status ~= "running" then return end
  record.refuse(("%s is running: %s"):format(packet.id, state.run),
    ("moonlet wait %s, or moonlet cancel %s"):format(state.run, state.run))
end

return M
