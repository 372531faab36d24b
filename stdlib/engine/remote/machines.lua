--- Finds the machine that `on` names in the user's config. A repository cannot add machines.
local duration = require "moonlet.duration"
local record = require "moonlet.record"

local M = {}

local default_slots = 8
local default_patience_ms = 60 * 1000

---@class moonlet.Machine
---@field on string          machine in the form of the step: "ssh:big", "slurm:gpu"
---@field kind "ssh"|"slurm"
---@field name string        key in the config
---@field host string?       destination for ssh; nil: commands run on this machine
---@field dir string         moonlet's folder on the machine, absolute or "~/…"
---@field slots integer      maximum number of parallel steps
---@field env string[]       names of local variables that are passed to the machine's steps
---@field patience_ms integer  time without an answer of the machine before a person is asked
---@field partition string?
---@field account string?
---@field asks boolean?      a person approves a run's first submission

local function refuse(on, why, hint)
  record.refuse(("on = '%s': %s"):format(core.text.printable(on, 80), why), hint, nil)
end

local function entry_of(config, on, name)
  local all = config.machines or {}
  if all[name] then return all[name] end
  local names = {}
  for known in pairs(all) do names[#names + 1] = known end
  refuse(on, ("the config names no machine '%s'"):format(core.text.printable(name, 60)),
    #names > 0 and record.suggest(name, names)
      or "add machines = { NAME = { ssh = \"HOST\", dir = \"~/moonlet\" } } to your config")
end

local function partition_of(on, entry, given)
  local list = entry.partitions or {}
  if not given then return list[1] end
  for _, name in ipairs(list) do
    if name == given then return given end
  end
  refuse(on, ("the config allows no submission to the partition '%s'"):format(
    core.text.printable(given, 60)),
    #list > 0 and record.suggest(given, list) or "name it in machines.slurm.partitions")
end

--- Returns the machine that `on` names. Raises `invalid` for an unknown machine.
---@return moonlet.Machine
function M.of(config, on)
  local kind, name = on:match "^(%l+):(.+)$"
  if kind == "ssh" then
    local entry = entry_of(config, on, name)
    if not entry.ssh then refuse(on, "machines." .. name .. " has no ssh", "add ssh = \"HOST\"") end
    return { on = on, kind = "ssh", name = name, host = entry.ssh,
      dir = entry.dir or "~/.moonlet-remote", slots = entry.slots or default_slots,
      env = entry.env or {},
      patience_ms = entry.patience and duration.ms(entry.patience, "patience")
        or default_patience_ms }
  end
  if kind == "slurm" or on == "slurm" then
    local entry = entry_of(config, on, "slurm")
    local via = entry.via and M.of(config, entry.via)
    return { on = on, kind = "slurm", name = "slurm", host = via and via.host,
      dir = entry.dir or "~/.moonlet-remote", slots = entry.slots or math.maxinteger,
      env = entry.env or {}, account = entry.account, asks = entry.submit == "ask" or nil,
      partition = partition_of(on, entry, name),
      patience_ms = entry.patience and duration.ms(entry.patience, "patience")
        or default_patience_ms }
  end
  refuse(on, "it names no machine", 'write "ssh:NAME" or "slurm[:PARTITION]"')
end

return M
