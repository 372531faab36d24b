--- Formats the report of a run for a terminal: verdict, result, and the command that continues.
local duration = require "moonlet.duration"
local markdown = require "moonlet.engine.base.markdown"
local page = require "moonlet.engine.base.page"
local severities = require "moonlet.findings"
local state = require "moonlet.engine.run.state"
local step_files = require "moonlet.engine.run.step_files"

local M = {}

local null = core.json.null

---@class moonlet.Screen  the facts of a report
---@field id string
---@field name string       name of the preset or script
---@field title string?
---@field state string      the verdict, or running, interrupted, prepared
---@field summary string?
---@field took_ms integer?
---@field result any
---@field findings string?  Markdown of findings.md
---@field error table?
---@field steps table[]
---@field degraded table[]
---@field parked table[]
---@field notes string[]    lines below the result
---@field files string?     path of the sidecar folder
---@field head string?      head hash of the journal
---@field folder fun(step: table): string?  returns the folder of a step, if it has one
---@field tail fun(step: table): string[]?  returns the last lines of a step's stderr
---@field lines string[]?   lines to print instead of the result

local marks = {
  ok = { "✓", "+", "green" }, running = { "●", "*", "cyan" }, prepared = { "○", "o", "cyan" },
  failed = { "✗", "x", "red" }, blocked = { "✗", "x", "red" }, budget = { "✗", "x", "red" },
  degraded = { "!", "!", "yellow" }, findings = { "!", "!", "yellow" },
  ["needs-human"] = { "?", "?", "yellow" }, quota = { "?", "?", "yellow" },
  cancelled = { "■", "-", "yellow" }, interrupted = { "■", "-", "yellow" },
}
local is_severity = {}
for _, name in ipairs(severities.severities) do is_severity[name] = true end
local severity_tones = { critical = "red", high = "red", medium = "yellow" }
local most_findings, most_failures = 40, 10

local function some(value) return value ~= nil and value ~= null and value or nil end

local function plain(value, cap) return core.text.printable(tostring(value), cap or 2000) end

local function add_wrapped(lines, out, indent, text)
  for _, line in ipairs(page.wrap(text, out.columns - indent)) do
    lines[#lines + 1] = line == "" and "" or (" "):rep(indent) .. line
  end
end

local function gap(lines) if lines[#lines] ~= "" then lines[#lines + 1] = "" end end

local function add_head(lines, out, facts)
  local mark = marks[facts.state] or marks.failed
  local verdict = page.paint(out, mark[3],
    (out.unicode and mark[1] or mark[2]) .. " " .. plain(facts.state, 40))
  local parts = { verdict, plain(facts.title or facts.name, 80), facts.id }
  if facts.summary and facts.summary ~= "" then parts[#parts + 1] = plain(facts.summary, 200) end
  if facts.took_ms then parts[#parts + 1] = duration.text(facts.took_ms) end
  local line, taken = parts[1], core.text.width(facts.state) + 2
  for i = 2, #parts do
    local wide = core.text.width(parts[i]) + 2
    if taken + wide > out.columns then
      lines[#lines + 1] = line
      line, taken = "  " .. core.text.fit(parts[i], out.columns - 2), wide
    else
      line, taken = line .. "  " .. parts[i], taken + wide
    end
  end
  lines[#lines + 1] = line
end

--- Returns the findings of a result if they have the form that m.merge.findings returns, else nil.
local function findings_of(result)
  local list = type(result) == "table" and result ~= null and rawget(result, "findings")
  if type(list) ~= "table" or list == null or #list == 0 then return nil end
  for _, item in ipairs(list) do
    local is_known = type(item) == "table" and item ~= null
      and type(rawget(item, "claim")) == "string"
      and type(rawget(item, "severity")) == "string"
    if not is_known then return nil end
  end
  return list
end

local function add_finding(lines, out, item)
  local severity, file, at = plain(item.severity, 10), some(rawget(item, "file")),
    math.tointeger(rawget(item, "line"))
  local indent = 10
  local place = file and plain(file, 400) .. (at and ":" .. at or "") or ""
  local room, taken = out.columns - indent, core.text.width(place) + 1
  local tone, claim = severity_tones[severity], plain(item.claim)
  local wrapped
  if place == "" or taken > room then
    wrapped = page.wrap(claim, room)
    if place ~= "" then table.insert(wrapped, 1, place) end
  else
    -- Replace the place by "x" characters while the claim is wrapped. Otherwise a path with spaces
    -- could be split.
    wrapped = page.wrap(("x"):rep(taken) .. " " .. claim, room)
    wrapped[1] = (place .. " " .. wrapped[1]:sub(taken + 1)):gsub(" +$", "")
  end
  lines[#lines + 1] = (tone and page.paint(out, tone, severity) or severity)
    .. (" "):rep(indent - core.text.width(severity)) .. wrapped[1]
  for i = 2, #wrapped do lines[#lines + 1] = (" "):rep(indent) .. wrapped[i] end
  local fix = some(rawget(item, "fix"))
  if fix and fix ~= "" then
    for i, line in ipairs(page.wrap(plain(fix), out.columns - indent - 2)) do
      lines[#lines + 1] = (" "):rep(indent) .. (i == 1 and (out.unicode and "→ " or "> ")
        or "  ") .. line
    end
  end
end

--- Returns the title and the text of findings.md. Omits the findings, because they are also in the
--- result.
local function beside_findings(text)
  local title, parts, is_list = nil, {}, false
  for line in (text or ""):gmatch "[^\n]*\n?" do
    local heading = line:match "^## ([^\n]*)"
    if heading then
      is_list = is_severity[heading:lower()] or heading:find "^And %d+ more, a line each$" ~= nil
    end
    local first = not title and line:match "^# ([^\n]*)"
    if first then title = first elseif not is_list then parts[#parts + 1] = line end
  end
  return title, table.concat(parts)
end

local function add_result(lines, out, facts)
  local list = findings_of(facts.result)
  if list then
    local title, rest = beside_findings(facts.findings)
    if title then
      gap(lines)
      for _, line in ipairs(markdown.lines("# " .. title, out)) do lines[#lines + 1] = line end
    end
    gap(lines)
    for i, item in ipairs(list) do
      if i <= most_findings then add_finding(lines, out, item) end
    end
    if #list > most_findings then
      lines[#lines + 1] = ("%d more: moonlet show %s --answer"):format(#list - most_findings,
        facts.id)
    end
    if rest:find "%S" then
      gap(lines)
      local shown = markdown.lines((rest:gsub("^\n+", "")), out)
      table.move(shown, 1, #shown, #lines + 1, lines)
    end
    return
  end
  local text = facts.findings
  if (not text or text == "") and some(facts.result) ~= nil then
    text = facts.result
    if type(text) ~= "string" then
      gap(lines)
      for line in core.text.strip(core.json.encode_record(text, 2)):gmatch "[^\n]+" do
        lines[#lines + 1] = line
      end
      return
    end
  end
  if text and text:find "%S" then
    gap(lines)
    local shown = markdown.lines(text, out)
    table.move(shown, 1, #shown, #lines + 1, lines)
  end
end

function M.near(path)
  local here = core.system.cwd() .. "/"
  return plain(path:sub(1, #here) == here and path:sub(#here + 1) or path, 4000)
end

local function failed_groups(facts)
  local groups, by_text = {}, {}
  for _, step in ipairs(facts.steps) do
    local wrong = some(step.error)
    if step.status == "failed" and wrong and step.kind ~= "function" then
      local tail = facts.tail(step) or {}
      local text = tostring(wrong.message) .. "\n" .. table.concat(tail, "\n")
      local group = by_text[text]
      if not group then
        group = { step = step, message = plain(wrong.message), tail = tail, names = {} }
        by_text[text], groups[#groups + 1] = group, group
      end
      table.insert(group.names, plain(step_files.label(step.key), 60))
    end
  end
  return groups
end

--- Adds lines about a group of failed steps. Leaves out what the run's error already says.
local function add_group(lines, out, facts, group, err)
  local said = err and plain(err.message) or ""
  local is_said = said:find(group.message, 1, true) ~= nil
  local name = table.concat(group.names, ", ")
  if is_said or #group.names > 1 then
    add_wrapped(lines, out, 2, name)
    if not is_said then add_wrapped(lines, out, 4, group.message) end
  else
    page.row(lines, out, 2, name, math.min(core.text.width(name) + 5, 28), group.message)
  end
  local at = some(group.step.error.at)
  if at and at ~= (err and err.at) then lines[#lines + 1] = "    at " .. plain(at, 400) end
  for _, line in ipairs(group.tail) do
    local shown = plain(line, 400)
    local is_quoted = (": " .. group.message):find(": " .. shown:match "^%s*(.-)%s*$", 1, true)
    if not is_quoted then
      lines[#lines + 1] = "    " .. (out.unicode and "│ " or "| ")
        .. core.text.fit(shown, out.columns - 6)
    end
  end
  local folder = facts.folder(group.step)
  if folder then lines[#lines + 1] = "    " .. M.near(folder) end
end

local function add_failures(lines, out, facts)
  local err, groups = some(facts.error), failed_groups(facts)
  local is_plain = facts.state == "cancelled" or facts.state == "needs-human"
  local is_own = err ~= nil and not is_plain
  for _, group in ipairs(groups) do is_own = is_own and plain(err.message) ~= group.message end
  local function add_hint()
    local hint = err and not is_plain and some(err.hint)
    if hint and hint ~= "" then page.add_hint(lines, out, plain(hint)) end
  end
  if is_own then
    gap(lines)
    add_wrapped(lines, out, 2, plain(err.message))
    if some(err.at) then lines[#lines + 1] = "  at " .. plain(err.at, 400) end
    add_hint()
  end
  for i = 1, math.min(#groups, most_failures) do
    gap(lines)
    add_group(lines, out, facts, groups[i], is_own and err or nil)
  end
  if #groups > most_failures then
    lines[#lines + 1] = ("  %d more failed"):format(#groups - most_failures)
  end
  if not is_own then add_hint() end
end

--- Formats the failed steps for a pipe, where the caller prints the run's error first.
function M.failures(facts)
  local lines, out = {}, { columns = 10000, colour = false, unicode = true, terminal = false }
  local groups, err = failed_groups(facts), some(facts.error)
  for i = 1, math.min(#groups, most_failures) do
    add_group(lines, out, facts, groups[i], err)
  end
  if #groups > most_failures then
    lines[#lines + 1] = ("  %d more failed"):format(#groups - most_failures)
  end
  return table.concat(lines, "\n") .. (#lines > 0 and "\n" or "")
end

local function add_parked(lines, out, facts)
  if facts.state ~= "needs-human" then return end
  for _, item in ipairs(facts.parked) do
    gap(lines)
    add_wrapped(lines, out, 2, ("%s %s"):format(item.kind == "gate" and "Approve?" or "Question:",
      plain(item.text)))
    if some(item.why) then add_wrapped(lines, out, 2, "why: " .. plain(item.why)) end
    for _, line in ipairs(some(item.show) and page.quote(item.show, out.columns) or {}) do
      lines[#lines + 1] = line
    end
    for i, option in ipairs(item.options or {}) do
      add_wrapped(lines, out, 4, ("%d. %s"):format(i, plain(option, 400)))
    end
  end
end

local function add_end(lines, facts)
  if facts.files then
    gap(lines)
    lines[#lines + 1] = "Artifacts: " .. M.near(facts.files)
    if facts.head then lines[#lines + 1] = "Record head: " .. facts.head end
  end
  lines[#lines + 1] = state.last_line(facts.id, facts.state, some(facts.error), facts.parked,
    facts.steps, facts.origin)
end

function M.text(facts, out)
  local lines = {}
  add_head(lines, out, facts)
  if facts.lines then
    gap(lines)
    table.move(facts.lines, 1, #facts.lines, #lines + 1, lines)
  else
    add_result(lines, out, facts)
  end
  add_failures(lines, out, facts)
  add_parked(lines, out, facts)
  for i, note in ipairs(facts.notes) do
    if i == 1 then gap(lines) end
    add_wrapped(lines, out, 0, plain(note))
  end
  add_end(lines, facts)
  return table.concat(lines, "\n") .. "\n"
end

return M
