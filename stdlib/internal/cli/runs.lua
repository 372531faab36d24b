--- `moonlet run list` and `moonlet run show`.
local options = require "moonlet.internal.options"
local duration = require "moonlet.duration"
local home_module = require "moonlet.internal.home"
local record_store = require "moonlet.internal.record_store"

local M = {}

local list_options = {
  repo = { value = "DIR", help = "the repository or folder (default: here)" },
  limit = { value = "N", help = "how many, newest first (default 50)" },
  preset = { value = "NAME", help = "only runs of this preset" },
  verdict = { value = "NAME", help = "only runs that came to this" },
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
    core.system.print(1, ("usage: moonlet run %s\n\noptions:\n%s\n"):format(text, options.help(known)))
    return nil, rest
  end
  return found, rest
end

--- What a run is at: its verdict, or whether a host drives it.
local function state_text(home, id, rec)
  if rec.ended then return rec.verdict end
  return core.runs.holder(home.handle, id) and "running" or "interrupted"
end

local function took(rec)
  return rec.duration_ms ~= null and rec.duration_ms and duration.text(rec.duration_ms) or "-"
end

local function row_of(home, id, rec)
  return { id = id, task_id = rec.task_id, preset = rec.preset, title = rec.options.title or null,
    runner = rec.runner, state = state_text(home, id, rec), started_at = rec.started_at,
    duration_ms = rec.duration_ms or null, dir = home.agent_path .. "/" .. rec.sidecar }
end

local function list(words)
  local found, rest = usage(words, list_options, "list [options]")
  if not found then return nil, 0 end
  if rest[1] then
    error(options.usage(("moonlet run list takes no argument '%s'"):format(core.text.printable(rest[1], 40))), 0)
  end
  local limit = math.tointeger(tonumber(found.limit or 50))
  if not limit or limit < 1 then error(options.usage("--limit must be a whole number from 1"), 0) end
  local home = home_module.open(found.repo)
  local root = record_store.root(home)
  local rows, lines = {}, { ("%-7s %-12s %-24s %-9s %s"):format("RUN", "STATE", "PRESET", "TOOK", "TASK") }
  for _, id in ipairs(record_store.ids(root)) do
    local rec = record_store.read(root, id)
    local row = rec and row_of(home, id, rec)
    if row and (row.preset == found.preset or not found.preset)
      and (row.state == found.verdict or not found.verdict) then
      rows[#rows + 1] = row
      lines[#lines + 1] = ("%-7s %-12s %-24s %-9s %s"):format(id, row.state, core.text.printable(row.preset, 24),
        took(rec), row.title ~= null and core.text.printable(row.title, 60) or row.task_id)
      if #rows == limit then break end
    end
  end
  if #rows == 0 then lines = { "no runs" } end
  return { ok = true, command = "run list", run = null, error = null,
    result = { runs = core.json.array(rows) } }, 0, table.concat(lines, "\n") .. "\n"
end

local function show_steps(rec, lines)
  for _, step in ipairs(rec.steps ~= null and rec.steps or {}) do
    local took_text = step.duration_ms ~= null and duration.text(step.duration_ms) or ""
    lines[#lines + 1] = ("  %-9s %-10s %-8s %s%s"):format(step.status, step.kind, took_text,
      core.text.printable(step.key, 80), step.cached and " (from the journal)" or "")
    if step.error ~= null and step.error then
      lines[#lines + 1] = "            " .. core.text.printable(step.error.message, 200)
    end
  end
end

local function show_parked(id, rec, lines)
  for _, item in ipairs(rec.ended and rec.parked or {}) do
    lines[#lines + 1] = ("waits (%s %s): %s"):format(item.kind, item.key, core.text.printable(item.text, 400))
    if item.why then lines[#lines + 1] = "  why: " .. core.text.printable(item.why, 400) end
    if item.show then lines[#lines + 1] = core.text.clean(item.show) end
    for i, option in ipairs(item.options or {}) do
      lines[#lines + 1] = ("  %d. %s"):format(i, core.text.printable(option, 200))
    end
    lines[#lines + 1] = item.kind == "gate" and ("  moonlet answer %s approve   (or reject)"):format(id)
      or ("  moonlet answer %s 'TEXT'"):format(id)
  end
end

local function show(words)
  local found, rest = usage(words, show_options, "show RUN [options]")
  if not found then return nil, 0 end
  if #rest ~= 1 then error(options.usage("show which run?", "moonlet run show R-007"), 0) end
  local home = home_module.open(found.repo)
  local id, rec = record_store.find(home, rest[1])
  local lines = {
    ("%s  %s  %s"):format(id, rec.preset, state_text(home, id, rec)),
    ("started %s, took %s, runner %s"):format(rec.started_at, took(rec), core.text.printable(rec.runner, 80)),
  }
  if rec.error ~= null and rec.error then
    lines[#lines + 1] = "error: " .. core.text.printable(rec.error.message, 400)
  end
  show_parked(id, rec, lines)
  show_steps(rec, lines)
  if not rec.ended and not core.runs.holder(home.handle, id) then
    lines[#lines + 1] = ("its host was ended: moonlet run resume %s goes on"):format(id)
  end
  lines[#lines + 1] = "artifacts: " .. home.agent_path .. "/" .. rec.sidecar
  return { ok = true, command = "run show", run = record_store.envelope(home, rec), error = null,
    result = { state = state_text(home, id, rec), parked = rec.parked or core.json.array {}, record = rec } },
    0, table.concat(lines, "\n") .. "\n"
end

---@param words string[]
---@return table? envelope, integer exit_code, string? text
function M.main(words)
  if words[2] == "show" then return show(words) end
  return list(words)
end

return M
