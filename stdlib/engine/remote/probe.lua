--- Queries the properties of a remote machine outside of a run.
local far_keeper = require "moonlet.engine.remote.far_keeper"
local links = require "moonlet.engine.remote.link"
local plain_environment = require "moonlet.engine.base.plain_environment"

local M = {}

--- Reports whether the machine's answer to `probe` has all required fields.
local function is_answer(value)
  return type(value) == "table" and type(value.version) == "string"
    and type(value.machine) == "string"
    and type(value.system) == "string" and type(value.arch) == "string"
      and math.type(value.processors) == "integer"
    and type(value.root) == "string" and type(value.programs) == "table"
      and type(value.attempts) == "table"
    and (value.free_bytes == nil or math.type(value.free_bytes) == "integer")
end

local function query(machine, argv)
  local words, log = links.query_words(machine, argv)
  local answer, err = core.process.query { argv = words, env = plain_environment.list(),
    cap = 8 << 20 }
  return answer, err, log()
end

--- Returns the reason why a step could not copy the keeper to the machine, or nil if it could.
local function place_error(machine)
  local answer, err, log = query(machine, far_keeper.place_words(machine, true))
  if not answer then return err end
  if machine.host and answer.code == 255 then return links.unreachable(machine, log) end
  return far_keeper.refusal(machine, answer.code, answer.out)
end

--- Returns the reason why Slurm would refuse every job, or nil if it would not.
local function slurm_error(machine)
  local argv = { "sh", "-c", 'exec 2>&1; sinfo -h -o %P ${1:+-p "$1"}', "sh",
    machine.partition or "" }
  local answer, err, log = query(machine, argv)
  if not answer then return err end
  if machine.host and answer.code == 255 then return links.unreachable(machine, log) end
  local out = links.printed(answer.out, 300)
  if answer.code == 0 and out ~= "" then return nil end
  if answer.code == 0 then out = ("it has no partition '%s'"):format(machine.partition or "") end
  return { kind = "failed", message = ("%s: %s"):format(machine.on, out),
    hint = "try there: sinfo" }
end

--- Returns what moonlet-keeper on the machine answers to `probe`. Returns {} if it is not installed
--- there but can be installed by the first step. Otherwise returns nil and an error.
---@param machine moonlet.Machine
---@return table? answer, moonlet.Error?
function M.of(machine)
  local refusal = machine.kind == "slurm" and slurm_error(machine)
  if refusal then return nil, refusal end
  local answer, err, log = query(machine, { far_keeper.path(machine), "probe", machine.dir })
  if not answer and machine.host then return nil, err end
  if not answer or answer.out == "" and not log:find "%S" or answer.code == 126
      or answer.code == 127 then
    refusal = place_error(machine)
    return not refusal and {} or nil, refusal
  end
  if answer.code ~= 0 then return nil, links.unreachable(machine, log) end
  local ok, value = pcall(core.json.decode, answer.out)
  if ok and is_answer(value) then return value end
  return nil, { kind = "failed", message = machine.on .. " gives an answer that cannot be read",
    hint = "its shell must print nothing by itself: check its .bashrc" }
end

return M
