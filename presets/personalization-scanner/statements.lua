--- Decides whether a sentence states a wish that holds beyond its occasion, and puts it into a normal form:
--- {text, form, a, b, marks}. Orders, habits of "we", wishes of the user, norms ("must", "is forbidden"), contrasts.
local W = require "words"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

local sentence_cap = 1000

local wording = require "wording"
local any, veil, unveil, plain = wording.any, wording.veil, wording.unveil, wording.plain
local first_word, is_order, words_in, trimmed = wording.first_word, wording.is_order, wording.words_in, wording.trimmed
local capital, finish, without_lead, contrast = wording.capital, wording.finish, wording.without_lead, wording.contrast
local FINITE = wording.finite

local forms = {}

local function made(form, text, a, b)
  return { form = form, text = text, a = a, b = b }
end

function forms.never(text, low, marks)
  local rest = match(low, "^never,?%s+()") or (marks.never and 1)
  if not rest then return end
  local order = sub(low, rest)
  local word = first_word(order)
  if not word or W.idle[word] or find(word, "ed$") or find(word, "s$") and not W.verbs[word] then return end
  if find(" mind again been was is a the before ", " " .. word .. " ", 1, true) then return end
  if not W.verbs[word] and not find(order, "^%l+%s+%l") then return end
  marks.strong, marks.negative = true, true
  return made("dont", "Never " .. sub(text, rest))
end

function forms.always(text, low, marks)
  local rest = match(low, "^always,?%s+()") or (marks.always and 1)
  if not rest or not is_order(sub(low, rest)) then return end
  marks.strong = true
  return made("do", "Always " .. sub(text, rest))
end

function forms.dont(text, low, marks)
  for _, lead in ipairs { "do not ", "don't ", "dont ", "must not ", "mustn't ", "should not ", "shouldn't ", "not to ",
    "we do not ", "we don't ", "cannot ", "may not " } do
    if sub(low, 1, #lead) == lead then
      local rest = sub(text, #lead + 1)
      rest = gsub(rest, "^ever ", "")
      local word = first_word(lower(rest))
      if find(lower(rest), "^take %l+ personally") then return end
      if not word or W.idle[word] or not is_order(lower(rest)) and not find(lower(rest), "^%l+%s") then return end
      if find(lead, "^we ") then
        if not W.verbs[word] then return end
        marks.habit = true
      end
      marks.negative = true
      return made("dont", "Do not " .. rest)
    end
  end
end

function forms.avoid(text, low, marks)
  local rest = match(low, "^avoid%s+()") or match(low, "^refrain from%s+()") or match(low, "^steer clear of%s+()")
    or match(low, "^stay away from%s+()")
  if not rest then
    rest = match(low, "^stop%s+()%l+ing%f[%A]") or match(low, "^quit%s+()%l+ing%f[%A]") or match(low, "^no more%s+()%l")
      or match(low, "^enough with the%s+()%l")
  end
  if not rest or find(sub(low, rest), "^by ") then return end
  marks.negative, marks.strong = true, true
  return made("dont", "Avoid " .. sub(text, rest))
end

function forms.no(text, low, marks, unit)
  local rest = match(low, "^no%s+()[%l\1]")
  if not rest or not (unit.list or unit.kind == "chat" or marks.request or unit.kind == "instructions"
    or find(low, "please%W*$")) then
    return
  end
  local body = sub(low, rest)
  if words_in(body) > 12 or any(body, FINITE) or find(body, "^%l+ed%f[%A]") or find(body,
    "^%l+ %l+ed%f[%A]") then return end
  if any(body, { "^longer", "^answer", "^need", "^idea", "^one%f[%A]", "^change", "^problem", "^worr", "^issue",
    "^news",
    "^comment", "^rush", "^objection", "^doubt", "^way%f[%A]", "^reply", "^remark", "^action", "^decision",
      "^show" }) then
    return
  end
  marks.negative, marks.strong = true, true
  return made("dont", "Avoid " .. sub(text, rest))
end

function forms.prefer(text, low, marks)
  local rest = match(low, "^prefer%s+()") or match(low, "^favou?r%s+()") or match(low, "^we prefer%s+()")
    or match(low, "^i prefer%s+()") or match(low, "^we favou?r%s+()") or match(low, "^i'd prefer%s+()")
    or match(low, "^i would prefer%s+()") or match(low, "^the user prefers%s+()") or match(low, "^user prefers%s+()")
    or match(low, "^prefers%s+()") or match(low, "^preferably%s+()") or match(low, "^the team prefers%s+()")
    or match(low, "^we would prefer%s+()") or match(low, "^we'd prefer%s+()")
  if not rest then return end
  marks.preference = true
  if find(low, "^i") or find(low, "user prefers") or find(low, "^prefers") then marks.user = true end
  local body = trimmed(sub(text, rest))
  local a, b = contrast(body)
  if a and b then return made("prefer", ("Prefer %s over %s"):format(a, b), a, b) end
  return made("prefer", "Prefer " .. body, body)
end

-- {lead, what becomes of it}
local WISHES = {
  { "i like ", "like" }, { "i love ", "like" }, { "i really like ", "like" }, { "i'd like ", "want" },
    { "i would like ", "want" },
  { "i want ", "want" }, { "i need ", "want" }, { "i expect ", "want" }, { "i insist on ", "want" },
    { "the user likes ", "like" },
  { "the user wants ", "want" }, { "the user expects ", "want" }, { "the user asked for ", "once" }, { "user likes ",
    "like" },
  { "user wants ", "want" }, { "user expects ", "want" }, { "likes ", "like" }, { "loves ", "like" }, { "wants ",
    "want" },
  { "expects ", "want" }, { "insists on ", "want" }, { "we like ", "like" }, { "we want ", "want" }, { "we expect ",
    "want" },
  { "we insist on ", "want" }, { "i hate ", "hate" }, { "i dislike ", "hate" }, { "i don't like ", "hate" },
  { "i do not like ", "hate" }, { "i don't want ", "hate" }, { "i do not want ", "hate" }, { "i can't stand ", "hate" },
  { "i don't need ", "hate" }, { "i do not need ", "hate" }, { "we don't like ", "hate" }, { "we don't want ", "hate" },
  { "we do not want ", "hate" }, { "we do not like ", "hate" }, { "the user hates ", "hate" },
    { "the user dislikes ", "hate" },
  { "the user does not like ", "hate" }, { "the user doesn't like ", "hate" }, { "the user does not want ", "hate" },
  { "the user doesn't want ", "hate" }, { "hates ", "hate" }, { "dislikes ", "hate" }, { "does not like ", "hate" },
  { "doesn't like ", "hate" }, { "does not want ", "hate" }, { "doesn't want ", "hate" }, { "user dislikes ", "hate" },
  { "user hates ", "hate" }, { "i'd rather ", "rather" }, { "i would rather ", "rather" }, { "we'd rather ", "rather" },
  { "we would rather ", "rather" },
}

function forms.wish(text, low, marks, unit)
  for i = 1, #WISHES do
    local lead, sense = WISHES[i][1], WISHES[i][2]
    if sub(low, 1, #lead) == lead then
      local subject = match(lead, "^i[ ']") or match(lead, "^we[ ']") or match(lead, "^the user") or match(lead,
        "^user")
      -- Without a subject it is a note about somebody.
      if not subject and not (unit.kind == "memory" and unit.list) then return end
      local body = trimmed(sub(text, #lead + 1))
      local body_low = lower(body)
      if find(subject or "", "^we") and find(body_low, "^to ") and not any(body_low, W.general) then return end
      if sense == "once" or find(body_low, "^to [bk][en][eo]?w? ") and sense == "want" and not any(body_low,
        W.general) then
        return
      end
      if find(subject or "", "^i") or find(subject or "", "user") or not subject then marks.user = true end
      marks.preference = true
      if sense == "rather" then
        body = gsub(gsub(body, "^see ", ""), "^have ", "")
        local a, b = match(body, "^[yY]ou%s+(.-)%s+than%s+(.+)$")
        if not a then a, b = match(body, "^(.-)%s+than%s+(.+)$") end
        if a then return made("prefer", ("Preferred: %s, rather than %s"):format(a, b), a, b) end
        return made("prefer", "Preferred: " .. body)
      end
      if sense == "like" then
        local a, b = contrast(body)
        if a and b then return made("prefer", ("Prefer %s over %s"):format(a, b), a, b) end
        return made("prefer", "Prefer " .. body, body)
      end
      if sense == "hate" then
        marks.negative = true
        return made("dont", (find(body_low, "^to ") and "Not wanted: " or "Avoid ") .. body)
      end
      return made("do", "Wanted: " .. gsub(body, "^to ", ""))
    end
  end
end

local NOT_SUBJECTS = { "^this%f[%A]", "^that%f[%A]", "^it%f[%A]", "^these%f[%A]", "^they%f[%A]", "^he%f[%A]",
  "^she%f[%A]",
  "^i%f[%A]", "^there%f[%A]", "^one%f[%A]", "^somebody", "^someone", "^who", "^what", "^which", "^you%f[%A]",
    "^we%f[%A]",
  "^nobody", "^nothing", "^why%f[%A]", "^how%f[%A]", "^where%f[%A]", "^if%f[%A]", "^in theory", "^maybe", "^most ",
    "^some " }

local NORMATIVE = { instructions = true, guide = true, decision = true, review = true, memory = true }

local function normative_kind(unit)
  return NORMATIVE[unit.kind] == true
end

-- A subject that stands for many: every test, all spectra, no mock, tests.
local function plural(subject)
  return any(subject, { "^every ", "^each ", "^all ", "^any ", "^no ", "^new ", "^only " })
    or find(subject, "[^s]s$") ~= nil and not find(subject, "^the ") or find(subject, "[^s]s [%l ]+$") ~= nil
    and not find(subject, "^the ") or find(subject, "s \1?[%d]*\2?$") ~= nil or find(subject, "data$") ~= nil
end

function forms.norm(text, low, marks, unit)
  local subject, modal, rest = nil, nil, nil
  for _, word in ipairs { "must not", "must never", "should not", "should never", "must", "should", "shall",
    "need to", "needs to", "have to", "has to", "ought to", "are to", "is to", "mustn't", "shouldn't" } do
    local a, at = match(low, "^(.-)%s+" .. word .. "%s+()")
    if a and not find(a, ",") and words_in(a) <= 8 and (not subject or #a < #subject) then
      subject, modal, rest = a, word, at
    end
  end
  if not subject or any(subject, NOT_SUBJECTS) or any(subject, FINITE) then return end
  if find(subject, ":") or find(subject, "%f[%a]th[ai][ts]$") or find(subject, "%f[%a]it$") then return end
  local what = sub(low, rest)
  if any(what, { "^not have to", "^have%s+%l+ed", "^be worth", "^be able", "^then be ", "^now be ", "^be available",
    "^look like",
    "^see ", "^give you", "^help", "^suffice", "^work%f[%A]" }) then
    return
  end
  if not plural(subject) and not (unit.kind == "instructions" or unit.kind == "decision") then return end
  if (modal == "have to" or modal == "need to" or modal == "are to"
    or modal == "is to") and not normative_kind(unit) then return end
  if find(modal, "not") or find(modal, "never") then marks.negative = true end
  if find(modal, "must") then marks.strong = true else marks.should = true end
  return made(marks.negative and "dont" or "do", text)
end

function forms.ruled(text, low, marks, unit)
  local subject, verdict = match(low, "^(.-)%s+[ia][sr]e?%s+(.+)$")
  if not subject or any(subject, NOT_SUBJECTS) or words_in(subject) > 9 then return end
  verdict = gsub(verdict, "^strictly%s+", "")
  if find(verdict, "^required to ") or find(verdict, "^required for %l+ing ") then return end
  if any(verdict, { "^preferred", "^required", "^mandatory", "^compulsory", "^obligatory", "^the default" }) then
    if not normative_kind(unit) then return end
    marks.strong = true
    return made("do", text)
  end
  if any(verdict, { "^forbidden", "^prohibited", "^banned", "^not allowed", "^disallowed", "^discouraged",
    "^off.limits",
    "^not permitted", "^unwelcome", "^not welcome", "^not acceptable", "^taboo", "^not accepted", "^a no%-go" }) then
    marks.strong, marks.negative = true, true
    return made("dont", text)
  end
  local useless = match(verdict, "^of no use()") or match(verdict, "^not useful()") or match(verdict, "^not helpful()")
    or match(verdict, "^useless()") or match(verdict, "^unhelpful()")
  if useless then
    marks.negative = true
    return made("dont", "Leave out " .. lower(sub(text, 1, 1)) .. sub(text, 2, #subject))
  end
  -- Tables are better than lists.
  local worse = match(verdict, "^better than%s+()") or match(verdict, "^preferable to%s+()")
  if worse and (normative_kind(unit) or unit.kind == "chat") then
    local a, b = sub(text, 1, #subject), sub(text, #low - #verdict + worse)
    marks.preference = true
    return made("prefer", ("Prefer %s over %s"):format(lower(sub(a, 1, 1)) .. sub(a, 2), b), a, b)
  end
  if find(verdict, "^no substitute for") then
    local order = match(verdict, ",%s+()%l+ .+ instead%W*$")
    if order and is_order(sub(verdict, order)) then
      local from = #low - #verdict + order
      return made("do", capital(sub(text, from)) .. " (" .. gsub(sub(text, 1, from - 1), "[,%s]+$", "") .. ")")
    end
  end
  -- Reviews are read-only, without exception. Curves are always shown on a log scale.
  local holds = find(verdict, "^always ") or find(verdict, "^never ") or find(verdict, "without exception")
    or find(verdict, "^only ")
  local made_so = find(verdict, "^stored ") or find(verdict, "^named ") or find(verdict, "^written ")
    or find(verdict, "^kept ")
    or find(verdict, "^documented ") or find(verdict, "^reviewed ") or find(verdict, "^squashed") or find(verdict,
      "^formatted ")
  if plural(subject) and ((holds and normative_kind(unit)) or (made_so and (unit.kind == "instructions"
    or unit.kind == "decision"))
    or marks.norm) then
    if find(verdict, "^never ") or find(verdict, "^not ") then marks.negative = true end
    marks.habit = not holds or nil
    return made(marks.negative and "dont" or "do", text)
  end
end

local SETTLED = { " belong in ", " belong to ", " belongs in ", " go in ", " go into ", " go to ", " go under ",
  " follow ",
  " live in ", " live under ", " use ", " start with ", " end with ", " come first", " gets a ", " get a ",
    " needs a ", " gets ",
  " carries ", " needs ", " require ", " requires ", " say ", " keep ", " take " }

-- What things do where a rule is followed: "Imports go in three groups".
function forms.settled(text, low, marks, unit)
  if not (normative_kind(unit) or unit.kind == "log" or (unit.list and find(lower(unit.heading or ""),
    "lesson"))) then return end
  local at, verb
  for i = 1, #SETTLED do
    local from = find(low, SETTLED[i], 1, true)
    if from and (not at or from < at) then at, verb = from, SETTLED[i] end
  end
  if not at then return end
  local subject = sub(low, 1, at - 1)
  if any(subject, NOT_SUBJECTS) or words_in(subject) > 9 or any(subject, { "^the ", "^our ", "^her ", "^his ", "^a ",
    "^an " }) then
    return
  end
  local each = any(subject, { "^every ", "^each ", "^all ", "^any ", "^anything " })
  if verb == " needs " or verb == " gets " or verb == " needs a " or verb == " gets a " or verb == " carries "
    or verb == " get a " or verb == " requires " then
    if not each then return end
  elseif verb == " use " or verb == " say " or verb == " keep " or verb == " take " or verb == " require " then
    if unit.kind ~= "instructions" or not plural(subject) then return end
  elseif verb == " go to " and find(subject, "question") then
    return
  elseif not plural(subject) and not each then
    return
  end
  if any(subject, FINITE) then return end
  marks.habit = not each or nil
  return made("do", text)
end

-- "We use X": a habit that somebody chose.
function forms.habit(text, low, marks, unit)
  local rest
  for _, lead in ipairs { "^we now%s+()", "^we only%s+()", "^we also%s+()", "^we%s+()", "^this project%s+()uses%s",
    "^the project%s+()uses%s", "^this repository%s+()uses%s" } do
    rest = rest or match(low, lead)
  end
  if not rest or unit.kind == "chat" then return end
  local body, body_low = gsub(sub(text, rest), "^uses ", "use "), gsub(sub(low, rest), "^uses ", "use ")
  local word = first_word(body_low)
  -- Some of these read as past just as well, and some say nothing about a habit.
  if not word or not W.verbs[word] or W.no_habits[word] then return end
  local firm = find(low, "^we now") or find(low, "^we only") or any(body_low, W.general) or find(body_low,
    "%f[%a]for%f[%A]")
  if not normative_kind(unit) and not firm then return end
  marks.habit = true
  return made("do", capital(body))
end

-- "Branch names: lower case", "GPU jobs: at most two at a time".
function forms.topic(text, low, _, unit)
  if unit.kind ~= "instructions" and unit.kind ~= "memory" and not unit.list then return end
  local topic, value = match(low, "^([%l][%l %-]*):%s+(.+)$")
  if not topic or words_in(topic) > 3 or W.no_rule_labels[match(topic, "%l+")] then return end
  local last = match(topic, "%l+$")
  local limits = any(value, { "^at most ", "^at least ", "^only ", "^never ", "^always ", "^no ", "^max", "^prefer " })
  local about = W.topics[last] or W.topics[last .. "s"] or find(topic, "names$") or find(topic, "messages$")
    or find(topic, "comma$") or find(topic, "length$") or find(topic, "style$")
  if not limits and not (about and unit.kind ~= "notes") then return end
  if words_in(value) > 20 or find(value, "^%d+ of %d+") then return end
  return made("do", text)
end

-- "Four spaces, not tabs", "Shorter answers please".
function forms.bare(text, low, marks, unit)
  if any(low, FINITE) or any(low, NOT_SUBJECTS) or words_in(low) > 16 or find(low, "%f[%a]should%f[%A]") then return end
  local a, b = match(low, "^(.-),%s+not%s+()")
  if not a then a, b = match(low, "^(.-)%s+over%s+()") end
  if not a then a, b = match(low, "^(.-)%s+instead of%s+()") end
  local placed = unit.list and unit.kind ~= "decision" and unit.kind ~= "log" or unit.kind == "instructions"
    or unit.kind == "chat" or unit.kind == "memory"
  if a and placed and words_in(a) <= 5 and not find(a, "%f[%a]%l+ed%f[%A]") and not find(a, "^[ait][nh]?[eo]? ")
    and not is_order(a) then
    return made("prefer", ("Prefer %s over %s"):format(sub(text, 1, #a), sub(text, b)), sub(text, 1, #a), sub(text, b))
  end
  if (marks.request or find(lower(unit.text), "please%W*$")) and any(low, W.comparatives) then
    return made("do", find(low, "^in ") and "Answer " .. text or "Wanted: " .. text)
  end
  -- Four spaces in Python, tabs in Makefiles.
  if unit.kind == "instructions" and unit.list and any(low, W.layouts) then return made("do", text) end
end

local IDIOMS = { "^get to the point", "^be brief", "^be concise", "^be terse", "^be short", "^be direct", "^be honest",
  "^be specific", "^be precise", "^be explicit", "^think before", "^ask first", "^ask before", "^show your work",
  "^cite your sources", "^keep it " }

function forms.order(text, low, marks, unit)
  if not is_order(low) or unit.task and not marks.strong then return end
  local verb = match(first_word(low), "^%l+")
  local kind = unit.kind
  if find(low, "^note that ") or find(low, "^note \1") then return end
  local firm = marks.strong or marks.decided or marks.condition or marks.label
  local general = firm or marks.general or any(low, W.general) or any(low, IDIOMS)
  local asked = marks.should or marks.request
  if unit.ordered and W.steps[verb] and not general then return end
  if marks.nit or marks.question and not any(low, W.general) then return end
  if verb == "be" and kind ~= "instructions" and not any(low, IDIOMS) and not find(low, "^be %l+ with ") then return end
  if kind == "instructions" then
    if W.steps[verb] and not general and not unit.list and not asked then return end
    if words_in(low) < 3 and not any(low, IDIOMS) then return end
  elseif not general and not marks.should then
    local lasting = kind == "memory" or kind == "guide" and W.standing[verb]
      or kind == "chat" and (marks.correction or find(low, "%f[%a]%l+s%f[%A]") or find(low, " when ") or find(low,
        " in %l+ when"))
    if not W.standing[verb] or not lasting then return end
  elseif kind == "notes" and not firm and not W.standing[verb] and not any(low, W.lasting) then
    return
  end
  return made("do", text)
end

function forms.only(text, low, marks)
  local rest = match(low, "^only%s+()")
  if rest and is_order(sub(low, rest)) then
    marks.strong = true
    return made("do", text)
  end
end

function forms.meaning(text, low, marks)
  local said, meant = match(low, "^when i say ()[^,]+,%s+i mean%s+()")
  if not said then return end
  marks.user, marks.strong = true, true
  local word = match(sub(text, said), "^([^,]+),")
  return made("do", ("Understand %s as %s"):format(word, trimmed(sub(text, meant))))
end

local ORDER = { "meaning", "prefer", "wish", "never", "always", "dont", "avoid", "no", "only", "topic", "order",
  "norm", "ruled",
  "settled", "habit", "bare" }

local function try_forms(text, marks, unit)
  local low = lower(text)
  for i = 1, #ORDER do
    local result = forms[ORDER[i]](text, low, marks, unit)
    if result then return result end
  end
end

local CONDITIONS = "when whenever before after if once unless until for in on during while with without as"

-- "When a test is flaky, report it": the clause goes behind.
local function with_condition(text, marks, unit)
  local low = lower(text)
  local word = first_word(low)
  if not word or not find(" " .. CONDITIONS .. " ", " " .. word .. " ", 1, true) then return end
  local clause, main = match(text, "^([^,]+),%s+(.+)$")
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
  return verb ~= nil and W.verbs[verb] ~= nil and not any(low, FINITE)
end

local function blocked(low, unit)
  if any(low, W.hypothetical) or any(low, W.once) then return true end
  for _, pattern in ipairs(W.no_rule_headings) do
    if find(lower(unit.heading or ""), pattern) then return true end
  end
  local label = match(low, "^(%l[%l%-]*)[%s%l]-:%s")
  return label ~= nil and W.no_rule_labels[label] == true
end

local LIST_KINDS = { review = true, decision = true }

---What a sentence asks for beyond its occasion, or nil.
---@param unit table a sentence of units.lua
---@return table? statement {text, form, a, b, marks}
---@return boolean? injected the sentence tries to give orders to whoever reads it
function M.read(unit)
  if unit.speaker == "other" or #unit.text > sentence_cap then return nil end
  local text, kept = veil(unit.text)
  text = plain(text)
  local low = lower(text)
  if #text < 8 or not find(low, "%l") or find(text, "^%(") then return nil end
  for _, phrase in ipairs(W.injected) do
    if find(lower(unit.text), phrase, 1, true) then return nil, true end
  end
  if blocked(low, unit) then return nil end
  local marks = {}
  local question = find(text, "%?%W*$") ~= nil
  text = without_lead(text, marks)
  low = lower(text)
  if question and not marks.question then return nil end
  if blocked(low, unit) then return nil end
  local result
  if marks.wish then
    local a, b = contrast(trimmed(text))
    result = a and b and made("prefer", ("Preferred: %s, rather than %s"):format(a, b), a, b) or made("do",
      "Wanted: " .. text)
    marks.preference, marks.user = true, true
  elseif marks.ensure then
    result = made("do", "Make sure that " .. text)
    marks.strong = true
    if not any(low, W.general) and not normative_kind(unit) then result = nil end
  elseif marks.wanted then
    result = made("do", "Wanted: " .. text)
    if not any(low, W.general) then result = nil end
  else
    result = try_forms(text, marks, unit) or with_condition(text, marks, unit)
    if not result and LIST_KINDS[unit.kind] == nil then
      -- The user reads on a phone, so keep lines short.
      local main = match(text, ",%s+so%s+(%l.+)$")
      if main and is_order(lower(main)) then result = forms.order(main, lower(main), marks, unit) end
    end
    if not result and (marks.norm or marks.strong and rules_all(text)) then result = made("do", text) end
  end
  if not result then return nil end
  result.text = finish(result.text, kept)
  if result.a then result.a = lower(unveil(trimmed(result.a), kept)) end
  if result.b then result.b = lower(unveil(trimmed(result.b), kept)) end
  if words_in(result.text) < 2 then return nil end
  result.text = result.text .. "."
  result.marks = marks
  return result
end

---Whether a text begins like an order, for what follows a semicolon.
---@param text string
---@return boolean
function M.is_order(text)
  local low = lower(text)
  return is_order(low) and not find(low, "%f[%a]it%f[%A]") and not find(low, "%f[%a]them%f[%A]") and not find(low,
    "instead%W*$")
end

return M
