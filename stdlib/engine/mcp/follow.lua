--- Follows a run that another process drives: reports its progress, and waits until it ends or parks.
local command = require "moonlet.engine.mcp.command"
local store = require "moonlet.engine.run.store"

local M = {}

local poll_ms, longest_poll_ms = 50, 400
local chunk = 64 << 10

--- Formats an event as a line of progress; nil for events that are not progress.
local function line_of(event)
  local data = type(event.data) == "table" and event.data or {}
  local step = type(event.step) == "string" and event.step or ""
  if event.type == "phase" then return "phase " .. tostring(data.name) end
  if event.type == "step.started" then return ("%s: started"):format(step) end
  if event.type == "step.retried" then return ("%s: tried again"):format(step) end
  if event.type == "step.finished" then return ("%s: %s"):format(step, tostring(data.status)) end
  if event.type == "agent.tool" then return ("%s: %s %s"):format(step, tostring(data.name), data.detail or "") end
  if event.type == "gate" or event.type == "question" then
    return ("%s %s: %s"):format(event.type, tostring(data.state), tostring(data.text))
  end
  if event.type == "run.finished" then return "finished: " .. tostring(data.verdict) end
end

---@class moonlet.McpTail
---@field root any
---@field path string
---@field offset integer
---@field rest string
---@field count integer   number of events that were read
local Tail = {}
Tail.__index = Tail

--- Returns the newest line of progress that was written since the last call, or nil.
function Tail:newest()
  local text = core.file.part(self.root, self.path, self.offset, chunk)
  if not text or text == "" then return nil end
  self.offset = self.offset + #text
  text = self.rest .. text
  local last
  for line in text:gmatch "([^\n]*)\n" do
    local ok, event = pcall(core.json.decode, line)
    if ok and type(event) == "table" then
      self.count = self.count + 1
      last = line_of(event) or last
    end
  end
  self.rest = text:match "([^\n]*)$"
  return last and core.text.printable(last, 200)
end

--- Reports whether the provider that a run waits for can be asked again.
local function is_due(rec)
  return rec.ended and rec.verdict == "quota" and math.type(rec.until_ms) == "integer"
    and core.clock.wall() >= rec.until_ms
end

--- Waits for the end of a run. Returns the run's record and the reason why the wait ended.
---@param until_ms integer   on the monotonic clock
---@param may_resume boolean  resume the run once the provider can be asked again
---@param tell fun(count: integer, line: string)?
---@return table record, "ended"|"running"|"interrupted"
function M.wait(home, id, until_ms, may_resume, tell)
  local root = store.root(home)
  local rec = select(2, store.find(home, id))
  local tail = setmetatable({ root = root, path = rec.sidecar .. "/events.jsonl", offset = 0, rest = "", count = 0 },
    Tail)
  local pause = poll_ms
  while true do
    local holder = core.runs.holder(home.handle, id)
    local line = tell and tail:newest()
    if line then tell(tail.count, line) end
    if not holder then
      rec = select(2, store.find(home, id))
      if may_resume and is_due(rec) then
        command.leave { "run", "resume", id, "--detached", "--repo", home.top, "--json" }
      elseif rec.ended then
        return rec, "ended"
      elseif not core.runs.holder(home.handle, id) then
        return rec, "interrupted"
      end
    end
    local left = until_ms - core.clock.monotonic()
    if left <= 0 then return select(2, store.find(home, id)), "running" end
    core.task.sleep(math.min(pause, math.max(left, 1)))
    pause = math.min(pause * 2, longest_poll_ms)
  end
end

return M
