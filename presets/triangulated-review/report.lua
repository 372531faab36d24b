--- Writes the report of a review: what was reviewed, by whom, and the findings.
local m = require "moonlet"
local baseline = require "baseline"
local checks = require "checks"
local settings = require "linters.settings"

local M = {}

local function plural(number, one) return ("%d %s%s"):format(number, one, number == 1 and ""
  or "s") end

--- Describes the reviewed artifact in words.
function M.artifact(facts)
  local target = facts.target
  local name = m.git.show_path(target.text ~= "" and target.text or "worktree", 120)
  if facts.whole_files and #facts.files == 1 then
    return ("the file `%s`, as it is"):format(m.git.show_path(facts.files[1].path, 120))
  elseif facts.whole_files then
    return ("the files of `%s`, as they are"):format(name)
  end
  if target.kind == "worktree" then return "what is not committed yet" end
  if target.kind == "staged" then return "what is staged for the next commit" end
  if target.kind == "commit" then
    local subject = (facts.subjects or {})[1]
    local id = target.head:sub(1, 10)
    local called = target.text:sub(1, 7) == id:sub(1, 7) and id or ("%s (%s)"):format(name, id)
    if not subject then return "the commit " .. called end
    return ("the commit %s, \"%s\""):format(called, m.findings.clip(m.findings.visible(subject),
      100))
  end
  return ("the range %s"):format(name)
end

-- Returns the names of linters with a given status, with the reasons.
local function named(linted, status)
  local list = {}
  for _, item in ipairs(linted) do
    if item.status == status then
      list[#list + 1] = item.why and item.why ~= m.null and ("%s (%s)"):format(item.name, item.why)
        or item.name
    end
  end
  return list
end

--- Drops the findings that the baseline hides.
---@param seen table  { facts, linted, found, failures, silenced, old }
function M.known(ctx, args, seen)
  local lists = { { findings = seen.found }, table.unpack(seen.linted) }
  local all, hidden = {}, 0
  for _, list in ipairs(lists) do table.move(list.findings, 1, #list.findings, #all + 1, all) end
  baseline.write(ctx, args.write_baseline, all)
  for _, list in ipairs(lists) do
    local more
    list.findings, more = baseline.hide(list.findings, seen.old)
    hidden = hidden + more
  end
  seen.found = lists[1].findings
  local notes = seen.facts.notes
  local function note(text) notes[#notes + 1] = text end
  for _, failure in ipairs(seen.failures) do note(failure) end
  for _, item in ipairs(named(seen.linted, "failed")) do note("a linter failed: " .. item) end
  local silence = settings.note(seen.silenced)
  if silence then note(silence) end
  if hidden > 0 then note("the baseline hides " .. plural(hidden, "finding")) end
  return seen
end

-- Returns the linters and their results as a table for the JSON result.
local function linted_of(known)
  local list = m.array {}
  for i, item in ipairs(known.linted or {}) do
    list[i] = { name = item.name, status = item.status, why = item.why or m.null,
      files = item.files,
      findings = #item.findings, elsewhere = item.elsewhere }
  end
  return list
end

-- Returns the reviewed material as a table for the JSON result.
local function checked_of(ctx, known, lenses)
  local facts, notes, binary = known.facts, {}, 0
  for _, note in ipairs(facts.notes) do notes[#notes + 1] = note end
  for _, file in ipairs(facts.files) do
    if file.binary then binary = binary + 1 end
  end
  return {
    what = M.artifact(facts), target = facts.target.text, kind = facts.target.kind,
    files = #facts.files, binary = binary, added = facts.totals.added,
      deleted = facts.totals.deleted,
    lenses = m.array { table.unpack(lenses) }, runner = ctx.runner or m.null,
    notes = m.array(notes),
    linters = linted_of(known), silenced = known.silenced or m.array {},
  }
end

-- Describes the reviewed material and its reviewers in a sentence.
local function sentence(checked)
  local size = checked.kind == "path" and plural(checked.added, "line")
    or ("+%d -%d lines"):format(checked.added, checked.deleted)
  local binary = checked.binary > 0
    and (", %d of them binary and not read"):format(checked.binary) or ""
  local by = { "diff checks" }
  local ran, absent = named(checked.linters, "ok"), {}
  for _, item in ipairs(checked.linters) do
    if item.status == "absent" and item.files > 0 then absent[#absent + 1] = item.name end
  end
  if #ran > 0 then table.insert(by, 1, table.concat(ran, ", ")) end
  if checked.runner ~= m.null then
    table.insert(by, 1, ("the runner %s with the lenses %s"):format(checked.runner,
      table.concat(checked.lenses, ", ")))
  end
  local text = ("Checked: %s (%s)%s, by %s."):format(plural(checked.files, "file"), size, binary,
    table.concat(by, "; "))
  if #absent > 0 then text = ("%s Not installed: %s."):format(text, table.concat(absent, ", ")) end
  if checked.runner == m.null then text = text .. " No agent read this." end
  return text
end

-- If only linters and checks ran and found nothing, suggests a review by an agent as the next step.
local function recommend_agent(result)
  if result.checked.runner ~= m.null or not result.next_action:find "^Go on" then return end
  local failed = {}
  for _, item in ipairs(result.checked.linters) do
    if item.status == "failed" then failed[#failed + 1] = item.name end
  end
  result.next_action = (#failed > 0 and "Nothing was found, but " .. table.concat(failed, ", ")
    .. " failed" or "Linters and checks found nothing")
    .. ", and no agent read this: --runner codex, or another agent, reviews it."
end

-- Writes findings.md for people and findings.json for programs.
local function write(ctx, result, notes)
  local all = {}
  for _, list in ipairs { result.checked.notes, notes } do
    for _, note in ipairs(list) do all[#all + 1] = note end
  end
  local page = m.findings.markdown(result, {
    title = "Review of " .. result.checked.what, checked = result.checked.text, notes = all,
  })
  ctx:write("findings.md", page)
  ctx:write("findings.json", m.findings.json(result))
end

-- Returns the notes of all reviews, without duplicates.
local function notes_of(reviews)
  local notes, seen = {}, {}
  for _, review in ipairs(reviews or {}) do
    for _, note in ipairs(type(review.notes) == "table" and review.notes or {}) do
      if type(note) == "string" and not seen[note] then
        seen[note] = true
        notes[#notes + 1] = note
      end
    end
  end
  return notes
end

--- Adds to a review's result what was checked, and writes findings.md for people and findings.json
--- for programs.
---@param result table   the result of m.merge.findings
---@param known table
---@param lenses string[]
function M.finish(ctx, result, known, lenses)
  result.checked = checked_of(ctx, known, lenses)
  result.checked.text = sentence(result.checked)
  recommend_agent(result)
  write(ctx, result, notes_of(known.reviews))
  return result
end

--- Returns the result of a review whose target contains no change.
---@param known table
---@param lenses string[]
function M.nothing(ctx, known, lenses)
  local result = m.merge.findings {}
  result.checked = checked_of(ctx, known, lenses)
  result.checked.text = sentence(result.checked)
  result.next_action = ("Name something to review: %s holds no change."):format(result.checked.what)
  write(ctx, result, {})
  return result
end

--- Returns the list of the diff checks.
function M.checks(ctx)
  local list, by_name, names = m.array {}, checks.all()
  for i, name in ipairs(names) do
    local check = by_name[name]
    list[i] = { name = name, severity = check.severity, help = check.help }
  end
  ctx:write("findings.md", checks.page())
  return { diff_checks = list }
end

--- Raises an error if too few reviews succeeded.
--- The findings of successful reviews are already written.
---@param result table
---@param need integer
---@param lenses string[]
function M.check_quorum(result, need, lenses)
  local succeeded = #lenses
  for _, item in ipairs(result.lost) do
    if item.review ~= "verify" then succeeded = succeeded - 1 end
  end
  if succeeded >= need then return end
  m.fail { message = ("%d of %d reviews succeeded, %d %s needed; the first failure: %s"):format(
    succeeded, #lenses, need, need == 1 and "was" or "were", result.lost[1].message),
    hint = "what the others found is in findings.md" }
end

return M
