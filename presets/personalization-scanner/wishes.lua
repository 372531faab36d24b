--- The likes, wants, preferences and annoyances that people state. Each form is a function of (text, low, marks,
--- unit).
local W = require "words"
local wording = require "wording"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub
local any, words_in, trimmed, contrast, small = wording.any, wording.words_in, wording.trimmed, wording.contrast,
  wording.small

local M = {}

local function made(form, text, a, b)
  return { form = form, text = text, a = a, b = b }
end

local function preferred(a, b)
  return made("prefer", ("Prefer %s over %s"):format(small(a), small(b)), a, b)
end

-- sense -> words after "I", "we" or "they", and words after a third person.
local VERBS = {
  prefer = { [[prefer | favour | favor | would prefer | 'd prefer | would favour | lean towards | strongly prefer |
    generally prefer | much prefer]],
    [[prefers | favours | favors | would prefer | leans towards | strongly prefers | generally prefers | much prefers |
    tends to prefer]] },
  like = { [[like | love | really like | enjoy | appreciate | value | really appreciate | am a fan of | 'm a fan of |
    am a big fan of | 'm a big fan of]],
    [[likes | loves | enjoys | appreciates | values | really likes | is a fan of | is fond of]] },
  want = { [[want | expect | insist on | would like | 'd like | would love | 'd love | would appreciate |
    'd appreciate | really want | always want]],
    [[wants | needs | expects | insists on | would like | would appreciate | asks for | really wants | always wants]] },
  once = { "asked for", "asked for" },
  hate = { [[hate | dislike | don't like | do not like | don't want | do not want | can't stand | cannot stand |
    don't need | do not need | really don't like | am not a fan of | 'm not a fan of | am not a big fan of |
    'm not a big fan of | don't care for | object to | am tired of | 'm tired of | am allergic to | 'm allergic to |
    really dislike | really hate | never want | am annoyed by | have no use for]],
    [[gets annoyed when | gets annoyed if | is annoyed when | is annoyed if | gets impatient when |
      gets impatient with |
    gets impatient if | finds it annoying when | hates | dislikes | does not like | doesn't like | does not want |
    doesn't want | can't stand | cannot stand |
    does not need | doesn't need | is not a fan of | isn't a fan of | objects to | is annoyed by | gets annoyed by |
    complained about | complains about | never wants | is tired of | really dislikes | strongly dislikes |
    doesn't care for]] },
  rather = { "would rather | 'd rather | would much rather | 'd much rather",
    "would rather | 'd rather | would much rather" },
}
local SUBJECTS = { { "i", 1, true }, { "we", 1, false }, { "they", 1, true }, { "the user", 2, true },
  { "user", 2, true }, { "the team", 2, false }, { "the owner", 2, true }, { "the maintainer", 2, true },
  { "the maintainers", 1, false }, { "the author", 2, true }, { "she", 2, true }, { "he", 2, true }, { "", 2, true } }

-- {lead, sense, one person?, subject}, the longest first, by their first words.
local LEADS, BY_WORD = {}, {}
for sense, halves in pairs(VERBS) do
  for _, subject in ipairs(SUBJECTS) do
    for part in string.gmatch(halves[subject[2]], "[^|]+") do
      local verb = match(part, "^%s*(.-)%s*$")
      local gap = (subject[1] == "" or sub(verb, 1, 1) == "'") and "" or " "
      LEADS[#LEADS + 1] = { subject[1] .. gap .. verb .. " ", sense, subject[3], subject[1] }
    end
  end
end
table.sort(LEADS, function(x, y)
  if #x[1] ~= #y[1] then return #x[1] > #y[1] end
  return x[1] < y[1]
end)
for _, lead in ipairs(LEADS) do
  local word = match(lead[1], "^%S+")
  BY_WORD[word] = BY_WORD[word] or {}
  table.insert(BY_WORD[word], lead)
end

local senses = {}

function senses.prefer(body)
  local a, b = contrast(body)
  if a and b then return preferred(a, b) end
  return made("prefer", "Prefer " .. gsub(body, "^to ", "to "), body)
end

function senses.like(body)
  local a, b = contrast(body)
  if a and b then return preferred(a, b) end
  local when = match(body, "^it when (.+)$") or match(body, "^it if (.+)$")
  if when then return made("do", "Wanted: " .. when) end
  return made("prefer", "Prefer " .. body, body)
end

function senses.want(body) return made("do", "Wanted: " .. gsub(gsub(body, "^to ", ""), "^you to ", "")) end

function senses.hate(body, low, marks)
  marks.negative = true
  local when = match(body, "^it when (.+)$") or match(body, "^it if (.+)$") or match(body, "^when (.+)$")
    or marks.clause and body
  if when then return made("dont", "Not wanted: " .. when) end
  if find(low, "^[%l ]- to %l+") and not find(low, "^to ") and words_in(match(low, "^(.-) to ")) <= 2 then
    return made("dont", "Not wanted: " .. body)
  end
  return made("dont", (find(low, "^to ") and "Not wanted: " or "Avoid ") .. gsub(body, "^you to ", ""))
end

function senses.rather(body)
  body = gsub(gsub(body, "^see ", ""), "^have ", "")
  local a, b = match(body, "^[yY]ou%s+(.-)%s+than%s+(.+)$")
  if not a then a, b = match(body, "^(.-)%s+than%s+(.+)$") end
  if a then return made("prefer", ("Preferred: %s, rather than %s"):format(a, b), a, b) end
  return made("prefer", "Preferred: " .. gsub(body, "^[yY]ou%s+", ""))
end

-- "I need to finish the report" is a plan.
local function is_plan(sense, low, one)
  if sense ~= "want" and sense ~= "like" and sense ~= "prefer" then return false end
  if any(low, W.general) then return false end
  if find(low, "^to be ") or find(low, "^to see ") or find(low, "^to have ")
    or find(low, "^to get ") then return false end
  return find(low, "^to ") ~= nil and (sense == "want" or not one)
end

function M.wish(text, low, marks, unit)
  for _, found in ipairs(BY_WORD[match(low, "^%S+")] or {}) do
    local lead, sense, one, subject = found[1], found[2], found[3], found[4]
    if sub(low, 1, #lead) == lead then
      local noted = unit.kind == "memory" or unit.level == "rules"
      -- Without a subject it is a note about somebody, and so it is with a mere "they".
      if subject == "" and not (noted and (unit.list or unit.kind == "memory")) then return end
      if (subject == "they" or subject == "she" or subject == "he") and unit.kind ~= "memory" then return end
      local body = trimmed(sub(text, #lead + 1))
      local body_low = lower(body)
      if sense == "once" or body == "" or is_plan(sense, body_low, one) then return end
      if any(body_low, { "^that%W*$", "^it%W*$", "^this%W*$", "^your help", "^the idea", "^a break",
        "^some help" }) then return end
      marks.preference = true
      marks.clause = find(lead, " when $") ~= nil or find(lead, " if $") ~= nil or nil
      if one then marks.user = true end
      if subject ~= "i" and subject ~= "we" then marks.third = true end
      return senses[sense](body, body_low, marks)
    end
  end
  local rest = match(low, "^prefer%s+()") or match(low, "^favou?r%s+()") or match(low, "^preferably%s+()")
    or match(low, "^preferred:%s+()")
  if not rest then return end
  marks.preference = true
  return senses.prefer(trimmed(sub(text, rest)))
end

local ANNOYS = { "annoys?", "bothers?", "bugs", "irritates?", "frustrates?", "drives?", "distracts?", "tires?" }

local function annoyed(text, low)
  for _, verb in ipairs(ANNOYS) do
    local at = match(low, "^it %l* ?" .. verb .. " me[%l ]- when ()")
      or match(low, "^it %l* ?" .. verb .. " us[%l ]- when ()")
      or match(low, "^it %l* ?" .. verb .. " the user[%l ]- when ()")
    if at then return made("dont", "Not wanted: " .. sub(text, at)) end
    local subject = match(low, "^(.-) %l* ?" .. verb .. " me%f[%A]")
      or match(low, "^(.-) " .. verb .. " the user%f[%A]")
    if subject and words_in(subject) <= 9 and not find(subject, "^[tw]hat") and not find(subject, "^it%f[%A]")
      and not find(subject, "^this%f[%A]") then
      return made("dont", "Avoid " .. small(sub(text, 1, #subject)))
    end
  end
end

--- A complaint: somebody is annoyed by something or thinks too much of it.
function M.complaint(text, low, marks)
  local result = annoyed(text, low)
  if not result then
    for _, verb in ipairs { "dislike", "hate", "can't stand", "do not like", "don't like", "never want",
      "don't want" } do
      local at = match(low, "^%l+ things? %l+ ?%l* " .. verb .. " [ia][sr]e?:? ()")
      if at then
        local body = gsub(sub(text, at), "^when ", "")
        result = made("dont", (body ~= sub(text, at) and "Not wanted: " or "Avoid ") .. body)
      end
    end
  end
  if not result then
    local at = match(low, "^i find it %l+ when ()")
    if at then result = made("dont", "Not wanted: " .. sub(text, at)) end
  end
  if not result then
    local from, what, how = match(low, "^i find ()(.-) (too [%l ]+)$")
    if not from then from, what, how = match(low, "^i find ()(.-) (%l+ing)%f[%A]") end
    if not from then from, what, how = match(low, "^i find ()(.-) (%l+ful)%f[%A]") end
    if from and not find(how, "interesting") and not find(how, "useful") and not find(how, "helpful")
      and words_in(what) <= 6 then
      result = made("dont", ("Avoid %s (%s)"):format(gsub(gsub(sub(text, from, from + #what - 1), "^your ", ""),
        "^the ", ""), how))
    end
  end
  if not result then
    local subject = match(low, "^(.-) [ia][sr]e? a pet peeve") or match(low, "^(.-) [ia][sr]e? my pet peeve")
    local body = match(low, "^my pet peeves? [ia][sr]e?:? ()") or match(low, "^pet peeves?: ()")
    if subject then result = made("dont", "Avoid " .. small(sub(text, 1, #subject))) end
    if body then result = made("dont", "Avoid " .. sub(text, body)) end
  end
  if not result then return end
  marks.negative, marks.preference, marks.user = true, true, true
  return result
end

local OWN = { "preference", "rule", "policy", "convention", "default", "standard", "practice", "habit", "approach",
  "agreement", "wish", "request", "expectation", "principle", "house rule", "rule of thumb" }

--- "My preference is A over B", "The rule is: …"
function M.own(text, low, marks)
  for _, word in ipairs(OWN) do
    local at = match(low, "^[mo][yu]r? %l* ?" .. word .. " is:? ()") or match(low, "^the %l* ?" .. word .. " is:? ()")
      or match(low, "^the user's %l* ?" .. word .. " is:? ()") or match(low, "^user's %l* ?" .. word .. " is:? ()")
    if at then
      local body = gsub(gsub(trimmed(sub(text, at)), "^to ", ""), "^that ", "")
      if words_in(body) < 2 or find(lower(body), "^not%f[%A]") or find(lower(body), "^broken") then return end
      marks.preference, marks.strong = true, true
      if find(low, "^my ") or find(low, "user's") then marks.user = true end
      local a, b = contrast(body)
      if a and b and not find(lower(a), "%f[%a]to%f[%A]") then return preferred(a, b) end
      return made("do", body)
    end
  end
  local what = match(low, "^my preferred ()") or match(low, "^preferred ()") or match(low, "^our preferred ()")
  if what and (find(low, "%f[%a]is%f[%A]") or find(low, ":")) then
    marks.preference = true
    return made("do", "Preferred " .. sub(text, what))
  end
end

--- "I'm fine with X as long as Y".
local function allowed(text, low, marks)
  local at = match(low, "^i'm fine with ()") or match(low, "^i am fine with ()") or match(low, "^i'm ok with ()")
    or match(low, "^i'm okay with ()") or match(low, "^i don't mind ()")
  if not at then return end
  local what, bound = match(sub(text, at), "^(.-),? as long as (.+)$")
  if not what then what, bound = match(sub(text, at), "^(.-),? only if (.+)$") end
  if not what then what, bound = match(sub(text, at), "^(.-),? provided (.+)$") end
  if not what then return end
  marks.preference, marks.user = true, true
  return made("do", ("%s only if %s"):format(what, gsub(bound, "^that ", "")))
end

--- "There is no need to X", "A beats B".
function M.spared(text, low, marks)
  local bounded = allowed(text, low, marks)
  if bounded then return bounded end
  local at = match(low, "^no need %l+ ()") or match(low, "^there's no need %l+ ()")
    or match(low, "^there is no need %l+ ()")
    or match(low, "^you don't need to ()") or match(low, "^you do not need to ()")
    or match(low, "^you don't have to ()")
    or match(low, "^you needn't ()")
  if at then
    if find(low, "worry") or find(low, "apologi[sz]e for that") or words_in(low) < 4 then return end
    marks.negative = true
    return made("dont", "No need to " .. sub(text, at))
  end
  local a, b = match(low, "^(.-) beats ()")
  if not a then a, b = match(low, "^(.-) wins? over ()") end
  if not a then a, b = match(low, "^(.-) > ()") end
  if a and words_in(a) <= 6 and words_in(sub(low, b)) <= 10 and not any(a, wording.finite) then
    marks.preference = true
    return preferred(sub(text, 1, #a), trimmed(sub(text, b)))
  end
end

return M
