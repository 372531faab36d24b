--- Submits attempts as Slurm job arrays.
--- Slurm is asked only whether an attempt may still run.
--- A job claims its attempt before it starts, so an attempt runs once.
--- Before an unclaimed attempt is submitted again, a claim by this host fences it.
local exits = require "moonlet.engine.remote.exit"
local links = require "moonlet.engine.remote.link"

local M = { elsewhere = true, gather_ms = 80, longest_gather_ms = 2000 }

local first_watch_ms, longest_watch_ms = 15 * 1000, 120 * 1000
local gone_ms = 60 * 1000
local silent_ms = 20 * 1000 -- a running job changes its heartbeat every 5 seconds
local lookup_pause_ms = 2000
local margin_minutes = 2 -- Slurm's limit is this much longer than the keeper's own limit
local default_array_size = 1001
--- Lists the states of Slurm jobs that run or may start later.
local open_states = { PENDING = true, RUNNING = true, COMPLETING = true, CONFIGURING = true,
  SUSPENDED = true, STOPPED = true, SIGNALING = true, STAGE_OUT = true, RESIZING = true,
  REQUEUED = true, REQUEUE_HOLD = true, SPECIAL_EXIT = true }
local words = { NODE_FAIL = "its node failed", BOOT_FAIL = "its node failed",
  PREEMPTED = "it was preempted", OUT_OF_MEMORY = "it ran out of memory",
  TIMEOUT = "Slurm ended it at a time limit", DEADLINE = "Slurm ended it at a deadline",
  CANCELLED = "its job was cancelled" }

local function name_of(map) return "moonlet-" .. map end

--- Returns the maximum number of tasks in one Slurm job array.
local function array_size(office)
  if office.array_size then return office.array_size end
  local exit = office.link:exec { "scontrol", "show", "config" }
  local most = exit.code == 0
    and math.tointeger(tonumber(exit.stdout:match "MaxArraySize%s*=%s*(%d+)"))
  office.array_size = most and math.max(1, most - 1) or default_array_size - 1
  return office.array_size
end

--- Lists this user's jobs: name -> index in the array -> state. Returns nil if squeue fails.
---@return table<string, table<integer, string>>?
local function jobs(office, name)
  local argv = { "squeue", "-h", "-r", "-t", "all", "--me", "-o", "%i|%j|%K|%T" }
  if name then
    argv[#argv + 1] = "-n"
    argv[#argv + 1] = name
  end
  local ok, exit = pcall(office.link.exec, office.link, argv)
  if not ok or exit.code ~= 0 then return nil end
  local found = {}
  for line in exit.stdout:gmatch "[^\n]+" do
    local id, job, index, state = line:match "^([%d_]+)|([^|]*)|([^|]*)|(%u[%u_]*)$"
    -- A line of another form was not printed by squeue, so the states are unknown.
    if not id then return nil end
    found[job] = found[job] or {}
    found[job][math.tointeger(tonumber(index)) or 0] = state
  end
  return found
end

local function was_accepted(office, map)
  for try = 1, 2 do
    local found = jobs(office, name_of(map))
    if not found then
      error({ kind = "unreachable",
        message = ("%s: squeue does not answer"):format(office.machine.on) }, 0)
    end
    if found[name_of(map)] then return true end
    if try == 1 then core.task.sleep(lookup_pause_ms) end
  end
  return false
end

local function minutes_of(items)
  local longest = 0
  for _, item in ipairs(items) do longest = math.max(longest, item.spec.wall_ms or 0) end
  return longest > 0 and longest // 60000 + 1 + margin_minutes or nil
end

--- Builds the command line of sbatch. Uses --export-file, because with --export=NAME,… Slurm runs a login
--- shell of the user for each job.
---@param prepared {map: string, environment: string}  files on the machine
local function command_of(office, prepared, items, map)
  local machine, keeper = office.machine, office.keeper
  local argv = { "sbatch", "--parsable", "--no-requeue", "-J", name_of(map), "--comment=" .. map,
    "-o", "/dev/null", "-e", "/dev/null", "-D", "/", "--export-file=" .. prepared.environment }
  local function add(...) table.move({ ... }, 1, select("#", ...), #argv + 1, argv) end
  local minutes = minutes_of(items)
  if minutes then add("-t", tostring(minutes)) end
  if machine.partition then add("-p", machine.partition) end
  if machine.account then add("-A", machine.account) end
  if #items > 1 then add("--array=0-" .. #items - 1) end
  add("--wrap", ("exec %s job %s %s"):format(links.quote(keeper.path), links.quote(keeper.dir),
    links.quote(prepared.map)))
  return argv
end

--- Reports whether sbatch refused the job for a reason that another try cannot change.
local function is_final(exit)
  if exit.code == 127 then return true end
  local text = exit.stderr:lower()
  for _, part in ipairs { "invalid partition", "invalid account", "invalid qos",
      "time limit is invalid",
    "configuration is not available", "not permitted to use", "access/permission denied",
    "configuration source", "unrecognized option" } do
    if text:find(part, 1, true) then return true end
  end
  return false
end

local function refusal(office, exit)
  return { kind = "failed", message = ("%s: sbatch refused it: %s"):format(office.machine.on,
    links.printed(exit.stderr, 300)),
    hint = "try the same partition and account with sbatch by hand" }
end

local function mark_sent(items)
  local now = core.clock.monotonic()
  for _, item in ipairs(items) do item.sent, item.queued_ms, item.missing_since = true, now, nil end
end

--- Submits attempts as one Slurm job array.
--- If an earlier submission was not confirmed, first searches squeue for the name of its array.
local function submit_array(office, items)
  local earlier = items[1].submission
  if earlier and was_accepted(office, earlier) then return mark_sent(items) end
  local map = core.clock.random_hex(8)
  local attempts = core.json.array {}
  for i, item in ipairs(items) do
    attempts[i] = item.spec
    item.map, item.index = map, i - 1
  end
  local prepared = office.keeper:lines("prepare", { map = map, attempts = attempts })[1]
  for _, item in ipairs(items) do item.submission = map end
  local exit = office.link:exec(command_of(office, prepared, items, map))
  if exit.code ~= 0 and not earlier and is_final(exit) then
    for _, item in ipairs(items) do
      item.sent, item.submission, item.map = true, nil, nil
      item.exit = exits.gone(office.machine.on)
      item.exit.why, item.exit.error = "not_started", refusal(office, exit)
    end
    return
  end
  if exit.code == 0 and exit.stdout:find "^%d+" or was_accepted(office, map) then
    return mark_sent(items)
  end
  error(refusal(office, exit), 0)
end

function M.submit(office, items)
  local most = array_size(office)
  for first = 1, #items, most do
    submit_array(office, table.move(items, first, math.min(first + most - 1, #items), 1, {}))
  end
end

--- Returns the state that Slurm's accounting reports for a job that squeue no longer lists, or nil.
local function accounted(office, item)
  local ok, exit = pcall(office.link.exec, office.link,
    { "sacct", "-n", "-X", "-P", "--name", name_of(item.map),
    "-o", "JobID,State" }, nil, { wall_ms = 20000 })
  if not ok or exit.code ~= 0 then return nil end
  for line in exit.stdout:gmatch "[^\n]+" do
    local id, state = line:match "^([%d_]+)|(%u[%u_]*)"
    if state and (math.tointeger(tonumber(id:match "_(%d+)$" or "0")) == item.index) then
      return state
    end
  end
end

local function lost(office, item, state)
  local exit = exits.gone(office.machine.on)
  if state == "TIMEOUT" then exit.why, exit.error = "wall", nil end
  if exit.error and words[state] then
    exit.error.message = ("%s on %s"):format(words[state], office.machine.on)
  end
  item.exit = exit
end

--- Fences an attempt, so that no job can start it later. Returns true if no job has started it
--- before.
local function fence(office, nonce)
  local line = office.keeper:lines("end",
    { nonces = core.json.array { nonce }, elsewhere = true })[1]
  return line ~= nil and line.never == true
end

--- Finds attempts of a dead host that were prepared for Slurm, but have no job that waits or runs.
--- Fences them and sets their state to "none", so that the resumed run starts them again.
---@param found table<string, table>  reports by nonce; changed in place
function M.survey(office, found)
  local known
  for nonce, report in pairs(found) do
    local map, index = tostring(report.map):match "^(%w+) (%d+)$"
    if report.state == "none" and map then
      known = known or jobs(office)
      if not known then return end
      local state = (known[name_of(map)] or {})[math.tointeger(tonumber(index))]
      if not (state and open_states[state]) and fence(office, nonce) then
        found[nonce] = { state = "none" }
      end
    end
  end
end

--- Ends the wait for an attempt that squeue does not list and whose heartbeat has stopped. If no
--- job has started the attempt, fences it and reports it as not started. Otherwise reports it as
--- lost.
local function give_up(office, item, state)
  if fence(office, item.nonce) then
    item.exit = exits.gone(office.machine.on)
    item.exit.why, item.exit.error.message = "not_started",
      ("its job is gone on %s, and it never started"):format(
      office.machine.on)
    item.exit.error.kind = "lost"
  else
    lost(office, item, state or accounted(office, item))
  end
end

--- Compares the attempts with the output of one squeue call, at most every 15 seconds.
function M.watch(office, by_nonce)
  local now = core.clock.monotonic()
  office.watch_ms = office.watch_ms or first_watch_ms
  office.watch_at = office.watch_at or now + office.watch_ms
  if now < office.watch_at then return end
  local found = jobs(office)
  office.watch_ms = found and first_watch_ms or math.min(longest_watch_ms, office.watch_ms * 2)
  office.watch_at = core.clock.monotonic() + office.watch_ms
  -- If squeue does not answer, the states of the attempts are unknown, so change nothing.
  if not found then return end
  now = core.clock.monotonic()
  for _, item in pairs(by_nonce) do
    local map = not item.exit and item.map
    local state = map and found[name_of(map)] and found[name_of(map)][item.index or 0]
    -- A recent heartbeat of the job has priority over the state that the scheduler reports.
    local beats = item.beat_at and now - item.beat_at < silent_ms
    if not map or beats or state and open_states[state] then
      item.missing_since = nil
    else
      item.missing_since = item.missing_since or now
      if now - item.missing_since >= math.min(gone_ms, office.machine.patience_ms) then
        give_up(office, item, state)
      end
    end
  end
end

function M.cancel(office, items)
  local nonces, cancelled = core.json.array {}, {}
  for i, item in ipairs(items) do
    nonces[i] = item.nonce
    if item.map then cancelled[item.map] = (cancelled[item.map] or 0) + 1 end
  end
  office.keeper:lines("end", { nonces = nonces, elsewhere = true })
  local found = next(cancelled) and jobs(office) or {}
  for map, count in pairs(cancelled) do
    local tasks = 0
    for _ in pairs(found[name_of(map)] or {}) do tasks = tasks + 1 end
    -- Call scancel only if all jobs of the array are cancelled. In other arrays, a cancelled job
    -- ends at its start, because it finds its attempt claimed.
    if tasks == count then
      office.link:exec { "scancel", "-Q", "--me", "-n", name_of(map), "-t", "PENDING" }
    end
  end
end

return M
