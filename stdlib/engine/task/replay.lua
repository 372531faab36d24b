--- The start of a replay: what it takes from the run that it replays.
local repository = require "moonlet.engine.run.repository"
local loader = require "moonlet.engine.load.loader"
local record = require "moonlet.record"
local store = require "moonlet.engine.run.store"

local M = {}

local null = core.json.null

--- The run that is replayed; raises for one that has not ended.
---@param home table
---@param word string
---@return {id: string, record: table, source: table?, target: string}
function M.base(home, word)
  local id, rec = store.find(home, word)
  if not rec.ended and not rec.options.dry_run then
    error(record.invalid(("%s has not ended"):format(id), core.runs.holder(home.handle, id)
      and "moonlet run wait " .. id or "moonlet run resume " .. id), 0)
  end
  rec = store.as_given(home, rec)
  local packet = type(rec.packet) == "table" and rec.packet ~= null and rec.packet.id or nil
  local source
  if not packet and type(rec.path) == "string" then
    source = loader.file(repository.moved(home, rec, rec.path))
    if type(rec.origin) == "string" then source.origin = rec.origin end
  end
  if not packet and not source and rec.target == "repl" then
    error(record.invalid(id .. " is the run of a prompt", "moonlet repl --resume " .. id .. " goes on with it"), 0)
  end
  -- The reason, the title of another packet, and what a dry run was, are not the replay's.
  rec.options.reason, rec.options.dry_run, rec.options.pipeline = nil, nil, nil
  -- Before --offline existed, such a run named a runner.
  if rec.runner == "rules" then rec.runner = null end
  return { id = id, record = rec, source = source, target = packet or rec.target }
end

--- The arguments of a replay: those of its parent that the preset still has.
---@param preset moonlet.Preset
---@param rec table
---@return table<string, any>
function M.args(preset, rec)
  local args = {}
  for name, value in pairs(rec.args or {}) do
    if preset.args[name] and value ~= null then args[name] = value end
  end
  return args
end

return M
