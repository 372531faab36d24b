--- Prepares a replay: finds its parent run, and copies the parent's options and arguments.
local repository = require "moonlet.engine.run.repository"
local loader = require "moonlet.engine.load.loader"
local record = require "moonlet.record"
local store = require "moonlet.engine.run.store"

local M = {}

local null = core.json.null

--- Returns the run to replay. Raises an error if this run is unfinished.
---@return {id: string, record: table, source: table?, target: string}
function M.base(home, word)
  local id, rec = store.find(home, word)
  store.check_own(rec, "replayed from its script")
  if not rec.ended and not rec.options.dry_run then
    record.refuse(("%s has not ended"):format(id), core.runs.holder(home.handle, id)
      and "moonlet wait " .. id or "moonlet resume " .. id)
  end
  rec = store.as_given(home, rec)
  local packet = type(rec.packet) == "table" and rec.packet ~= null and rec.packet.id or nil
  local source
  if not packet and type(rec.path) == "string" then
    source = loader.file(repository.moved(home, rec, rec.path))
    if type(rec.origin) == "string" then source.origin = rec.origin end
  end
  if not packet and not source and rec.target == "repl" then
    record.refuse(id .. " is the run of a prompt",
      "moonlet repl --resume " .. id .. " continues it")
  end
  -- A replay does not inherit the options `reason`, `dry_run` and `pipeline` of its parent.
  rec.options.reason, rec.options.dry_run, rec.options.pipeline = nil, nil, nil
  -- Before --offline existed, a run without an agent recorded the runner "rules".
  if rec.runner == "rules" then rec.runner = null end
  return { id = id, record = rec, source = source, target = packet or rec.target }
end

--- Returns the parent's arguments, except those that the preset no longer has.
---@return table<string, any>
function M.args(preset, rec)
  local args = {}
  for name, value in pairs(rec.args or {}) do
    if preset.args[name] and value ~= null then args[name] = value end
  end
  return args
end

return M
