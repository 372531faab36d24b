--- `moonlet run queue` and `moonlet run start-ready` list and start packets that are ready.
--- Hosts may start packets in parallel, so a lock guards each packet until its run is recorded.
local detached = require "moonlet.engine.cli.task.detached"
local repository = require "moonlet.engine.run.repository"
local options = require "moonlet.engine.cli.options"
local packets = require "moonlet.engine.task.packets"
local store = require "moonlet.engine.run.store"
local status = require "moonlet.engine.task.status"
local summary = require "moonlet.engine.task.summary"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

local null = core.json.null
local poll_ms, claim_ms = 200, 20
local default_limit, most_resumes = 8, 3

M.known = options.with_common {
  limit = { value = "N", help = "how many at once (default 8)" },
  runner = { value = "R", help = "the runner, in place of that of each packet" },
  ["dry-run"] = { help = "make the record and the prompt of each; start nothing" },
}
local queue_known = options.with_common()

--- Reports whether start-ready may start a packet, or resume its run, now.
local function is_startable(packet, state)
  return not state.waits_for and (state.status == "ready"
    or state.interrupted and packet.status == "ready")
end

--- Returns the packets that can start, the packets that wait for others, the states of all packets,
--- whether a packet is running, and all packets.
local function queued(home)
  local found = packets.all(home)
  local states = status.all(home, found)
  local now, later, running = {}, {}, false
  for _, packet in ipairs(found.list) do
    local state = states[packet.id]
    if is_startable(packet, state) then now[#now + 1] = packet end
    if state.status == "ready" and state.waits_for then later[#later + 1] = packet end
    running = running or state.status == "running"
  end
  return now, later, states, running, found
end

local function row_of(packet, state)
  return { task = packet.id, title = packet.title,
    status = state.interrupted and "interrupted" or state.status,
    run = state.run or null, runner = packet.runner or null,
    waits_for = core.json.array(state.waits_for or {}) }
end

local function hint(found, states)
  for _, packet in ipairs(found.list) do
    if states[packet.id].status == "draft" then return ": moonlet task ready " .. packet.id end
  end
  return #found.list == 0 and ': moonlet task create --title "…"' or ": moonlet task list"
end

local function show_queue(home)
  local now, later, states, _, found = queued(home)
  local rows, lines = {}, { ("%-3s %-7s %-12s %s"):format("#", "TASK", "STATUS", "TITLE") }
  for _, list in ipairs { now, later } do
    for _, packet in ipairs(list) do
      local row = row_of(packet, states[packet.id])
      rows[#rows + 1] = row
      lines[#lines + 1] = ("%-3d %-7s %-12s %s%s"):format(#rows, row.task, row.status,
        core.text.printable(row.title, 60),
        row.waits_for[1] and " (waits for " .. table.concat(row.waits_for, ", ")
          .. ")" or "")
    end
  end
  packets.tell(found.faults)
  if #rows == 0 then lines = { "no packet is ready" .. hint(found, states) } end
  return options.envelope({ queue = core.json.array(rows) }), 0, table.concat(lines, "\n") .. "\n"
end

--- Locks a packet. Waits while another process has the lock.
local function claim(home, id)
  local root = store.root(home)
  while true do
    local held, err, busy = core.file.lock(root, ("tasks/.%s.lock"):format(id), 0)
    if held then return held end
    if not busy then error(err, 0) end
    core.task.sleep(claim_ms)
  end
end

--- Drives the run of a packet if the packet is still ready, or resumes the packet's interrupted
--- run. Holds the packet's lock until the run is recorded.
function M.drive_ready(plan, drive)
  local home, packet = plan.home, plan.if_ready
  local held = claim(home, packet.id)
  local state = status.all(home, packets.all(home))[packet.id]
  if not state or not is_startable(packet, state) then
    core.file.unlock(held)
    error({ kind = "invalid", usage = true,
      message = ("%s is not ready any more: %s"):format(packet.id,
      state and state.status or "it is gone") }, 0)
  end
  if state.interrupted then
    local _, rec = store.find(home, state.run)
    local again = require("moonlet.engine.cli.resume").plan(home, state.run, rec, {})
    again.detached, plan = plan.detached, again
  end
  plan.on_record = function() core.file.unlock(held) end
  local ok, envelope, code, text, about = pcall(drive, plan)
  core.file.unlock(held)
  if not ok then error(envelope, 0) end
  return envelope, code, text, about
end

--- Makes a dry run of each packet that is ready, which writes its record and its prompts.
local function prepare_all(home, found)
  local plan_module, run_cli = require "moonlet.engine.cli.run.plan",
    require "moonlet.engine.cli.run"
  local now = queued(home)
  local runs, lines, errors = {}, {}, {}
  core.event.display "none"
  for _, packet in ipairs(now) do
    local words = { "run", packet.id, "--dry-run", "--repo", home.top }
    if found.runner then table.move({ "--runner", found.runner }, 1, 2, #words + 1, words) end
    local ok, envelope = pcall(function()
      return (run_cli.drive((plan_module.of_words(words, { json = found.json }))))
    end)
    if ok then
      runs[#runs + 1] = envelope.run
      lines[#lines + 1] = ("%s  %s is prepared: %s/prompt.md"):format(packet.id, envelope.run.id,
        envelope.run.dir)
    else
      errors[#errors + 1] = { task = packet.id, message = envelope.message or tostring(envelope) }
      lines[#lines + 1] = ("%s  %s"):format(packet.id,
        core.text.printable(errors[#errors].message, 300))
    end
  end
  return runs, lines, errors
end

local function limit_of(found)
  local limit = found.limit and math.tointeger(tonumber(found.limit))
    or not found.limit and default_limit
  if not limit or limit < 1 or limit > 1000 then
    options.refuse("--limit must be a whole number from 1 to 1000")
  end
  return limit
end

--- Starts packets until none is ready, and waits for the runs that it started.
local function start_all(home, found, tell)
  local limit, active, runs, errors, resumes = limit_of(found), {}, {}, {}, {}
  local refused = {}
  local function start(packet)
    local words = { "run", "--detached", packet.id, "--if-ready", "--plain", "--repo", home.top }
    if found.runner then table.move({ "--runner", found.runner }, 1, 2, #words + 1, words) end
    local ok, id = pcall(detached.start, words)
    if ok then
      active[#active + 1] = { task = packet.id, run = id }
      tell(("%s  %s is started"):format(packet.id, id))
    elseif type(id) == "table" and id.message
        and id.message:find("is not ready any more", 1, true) then
      return  -- another host has started this packet
    else
      refused[packet.id] = true
      local err = { task = packet.id, message = type(id) == "table" and id.message or tostring(id) }
      errors[#errors + 1] = err
      tell(("%s  %s"):format(packet.id, core.text.printable(err.message, 300)))
    end
  end
  local function look()
    local left = {}
    for _, item in ipairs(active) do
      local held = core.runs.holder(home.handle, item.run)
      local _, rec = store.find(home, item.run)
      if rec.ended then
        runs[#runs + 1] = rec
        tell(("%s  %s"):format(item.task, summary.line(rec)))
      elseif held then
        left[#left + 1] = item
      else
        resumes[item.task] = (resumes[item.task] or 0) + 1
        refused[item.task] = resumes[item.task] >= most_resumes or nil
        tell(("%s  %s was interrupted"):format(item.task, item.run))
      end
    end
    active = left
  end
  while true do
    look()
    local now, later, _, running = queued(home)
    local can_start = false
    for _, packet in ipairs(now) do
      if not refused[packet.id] then
        if #active >= limit then break end
        start(packet)
        can_start = true
      end
    end
    if #active == 0 and not can_start and not (running and #later > 0) then break end
    core.task.sleep(poll_ms)
  end
  return runs, errors
end

local function start_ready(home, found)
  local lines, code = {}, 0
  local runs, errors
  local function tell(line)
    lines[#lines + 1] = line
    if not found.json then core.system.print(1, line .. "\n") end
  end
  local list = {}
  if found["dry-run"] then
    runs, lines, errors = prepare_all(home, found)
    list = runs
  else
    runs, errors = start_all(home, found, tell)
    table.sort(runs, function(a, b) return store.number(a.id) < store.number(b.id) end)
    for i, rec in ipairs(runs) do
      list[i] = store.envelope(home, rec)
      if code == 0 then code = math.tointeger(rec.exit_code) or 1 end
    end
  end
  if code == 0 and #errors > 0 then code = 1 end
  local text = #list == 0 and #errors == 0 and "no packet is ready\n"
    or found["dry-run"] and table.concat(lines, "\n") .. "\n" or nil
  local envelope = options.envelope { runs = core.json.array(list),
    errors = core.json.array(errors) }
  envelope.ok = code == 0
  return envelope, code, text
end

function M.main(words)
  local is_queue = words[2] == "queue"
  local found, rest = verbs.read("run " .. words[2], words, is_queue and queue_known or M.known)
  options.no_more(rest, 0, "run " .. words[2], "moonlet run T-001 runs one packet")
  local home = repository.open(found.repo)
  if is_queue then return show_queue(home) end
  return start_ready(home, found)
end

return M
