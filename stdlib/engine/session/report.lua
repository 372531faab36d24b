--- Summarises a session: duration, input, questions, changed files, and results of tests.
local counted = require "moonlet.engine.base.counted"
local duration = require "moonlet.duration"
local judge = require "moonlet.engine.session.judge"
local log = require "moonlet.engine.session.log"
local store = require "moonlet.engine.session.store"

local M = {}

local read_cap, longest_line = 4 << 20, 500
local most_files, most_entries = 200, 20000
local left_out = { [".git"] = true, [".agent"] = true, node_modules = true, [".cache"] = true,
  __pycache__ = true }

function M.files_changed(folder, since_ns)
  local root = core.file.root(folder)
  local found, seen, stack = {}, 0, { "" }
  while root and #stack > 0 do
    local path = table.remove(stack)
    for _, entry in ipairs(core.file.list(root, path == "" and "." or path) or {}) do
      seen = seen + 1
      local name = path == "" and entry.name or path .. "/" .. entry.name
      if entry.type == "directory" and not left_out[entry.name] then
        stack[#stack + 1] = name
      elseif entry.type == "file" then
        local info = core.file.stat(root, name)
        if info and info.mtime_ns >= since_ns then found[#found + 1] = name end
      end
      if seen > most_entries or #found >= most_files then return found, false end
    end
    if seen % 500 == 0 then core.task.sleep(0) end
  end
  table.sort(found)
  return found, true
end

local test_lines = { "%d+ passed", "%d+ failed", "^Tests?:%s", "^ok%s+%S", "^FAIL", "^PASS",
  "%d+ tests? ", "test result:" }

local function tests_of(lines)
  for i = #lines, 1, -1 do
    for _, pattern in ipairs(test_lines) do
      if lines[i]:find(pattern) then return lines[i] end
    end
  end
end

--- Maps the names of markers to the types of their events.
M.marker_types = { QUESTION = "question", MILESTONE = "milestone", DONE = "done",
  BLOCKED = "blocked" }

---@param seen table<string, true>
---@return {type: string, text: string}[]
function M.markers(lines, seen)
  local found = {}
  for _, line in ipairs(lines) do
    local name, text = line:match "^[^%w%[`>]*%[(%u+)%]%s*(.*)$"
    local kind = name and M.marker_types[name]
    if kind then
      text = core.text.printable(text:gsub("[%s│]+$", ""), 400)
      local key = kind .. ":" .. text
      if not seen[key] then found[#found + 1] = { type = kind, text = text } end
      seen[key] = true
    end
  end
  return found
end

function M.lines(root, id)
  local lines = {}
  -- Truncate long lines, because patterns would be slow on them.
  for line in log.plain((log.tail(root, id, read_cap))):gmatch "[^\n]+" do
    lines[#lines + 1] = line:sub(1, longest_line)
  end
  return lines
end

function M.of(home, rec, row)
  local root = store.root(home)
  local lines, inputs, interventions = M.lines(root, rec.id), core.json.array {}, core.json.array {}
  local attached = 0
  for _, event in ipairs(store.events(home, rec.id)) do
    if event.type == "input" or event.type == "poke" then inputs[#inputs + 1] = event end
    if event.type == "attached" then attached = attached + 1 end
    if event.type == "intervention" then interventions[#interventions + 1] = event end
  end
  local started = core.clock.parse(rec.started_at or "")
  local files, is_whole = M.files_changed(rec.cwd, started and started * 1000000 or math.maxinteger)
  return { id = rec.id, state = row.state, exit_code = row.exit_code, ended_by = row.ended_by,
    took_ms = row.age_ms, output_missing = row.output_missing, waits_for = row.waits_for,
    inputs = inputs, attached = attached, interventions = interventions,
    files_changed = core.json.array(files), files_whole = is_whole, tests = tests_of(lines),
    markers = core.json.array(M.markers(lines, {})), parent = rec.parent }
end

function M.text(report)
  local lines = { ("%s: %s%s, %s"):format(report.id, report.state,
    report.state == "ended" and report.exit_code
    and report.exit_code >= 0 and (" (exit %d)"):format(report.exit_code) or "",
    report.took_ms and duration.text(report.took_ms) or "-") }
  local function add(text, ...) lines[#lines + 1] = text:format(...) end
  if report.output_missing then add("%s", judge.loss_text(report.output_missing)) end
  if report.waits_for then add("waits for %s", core.text.printable(report.waits_for, 200)) end
  for _, marker in ipairs(report.markers) do add("%s: %s", marker.type, marker.text) end
  add("typed: %s%s", counted(#report.inputs, "time"), report.attached > 0 and
    ("; a person took it over %s, whose typing is not counted"):format(counted(report.attached,
      "time")) or "")
  for _, event in ipairs(report.interventions) do
    add("intervention: %s, because %s", core.text.printable(tostring(event.act), 40),
      core.text.printable(tostring(event.why), 200))
  end
  add("files changed in its folder meanwhile, by any process: %d%s", #report.files_changed,
    report.files_whole and "" or " or more")
  for i = 1, math.min(#report.files_changed, 20) do
    add("  %s", core.text.printable(report.files_changed[i], 200))
  end
  if report.tests then add("tests: %s", core.text.printable(report.tests, 200)) end
  return table.concat(lines, "\n") .. "\n"
end

return M
