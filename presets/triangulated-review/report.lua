--- The report of a review: the material and its reviewers, beside the findings.
local m = require "moonlet"
local rules = require "rules"

local M = {}

local function plural(number, one) return ("%d %s%s"):format(number, one, number == 1 and "" or "s") end

--- The reviewed artifact, in words.
---@param facts moonlet.facts.Git
---@return string
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
    return ("the commit %s, \"%s\""):format(called, m.findings.clip(m.findings.visible(subject), 100))
  end
  return ("the range %s"):format(name)
end

local function how_many_rules(lenses)
  local wanted, count = {}, 0
  for _, lens in ipairs(lenses) do wanted[lens] = true end
  for _, rule in pairs(rules.catalog()) do
    local applies = false
    for _, lens in ipairs(rule.lenses) do applies = applies or wanted[lens] or false end
    if applies then count = count + 1 end
  end
  return count
end

--- The reviewed material, as data.
---@param facts moonlet.facts.Git
---@param lenses string[]
---@param by {runner: string, rules: boolean}
---@return table
function M.checked(facts, lenses, by)
  local notes = {}
  for _, note in ipairs(facts.notes) do notes[#notes + 1] = note end
  local binary = 0
  for _, file in ipairs(facts.files) do
    if file.binary then binary = binary + 1 end
  end
  return {
    what = M.artifact(facts), target = facts.target.text, kind = facts.target.kind,
    files = #facts.files, binary = binary, added = facts.totals.added, deleted = facts.totals.deleted,
    lenses = m.array { table.unpack(lenses) },
    runner = by.runner or m.null, rules = by.rules and how_many_rules(lenses) or m.null, notes = m.array(notes),
  }
end

--- The same as a sentence.
---@param checked table
---@return string
function M.sentence(checked)
  local size = checked.kind == "path" and plural(checked.added, "line")
    or ("+%d -%d lines"):format(checked.added, checked.deleted)
  local binary = checked.binary > 0 and (", %d of them binary and not looked into"):format(checked.binary) or ""
  local by = {}
  if checked.runner ~= m.null then by[1] = "the runner " .. checked.runner end
  if checked.rules ~= m.null then by[#by + 1] = plural(checked.rules, "pattern") end
  if checked.runner == m.null then by[#by] = by[#by] .. ", no agent read this" end
  return ("Checked: %s (%s)%s; lenses %s; by %s."):format(plural(checked.files, "file"), size, binary,
    table.concat(checked.lenses, ", "), table.concat(by, " and "))
end

--- Names the next step after patterns alone have found nothing, which is no approval.
---@param result table
function M.say_what_rules_are(result)
  if result.checked.runner ~= m.null or not result.next_action:find "^Go on" then return end
  result.next_action = ("%s matched nothing, and no agent read this: --runner codex, or another agent, reviews it.")
    :format(plural(result.checked.rules, "pattern"))
end

--- Writes the files for people and programs.
---@param ctx moonlet.Ctx
---@param result table the result of m.merge.findings, with `checked`
---@param notes string[]
function M.write(ctx, result, notes)
  local all = {}
  for _, list in ipairs { result.checked.notes, notes } do
    for _, note in ipairs(list) do all[#all + 1] = note end
  end
  local page = m.findings.markdown(result, {
    title = "Review of " .. result.checked.what, checked = M.sentence(result.checked), notes = all,
  })
  ctx:write("findings.md", page)
  ctx:write("findings.json", m.findings.json(result))
end

--- The notes of all reviews, each once.
---@param reviews table[]
---@return string[]
function M.notes(reviews)
  local notes, seen = {}, {}
  for _, review in ipairs(reviews) do
    for _, note in ipairs(type(review.notes) == "table" and review.notes or {}) do
      if type(note) == "string" and not seen[note] then
        seen[note] = true
        notes[#notes + 1] = note
      end
    end
  end
  return notes
end

--- The result of a review that found nothing to look at.
---@param ctx moonlet.Ctx
---@param facts moonlet.facts.Git
---@param lenses string[]
---@return table
function M.nothing(ctx, facts, lenses)
  local result = m.merge.findings {}
  result.checked = M.checked(facts, lenses, { runner = ctx.runner, rules = not ctx.runner })
  result.next_action = ("Name something to review: %s holds no change."):format(result.checked.what)
  M.write(ctx, result, {})
  return result
end

--- Raises if fewer reviews succeeded than were needed; what they found is written by then.
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
