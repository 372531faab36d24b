--- Decides if a sentence states a wish that holds beyond its occasion, and puts it into a normal form: {text, form,
--- a, b, marks}. The shapes themselves are in forms.lua, norms.lua, wishes.lua and tongues.lua.
local W = require "words"
local wording = require "wording"
local forms = require "forms"
local norms = require "norms"
local wishes = require "wishes"
local tongues = require "tongues"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub
local any, veil, unveil, plain = wording.any, wording.veil, wording.unveil, wording.plain
local first_word, is_order, words_in, trimmed = wording.first_word, wording.is_order, wording.words_in, wording.trimmed
local finish, without_lead, contrast = wording.finish, wording.without_lead, wording.contrast

local M = {}

local sentence_cap = 1000

local ORDER = { forms.meaning, wishes.own, wishes.complaint, wishes.wish, wishes.spared, forms.never, forms.always,
  forms.dont, forms.avoid, forms.no, forms.only, forms.topic, forms.order, forms.gerund, norms.norm, norms.ruled,
    norms.settled,
  norms.restricted, norms.habit, forms.bare, norms.plain_rule }

local function try_forms(text, marks, unit)
  local low = lower(text)
  for i = 1, #ORDER do
    local result = ORDER[i](text, low, marks, unit)
    if result then return result end
  end
end

local CONDITIONS = " when whenever before after if once unless until for in on during while with without as "
-- Words that no order follows, so that "before you open" is not taken for one.
local NO_BREAK = " you we i to they a an the your our and or each every new can must should will not don't never "
  .. "always he she it \1 "

-- The start of the order in "Before you finish run the tests", without a comma to mark it.
local function main_clause(text, low)
  for at in string.gmatch(low, "%s()%l") do
    local before = match(sub(low, 1, at - 1), "(%S+)%s+$")
    if words_in(sub(low, 1, at - 1)) >= 3 and not find(NO_BREAK, " " .. before .. " ", 1, true) then
      local word = first_word(sub(low, at))
      if word and not W.nouns_too[word] and is_order(sub(low, at)) or word == "run" or word == "use" then
        return match(sub(text, 1, at - 1), "^(.-)%s*$"), sub(text, at)
      end
    end
  end
end

-- "When a test is flaky, report it": the clause goes behind.
local function with_condition(text, marks, unit)
  local low = lower(text)
  local word = first_word(low)
  local each = find(low, "^every time ") or find(low, "^each time ") or find(low, "^any time ")
  if not word or not each and not find(CONDITIONS, " " .. word .. " ", 1, true) then return end
  local clause, main = match(text, "^([^,]+),%s+(.+)$")
  -- "For error messages I want the file first"
  local before, at = match(low, "^(%l+ [%l ]-),? ()i want ")
  if not before then before, at = match(low, "^(%l+ [%l ]-),? ()i prefer ") end
  if not before then before, at = match(low, "^(%l+ [%l ]-),? ()i like ") end
  if not before then before, at = match(low, "^(%l+ [%l ]-),? ()i'd like ") end
  if before and words_in(before) <= 6 then clause, main = sub(text, 1, #before), sub(text, at) end
  if not clause and find(" before after when whenever if once unless ", " " .. word .. " ", 1, true) then
    clause, main = main_clause(text, low)
  end
  if not clause or words_in(clause) > 14 then return end
  -- A guide is full of "if you have a question".
  marks.condition = unit.kind ~= "guide" or word ~= "if" or nil
  main = without_lead(main, marks)
  local result = try_forms(main, marks, unit)
  if result then
    local head, tail = match(result.text, "^(.-)(;.*)$")
    local body = trimmed(head or result.text)
    result.text = ("%s %s%s"):format(body, lower(sub(clause, 1, 1)) .. sub(clause, 2), tail or "")
    return result
  end
end

-- "From now on, sidecars propose wording as a diff"
local function rules_all(text)
  local low = lower(text)
  local _, verb = match(low, "^(%l+s)%s+(%l+)%f[%A]")
  return verb ~= nil and W.verbs[verb] ~= nil and not any(low, wording.finite)
end

-- "for this experiment" is once; "in this repository" is not.
local function of_one(low)
  for word in string.gmatch(low, "%f[%a][fio][orn]r? this (%l+)") do
    if not W.lasting_places[word] then return true end
  end
  return false
end

-- "9 September" is a day.
local function of_a_day(low)
  for number, month in string.gmatch(low, "%f[%d](%d%d?)[%.%a]* (%l+)") do
    if W.months[month] and tonumber(number) <= 31 then return true end
  end
  return false
end

local function blocked(low, unit)
  if any(low, W.hypothetical) or any(low, W.once) or of_one(low) or of_a_day(low) then return true end
  local heading = lower(unit.heading or "")
  for _, pattern in ipairs(unit.level ~= "rules" and W.no_rule_headings or {}) do
    if find(heading, pattern) then return true end
  end
  local label, last = match(low, "^(%l[%l%-]*)[%s%l]-(%l*):%s")
  return label ~= nil and W.no_rule_labels[label] == true and not (W.topics[last] and last ~= label)
end

local LIST_KINDS = { review = true, decision = true }

local AGAINST = { "^don'?ts?$", "^do not$", "^don't$", "^never$", "^avoid$", "^stop$", "^stop doing", "^what not to do",
  "anti%-?patterns?$", "^forbidden", "^prohibited", "^not allowed", "^no%-gos?$", "things to avoid", "what to avoid",
  "^please don't", "^you must not", "^must not", "^dislikes", "^pet peeves", "^hates", "^out of bounds", "^less$",
  "^what i don't want", "^what we don't want", "^don't do", "^never do" }

-- True if a heading turns the text below it into its contrary.
local function is_against(heading)
  local low = gsub(gsub(lower(heading or ""), "\226\128\153", "'"), "[^%l%s'%-]", "")
  return any(match(low, "^%s*(.-)%s*$"), AGAINST)
end

-- "Commit generated files" below "Don't".
local function turned(result, marks)
  marks.negative = true
  local low = lower(result.text)
  if result.form == "prefer" then return result end
  local wanted = match(result.text, "^Wanted: (.+)$")
  if wanted then return { form = "dont", text = "Avoid " .. wanted } end
  local order = is_order(low) and not find(low, "^%l+ing%f[%A]")
  return { form = "dont", text = (order and "Do not " or "Avoid ") .. wording.small(result.text) }
end

-- A verb, so that "make sure" is followed by a sentence and not by a thing.
local ENSURED = { " pass", " work", " stay", " match", " remain", " get", " run", " have", " do ", " %l+s$", " %l+s " }

-- A clause, without its introduction.
local function read_clause(text, marks, unit)
  local low = lower(text)
  -- The text after "Lesson:" or "Rule of thumb:" stands as if under such a heading.
  if (marks.label or marks.norm) and unit.level ~= "rules" then
    unit = setmetatable({ level = "rules", list = true }, { __index = unit })
  end
  if marks.wish then
    local a, b = contrast(trimmed(text))
    marks.preference, marks.user = true, true
    if a and b then return { form = "prefer", text = ("Preferred: %s, rather than %s"):format(a, b), a = a, b = b } end
    return { form = "do", text = "Wanted: " .. text }
  end
  if marks.ensure then
    marks.strong = true
    if not any(low, W.general) and not norms.normative(unit) then return nil end
    local sentence = any(low, wording.finite) or find(low, "%f[%a]%l+s?%f[%A] .*%l") and not find(low, "^%l+ing ")
      and any(low, ENSURED)
    return { form = "do", text = (sentence and "Make sure that " or "Ensure ") .. text }
  end
  if marks.ban then
    marks.negative, marks.strong = true, true
    return { form = "dont", text = "Do not " .. text }
  end
  if marks.asked then
    marks.preference, marks.user = true, true
    return find(low, " to be ") and { form = "do", text = "Wanted: " .. text } or nil
  end
  if marks.chosen then
    marks.decided = true
    return { form = "do", text = "Stick to " .. text }
  end
  if marks.wanted then
    return any(low, W.general) and { form = "do", text = "Wanted: " .. text } or nil
  end
  local result = try_forms(text, marks, unit) or with_condition(text, marks, unit)
  if result and unit.list and is_against(unit.heading) and not marks.negative then result = turned(result, marks) end
  if not result and LIST_KINDS[unit.kind] == nil then
    -- The user reads on a phone, so keep lines short.
    local main = match(text, ",%s+so%s+(%l.+)$")
    if main and is_order(lower(main)) then result = forms.order(main, lower(main), marks, unit) end
  end
  if not result and (marks.norm and not find(low, "^to ") or marks.strong and rules_all(text)
    or marks.lasts and words_in(low) >= 4 and not norms.past(low))
    and (not any(low, wording.pronouns) or find(low, "^if ") and find(text, ",")) then
    result = { form = "do", text = text }
  end
  return result
end

local function completed(result, marks, kept, tongue)
  result.text = finish(result.text, kept, tongue, marks.third)
  if result.a then result.a = lower(unveil(trimmed(result.a), kept)) end
  if result.b then result.b = lower(unveil(trimmed(result.b), kept)) end
  if words_in(result.text) < 2 then return nil end
  result.text = result.text .. "."
  result.marks = marks
  return result
end

local BREAKS = { ";%s+", "%s+\226\128[\147\148]%s+", ":%s+", ",%s+so%s+", ",%s+but%s+", ",%s+and%s+please%s+",
  "%.%.%.%s+", "%s+%-%-?%s+", ",%s+please%s+" }

-- The parts of a sentence that could stand alone.
local function clauses_of(text)
  for i = 1, #BREAKS do text = gsub(text, BREAKS[i], "\3") end
  text = gsub(gsub(text, ",%s+(don't )", "\3%1"), ",%s+(never )", "\3%1")
  local list = {}
  for clause in string.gmatch(text, "[^\3]+") do
    clause = match(clause, "^%s*(.-)%s*$")
    if words_in(clause) >= 2 then list[#list + 1] = clause end
  end
  return list
end

-- Parts of a sentence that has no meaning as a whole.
local function read_parts(text, unit, kept, question)
  local list, clauses = {}, clauses_of(text)
  if #clauses < 2 or question then return list end
  for i, clause in ipairs(clauses) do
    local marks = {}
    local body = without_lead(clause, marks)
    local low = lower(body)
    -- Behind a colon or a semicolon no title stands.
    local part = setmetatable({ level = i > 1 and unit.level == "rules" and "rules" or unit.level }, { __index = unit })
    if #list < 2 and #body >= 8 and not blocked(low, part) and not (marks.nit or marks.question) then
      local result = read_clause(body, marks, part)
      if result and marks.phrase and i > 1 then result = nil end
      result = result and completed(result, marks, kept)
      if result then list[#list + 1] = result end
    end
  end
  return list
end

--- The wishes of a sentence beyond its occasion: mostly none or one.
---@param unit table a sentence of units.lua
---@return table[] statements {text, form, a, b, marks}
---@return boolean? injected the sentence tries to give orders to its reader
function M.read(unit)
  if unit.speaker == "other" or #unit.text > sentence_cap then return {} end
  -- A list of links, and a lead to a list, state no wish.
  if find(unit.text, "^%[[^%]]+%]%([^%)]+%)[%s%.]*$") or find(unit.text, "^%[[^%]]+%]%([^%)]+%)%s+[%-–—:]+%s")
    or find(unit.text, ":[%*_]*%s*$") then
    return {}
  end
  -- In notes about the user, a quotation is the user's wish.
  local said = unit.kind == "memory" and match(unit.text, '^[%d%-:%s]*["“]([^"”]+)["”][%s%-–—]*')
  local text, kept = veil(said and words_in(said) >= 3 and said or unit.text)
  text = plain(text)
  local low = lower(text)
  -- Notes about the user often leave out their subject.
  if unit.kind == "memory" then
    local verb = match(text, "^(%u%l+) ")
    if verb and W.reports[lower(verb)] then
      text = "The user " .. lower(sub(text, 1, 1)) .. sub(text, 2)
      low = lower(text)
    end
  end
  -- A quotation is somebody's words, and no wish.
  local quoted = find(text, "^\1") and find(kept[1] or "", '^["\226]') and not find(text, " [ia][sr]e? ")
  if #text < 8 or quoted or not find(low, "[%l\128-\255]") or find(text, "^%(") then return {} end
  for _, phrase in ipairs(W.injected) do
    if find(lower(unit.text), phrase, 1, true) then return {}, true end
  end
  if blocked(low, unit) then return {} end
  local marks = { general = unit.general }
  local question = find(text, "%?%W*$") ~= nil
  local result, foreign = tongues.read(text, unit, marks)
  if foreign then return { result and completed(result, marks, kept, true) } end
  text = without_lead(text, marks)
  low = lower(text)
  if question and not marks.question and not marks.label and not marks.norm then return {} end
  if blocked(low, unit) then return {} end
  result = read_clause(text, marks, unit)
  if result then return { completed(result, marks, kept) } end
  return read_parts(text, unit, kept, question)
end

--- True if a text begins like an order, for the part after a semicolon.
---@param text string
---@return boolean
function M.is_order(text)
  local low = lower(text)
  return is_order(low) and not find(low, "%f[%a]it%f[%A]") and not find(low, "%f[%a]them%f[%A]") and not find(low,
    "instead%W*$")
end

return M
