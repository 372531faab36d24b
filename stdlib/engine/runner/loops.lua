--- Detects an agent in a loop: it repeats the same tool calls and learns nothing new from them.
--- Two calls are equal if their tools, arguments and results are equal.
--- A new result, such as a build that makes progress, resets the count.
local outcome = require "moonlet.engine.runner.outcome"

local M = {}

--- Six equal calls count as a loop, because agents poll a state three or four times.
M.most = 6
local most_known = 400
local longest_shown = 160

---@class moonlet.Loop   the evidence of a loop
---@field name string
---@field detail string?
---@field count integer
---@field bytes integer   size of the repeated result
---@field among integer   number of different calls in the loop

---@class moonlet.LoopTracker
---@field private known table<string, integer>  hash of call and result -> count
---@field private kinds integer
---@field private last table?   the running call
---@field private told boolean?  true after the loop was reported
local Tracker = {}
Tracker.__index = Tracker

---@return moonlet.LoopTracker
function M.tracker() return setmetatable({ known = {}, kinds = 0 }, Tracker) end

local function begin_again(tracker) tracker.known, tracker.kinds, tracker.told = {}, 0, nil end

--- Processes a tool event. Returns the evidence once a loop is detected.
---@param event {name: string, detail: string?, status: string, call: string?, result: string?}
---@return moonlet.Loop?
function Tracker:see(event)
  if event.status == "running" then return nil end
  -- Without the tool's arguments and result, a loop cannot be detected.
  if not event.call or not event.result then
    begin_again(self)
    return nil
  end
  local id = core.text.sha256(event.name .. "\0" .. event.call .. "\0" .. event.result)
  local count = self.known[id]
  if not count then
    -- A new result resets the counts of the known calls to zero, but the calls are not forgotten.
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
  return { name = event.name, detail = event.call, count = self.known[id], bytes = #event.result,
    among = among }
end

---@param loop moonlet.Loop
function M.text(loop)
  local call = loop.detail and loop.detail ~= "" and ("%s %s"):format(loop.name, loop.detail)
    or loop.name
  return ("the same call %d times with the same %d bytes of result: %s%s"):format(loop.count,
    loop.bytes, core.text.printable(call, longest_shown),
    loop.among > 1 and (", in a loop of %d calls"):format(loop.among) or "")
end

--- Returns a handler of tool events that warns about a loop. If the option `loop` is "end", the
--- handler also ends the agent.
---@return fun(event: table)
function M.watch(job)
  local tracker, ends = M.tracker(), (job.call.loop or job.run.config.loop) == "end"
  return function(event)
    local loop = tracker:see(event)
    if not loop then return end
    local text = M.text(loop)
    job.run.emit("warning", { step = job.key, loop = loop,
      text = ("repeats itself in a loop: %s%s"):format(text, ends and "; it is ended" or "") })
    if not ends or not job.watch then return end
    job.watch:stop(outcome.error("loop", ("%s repeated itself in a loop: %s"):format(
      job.runner.title or job.runner.name,
      text), { retryable = true, hint = "give it less to do, or another way to check its work" }))
  end
end

return M
