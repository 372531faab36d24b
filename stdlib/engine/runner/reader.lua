--- Parses the event streams that agent CLIs print, for m.runner (meta/library.lua has examples).
--- It is pure: it starts no program and reads no file.
local record = require "moonlet.record"
local names = require "moonlet.engine.runner.names"

local M = {}

--- Returns the runner that parses an event format. Raises `invalid` and suggests the nearest name.
---@param name string   "codex", "claude", "gemini", "opencode" or "moonlet"
---@return table  with begin, parse and finish
function M.events(name)
  if not names.has(names.events, name) then
    record.refuse(("there are no events '%s'"):format(core.text.printable(name, 60)),
      record.suggest(name, names.events))
  end
  return require("moonlet.engine.runner." .. name)
end

for _, name in ipairs(names.events) do
  local runner = M.events(name)
  M[name] = { begin = runner.begin, parse = runner.parse, finish = runner.finish,
    normalise = runner.normalise }
end

--- Returns an incremental reader. Its feed(bytes) and close() return events; its field `state` is
--- the first argument of the runner's finish().
---@return moonlet.RunnerReader
function M.reader(name)
  return require("moonlet.engine.runner.stream").reader(M.events(name))
end

--- Parses a whole stream at once, with line endings of any kind.
---@param name string   "codex", "claude", "gemini", "opencode" or "moonlet"
---@return moonlet.RunnerResult, moonlet.RunnerEvent[]
function M.read(name, bytes, exit, answers)
  local reader = M.reader(name)
  local runner = M.events(name)
  local events = {}
  for at = 1, #bytes, 65536 do
    for _, event in ipairs(reader:feed(bytes:sub(at, at + 65535))) do
      events[#events + 1] = event
    end
  end
  for _, event in ipairs(reader:close()) do events[#events + 1] = event end
  return runner.finish(reader.state, exit, answers), events
end

return M
