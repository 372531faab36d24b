--- Returns what a main agent may do over MCP: `mcp` of the user's config, with its defaults.
--- A client can narrow these rights, and nothing widens them.
local duration = require "moonlet.duration"

local M = {}

--- Limits each run that a client starts, unless the config sets limits.
local default_budget = { tokens = 400000, agents = 8, wall = "15m" }

---@class moonlet.ClientRights
---@field presets string[]    presets that the client may run
---@field sessions string[]   sessions (names or ids) that the client may read and type into
---@field programs string[]   programs that the client may name as checks
---@field budget table        limits of each run that the client starts
---@field sandbox string      what agents of the client's runs may write
---@field vanished "continue"|"cancel"  what happens to runs after their client has disconnected

---@return moonlet.ClientRights
function M.of(config)
  local given = config.mcp or {}
  return { presets = given.presets or {}, sessions = given.sessions or {},
    programs = given.programs or {}, budget = given.budget or default_budget,
    sandbox = given.sandbox or "read-only", vanished = given.vanished or "continue" }
end

--- Returns the smaller of two limits of one kind; nil means no limit.
function M.tighter(kind, one, other)
  if one == nil or other == nil then return one or other end
  if kind == "wall" then
    return duration.ms(one, "wall") <= duration.ms(other, "wall") and one or other
  end
  return math.min(one, other)
end

function M.bounded(budget, rights)
  local bound = {}
  for kind, amount in pairs(budget) do bound[kind] = amount end
  for kind, most in pairs(rights.budget) do bound[kind] = M.tighter(kind, bound[kind], most) end
  return bound
end

local function refuse(message, hint)
  error({ kind = "denied", usage = true, message = message, hint = hint }, 0)
end

function M.check_program(rights, program)
  for _, name in ipairs(rights.programs) do
    if name == program then return end
  end
  refuse(("a client may not start the program %s"):format(core.text.printable(program, 80)),
    "the user's config names such programs: mcp = { programs = { … } }")
end

function M.check_preset(rights, name)
  for _, allowed in ipairs(rights.presets) do
    if allowed == name then return end
  end
  local shown = core.text.printable(name, 60)
  refuse(("a client may not run '%s'"):format(shown),
    ("the user allows presets in the config: mcp = { presets = { \"%s\" } }"):format(shown))
end

---@param packet table  with validation, runner, auto_approve
---@param words_of fun(command: string, where: string): string[]
---@param runner string?  runner of the config
function M.check_packet(rights, packet, words_of, runner)
  for _, check in ipairs(packet.validation) do
    M.check_program(rights, words_of(check.command, "the packet's check")[1])
  end
  if packet.auto_approve then
    refuse("the packet approves its own run, and only a person may start it",
      "moonlet run " .. packet.id)
  end
  if packet.runner and packet.runner ~= runner then
    refuse(("the packet names the runner %s, which is not the one of the config"):format(
      core.text.printable(packet.runner, 60)), "moonlet run " .. packet.id)
  end
end

return M
