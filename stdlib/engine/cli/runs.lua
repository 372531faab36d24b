--- `moonlet run list` and `moonlet run show`.
local options = require "moonlet.engine.cli.options"
local duration = require "moonlet.duration"
local home_module = require "moonlet.engine.run.repository"
local ledger = require "moonlet.engine.run.ledger"
local record = require "moonlet.record"
local record_store = require "moonlet.engine.run.store"
local run_record = require "moonlet.engine.run.manifest"

local M = {}

local list_options = {
  repo = { value = "DIR", help = "the repository or folder (default: here)" },
  limit = { value = "N", help = "how many, newest first (default 50)" },
  all = { help = "all of them" },
  before = { value = "RUN", help = "only runs before this one: the next page" },
  task = { value = "ID", help = "only runs of this task" },
  preset = { value = "NAME", help = "only runs of this preset" },
  verdict = { value = "NAME", help = "only runs that came to this, or are running, interrupted or prepared" },
  json = { help = "print one JSON envelope and nothing else" },
  help = { help = "this text" },
}
local show_options = {
  repo = list_options.repo, json = list_options.json, help = list_options.help,
}

local null = core.json.null

local function usage(words, known, text)
  local found, rest = options.parse(words, known, 3)
  if found.help then
    options.print_help(("usage: moonlet run %s\n\noptions:\n%s\n"):format(text, options.help(known)), found.json)
    return nil, rest
  end
  return found, rest
end

--- The word that names a run's target on a command line.
local function target_word(home, rec)
  local word = rec.target
  if type(rec.path) == "string" then
    word = home_module.moved(home, rec, rec.path)
    local here = core.system.cwd() .. "/"
    if word:sub(1, #here) == here then word = word:sub(#here + 1) end
    if not word:find("/", 1, true) and word:sub(-4) ~= ".lua" then word = "./" .. word end
  end
  return require("moonlet.git.names").shell_word(word) or "PRESET"
end

--- The command that starts a run of which only the prompts were made.
---@param home table
---@param rec table
---@return string
function M.prepared(home, rec)
  return ("it is only prepared: moonlet run %s --prepared %s starts it"):format(target_word(home, rec), rec.task_id)
end

--- The state of a run that has not ended.
local function open_state(home, id, prepared)
  if core.runs.holder(home.handle, id) then return "running" end
  return prepared and "prepared" or "interrupted"
end

--- The state of a run: its verdict, or if a host drives it.
local function state_text(home, id, rec)
  if rec.ended then return rec.verdict end
  return open_state(home, id, rec.options and rec.options.dry_run)
end

local function took(rec)
  return rec.duration_ms ~= null and rec.duration_ms and duration.text(rec.duration_ms) or "-"
end

--- States before a verdict, and their names in the ledger.
local open_states = { running = "running", interrupted = "running", prepared = "prepared" }
local page = 500

local function row_of(home, run, state)
  return { id = run.id, task_id = run.task_id, preset = run.preset, title = run.title, runner = run.runner,
    state = state, started_at = run.started_at, duration_ms = run.duration_ms, dir = home.agent_path .. "/" .. run.dir }
end

--- Reads again a run that has not ended by its row: its host may have died before it could update the ledger.
local function look_again(home, root, run)
  local state = open_state(home, run.id, run.status == "prepared")
  if state == "running" then return run, state end
  local text = core.file.read(root, "runs/" .. run.id .. "/run.json", record_store.record_cap)
  local rec = record_store.look(root, run.id)
  if not rec or not rec.ended then return run, state end
  if ledger.put(home, run.id, text) then return run, rec.verdict end
  return core.ledger.get(home.handle, run.id) or run, rec.verdict
end

--- Reports lost runs. A list only reads: they stay in the ledger, for verify to find.
local function tell_lost(ids)
  if #ids == 0 then return end
  local shown = table.concat(ids, ", ", 1, math.min(#ids, 5))
  if #ids > 5 then shown = ("%s and %d more"):format(shown, #ids - 5) end
  core.system.print(2, ("moonlet: the ledger has %s, and the disk has not: moonlet run verify\n"):format(shown))
end

--- The wanted rows of the ledger's runs, newest first; nil and an error if it cannot be used.
local function rows_of_ledger(home, root, wanted)
  local ready, why = ledger.ready(home)
  if not ready then return nil, why end
  local status = open_states[wanted.verdict]
  local filter = { task = wanted.task, preset = wanted.preset, before = wanted.before,
    verdict = not status and wanted.verdict or nil, status = status }
  local rows, lost = {}, {}
  while #rows < wanted.limit do
    local size = math.min(wanted.limit - #rows, page)
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
      if state and (not wanted.verdict or state == wanted.verdict) then rows[#rows + 1] = row_of(home, run, state) end
    end
    if #runs < size then break end
    filter.before = runs[#runs].id
  end
  tell_lost(lost)
  return rows
end

--- The same from the files alone: slow for many runs, but right.
local function rows_of_files(home, root, wanted)
  local rows, before = {}, wanted.before and record_store.number(wanted.before)
  for _, id in ipairs(record_store.ids(root)) do
    local rec = (not before or record_store.number(id) < before) and record_store.look(root, id)
    if rec and rec.sidecar then
      local state = state_text(home, id, rec)
      if (not wanted.task or rec.task_id == wanted.task) and (not wanted.preset or rec.preset == wanted.preset)
        and (not wanted.verdict or state == wanted.verdict) then
        rows[#rows + 1] = row_of(home, { id = id, task_id = rec.task_id, preset = rec.preset,
          title = rec.options and rec.options.title or null, runner = rec.runner_name or rec.runner,
          started_at = rec.started_at, duration_ms = rec.duration_ms or null, dir = rec.sidecar }, state)
        if #rows == wanted.limit then break end
      end
    end
    core.task.sleep(0)
  end
  return rows
end

local function wanted_of(found)
  local limit = math.tointeger(tonumber(found.limit or 50))
  if not limit or limit < 1 then error(options.usage("--limit must be a whole number from 1"), 0) end
  if found.all then
    if found.limit then error(options.usage("--all and --limit exclude each other"), 0) end
    limit = math.maxinteger
  end
  local before = found.before
  if before and not record_store.number(before) then
    error(options.usage(("--before '%s' is no run"):format(core.text.printable(before, 40)), "write --before R-007"), 0)
  end
  if found.verdict and not run_record.exit_codes[found.verdict] and not open_states[found.verdict] then
    local names = {}
    for name in pairs(run_record.exit_codes) do names[#names + 1] = name end
    for name in pairs(open_states) do names[#names + 1] = name end
    error(options.usage(("--verdict '%s' is none"):format(core.text.printable(found.verdict, 40)),
      record.suggest(found.verdict, names)), 0)
  end
  return { limit = limit, before = before, task = found.task, preset = found.preset, verdict = found.verdict }
end

local function list(words)
  local found, rest = usage(words, list_options, "list [options]")
  if not found then return nil, 0 end
  if rest[1] then
    error(options.usage(("moonlet run list takes no argument '%s'"):format(core.text.printable(rest[1], 40))), 0)
  end
  local wanted = wanted_of(found)
  local home = home_module.open(found.repo)
  local root = record_store.root(home)
  local rows = {}
  if root then
    local why
    rows, why = rows_of_ledger(home, root, wanted)
    if not rows then
      ledger.without(why)
      rows = rows_of_files(home, root, wanted)
    end
  end
  local lines = { ("%-7s %-12s %-24s %-9s %s"):format("RUN", "STATE", "PRESET", "TOOK", "TASK") }
  for _, row in ipairs(rows) do
    lines[#lines + 1] = ("%-7s %-12s %-24s %-9s %s"):format(row.id, core.text.printable(row.state, 40),
      core.text.printable(row.preset, 24), took(row),
      core.text.printable(row.title ~= null and row.title or row.task_id, 60))
  end
  if #rows == 0 then lines = { "no runs" } end
  return { ok = true, command = "run list", run = null, error = null,
    result = { runs = core.json.array(rows) } }, 0, table.concat(lines, "\n") .. "\n"
end

local function show_steps(rec, lines)
  for _, step in ipairs(rec.steps ~= null and rec.steps or {}) do
    local took_text = step.duration_ms ~= null and duration.text(step.duration_ms) or ""
    local code = math.tointeger(step.exit_code)
    local status = step.status == "ok" and code and "exit " .. code or step.status
    lines[#lines + 1] = ("  %-9s %-10s %-8s %s%s"):format(status, step.kind, took_text,
      core.text.printable(step.key, 80), step.cached and " (from the journal)" or "")
    if step.error ~= null and step.error then
      lines[#lines + 1] = "            " .. core.text.printable(step.error.message, 200)
    end
  end
end

--- A word of a command line, as a shell reads it.
local function quoted(text)
  if text:find "^[%w_./#@:-]+$" and text:sub(1, 1) ~= "#" then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function show_parked(id, rec, lines)
  local open = rec.ended and rec.verdict == "needs-human" and rec.parked or {}
  for _, item in ipairs(open) do
    lines[#lines + 1] = ("waits (%s %s): %s"):format(item.kind, item.key, core.text.printable(item.text, 400))
    if item.why then lines[#lines + 1] = "  why: " .. core.text.printable(item.why, 400) end
    if item.show then lines[#lines + 1] = core.text.clean(item.show) end
    for i, option in ipairs(item.options or {}) do
      lines[#lines + 1] = ("  %d. %s"):format(i, core.text.printable(option, 200))
    end
    local which = #open > 1 and " --key " .. core.text.printable(quoted(item.key), 400) or ""
    lines[#lines + 1] = item.kind == "gate" and ("  moonlet answer %s approve%s   (or reject)"):format(id, which)
      or ("  moonlet answer %s 'TEXT'%s"):format(id, which)
  end
end

local function runner_text(rec)
  if rec.runner ~= "route" or type(rec.runner_name) ~= "string" then return rec.runner end
  return "route: " .. rec.runner_name
end

local function show(words)
  local found, rest = usage(words, show_options, "show RUN [options]")
  if not found then return nil, 0 end
  if #rest ~= 1 then error(options.usage("show which run?", "moonlet run show R-007"), 0) end
  local home = home_module.open(found.repo)
  local id, rec = record_store.find(home, rest[1])
  local lines = {
    ("%s  %s  %s"):format(id, core.text.printable(rec.preset, 80), state_text(home, id, rec)),
    ("started %s, took %s, runner %s"):format(core.text.printable(rec.started_at, 40), took(rec),
      core.text.printable(runner_text(rec), 80)),
  }
  if rec.error ~= null and rec.error then
    lines[#lines + 1] = "error: " .. core.text.printable(rec.error.message, 400)
  end
  show_parked(id, rec, lines)
  show_steps(rec, lines)
  local half_merges = require "moonlet.engine.workspace.interrupted_merge"
local leftovers = require "moonlet.engine.workspace.kept_worktrees"
local worktree = require "moonlet.engine.workspace.worktree"
  local driven = core.runs.holder(home.handle, id) ~= nil
  if not rec.ended and not driven and rec.options.dry_run then
    lines[#lines + 1] = M.prepared(home, rec)
  elseif not rec.ended and not driven then
    lines[#lines + 1] = ("its host was ended: moonlet run resume %s goes on"):format(id)
  end
  local kept = driven and core.json.array {} or worktree.left(home, id)
  local place = { sidecar = rec.sidecar, absolute = function(path) return home.agent_path .. "/" .. path end }
  if not driven and half_merges.is_half_merged(place) then
    lines[#lines + 1] = ("a merge was cut off, and is in the work tree in part: moonlet run resume %s, or cancel, "
      .. "brings it back"):format(id)
  end
  for _, path in ipairs(kept) do lines[#lines + 1] = leftovers.text(path) end
  lines[#lines + 1] = "artifacts: " .. home.agent_path .. "/" .. rec.sidecar
  return { ok = true, command = "run show", run = record_store.envelope(home, rec), error = null,
    result = { state = state_text(home, id, rec), parked = rec.parked or core.json.array {}, record = rec,
      worktrees = kept } },
    0, table.concat(lines, "\n") .. "\n"
end

---@param words string[]
---@return table? envelope, integer exit_code, string? text
function M.main(words)
  if words[2] == "show" then return show(words) end
  return list(words)
end

return M
