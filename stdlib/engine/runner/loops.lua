--- Notices an agent that goes round in circles: it repeats the same calls of its tools, and learns
--- nothing new from them. Two calls are the same if they agree in tool, arguments and bytes of the
--- result. A new result, as of a build that makes progress, begins the count anew.
local outcome = require "moonlet.engine.runner.outcome"

local M = {}

--- A call may be made this often without a new result. Agents look at a state three or four times for good reasons.
M.most = 6
local most_known = 400
local longest_shown = 160

---@class moonlet.Loop   the evidence of a loop
---@field name string
---@field detail string?
---@field count integer
---@field bytes integer   of the result that came each time
---@field among integer   different calls in the circle

---@class moonlet.LoopTracker
---@field private known table<string, integer>  call and result -> how often, since something new came
---@field private kinds integer
---@field private last table?   the call that runs
---@field private told boolean?
local Tracker = {}
Tracker.__index = Tracker

---@return moonlet.LoopTracker
function M.tracker() return setmetatable({ known = {}, kinds = 0 }, Tracker) end

local function begin_again(tracker) tracker.known, tracker.kinds, tracker.told = {}, 0, nil end

--- Takes an event of a tool. Returns the evidence once a loop is there.
---@param event {name: string, detail: string?, status: string, call: string?, result: string?}
---@return moonlet.Loop?
function Tracker:see(event)
  if event.status == "running" then return nil end
  -- A runner that does not report what a tool gave cannot show a loop.
  if not event.call or not event.result then
    begin_again(self)
    return nil
  end
  local id = core.text.sha256(event.name .. "\0" .. event.call .. "\0" .. event.result)
  local count = self.known[id]
  if not count then
    -- A new result ends every circle, but the calls that led to it are known.
    if self.kinds >= most_known then begin_again(self) end
    for other in pairs(self.known) do self.known[other] = 0 end
    self.known[id], self.kinds, self.told = 1, self.kinds + 1, nil
    return nil
  end
  self.known[id] = count + 1
  if self.told or self.known[id] < M.most then return nil end
  self.told = true
  local among = 0
  for _, times in pairs(self.known) do among = among + (times > 1 and 1 or 0) end
  return { name = event.name, detail = event.call, count = self.known[id], bytes = #event.result, among = among }
end

--- The evidence in words.
---@param loop moonlet.Loop
---@return string
function M.text(loop)
  local call = loop.detail and loop.detail ~= "" and ("%s %s"):format(loop.name, loop.detail) or loop.name
  return ("the same call %d times with the same %d bytes of result: %s%s"):format(loop.count, loop.bytes,
    core.text.printable(call, longest_shown), loop.among > 1 and (", in a circle of %d calls"):format(loop.among) or "")
end

--- Returns what an attempt does with the events of its tools: it warns of a loop, and ends the agent if its call or the
--- config says so.
---@param job moonlet.Execution
---@return fun(event: table)
function M.watch(job)
  local tracker, ends = M.tracker(), (job.call.loop or job.run.config.loop) == "end"
  return function(event)
    local loop = tracker:see(event)
    if not loop then return end
    local text = M.text(loop)
    job.run.emit("warning", { step = job.key, loop = loop,
      text = ("goes round in circles: %s%s"):format(text, ends and "; it is ended" or "") })
    if not ends or not job.watch then return end
    job.watch:stop(outcome.error("loop", ("%s went round in circles: %s"):format(job.runner.title or job.runner.name,
      text), { retryable = true, hint = "give it less to do, or another way to check its work" }))
  end
end

return M
