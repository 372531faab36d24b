--- Runs moonlet's commands for a client, each in its own process.
--- The process reads the config, loads the preset and checks the rights.
--- A preset therefore cannot stop the server, and a run outlives the server.
local M = {}

--- Limits the number of parallel processes, because each occupies a thread until it has answered.
local most_at_once = 3
local poll_ms = 10

local running = 0

local function first_line(words)
  while running >= most_at_once do core.task.sleep(poll_ms) end
  running = running + 1
  local ok, line, err = pcall(core.detach.start, words)
  running = running - 1
  if not ok then error(line, 0) end
  if not line then error(err, 0) end
  return line
end

--- Decodes the JSON output of a command. Raises the error in it.
local function decoded(line)
  local ok, envelope = pcall(core.json.decode_record, line)
  if not ok or type(envelope) ~= "table" or envelope == core.json.null then
    error({ kind = "failed", message = "the command ended without an answer",
      hint = "its message is on standard error" }, 0)
  end
  local err = envelope.error
  if type(err) ~= "table" or err == core.json.null then return envelope end
  error({ kind = err.kind, message = err.message,
    hint = err.hint ~= core.json.null and err.hint or nil,
    at = err.at ~= core.json.null and err.at or nil }, 0)
end

--- Runs a command that answers at once. Returns its JSON output as a table, or raises its error.
---@param words string[]  begins with a verb of two words
function M.run(words)
  return decoded(first_line { words[1], words[2], "--json", table.unpack(words, 3) })
end

--- Starts a background process that executes a run. Returns the run's id, or nil if nothing was
--- left to do. Raises the error if the start fails.
---@return string? id
function M.leave(words)
  local line = first_line(words)
  if line:find "^R%-%d+$" then return line end
  decoded(line)
  return nil
end

return M
