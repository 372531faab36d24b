--- Formats the result of a review as a Markdown page that is readable as plain text, too.
--- A review's page starts with the next action, then lists the findings by severity.
--- Each text in a review comes from an agent, so it is escaped.

local findings = require "moonlet.findings"

local find, format, gsub, match, rep, sub = string.find, string.format, string.gsub,
  string.match, string.rep, string.sub
local concat = table.concat

local M = {}

--- Evidence and fix are printed for the first 40 findings. Each later finding gets one line.
local most_told = 40
local evidence_lines = 6
local evidence_bytes = 600

local function given(value)
  if value == nil or value == core.json.null then return nil end
  return value
end

-- An underscore inside a name is literal in Markdown. Elsewhere it could start emphasis.
local function escape_underscores(text)
  return (gsub(text, "()_", function(at)
    local inside = find(sub(text, at - 1, at - 1), "[%w_]")
      and find(sub(text, at + 1, at + 1), "[%w_]") and at > 1
    return inside and "_" or "\\_"
  end))
end

-- Escapes Markdown outside of code. Addresses and @names are code, so that no viewer links them.
local function escape(text)
  text = gsub(gsub(text, "\\(%p)", "\\\\%1"), "[*`]", "\\%0")
  text = escape_underscores(text)
  text = gsub(text, "%]([%(%[:])", "\\]%1")
  text = gsub(text, "<([%a/!?])", "\\<%1")
  text = gsub(text, "&(#?%w+;)", "&amp;%1")
  text = gsub(text, "~~", "\\~~")
  if select(2, gsub(text, "%$", "")) > 1 then text = gsub(text, "%$", "\\$") end
  return text
end

local CODE = { "()`([^`]+)`()", "()(%a[%w+.-]*://[^%s`()<>]+)()", "()%f[%w](www%.[^%s`()<>]+)()",
  "()%f[%w@](@%a[%w_-]*)()" }

-- Finds the next file name with a character to escape. As code it stays easy to copy.
local function next_path(text, pos)
  for from, word in string.gmatch(text, "()([%w_./~@+-]+)", pos) do
    word = match(word, "^(.-)%.*$")
    if find(word, "[/.]") and escape_underscores(word) ~= word then
      return from, from + #word, word
    end
  end
end

-- Finds the next text to print as code: a span between backticks, an address, a mention or a path.
local function next_code(text, pos)
  local best_from, best_to, best = next_path(text, pos)
  for _, shape in ipairs(CODE) do
    local from, code, to = match(text, shape, pos)
    if from and (not best_from or from < best_from) then
      best_from, best_to, best = from, to, code
    end
  end
  return best_from, best_to, best
end

function M.inline(text, cap)
  cap = cap or 2000
  local visible = findings.visible(findings.clip(text, cap * 4))
  local line = findings.clip(gsub(match(visible, "^%s*(.-)%s*$"), "%s+", " "), cap)
  local parts, pos = {}, 1
  while true do
    local from, to, code = next_code(line, pos)
    if not from then break end
    parts[#parts + 1] = escape(sub(line, pos, from - 1))
    parts[#parts + 1] = "`" .. code .. "`"
    pos = to
  end
  parts[#parts + 1] = escape(sub(line, pos))
  return concat(parts)
end

-- Puts a text into a code span with more backticks than the text has in a row.
local function span(text)
  local longest = 0
  for run in string.gmatch(text, "`+") do longest = math.max(longest, #run) end
  local ticks = rep("`", longest + 1)
  local space = longest > 0 and " " or ""
  return ticks .. space .. text .. space .. ticks
end

function M.block(text, indent)
  local body, longest = findings.visible(text), 2
  for run in string.gmatch(body, "`+") do longest = math.max(longest, #run) end
  local fence = rep("`", longest + 1)
  local lines = indent and gsub(body, "\n", "\n" .. indent) or body
  indent = indent or ""
  return format("%s%stext\n%s%s\n%s%s", indent, fence, indent, lines, indent, fence)
end

local function place_of(finding)
  local place = findings.place(finding)
  return given(finding.file) and span(place) or place .. ":"
end

-- Formats the evidence of a finding: one line as a code span, several lines as a shortened block.
local function evidence_of(finding, indent)
  local text = match(findings.visible(given(finding.evidence) or ""), "^%s*(.-)%s*$")
  if text == "" then return nil end
  if not find(text, "\n", 1, true) and #text <= 160 then return indent .. span(text) end
  local lines, count = {}, 0
  for line in string.gmatch(findings.clip(text, evidence_bytes) .. "\n", "([^\n]*)\n") do
    count = count + 1
    if count <= evidence_lines then lines[count] = line end
  end
  if count > evidence_lines then lines[#lines + 1] = "..." end
  return M.block(concat(lines, "\n"), indent)
end

local function witness(lens, runner, several)
  return M.inline(several and runner and format("%s (%s)", lens, runner) or lens, 100)
end

local function about(finding, several)
  local notes = { "seen by " .. witness(finding.lens, given(finding.runner), several) }
  for _, name in ipairs(finding.corroborated_by or {}) do
    notes[#notes + 1] = M.inline(several and name or gsub(name, "%s*%b()$", ""), 100)
  end
  local line = concat(notes, ", ") .. format("; %d %% sure",
    math.floor((finding.confidence or 0) * 100 + 0.5))
  local disputes = given(finding.disputed_by)
  if disputes and #disputes > 0 then
    line = line .. "; disputed by " .. M.inline(concat(disputes, ", "), 200)
  end
  if given(finding.reason) then line = line .. "; " .. M.inline(finding.reason, 400) end
  return line
end

-- Two spaces at the end of a line make a line break in Markdown.
local function tell(say, lead, finding, several)
  local indent = rep(" ", #match(lead, "^%d+%. "))
  local evidence = evidence_of(finding, indent)
  lead = format("%s%s %s", lead, place_of(finding), M.inline(finding.claim, 600))
  if evidence and find(evidence, "\n", 1, true) then
    say(lead .. "\n\n" .. evidence .. "\n")
  else
    say(lead .. "  ")
    if evidence then say(evidence .. "  ") end
  end
  local fix = given(finding.fix) or ""
  say(format("%s%s(%s)\n", indent, fix ~= "" and "Fix: " .. M.inline(fix, 1000) .. " " or "",
    about(finding, several)))
end

local function mention(say, number, finding)
  say(format("%d. %s %s: %s", number, finding.severity, place_of(finding),
    M.inline(finding.claim, 160)))
end

local function counts_of(list)
  local by, parts = {}, {}
  for _, finding in ipairs(list) do by[finding.severity] = (by[finding.severity] or 0) + 1 end
  for _, severity in ipairs(findings.severities) do
    if by[severity] then parts[#parts + 1] = format("%d %s", by[severity], severity) end
  end
  return concat(parts, ", ")
end

local function plural(number, one)
  return format("%d %s%s", number, one, number == 1 and "" or "s")
end

-- Reports whether the page names runners, because the findings come from several.
local function several_runners(lists)
  local first
  for _, list in ipairs(lists) do
    for _, finding in ipairs(list) do
      local runner = given(finding.runner) or ""
      if first and runner ~= first then return true end
      first = first or runner
    end
  end
  return false
end

local function lost_reviews(say, lost)
  if #lost == 0 then return end
  say(format("## Lost: %s\n", plural(#lost, "review")))
  for _, item in ipairs(lost) do
    say(format("- %s: %s", M.inline(item.review or "a review", 80),
      M.inline(item.message or "", 400)))
  end
  say ""
end

local function main_findings(say, list, several)
  local heading
  for number = 1, math.min(#list, most_told) do
    local finding = list[number]
    if finding.severity ~= heading then
      heading = finding.severity
      say("## " .. gsub(heading, "^%l", string.upper) .. "\n")
    end
    tell(say, format("%d. ", number), finding, several)
  end
  if #list <= most_told then return end
  say(format("## And %s more, a line each\n", #list - most_told))
  for number = most_told + 1, #list do mention(say, number, list[number]) end
  say ""
end

local function apart(say, title, list, why, several)
  if #list == 0 then return end
  say(format("## %s: %d\n\n%s\n", title, #list, why))
  for number = 1, math.min(#list, most_told) do
    tell(say, format("%d. %s ", number, list[number].severity), list[number], several)
  end
  for number = most_told + 1, #list do mention(say, number, list[number]) end
end

---@param result table {findings, unverified, refuted, lost, next_action}
---@param opts {title: string?, checked: string?, notes: string[]?}? `checked`: scope of the review
function M.page(result, opts)
  opts = opts or {}
  local lines = {}
  local function say(text) lines[#lines + 1] = text end
  local list, lost = result.findings or {}, result.lost or {}
  local unverified, refuted = result.unverified or {}, result.refuted or {}
  local unsupported, unjudged = result.unsupported or {}, result.unjudged or {}
  local several = several_runners { list, unverified, refuted, unsupported }
  local sum = #list == 0 and "no findings" or plural(#list, "finding")
  say(format("# %s: %s\n", M.inline(opts.title or "Review", 200), sum))
  say("Next: " .. M.inline(given(result.next_action) or "", 1000) .. "\n")
  say((#list > 0 and counts_of(list) or "No findings") .. ".\n")
  if opts.checked then say(M.inline(opts.checked, 1000) .. "\n") end
  lost_reviews(say, lost)
  main_findings(say, list, several)
  apart(say, "Unverified", unverified, "No reviewer and no rule could confirm these.", several)
  apart(say, "Unsupported", unsupported,
    "Their reviewers were never shown the lines that they cite.", several)
  apart(say, "Refuted", refuted, "A reviewer looked into these, and they do not hold.", several)
  local notes = opts.notes or {}
  if #unjudged + #notes > 0 then say "## Notes\n" end
  if #unjudged > 0 then
    say("- What these reviewers read is unknown, because their output does not show it: "
      .. M.inline(concat(unjudged, ", "), 400) .. ".")
  end
  for _, note in ipairs(notes) do say("- " .. M.inline(note, 400)) end
  return (gsub(concat(lines, "\n"), "\n*$", "\n", 1))
end

return M
