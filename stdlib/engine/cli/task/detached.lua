--- Runs that a process of its own drives: what `--background` leaves, and that process's side of it.
local store = require "moonlet.engine.run.store"
local manifest = require "moonlet.engine.run.manifest"

local M = {}

--- Starts `moonlet WORD…` as a process of its own, and waits for the id of its run. Raises its error before that.
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

--- The words of a command for the process that is left, without those that left it.
function M.words(words)
  local rest, is_over = { words[1], "--detached" }, false
  for i = 2, #words do
    is_over = is_over or words[i] == "--"
    if is_over or words[i] ~= "--background" then rest[#rest + 1] = words[i] end
  end
  return rest
end

--- --background: everything that can be refused was refused; another process makes and drives the run.
function M.leave(home, words, json)
  local id = M.start(M.words(words))
  if json then
    return { ok = true, command = "run", error = core.json.null, result = core.json.null,
      run = store.envelope(home, select(2, store.find(home, id))) }, 0
  end
  core.system.print(1, id .. "\n")
  return nil, 0
end

--- The other side: drives the run, which prints its id first. An error before that is printed in place of the id.
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
