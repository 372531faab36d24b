--- The shapes in which English states a norm rather than an order: "must", "is forbidden", "imports go in three
--- groups", "we use", and under a heading such as "Conventions" nearly anything in the present.
local W = require "words"
local wording = require "wording"

local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub
local any, first_word, is_order, words_in = wording.any, wording.first_word, wording.is_order, wording.words_in
local capital, small = wording.capital, wording.small
local FINITE, NOT_SUBJECTS = wording.finite, wording.pronouns

local M = {}

local function made(form, text, a, b)
  return { form = form, text = text, a = a, b = b }
end

local NORMATIVE = { instructions = true, guide = true, decision = true, review = true, memory = true }

local function normative(unit)
  return NORMATIVE[unit.kind] == true or unit.level == "rules"
end

-- A subject that stands for many: every test, all spectra, no mock, tests.
local function plural(subject)
  return any(subject, { "^every ", "^each ", "^all ", "^any ", "^no ", "^new ", "^only " })
    or find(subject, "[^s]s$") ~= nil and not find(subject, "^the ") or find(subject, "[^s]s [%l ]+$") ~= nil
    and not find(subject, "^the ") or find(subject, "s \1?[%d]*\2?$") ~= nil or find(subject, "data$") ~= nil
end

local MODALS = { "must not", "must never", "should not", "should never", "must", "should", "shall", "need to",
  "needs to", "have to", "has to", "ought to", "are to", "is to", "mustn't", "shouldn't", "may only", "can only",
  "may not" }
local NO_NORM = { "^not have to", "^have%s+%l+ed", "^be worth", "^be able", "^then be ", "^now be ", "^be available",
  "^look like", "^see ", "^give you", "^help", "^suffice", "^work%f[%A]", "^be fixed", "^be done by" }

function M.norm(text, low, marks, unit)
  local subject, modal, rest = nil, nil, nil
  for _, word in ipairs(MODALS) do
    local a, at = match(low, "^(.-)%s+" .. word .. "%s+()")
    if a and not find(a, ",") and words_in(a) <= 8 and (not subject or #a < #subject) then
      subject, modal, rest = a, word, at
    end
  end
  local nobody = subject == "nobody" or subject == "no one" or subject == "everybody" or subject == "everyone"
  -- "Findings that were not reproduced have to …": the verb of the relative clause is none of the sentence.
  local bare = subject and gsub(subject, "%f[%a]th[ai][ts] .*$", "") or nil
  if not subject or any(subject, NOT_SUBJECTS) and not nobody or any(bare, FINITE) then return end
  if find(subject, ":") or find(subject, "%f[%a]th[ai][ts]$") or find(subject, "%f[%a]it$") then return end
  if any(sub(low, rest), NO_NORM) and not nobody then return end
  local placed = unit.kind == "instructions" or unit.kind == "decision" or unit.level == "rules" or marks.label
  if not plural(subject) and not placed and not (nobody and unit.list) then return end
  if (modal == "have to" or modal == "need to" or modal == "are to" or modal == "is to") and not normative(unit)
    and not (marks.label or unit.list) then
    return
  end
  if find(modal, "not") or find(modal, "never") or find(modal, "n't") then marks.negative = true end
  if find(modal, "must") then marks.strong = true else marks.should = true end
  return made(marks.negative and "dont" or "do", text)
end

local BANNED = { "^forbidden", "^prohibited", "^banned", "^not allowed", "^disallowed", "^discouraged", "^off.limits",
  "^not permitted", "^unwelcome", "^not welcome", "^not acceptable", "^taboo", "^not accepted", "^a no%-go",
  "^not ok", "^not okay", "^not appreciated", "^not wanted", "^unwanted", "^not worth ", "^out of bounds",
  "^a bad idea", "^frowned upon", "^unacceptable", "^not an option" }
local WANTED = { "^preferred", "^required", "^mandatory", "^compulsory", "^obligatory", "^the default", "^the norm",
  "^the rule", "^the standard", "^a must", "^the way to go", "^the limit", "^the maximum", "^the minimum", "^enough",
  "^expected", "^standard here", "^encouraged", "^non%-negotiable" }
local MADE_SO = { "^stored ", "^named ", "^written ", "^kept ", "^documented ", "^reviewed ", "^squashed",
  "^formatted ", "^sorted", "^prefixed", "^suffixed", "^capitali[sz]ed", "^grouped", "^tagged", "^versioned",
  "^pinned", "^wrapped", "^indented", "^done ", "^signed", "^read%-only", "^merged", "^deleted", "^rounded",
  "^reported", "^cited", "^logged" }

-- The form of a verdict on its subject: {form, text}, or nil.
local function judged(text, low, subject, verdict, marks, unit)
  if any(verdict, WANTED) then
    if not normative(unit) and not marks.label and not (unit.list and plural(subject)) then return end
    marks.strong = true
    return made("do", text)
  end
  if any(verdict, BANNED) then
    marks.strong, marks.negative = true, true
    return made("dont", text)
  end
  if any(verdict, { "^of no use", "^not useful", "^not helpful", "^useless", "^unhelpful", "^noise$" }) then
    marks.negative = true
    return made("dont", "Leave out " .. small(sub(text, 1, #subject)))
  end
  -- Tables are better than lists.
  local worse = match(verdict, "^better than%s+()") or match(verdict, "^preferable to%s+()")
    or match(verdict, "^preferred over%s+()") or match(verdict, "^preferred to%s+()")
  if worse and (normative(unit) or unit.kind == "chat" or unit.list) then
    local b = sub(text, #low - #verdict + worse)
    marks.preference = true
    return made("prefer", ("Prefer %s over %s"):format(small(sub(text, 1, #subject)), b), sub(text, 1, #subject), b)
  end
  if find(verdict, "^no substitute for") then
    local order = match(verdict, ",%s+()%l+ .+ instead%W*$")
    if order and is_order(sub(verdict, order)) then
      local from = #low - #verdict + order
      return made("do", capital(sub(text, from)) .. " (" .. gsub(sub(text, 1, from - 1), "[,%s]+$", "") .. ")")
    end
  end
end

function M.ruled(text, low, marks, unit)
  local subject, verdict = match(low, "^(.-)%s+[ia][sr]e?%s+(.+)$")
  if not subject then
    subject, verdict = match(low, "^(.-)%s+[ia][sr]e?(n't .+)$")
    if verdict then verdict = gsub(verdict, "^n't", "not") end
  end
  if not subject or any(subject, NOT_SUBJECTS) or words_in(subject) > 9 then return end
  verdict = gsub(gsub(verdict, "^strictly%s+", ""), "^always%s+preferred", "preferred")
  if find(verdict, "^required to ") or find(verdict, "^required for %l+ing ") or find(verdict, "^expected to")
    or find(verdict, "^expected %l+ ") then
    return
  end
  local result = judged(text, low, subject, verdict, marks, unit)
  if result then return result end
  -- Reviews are read-only, without exception. Curves are always shown on a log scale.
  local holds = find(verdict, "^always ") or find(verdict, "^never ") or find(verdict, "without exception")
    or find(verdict, "^only ") or find(verdict, "^at most ") or find(verdict, "^at least ")
  local settled = any(verdict, MADE_SO) and (unit.kind == "instructions" or unit.kind == "decision")
    and unit.level ~= "facts"
  if plural(subject) and (holds and normative(unit) or settled or marks.norm)
    or holds and (unit.level == "rules" or unit.kind == "decision" and words_in(subject) >= 2
    and not find(subject, "^the ") and not find(subject, "^an? ") and not find(subject, "^its ")) or marks.norm
    and marks.label then
    if find(verdict, "^never ") or find(verdict, "^not ") then marks.negative = true end
    marks.habit = not holds or nil
    return made(marks.negative and "dont" or "do", text)
  end
  if plural(subject) and find(verdict, "^fine ") and (find(verdict, "nowhere else")
    or find(verdict, "%f[%a]only%f[%A]")) then
    return made("do", text)
  end
  -- Line length is 100, not 79.
  local topic = match(subject, "%l+$")
  if find(verdict, ", not %S") and words_in(verdict) <= 8 and (W.topics[topic] or unit.level == "rules"
    or find(subject, "length$") or find(subject, "limit$")) then
    return made("do", text)
  end
end

local SETTLED = { " belong in ", " belong to ", " belongs in ", " go at ", " go on ", " go in ", " go into ",
  " go to ", " go under ", " go through ", " goes through ", " go first ", " follow ", " live in ", " live under ",
  " live next to ", " use ", " start with ", " end with ", " come first", " come before ", " gets a ", " get a ",
  " needs a ", " needs one", " gets ", " carries ", " needs ", " require ", " requires ", " say ", " stay ",
  " remain ", " keep ", " take ", " get ", " ships with ", " ship with ", " has a ", " have a ", " has one",
  " never ", " always ", " comes with " }
local FOR_EACH = { [" needs "] = true, [" gets "] = true, [" needs a "] = true, [" gets a "] = true,
  [" carries "] = true, [" get a "] = true, [" requires "] = true, [" needs one"] = true, [" ships with "] = true,
  [" has a "] = true, [" has one"] = true, [" comes with "] = true }
local FOR_MANY = { [" use "] = true, [" say "] = true, [" keep "] = true, [" take "] = true, [" require "] = true,
  [" get "] = true, [" have a "] = true, [" ship with "] = true, [" get a "] = true }

-- Descriptions of things that follow a rule: "Imports go in three groups", "Every fix ships with a test".
function M.settled(text, low, marks, unit)
  local at, verb
  for i = 1, #SETTLED do
    local from = find(low, SETTLED[i], 1, true)
    if from and (not at or from < at) then at, verb = from, SETTLED[i] end
  end
  if not at then return end
  local subject = sub(low, 1, at - 1)
  if any(subject, NOT_SUBJECTS) or words_in(subject) > 9 or any(subject, FINITE)
    or any(subject, { "^the ", "^our ", "^her ", "^his ", "^a ", "^an " }) or find(subject, "%f[%a]%l+ed$") then
    return
  end
  local each = any(subject, { "^every ", "^each ", "^all ", "^any ", "^anything " })
  local adverb = verb == " never " or verb == " always "
  if FOR_EACH[verb] then
    if not each then return end
  elseif not plural(subject) and not each then
    return
  elseif FOR_MANY[verb] then
    if unit.kind ~= "instructions" and unit.level ~= "rules" and not each then return end
  elseif verb == " go to " and find(subject, "question") then
    return
  end
  -- In talk and in notes such a sentence reports a fact as often as a norm.
  if unit.level == "facts" and not each and not adverb then return end
  if not normative(unit) and unit.kind ~= "log" and not (each and unit.kind ~= "notes") and not (each and unit.list)
    and not adverb and not find(verb, " belong") and not find(subject, "s that ")
    and not (find(verb, "^ go") and (find(low, ", never ") or find(low, ", not ")))
    and not (unit.speaker == "user" and (find(verb, "^ go ") or any(low, W.general))) then
    return
  end
  if adverb then
    local after = match(low, "^%l+", at + #verb)
    if not after or find(after, "ed$") or after == "been" then return end
    marks.strong = true
    if verb == " never " then marks.negative = true end
  end
  marks.habit = not each and not adverb or nil
  return made(marks.negative and "dont" or "do", text)
end

local ONLY_SO = { " only$", "%f[%a]only from ", "%f[%a]only in ", "%f[%a]only on ", "%f[%a]only via ",
  "%f[%a]only with ", "%f[%a]only after ", "%f[%a]only by ", "%f[%a]only through ", "%f[%a]only when ",
  "%f[%a]only for " }
local ABOVE = { "^anything above ", "^anything over ", "^anything bigger", "^anything longer", "^anything larger",
  "^anything beyond", "^anything more than", "^anything that " }

--- "Dashboards deploy from the release branch only", "Anything above 200 lines is split".
function M.restricted(text, low, marks, unit)
  local count = words_in(low)
  if count < 4 or count > 18 or any(low, NOT_SUBJECTS) and not find(low, "^no") or find(low, "^the ")
    or find(low, "^our ") then
    return
  end
  local subject = match(low, "^([%l][%l%- ]-s) %l")
  local only = subject and words_in(subject) <= 5 and not find(subject, "%f[%a]%l+ed%f[%A]")
    and any(gsub(low, "%W+$", ""), ONLY_SO)
  local above = any(low, ABOVE) and (find(low, "%f[%a]is%f[%A]") or find(low, "%f[%a]gets?%f[%A]")
    or find(low, "%f[%a]must%f[%A]") or find(low, "%f[%a]goes%f[%A]") or find(low, "%f[%a]needs%f[%A]"))
  -- Rules stated as facts: "Nobody argues with the formatter", "A sidecar that finds more reports it".
  if unit.level == "rules" and (find(low, "^nobody %l+s ") or find(low, "^no one %l+s ")) then
    marks.negative = true
    return made("dont", text)
  end
  local general = (unit.level == "rules" or unit.kind == "decision") and match(low, "^an? %l[%l%-]* that .- (%l+)s ")
  above = above or general and W.verbs[general] ~= nil and general ~= "test"
  if not only and not above or M.past(low) or find(low, "%f[%a]happens?%f[%A]") or find(low, "%f[%a]fails?%f[%A]")
    or find(low, "%f[%a]works?%f[%A]") or unit.kind == "chat" and find(low, "%f[%a]can%f[%A]") then
    return
  end
  marks.habit = true
  return made("do", text)
end

local HABITS = { "^we now%s+()", "^we only%s+()", "^we also%s+()", "^we%s+()", "^this project%s+()uses%s",
  "^the project%s+()uses%s", "^this repository%s+()uses%s", "^this repo%s+()uses%s", "^this codebase%s+()uses%s" }

local HERE = { "^in this repo,? we%s+()", "^in this repository,? we%s+()", "^in this project,? we%s+()",
  "^in this codebase,? we%s+()" }

-- "We use X": a habit that somebody chose.
function M.habit(text, low, marks, unit)
  local rest
  for _, lead in ipairs(HERE) do rest = rest or match(low, lead) end
  marks.here = rest ~= nil or nil
  for _, lead in ipairs(HABITS) do rest = rest or match(low, lead) end
  if not rest then return end
  local firm = marks.label or marks.lasts or marks.here
  if unit.kind == "chat" and not firm and not find(low, "^we only") then return end
  local body, body_low = gsub(sub(text, rest), "^uses ", "use "), gsub(sub(low, rest), "^uses ", "use ")
  if find(body_low, "^settled on ") or find(body_low, "^standardi[sz]ed? on ") or find(body_low, "^moved to ")
    or find(body_low, "^switched to ") then
    marks.decided = true
    local what = match(body_low, "^%l+ %l+ ()")
    return made("do", "Use " .. sub(body, what))
  end
  local word = first_word(body_low)
  -- Some of these read as past just as well, and some say nothing about a habit.
  local known = word and (W.verbs[word] or marks.lasts and not find(word, "ed$") and word ~= "are" and word ~= "have")
  if not known or W.no_habits[word] then return end
  if find(body_low, "^use it ") or find(body_low, "^use this ") then return end
  firm = firm or marks.norm or find(low, "^we now") or find(low, "^we only")
    or any(body_low, W.general) or find(body_low, "%f[%a]for%f[%A]")
  if not normative(unit) and not firm then return end
  marks.habit = true
  return made("do", capital(body))
end

local TELLS = { "^the old ", "^our old ", "^our ", "^the previous ", "^previously", "^formerly", "^currently",
  "^right now", "^for example", "^e%.g", "^see ", "^examples?%f[%A]", "^you can ", "^you may ", "^you could",
  "^thanks", "^many ", "^several ", "^done", "^todo", "^status", "^last ", "^user is ", "^the user is ", "^user was ",
  "^the user was ", "^in %d%d%d%d", "^since ", "^version", "^updated", "^unfortunately", "^yes%f[%A]", "^no%W",
  "^less ", "^more ", "^both ", "^such ", "^here%f[%A]", "^an? ", "^another ", "^other ", "^\1%d+\2 [%l]+s " }
local PAST = { "used", "noticed", "found", "changed", "fixed", "added", "removed", "moved", "renamed", "failed",
  "broke", "crashed", "switched", "worked", "took", "went", "made", "turned", "caused", "led", "lost", "saved",
  "shipped", "released", "was", "were", "had", "did", "has been", "have been", "came", "got", "started", "stopped",
  "happened", "decided", "tried" }

local function past(low)
  for i = 1, #PAST do
    local at = find(low, "%f[%a]" .. PAST[i] .. "%f[%A]")
    local before = at and match(sub(low, 1, at - 1), "([%l']+)%s+$")
    if at and not (before and find(" is are be get gets been being to never not always that the a an no all any every ",
      " " .. before .. " ", 1, true)) and not find(sub(low, math.max(1, at - 8), at - 1), "%d%s+$") then
      return true
    end
  end
  return false
end

-- Words of a state, not of a norm.
local STATES = { "%f[%a]may contain", "%f[%a]can contain", "%f[%a]may be%f[%A]", "%f[%a]can be%f[%A]", "come and go",
  "out of date", "outdated", ", so it ", ";%s+the ", ";%s+it ", ":%s+it ", ":%s+they ", "%f[%a]seems?%f[%A]",
  "%f[%a]takes about", "%f[%a]is broken", "%f[%a]are broken", "%f[%a]is missing", "%f[%a]are missing",
  "%f[%a]is slow", "%f[%a]are slow", "%f[%a]is done", "%f[%a]is fixed", "%f[%a]works on", "%f[%a]no longer%f[%A]" }

M.past = past

local function has_limit(low)
  return any(low, W.general) or find(low, "nowhere else") ~= nil or find(low, "%f[%a]needs?%f[%A]") ~= nil
    or find(low, "%f[%a]must%f[%A]") ~= nil or find(low, "%f[%a]should%f[%A]") ~= nil
    or find(low, "%f[%a]has to%f[%A]") ~= nil or find(low, "no %l+er than") ~= nil
    or find(low, "%f[%a]under %w+") ~= nil
end

-- True if words make no sentence: no verb that is finite, as far as a list of verbs can tell.
local function is_phrase(low)
  if any(low, FINITE) or find(low, "%f[%a]must%f[%A]") or find(low, "%f[%a]should%f[%A]") then return false end
  local rest = match(low, "^%S+%s+(.*)$") or ""
  for word in string.gmatch(rest, "%f[%l]%l+") do
    local stem = match(word, "^(%l+)s$")
    if stem and W.verbs[stem] and not W.nouns_too[stem] then return false end
  end
  return true
end

--- A sentence in the present about things in general, under a heading that speaks of rules.
function M.plain_rule(text, low, marks, unit)
  local bound = unit.kind == "memory" and unit.list and (find(low, "no %l+er than ") or find(low, "at most ")
    or find(low, "at least ") or find(low, "no more than "))
  if unit.level ~= "rules" and not bound or unit.task or unit.kind == "log" or unit.kind == "chat"
    and not unit.list then return end
  local count = words_in(low)
  local one_per = find(low, "^one .+ per ") or find(low, "^one .+ at a time")
  if count < 3 or count > 32 or any(low, NOT_SUBJECTS) and not one_per
    or any(low, TELLS) and not (marks.label and find(low, "^an? ")) or is_order(low) or past(low) or find(low, ":%W*$")
    or find(low, "https?:") or find(low, "%f[%d]%d%d%d%d%-%d%d%-%d%d") then
    return
  end
  local label = match(low, "^(%l[%l ]*):%s")
  if label and W.no_rule_labels[match(label, "%l+")] then return end
  local subject, verb = match(low, "^([%l][%l%- /]-s)%s+(%l+)%f[%A]")
  local verb_first = first_word(low)
  if verb_first and (W.errands[verb_first] or W.steps[verb_first]) then return end
  local told = subject and W.verbs[verb] and not W.nouns_too[verb]
  if not told and is_phrase(low) then
    -- A mere word or two is a title.
    local solid = select(2, gsub(low, "[%l\1][%l\1\2%d\128-\255'%-]+", ""))
    local many = subject and has_limit(low)
    if not unit.list and not many or solid < 3 or unit.ordered and count < 4 or find(low, "^\1") then return end
    marks.phrase = not has_limit(low) or nil
    return made("do", text)
  end
  local described = find(low, "%f[%a]are an? ") or find(low, "%f[%a]is an? ") or find(low, "%f[%a]is the ")
  if any(low, STATES) then return end
  if find(low, "^the ") then
    -- "The parser never blocks" describes its behaviour.
    if not has_limit(low) or not find(low, "%f[%a]is%f[%A]") and not find(low, "%f[%a]are%f[%A]")
      and not find(low, "%f[%a]must%f[%A]") and not find(low, "%f[%a]should%f[%A]") and not find(low, ", not the ")
      and not find(low, ", not a ") and not find(low, ", not by ") and not find(low, ", not in ") then
      return
    end
  elseif subject and words_in(subject) <= 6 and not find(subject, "^%l+ed ") and not find(verb, "ed$") then
    if described and not has_limit(low) then return end
  elseif not has_limit(low) and not (unit.list and plural(match(low, "^%S+%s+%S+") or "")) then
    return
  elseif described and not has_limit(low) then
    return
  end
  marks.habit = true
  if find(low, "%f[%a]never%f[%A]") or find(low, "%f[%a]not%f[%A]") then marks.negative = true end
  return made(marks.negative and "dont" or "do", text)
end

M.normative = normative

return M
