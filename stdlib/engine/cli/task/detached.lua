--- Implements `--background`: another process drives the run.
local store = require "moonlet.engine.run.store"
local manifest = require "moonlet.engine.run.manifest"
local options = require "moonlet.engine.cli.options"

local M = {}

--- Starts `moonlet WORD…` in another process, and returns the id of its run or raises its error.
function M.start(words)
  local id, failure = core.detach.start(words)
  if not id then error(failure, 0) end
  if id:find "^R%-%d+$" then return id end
  local ok, told = pcall(core.json.decode_record, id)
  local err = ok and type(told) == "table" and rawget(told, "error")
  if type(err) ~= "table" then
    err = { kind = "failed", message = "the background process ended before the run started",
      hint = "its message is above" }
  end
  error(err, 0)
end

--- Returns the command line for the background process, without --background.
---@param verb integer?  number of words in the verb (default 1)
function M.words(words, verb)
  local _, rest = options.separate(words, { background = "flag" })
  table.insert(rest, (verb or 1) + 1, "--detached")
  return rest
end

--- Starts the background process after every check that can reject the command line.
function M.leave(home, words, json, verb)
  local id = M.start(M.words(words, verb))
  if json then
    return options.envelope(core.json.null, store.envelope(home, select(2, store.find(home, id)))),
      0
  end
  core.system.print(1, id .. "\n")
  return nil, 0
end

--- Drives the run in the background process, which first prints the run's id or an error.
function M.drive(plan, drive)
  local drove, envelope, code, text, about = pcall(drive, plan)
  if drove then return envelope, code, text, about end
  if plan.told then error(envelope, 0) end
  local err = manifest.error(envelope)
  err.usage = type(envelope) == "table" and rawget(envelope, "usage") or nil
  core.system.print(1, core.json.encode_record { error = err } .. "\n")
  return nil, 1
end

return M
