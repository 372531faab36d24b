--- `moonlet list`: lists the runs of the repository, newest first.
local options = require "moonlet.engine.cli.options"
local repository = require "moonlet.engine.run.repository"
local ledger = require "moonlet.engine.run.ledger"
local record = require "moonlet.record"
local removed = require "moonlet.engine.base.removed"
local store = require "moonlet.engine.run.store"
local manifest = require "moonlet.engine.run.manifest"
local page = require "moonlet.engine.base.page"
local state_of = require "moonlet.engine.run.state"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

--- Maps the states of a run without a verdict to their names in the ledger.
local open_states = { running = "running", interrupted = "running", prepared = "prepared" }

local statuses = { "parked" }
for name in pairs(manifest.exit_codes) do statuses[#statuses + 1] = name end
for name in pairs(open_states) do
  if not manifest.exit_codes[name] then statuses[#statuses + 1] = name end
end

M.known = options.with_common {
  limit = { value = "N", letter = "n", help = "how many, newest first (default 50)" },
  all = { help = "all of them" },
  before = { value = "RUN", help = "only runs before this one: the next page" },
  task = { value = "ID", help = "only runs of this task" },
  preset = { value = "NAME", help = "only runs of this preset" },
  status = { value = "NAME", choices = statuses,
    help = "only runs that ended with this verdict, or are running, interrupted, prepared or "
    .. "parked (they wait for a person or a quota)" },
  verdict = { value = "NAME", help = "as --status", hidden = true },
  since = { value = "DAY", help = "only runs from this day on, as 2026-11-01" },
}
local null = core.json.null

local batch = 500
local most_newer, most_looks = 20, 1000  -- limit how many ids left_out() checks

local function fits(wanted, state)
  if wanted.status == "parked" then return state == "needs-human" or state == "quota" end
  return not wanted.status or state == wanted.status
end

local function row_of(home, run, state)
  -- Take the task id from the name of the run's folder, because the ledger's field for the task
  -- contains the packet's id if the run has a packet.
  return { id = run.id, task_id = run.dir:match "([^/]+)$", preset = run.preset, title = run.title,
    runner = run.runner, state = state, started_at = run.started_at, duration_ms = run.duration_ms,
    dir = home.agent_path .. "/" .. run.dir }
end

local function is_before(started, day)
  return day ~= nil and type(started) == "string" and started < day
end

--- Reads the record of a run that the ledger lists as running. Its host may have died since.
local function look_again(home, root, run)
  local state = state_of.open(home, run.id, run.status == "prepared")
  if state == "running" then return run, state end
  local text = core.file.read(root, "runs/" .. run.id .. "/run.json", store.record_cap)
  local rec = store.look(root, run.id)
  if not rec or not rec.ended then return run, state end
  if ledger.put(home, run.id, text) then return run, rec.verdict end
  return core.ledger.get(home.handle, run.id) or run, rec.verdict
end

--- Prints a warning about runs, if there are any.
local function warn(ids, form)
  if #ids == 0 then return end
  local shown = table.concat(ids, ", ", 1, math.min(#ids, 5))
  if #ids > 5 then shown = ("%s and %d more"):format(shown, #ids - 5) end
  core.system.print(2, ("moonlet: %s; check with moonlet run verify\n"):format(form:format(shown)))
end

--- Reports runs with unreadable records. A run without a record never began, so it is not reported.
local function tell_unreadable(home, root, ids)
  local list = {}
  for _, id in ipairs(ids) do
    local is_bad = core.file.stat(root, ("runs/%s/run.json"):format(id))
      and not store.look(root, id)
    if is_bad and not core.runs.holder(home.handle, id) then list[#list + 1] = id end
  end
  warn(list, "the record of %s cannot be read")
end

--- Returns the ids of runs that a list without a filter does not show: removed runs, and runs that
--- the ledger does not contain.
local function left_out(rows, wanted)
  local listed, ids = {}, {}
  for _, row in ipairs(rows) do listed[row.id] = true end
  local newest = wanted.before and store.number(wanted.before) - 1
    or (rows[1] and store.number(rows[1].id) or 0) + most_newer
  local is_cut = #rows == wanted.limit or wanted.since
  local oldest = is_cut and (rows[1] and store.number(rows[#rows].id) or newest) or 1
  for number = newest, math.max(oldest, newest - most_looks), -1 do
    local id = ("R-%03d"):format(number)
    if not listed[id] then ids[#ids + 1] = id end
  end
  return ids
end

--- Returns the matching runs from the ledger, newest first; nil and an error if it is unusable.
local function rows_of_ledger(home, root, wanted)
  local ready, why = ledger.ready(home)
  if not ready then return nil, why end
  -- The ledger cannot filter by these two states: a parked run has one of two verdicts, and a prepared
  -- run may have no verdict.
  local is_both = wanted.status == "parked" or wanted.status == "prepared"
  local status = not is_both and open_states[wanted.status] or nil
  local filter = { task = wanted.task, preset = wanted.preset, before = wanted.before,
    verdict = not status and not is_both and wanted.status or nil, status = status }
  local rows, lost, is_over = {}, {}, false
  while #rows < wanted.limit and not is_over do
    local size = math.min(wanted.limit - #rows, batch)
    local runs, err = core.ledger.list(home.handle, filter, size)
    if not runs then return nil, err end
    for _, run in ipairs(runs) do
      local state = run.verdict
      if not core.file.stat(root, "runs/" .. run.id) then
        state = nil
        lost[#lost + 1] = run.id
      elseif open_states[run.status] then
        run, state = look_again(home, root, run)
      end
      -- Ids increase with time, so no later row can match.
      is_over = is_over or is_before(run.started_at, wanted.since)
      if state and not is_over and fits(wanted, state) then
        rows[#rows + 1] = row_of(home, run, state)
      end
    end
    if #runs < size then break end
    filter.before = runs[#runs].id
  end
  warn(lost, "%s of the ledger is missing on disk")  -- the rows stay in the ledger for `verify`
  local is_whole = not (wanted.task or wanted.preset or wanted.status)
  if is_whole then tell_unreadable(home, root, left_out(rows, wanted)) end
  return rows
end

--- Returns the matching runs from their files, which is slow but needs no ledger.
local function rows_of_files(home, root, wanted)
  local rows, unread, before = {}, {}, wanted.before and store.number(wanted.before)
  for _, id in ipairs(store.ids(root)) do
    local is_asked = not before or store.number(id) < before
    local rec = is_asked and store.look(root, id)
    if is_asked and not rec then unread[#unread + 1] = id end
    if rec and rec.sidecar then
      local state = state_of.of(home, id, rec)
      if is_before(rec.started_at, wanted.since) then break end
      local packet = type(rec.packet) == "table" and rec.packet.id or nil
      if (not wanted.task or rec.task_id == wanted.task or packet == wanted.task)
        and (not wanted.preset or rec.preset == wanted.preset)
        and fits(wanted, state) then
        rows[#rows + 1] = row_of(home,
          { id = id, task_id = packet or rec.task_id, preset = rec.preset,
          title = rec.options and rec.options.title or null, runner = state_of.runner(rec) or null,
          started_at = rec.started_at, duration_ms = rec.duration_ms or null, dir = rec.sidecar },
          state)
        if #rows == wanted.limit then break end
      end
    end
    core.task.sleep(0)
  end
  tell_unreadable(home, root, unread)
  return rows
end

--- Returns the runs whose processes still run although the runs' folders were removed.
local function rows_of_removed(home, wanted)
  local rows, now = {}, core.clock.wall()
  for _, entry in ipairs(removed.of(home.agent_path, "runs")) do
    local started = core.clock.iso(now - entry.age_ms)
    if not wanted.task and not wanted.before and fits(wanted, "running")
        and not is_before(started, wanted.since)
      and (not wanted.preset or wanted.preset == entry.label) then
      table.insert(rows, 1, { id = entry.id, task_id = entry.label, preset = entry.label,
        title = null, runner = null, state = "running", started_at = started, duration_ms = null,
        dir = entry.place, removed = true })
    end
  end
  return rows
end

local function wanted_of(found)
  local limit = math.tointeger(tonumber(found.limit or 50))
  if not limit or limit < 1 then options.refuse("--limit must be a whole number from 1") end
  if found.all then
    if found.limit then options.refuse("--all and --limit exclude each other") end
    limit = math.maxinteger
  end
  local before = found.before
  if before and before:find "^%d+$" and #before <= 18 then before = ("R-%03d"):format(before) end
  if before and not store.number(before) then
    options.refuse(("--before '%s' is not a run"):format(core.text.printable(before, 40)),
      "write --before 7")
  end
  local name = found.status and "status" or "verdict"
  local status = found[name]
  if status and status ~= "parked" and not manifest.exit_codes[status]
      and not open_states[status] then
    options.refuse(("--%s '%s' is unknown"):format(name, core.text.printable(status, 40)),
      record.suggest(status, statuses))
  end
  return { limit = limit, before = before, task = found.task, preset = found.preset,
    status = status, since = options.day(found.since, "since") }
end

--- Returns a run's title, or its preset and the task name that a person chose.
local function what(row)
  if row.title ~= null then return row.title end
  local is_made = row.task_id:sub(1, #row.preset) == row.preset
    and row.task_id:find "%-%d+T%d+Z%-%x%x%x%x$"
  return (is_made or row.task_id == row.preset) and row.preset or row.preset .. "  " .. row.task_id
end

local function cells_of(row, now)
  local started = row.started_at ~= null and core.clock.parse(row.started_at)
  local go_on = row.removed and "its folder was removed: moonlet cancel " .. row.id or nil
  local waits = row.state == "needs-human" or row.state == "quota" or row.state == "interrupted"
  return { id = row.id, ago = started and state_of.ago(started, now) or "-",
    what = core.text.printable(what(row), 200), state = core.text.printable(row.state, 40),
    took = state_of.took(row), command = go_on or waits and state_of.go_on(row.id,
      row.state) or nil,
    preset = core.text.printable(row.preset, 24),
    task = core.text.printable(row.title ~= null and row.title or row.task_id, 60) }
end

local function plain_text(cells)
  local form = "%-7s %-12s %-24s %-9s %-10s %s"
  local lines = { form:format("RUN", "STATE", "PRESET", "TOOK", "WHEN", "TASK") }
  for _, cell in ipairs(cells) do
    lines[#lines + 1] = form:format(cell.id, cell.state, cell.preset, cell.took,
      cell.ago, cell.task)
      .. (cell.command and "  " .. cell.command or "")
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Formats the table for a terminal, with columns as wide as their content.
local function laid_out(cells, out)
  local rows, lines = { { "RUN", "WHEN", "WHAT", "OUTCOME", "TOOK" } }, {}
  for i, cell in ipairs(cells) do
    rows[i + 1] = { cell.id, cell.ago, cell.what, cell.state, cell.took }
  end
  for i, line in ipairs(page.columns(out, rows, 3)) do
    local command = i > 1 and cells[i - 1].command
    local is_short = command and core.text.width(line) + 2 + #command <= out.columns
    lines[#lines + 1] = (i == 1 and page.paint(out, "dim", line) or line)
      .. (is_short and "  " .. command or "")
    if command and not is_short then lines[#lines + 1] = (" "):rep(7) .. command end
  end
  return table.concat(lines, "\n") .. "\n"
end

local function table_text(rows)
  local cells, now, out = {}, core.clock.wall(), page.out()
  for i, row in ipairs(rows) do cells[i] = cells_of(row, now) end
  return out.terminal and laid_out(cells, out) or plain_text(cells)
end

function M.main(words)
  local found, rest = verbs.read("run list", words, M.known)
  options.no_more(rest, 0, "list")
  local wanted = wanted_of(found)
  local home = repository.open(found.repo)
  local root = store.root(home)
  local rows = {}
  if root then
    local why
    rows, why = rows_of_ledger(home, root, wanted)
    if not rows then
      ledger.without(why)
      rows = rows_of_files(home, root, wanted)
    end
  end
  local gone = rows_of_removed(home, wanted)
  rows = table.move(rows, 1, math.min(#rows, wanted.limit - #gone), #gone + 1, gone)
  return options.envelope({ runs = core.json.array(rows) }), 0,
    #rows == 0 and "no runs\n" or table_text(rows)
end

return M
