--- Runs moonlet's commands for a client, each in its own process.
--- The process reads the config, loads the preset and checks the rights.
--- A preset therefore cannot stop the server, and a run outlives the server.
local M = {}

--- Limits the number of parallel processes, because each occupies a thread until it has answered.
local most_at_once = 3
local poll_ms = 10

local running = 0

local function turn()
  while running >= most_at_once do core.task.sleep(poll_ms) end
  running = running + 1
end

--- Starts `moonlet WORD…` and returns the first line that it prints.
local function first_line(words)
  turn()
  local ok, line, err = pcall(core.detach.start, words)
  running = running - 1
  if not ok then error(line, 0) end
  if not line then error(err, 0) end
  return line
end

local function raise(err)
  error({ kind = err.kind, message = err.message, hint = err.hint ~= core.json.null and err.hint or nil,
    at = err.at ~= core.json.null and err.at or nil }, 0)
end

local function decoded(line)
  local ok, value = pcall(core.json.decode_record, line)
  if ok and type(value) == "table" and value ~= core.json.null then return value end
  error({ kind = "failed", message = "the command ended without an answer", hint = "its message is on standard error" },
    0)
end

--- Runs a command that answers at once. Returns its JSON output as a table, or raises its error.
function M.run(words)
  local all = table.move(words, 1, #words, 1, {})
  local at = #all + 1
  for i, word in ipairs(all) do
    if word == "--" then
      at = i
      break
    end
  end
  table.insert(all, at, "--json")
  local envelope = decoded(first_line(all))
  if type(envelope.error) == "table" and envelope.error ~= core.json.null then raise(envelope.error) end
  return envelope
end

--- Starts a background process that executes a run. Returns the run's id, or nil if nothing was
--- left to do. Raises the error if the start fails.
---@return string? id
function M.leave(words)
  local line = first_line(words)
  if line:find "^R%-%d+$" then return line end
  local answer = decoded(line)
  if type(answer.error) == "table" and answer.error ~= core.json.null then raise(answer.error) end
  return nil
end

return M
