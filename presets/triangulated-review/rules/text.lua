--- Rules about text of any kind: conflict markers, notes left behind, line ends, indents, characters nobody sees.

local shape = require "moonlet.text"
local source = require "rules.source"

local find, format, match = string.find, string.format, string.match

local M = {}

M.rules = {
  ["conflict-marker"] = { lenses = { "correctness", "risks", "consistency" }, severity = "critical", confidence = 0.97,
    fix = "Resolve the conflict and take the markers out." },
  ["not-for-others"] = { lenses = { "correctness", "risks", "consistency" }, severity = "high", confidence = 0.9,
    fix = "Take out what was meant for its author alone." },
  ["todo-added"] = { lenses = { "practicality", "clarity", "correctness" }, severity = "low", confidence = 0.75,
    fix = "Do it now, or name the issue that tracks it." },
  ["mixed-line-ends"] = { lenses = { "consistency" }, severity = "low", confidence = 0.9,
    fix = "Use one kind of line end in the file." },
  ["mixed-indent"] = { lenses = { "consistency", "correctness" }, severity = "medium", confidence = 0.85,
    fix = "Indent with what the rest of the file uses." },
  ["hidden-characters"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.9,
    fix = "Take the characters out, or write them as escapes." },
}

local OPENS = { "^<<<<<<< %S", "^<<<<<<<$", "^<<<<<<<%a" }
local CLOSES = { "^>>>>>>> %S", "^>>>>>>>$" }

-- The beginnings of conflicts, and the number of added lines that end one; an end without a beginning counts as both.
local function conflicts(view)
  local starts, ends = {}, 0
  for _, n in ipairs(view.added) do
    local text = view.lines[n].text
    if shape.any(text, OPENS) then
      starts[#starts + 1] = n
    elseif shape.any(text, CLOSES) then
      ends = ends + 1
      if #starts < ends then starts[#starts + 1] = n end
    end
  end
  return starts, ends
end

-- True if line n of a document stands in a block of code.
local function in_fence(view, n)
  local open = false
  for i = 1, n - 1 do
    local line = view.lines[i]
    if line and find(line.text, "^%s*```") then open = not open end
  end
  return open
end

local function conflict_markers(view, report)
  if view.d.fixture then return end
  local starts, ends = conflicts(view)
  for _, n in ipairs(starts) do
    local inside = view.lines[n].inside == "string"
    -- Tests of a merge tool and texts about one show markers for a purpose.
    local docs = view.d.kind == "docs"
    local shown = view.test and (inside or ends == 0) or ends == 0 and (inside or docs) or docs and in_fence(view, n)
    if not shown then
      report("conflict-marker", view, n, "A merge conflict was committed unresolved.", { loud = true })
    end
  end
  if #starts > 0 or view.d.kind ~= "code" or not source.known(view.language) or view.test then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if line.code == "=======" and not line.inside then
      report("conflict-marker", view, n, "The middle of a merge conflict was left in the file.", { loud = true })
    end
  end
end

local LEFT_IN = { "do not commit", "don't commit", "do not merge", "don't merge", "nocommit", "do not submit",
  "remove before commit", "remove before merg", "remove this before", "revert before commit", "revert before merg" }

-- Marks that the author meant to take out again before anybody else saw them.
local function not_for_others(view, report)
  if view.generated or view.d.fixture or view.d.kind ~= "code" then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local said = line.comment ~= "" and not line.moved and shape.word(line.comment, LEFT_IN)
    if said then
      report("not-for-others", view, n, format("The comment says \"%s\", and here it is.", said), { loud = true })
    end
  end
end

local NOTES = { "TODO", "FIXME", "XXX", "HACK" }

-- The word of a note about open work, unless the note leads to its tracker.
local function note_in(comment)
  if find(comment, "#%d") or find(comment, "://") or find(comment, "%u%u+%-%d") then return nil end
  for _, word in ipairs(NOTES) do
    local at = find(comment, "%f[%w]" .. word .. "%f[^%w_]")
    if at and not find(comment, "^[%-'\"`s]", at + #word) then return word end
  end
  return nil
end

-- The number of notes in the removed lines: if one is only rewritten, the next one is not new.
local function notes_removed(view)
  local count = 0
  for _, line in ipairs(view.removed) do
    if #line.text < 1000 and note_in(line.text) then count = count + 1 end
  end
  return count
end

local function todo_notes(view, report, change)
  if view.generated or view.d.fixture or not source.known(view.language) then return end
  local old = notes_removed(view)
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local word = line.comment ~= "" and not line.moved and note_in(line.comment)
    if word and old > 0 then
      old = old - 1
    elseif word then
      report("todo-added", view, n,
        format("%s %s says that something is not finished.",
          not change.whole_files and "A new" or word == "XXX" and "An" or "A", word),
        { severity = word == "FIXME" and "medium" or nil })
    end
  end
end

local function line_ends(view, report)
  if view.generated or view.d.fixture or view.d.ext == "bat" or view.d.ext == "cmd" then return end
  local first, plain, was_cr = nil, false, false
  for n, line in pairs(view.lines) do
    if not line.cr then
      plain = true
    elseif not line.added then
      was_cr = true
    elseif not first or n < first then
      first = n
    end
  end
  if first and plain and not was_cr then
    report("mixed-line-ends", view, first, "Lines that end in CR LF were added to a file whose lines end in LF.")
  end
end

-- The number of earlier lines that are indented with tabs, and with spaces.
local function habits(view)
  local tabs, spaces = 0, 0
  for _, line in pairs(view.lines) do
    if not line.added and not line.inside then
      if find(line.text, "^\t") then
        tabs = tabs + 1
      elseif find(line.text, "^  ") then
        spaces = spaces + 1
      end
    end
  end
  return tabs, spaces
end

local function indents(view, report)
  if view.generated or view.language ~= "python" then return end
  local tabs, spaces = habits(view)
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local lead = not line.inside and match(line.code, "^([ \t]+)[^%s#]") or ""
    local odd_tab = find(lead, "\t", 1, true) and (find(lead, " \t") or (spaces > 3 and tabs == 0))
    local odd_space = find(lead, "^ ") and tabs > 3 and spaces == 0
    if odd_tab or odd_space then
      report("mixed-indent", view, n, "This line is indented with other characters than the rest of the file.")
      return
    end
  end
end

-- Code points that turn the order of a line around, or are invisible between letters.
local function hidden(view, report)
  if view.test or view.d.kind == "data" or view.d.kind == "docs" then return end
  for _, n in ipairs(view.added) do
    local text = view.lines[n].text
    if find(text, "\xe2\x80[\xaa-\xae]") or find(text, "\xe2\x81[\xa6-\xa9]") then
      report("hidden-characters", view, n,
        "The line holds characters that reverse the direction of text: it does not read as it runs.", { loud = true })
    elseif find(text, "[%w_]\xe2\x80[\x8b\x8c\x8d][%w_]") and view.d.kind == "code" then
      report("hidden-characters", view, n, "An invisible character stands inside of a word.", { loud = true })
    end
  end
end

---@param view rules.View
function M.file(view, report, change)
  conflict_markers(view, report)
  todo_notes(view, report, change)
  not_for_others(view, report)
  line_ends(view, report)
  indents(view, report)
  hidden(view, report)
end

return M
