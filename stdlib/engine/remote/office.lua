--- Manages all attempts of one run on one remote machine. The class `Office` sends attempts, polls
--- all of them with one call, and fetches their logs and exits. No separate task does this work:
--- the tasks that wait for attempts take turns, and each works for all attempts.
local exits = require "moonlet.engine.remote.exit"
local far_keeper = require "moonlet.engine.remote.far_keeper"
local links = require "moonlet.engine.remote.link"

local M = {}

local first_look_ms, longest_look_ms = 250, 4000
local pause_ms, longest_pause_ms = 15, 250
local backoff_ms, longest_backoff_ms = 500, 5000
local gone_ms = 60 * 1000
local cancel_gather_ms = 20
local ending_ms = 15 * 1000
local kept_cap = 64 << 20

---@class moonlet.RemoteItem   one attempt on another machine
---@field nonce string
---@field key string
---@field spec table?        description that is sent to the machine; nil if an earlier host sent it
---@field sent boolean?
---@field parts string[][]   fetched parts of standard output and standard error
---@field seen integer[]     number of fetched bytes of each
---@field exit table?        set when the attempt has ended
---@field over boolean?      true if it was cancelled and its processes have ended
---@field record table?      content of the attempt's exit.json
---@field map string?        id of the submission to the scheduler
---@field queued_ms integer?  time at which it was submitted to a scheduler
---@field queue_ms integer?  time in the scheduler's queue
---@field beat integer?      heartbeat that its job changes
---@field beat_at integer?   time of the last change of `beat`
---@field on_start fun(item: moonlet.RemoteItem)?  called when the scheduler has started the attempt
---@field missing_since integer?  time since which no report mentions the attempt
---@field on_news fun(item: moonlet.RemoteItem, out: string, err: string)?

---@class moonlet.Transport   the part of an office that differs between ssh and schedulers
---@field elsewhere boolean?   true if the attempts run on other nodes than the commands of the office
---@field gather_ms integer?   how long an attempt waits for others that join its submission
---@field longest_gather_ms integer?
---@field submit fun(office: moonlet.Office, items: moonlet.RemoteItem[])  sets `sent` of each item that arrived
---@field watch fun(office: moonlet.Office, by_nonce: table<string, moonlet.RemoteItem>)  called after each poll
---@field cancel fun(office: moonlet.Office, items: moonlet.RemoteItem[])
---@field survey fun(office: moonlet.Office, found: table<string, table>)?  corrects reports on a dead host's attempts

---@class moonlet.Office
---@field run table
---@field machine moonlet.Machine
---@field keeper moonlet.FarKeeper
---@field link moonlet.Link
---@field queue moonlet.RemoteItem[]   attempts that are not sent yet
---@field items table<string, moonlet.RemoteItem>  sent attempts, by nonce
---@field cancels {items: moonlet.RemoteItem[], ok: boolean?, err: any}?  cancellations gathered for one message
---@field trouble table?   error of a machine that cannot be reached
---@field trouble_since integer?
local Office = {}
Office.__index = Office

---@param transport moonlet.Transport
function M.new(run, machine, transport)
  local link = links.new(run, machine)
  return setmetatable({ run = run, machine = machine, link = link,
    keeper = far_keeper.new(link, machine), transport = transport, queue = {}, items = {},
    wait_ms = first_look_ms, next_try = 0, backoff = backoff_ms, busy = {} }, Office)
end

function Office:running()
  local count = 0
  for _, item in pairs(self.items) do
    if not item.exit then count = count + 1 end
  end
  return count
end

--- Reports whether more attempts may join the next submission.
local function gathers(office)
  local gather_ms = office.transport.gather_ms
  if not gather_ms then return false end
  local now = core.clock.monotonic()
  return now - office.queued_at < gather_ms
    and now - office.gathering_since < office.transport.longest_gather_ms
end

local function send(office)
  if not office.queue[1] or gathers(office) then return false end
  local free = office.machine.slots - office:running()
  local batch = {}
  while #batch < free and office.queue[1] do batch[#batch + 1] = table.remove(office.queue, 1) end
  if not batch[1] then return false end
  for _, item in ipairs(batch) do office.items[item.nonce] = item end
  office.wait_ms = first_look_ms
  local ok, err = pcall(office.transport.submit, office, batch)
  if not ok then
    -- The batch may have arrived. Sending it again is safe, because each nonce can be claimed once.
    for i, item in ipairs(batch) do
      office.items[item.nonce] = nil
      table.insert(office.queue, i, item)
    end
    error(err, 0)
  end
  for i, item in ipairs(batch) do
    if not item.sent then
      office.items[item.nonce] = nil
      table.insert(office.queue, 1, item)
      error({ kind = "unreachable",
        message = ("%s did not answer for attempt %d"):format(office.machine.on, i) }, 0)
    end
    office.run.emit("log", { step = item.key, on = office.machine.on,
      text = "sent to " .. office.machine.on })
  end
  return true
end

local function take_logs(item, out, err)
  for stream, bytes in ipairs { out, err } do
    if #bytes > 0 and item.seen[stream] + #bytes <= kept_cap then
      table.insert(item.parts[stream], bytes)
    end
    item.seen[stream] = item.seen[stream] + #bytes
  end
  if item.on_news and (#out > 0 or #err > 0) then item.on_news(item, out, err) end
end

local function all_of(item, stream)
  local text = table.concat(item.parts[stream])
  item.parts[stream] = { text }
  return text
end

--- Marks an attempt as gone if no report has mentioned it for a minute.
local function miss(office, item)
  local now = core.clock.monotonic()
  item.missing_since = item.missing_since or now
  if now - item.missing_since < math.min(gone_ms, office.machine.patience_ms) then return end
  item.exit = exits.gone(office.machine.on)
end

local function news(office, item, report, out, err)
  take_logs(item, out, err)
  if not item.map and type(report.map) == "string" then
    item.map, item.index = report.map:match "^(%w+) (%d+)$"
    item.index = math.tointeger(tonumber(item.index))
  end
  if math.type(report.beat) == "integer" and report.beat ~= item.beat then
    item.beat, item.beat_at = report.beat, core.clock.monotonic()
  end
  if report.state ~= "none" and not item.queue_ms and math.type(report.queue_ms) == "integer" then
    item.queue_ms = report.queue_ms
    if item.on_start then item.on_start(item) end
  end
  item.state = report.state
  if report.state == "ended" and type(report.exit) == "table" then
    local is_all = report.out_size == item.seen[1] and report.err_size == item.seen[2]
    if is_all then item.exit = exits.of(report.exit, all_of(item, 1), all_of(item, 2)) end
    if is_all and not item.exit then miss(office, item) end
  elseif report.state == "running" then
    item.missing_since = nil
  elseif not office.transport.elsewhere and (report.state == "gone" or report.state == "none") then
    miss(office, item)
  end
end

local function look(office)
  local attempts, by_nonce, unreported = core.json.array {}, {}, {}
  for nonce, item in pairs(office.items) do
    if not item.exit then
      unreported[nonce] = true
      attempts[#attempts + 1] = { nonce = nonce, out = item.seen[1], err = item.seen[2] }
      by_nonce[nonce] = item
    end
  end
  if not attempts[1] then return false end
  local had_news = false
  office.keeper:look({ attempts = attempts, wait_ms = office.wait_ms,
    elsewhere = office.transport.elsewhere }, function(nonce, report, out, err)
      local item = by_nonce[nonce]
      if not item then return end
      unreported[nonce] = nil
      had_news = had_news or report.state == "ended" or #out > 0 or #err > 0
      news(office, item, report, out, err)
    end)
  local silent = next(unreported)
  if silent then
    error({ kind = "unreachable",
      message = ("%s says nothing about the attempt %s"):format(office.machine.on, silent) }, 0)
  end
  office.wait_ms = had_news and first_look_ms or math.min(longest_look_ms, office.wait_ms * 2)
  office.transport.watch(office, by_nonce)
  return true
end

local function recover(office)
  office.trouble, office.trouble_since, office.backoff = nil, nil, backoff_ms
end

local function trouble(office, err)
  local now = core.clock.monotonic()
  office.trouble, office.trouble_since = err, office.trouble_since or now
  office.next_try, office.backoff = now + office.backoff,
    math.min(longest_backoff_ms, office.backoff * 2)
end

--- Runs `fn`, which does one part of the work, unless another task is doing that part.
--- An unreachable machine is tried again with exponential backoff.
--- `fn` returns true if the machine answered, which resets the backoff.
local function work(office, part, fn)
  if office.busy[part] or core.clock.monotonic() < office.next_try then return false end
  office.busy[part] = true
  local ok, err = pcall(fn, office)
  office.busy[part] = nil
  if ok and not err then return false end
  if ok then
    recover(office)
    return true
  end
  local kind = type(err) == "table" and rawget(err, "kind")
  if core.task.pending_error() ~= nil or kind ~= "unreachable" and kind ~= "failed" then
    error(err, 0)
  end
  trouble(office, err)
  return false
end

--- Reports whether the machine has been unreachable for longer than the config allows.
function Office:is_lost()
  local since = self.trouble_since
  if not since then return false end
  return self.trouble.final or core.clock.monotonic() - since >= self.machine.patience_ms
end

--- Calls fn until the machine can be reached, and returns its result.
---@param give_up fun(err: table)  called while the machine is out of reach for too long; may raise
function Office:insist(fn, give_up)
  while true do
    if core.clock.monotonic() >= self.next_try then
      local ok, result = pcall(fn)
      if ok then
        recover(self)
        return result
      end
      if core.task.pending_error() ~= nil or type(result) ~= "table"
          or rawget(result, "kind") ~= "unreachable" then
        error(result, 0)
      end
      trouble(self, result)
    end
    if self:is_lost() then give_up(self.trouble) end
    core.task.sleep(longest_pause_ms)
  end
end

--- Waits for the end of an attempt. Meanwhile also sends, polls and fetches other attempts.
---@param give_up fun(err: table)  called while the machine is out of reach for too long; may raise
---@return table exit
function Office:wait(item, give_up)
  if item.spec and not self.items[item.nonce] then
    self.queued_at = core.clock.monotonic()
    if not self.queue[1] then self.gathering_since = self.queued_at end
    self.queue[#self.queue + 1] = item
  end
  if not item.spec then self.items[item.nonce] = item end
  local pause = pause_ms
  while not item.exit do
    local worked = work(self, "send", send)
    if self.items[item.nonce] and not item.exit then worked = work(self, "look", look) or worked end
    if item.exit then break end
    if self:is_lost() then give_up(self.trouble) end
    pause = worked and pause_ms or math.min(longest_pause_ms, pause * 2)
    core.task.sleep(pause)
  end
  return item.exit
end

--- Removes an attempt from the queue. If it was sent already, ends its processes on the machine.
--- Cancellations at about the same time share one message.
function Office:cancel(item)
  for i, queued in ipairs(self.queue) do
    if queued == item then return table.remove(self.queue, i) end
  end
  local batch = self.cancels
  if batch then
    table.insert(batch.items, item)
    while batch.ok == nil do core.task.sleep(longest_pause_ms) end
  else
    batch = { items = { item } }
    self.cancels = batch
    core.task.sleep(cancel_gather_ms)
    self.cancels = nil
    batch.ok, batch.err = pcall(self.transport.cancel, self, batch.items)
  end
  if not batch.ok then error(batch.err, 0) end
end

--- Fetches the states and logs of an earlier host's attempts from the machine in one call.
--- Fences attempts that have not started, because a delayed message could still start them.
---@param nonces string[]
---@return table<string, table> reports  states by nonce, with `logs`: the beginnings of both logs
function Office:survey(nonces)
  local attempts, found = core.json.array {}, {}
  for i, nonce in ipairs(nonces) do attempts[i] = { nonce = nonce, out = 0, err = 0 } end
  self.keeper:look({ attempts = attempts, wait_ms = 0, fence = true,
    elsewhere = self.transport.elsewhere }, function(nonce, report, out, err)
      report.logs = { out, err }
      found[nonce] = report
    end)
  if self.transport.survey then self.transport.survey(self, found) end
  return found
end

--- Stores the logs and the exit of an ended attempt, which survey() has already fetched. If they
--- are complete, the machine is not asked for them again.
---@param item moonlet.RemoteItem
---@param report table  from survey()
function Office:take(item, report)
  if report.state == "ended" and item.seen[1] + item.seen[2] == 0 then
    news(self, item, report, report.logs[1], report.logs[2])
  end
end

--- Removes the attempts' folders on the machine. Waits for attempts that were just cancelled, because a
--- Slurm job notices a cancellation only after some seconds. Returns false if a folder remains.
function Office:remove(nonces)
  local give_up, is_all = core.clock.monotonic() + ending_ms, true
  while nonces[1] do
    local running = core.json.array {}
    local is_late = core.clock.monotonic() >= give_up
    for _, line in ipairs(self.keeper:lines("remove", { nonces = nonces })) do
      if line.state == "running" and not is_late then
        running[#running + 1] = line.nonce
      elseif line.state ~= "removed" then
        is_all = false
        self.run.emit("warning",
          { text = ("%s: the attempt %s was not removed there: %s"):format(self.machine.on,
          core.text.printable(tostring(line.nonce), 70),
          core.text.printable(tostring(line.state), 40)) })
      end
    end
    nonces = running
    if nonces[1] then core.task.sleep(longest_pause_ms) end
  end
  return is_all
end

return M
