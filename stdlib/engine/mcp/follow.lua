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
  if event.type == "agent.tool" then
    return ("%s: %s %s"):format(step, tostring(data.name), data.detail or "")
  end
  if event.type == "gate" or event.type == "question" then
    return ("%s %s: %s"):format(event.type, tostring(data.state), tostring(data.text))
  end
  if event.type == "run.finished" then return "finished: " .. tostring(data.verdict) end
end

--- Returns a function that passes the newest line of progress to `tell`, if any was written since its last call.
---@param tell fun(count: integer, line: string)  `count` is the number of events so far
local function reader(root, path, tell)
  local offset, rest, count = 0, "", 0
  return function()
    local text = core.file.part(root, path, offset, chunk) or ""
    offset, text = offset + #text, rest .. text
    local last
    for line in text:gmatch "([^\n]*)\n" do
      local ok, event = pcall(core.json.decode, line)
      if ok and type(event) == "table" then
        count, last = count + 1, line_of(event) or last
      end
    end
    rest = text:match "([^\n]*)$"
    if last then tell(count, core.text.printable(last, 200)) end
  end
end

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
  local rec = select(2, store.find(home, id))
  local read = tell and reader(store.root(home), rec.sidecar .. "/events.jsonl", tell)
  local pause = poll_ms
  while true do
    local holder = core.runs.holder(home.handle, id)
    if read then read() end
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
