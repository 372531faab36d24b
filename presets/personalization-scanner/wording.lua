--- Takes sentences apart and puts them into a normal form: code and quotations veiled, courtesies and reasons cut
--- off, the speaker written as "the user".
local W = require "words"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

local text_cap = 220

local function any(text, patterns)
  for i = 1, #patterns do
    if find(text, patterns[i]) then return true end
  end
  return false
end

-- Code and quoted speech become single marks, so that no word in them counts.
local function veil(text)
  local kept = {}
  local function keep(piece)
    kept[#kept + 1] = piece
    return "\1" .. #kept .. "\2"
  end
  text = gsub(text, "``?[^`]+``?", keep)
  text = gsub(text, "“.-”", keep)
  text = gsub(text, '"[^"]+"', keep)
  -- A quotation that continues in the next sentence.
  text = gsub(text, '"[^"]*$', keep)
  return text, kept
end

local function unveil(text, kept)
  for _ = 1, 3 do
    text = gsub(text, "\1(%d+)\2", function(number) return kept[tonumber(number)] or "" end)
  end
  return text
end

local function plain(text)
  text = gsub(gsub(text, "%[([^%]]*)%]%([^%)]*%)", "%1"), "%[([^%]]+)%]%[[^%]]*%]", "%1")
  text = gsub(text, "^%s*%d%d%d%d%-%d%d%-%d%d[:,]?%s+[%-–]*%s*", "")
  -- The subject of a remark: "**src/retry.go:31** – ", "src/retry.go:31: ".
  text = gsub(text, "^%*%*([^%*]+)%*%*%s+[%-\226][\128\147\148]*%s+", "")
  text = gsub(text, "^%**[%w_%-%./\1\2]*[%./\2][%w_%-%./]*[:%d,%-%s]*%**[:,]%**%s+()", "")
  text = gsub(text, "%*%*", "")
  text = gsub(gsub(text, "%f[%w%*]%*(%w[^%*]*)%*", "%1"), "%f[%w_]__(%w[^_]*)__", "%1")
  text = gsub(gsub(text, "\226\128\153", "'"), "\226\128\152", "'")
  text = gsub(text, "%s+", " ")
  text = match(text, "^[%s%-–—:•➜→]*(.-)%s*$")
  -- Adverbs do not change a wish.
  for _, subject in ipairs { "I", "We", "The user", "They", "User", "She", "He" } do
    for _, adverb in ipairs { "also", "really", "generally", "usually", "typically", "strongly", "still",
      "personally", "definitely", "actually", "just", "very much", "absolutely" } do
      local lead = subject .. " " .. adverb .. " "
      if sub(text, 1, #lead) == lead then return subject .. " " .. sub(text, #lead + 1) end
    end
  end
  return text
end

local function first_word(low)
  return match(low, "^([%l][%l'%-]*)")
end

-- True if a text begins like an order.
local function is_order(low)
  local word, rest = match(low, "^(%l[%l%-]*)(.*)$")
  if not word then return false end
  if not W.verbs[word] and not W.verbs[match(word, "^(%l+)%-") or ""] then return false end
  if find(rest, "^:") or find(rest, "^,") or find(rest, "^%s+%l+:%s") then return false end
  if W.nouns_too[word] then
    -- "Error messages must", "report is": here it is a noun.
    local second, third = match(rest, "^%s+(%l+)%s*(%l*)")
    local finite = " is are was were has have had must should shall may can will does did need needs "
    if second and find(finite, " " .. second .. " ", 1, true) then return false end
    if third and third ~= "" and find(finite, " " .. third .. " ", 1, true) and not find(" the a an it ",
      " " .. second .. " ", 1, true)
    then
      return false
    end
  end
  return rest == "" or find(rest, "^%s") ~= nil
end

local FINITE = { "%f[%a]is%f[%A]", "%f[%a]are%f[%A]", "%f[%a]was%f[%A]", "%f[%a]were%f[%A]", "%f[%a]has%f[%A]",
  "%f[%a]had%f[%A]", "%f[%a]will%f[%A]", "%f[%a]can%f[%A]", "%f[%a]did%f[%A]", "%f[%a]does%f[%A]", "%f[%a]noticed",
  "%f[%a]said%f[%A]", "%f[%a]found%f[%A]", "%f[%a]failed%f[%A]" }

-- Words that cannot be the subject of a rule.
local PRONOUNS = { "^this%f[%A]", "^that%f[%A]", "^it%f[%A]", "^these%f[%A]", "^they%f[%A]", "^he%f[%A]",
  "^she%f[%A]", "^i%f[%A]", "^there%f[%A]", "^one of", "^one is", "^one can", "^one could", "^one should",
  "^one must", "^one has", "^one thing", "^one more", "^somebody", "^someone", "^who%f[%A]", "^what", "^which",
  "^you%f[%A]", "^we%f[%A]", "^nobody", "^nothing", "^why%f[%A]", "^how%f[%A]", "^where%f[%A]", "^if%f[%A]",
  "^in theory", "^maybe", "^most ", "^some ", "^my%f[%A]", "^his%f[%A]", "^her%f[%A]", "^thanks" }

local function words_in(text)
  return select(2, gsub(text, "%S+", ""))
end

local TAILS = { "%s+from now on$", "%s+from here on$", "%s+in future$", "%s+in the future$", "%s+next time$",
  "%s+going forward$", ",?%s+please$", ",?%s+thanks$", ",?%s+thank you$", "%s+again$", "%s+too$", "%s+as well$",
  "%s+though$", ",?%s+ok$", "%s+all the same$", "%s+without being told$" }
local REASONS = { ",?%s+because%s.*$", ",%s+since%s.*$", ",%s+so that%s.*$", ",%s+they%s.*$", ",%s+it%s.*$",
  ",%s+as it%s.*$", ",%s+as they%s.*$", ";%s+otherwise%s.*$", ",%s+otherwise%s.*$", "%s+\226\128[\147\148]%s.*$",
  "%s+%-%s.*$", ",%s+which%s.*$", ",%s+that is%s.*$", ",%s+this%s.*$", "%s+%(see%s.*$", ",%s+the form%s.*$" }

-- Cuts reasons and courtesies off the end.
local function trimmed(text)
  text = gsub(text, "[%.!%?,;:%s]+$", "")
  local conditional = find(lower(text), "^if ") or find(lower(text), "^when ")
  for _ = 1, 3 do
    local low = lower(text)
    for i = 1, #REASONS do
      local at = not (conditional and find(REASONS[i], "^,")) and find(low, REASONS[i])
      -- A reason comes last; too short a text before it would be left.
      if at and at > 12 then
        text, low = sub(text, 1, at - 1), sub(low, 1, at - 1)
      end
    end
    for i = 1, #TAILS do
      local at = find(low, TAILS[i])
      if at and at > 3 then
        text, low = sub(text, 1, at - 1), sub(low, 1, at - 1)
      end
    end
    text = gsub(text, "[%.!,;:%s]+$", "")
  end
  return text
end

local function third_person(verb)
  if verb == "have" then return "has" end
  if verb == "am" or verb == "'m" then return "is" end
  if find(verb, "[sxz]$") or find(verb, "[cs]h$") or verb == "do" or verb == "go" then return verb .. "es" end
  return verb .. "s"
end

-- Writes the speaker as "the user"; in notes about the user, the agent speaks.
local function impersonal(text, who)
  text = gsub(text, "%f[%a]I'm%f[%A]", who .. " is")
  text = gsub(text, "%f[%a]I'd%f[%A]", who .. " would")
  text = gsub(text, "%f[%a]I've%f[%A]", who .. " has")
  text = gsub(gsub(text, "%f[%a][Ii] don't%f[%A]", who .. " does not"), "%f[%a][Ii] do not%f[%A]", who .. " does not")
  text = gsub(text, "%f[%a][Ii] (%l+)", function(verb)
    if W.verbs[verb] or verb == "have" or verb == "am" or verb == "do" or verb == "like"
      or verb == "want" then return who .. " " .. third_person(verb) end
    return who .. " " .. verb
  end)
  text = gsub(text, "%f[%a]me%f[%A]", who)
  text = gsub(text, "%f[%a]my%f[%A]", who .. "'s")
  text = gsub(text, "%f[%a]mine%f[%A]", who .. "'s")
  return text
end

local function capital(text)
  return (gsub(text, "^%l", string.upper))
end

local PROPER = {}
for word in string.gmatch([[English German French Spanish Italian Portuguese Dutch British American Python Rust Go
  Java JavaScript TypeScript Ruby Swift Kotlin Markdown Docker Git GitHub GitLab Linux Postgres PostgreSQL SQLite
  Redis React Svelte Vue Angular Django Flask Rails Bash Monday Mondays Tuesday Wednesday Thursday Friday Fridays
  Unicode Decimal]],
  "%S+") do
  PROPER[word] = true
end

-- A text that continues a sentence begins small, unless its first word is a name.
local function small(text)
  local word = match(text, "^%u%l+")
  if not word or PROPER[word] or find(text, "^%u%l+%u") then return text end
  return lower(sub(text, 1, 1)) .. sub(text, 2)
end

local function finish(text, kept, as_it_is, third)
  text = trimmed(text)
  if not as_it_is then text = impersonal(text, third and "the agent" or "the user") end
  text = unveil(text, kept)
  if #text > text_cap then
    local cut = match(sub(text, 1, text_cap), "^(.*)[;,]%s") or match(sub(text, 1, text_cap), "^(.*)%s") or sub(text,
      1, 0)
    text = cut
  end
  return (gsub(capital(text), "%s+$", ""))
end

-- Words of a head such as "one thing we agreed on:", behind which a rule stands.
local META = { "agree", "settle", "%f[%a]rules?%f[%A]", "one thing", "remember", "lesson", "policy", "convention",
  "to self", "for the record", "future", "next runs?", "later runs?", "later", "next time", "in future", "reminder",
  "preference",
  "request", "principle", "guideline", "corrected", "standing", "decision", "decided", "important", "please",
  "golden", "takeaway", "learned", "feedback", "correction", "from now on", "going forward", "style", "wish", "clear",
  "general", "always", "expect", "insist", "reminded", "pointed out", "house", "consensus", "said it before",
  "said before", "told you", "mentioned before", "rule of thumb", "for all", "for every", "keep in mind",
  "from here on", "heads%-up", "psa" }
local SETTLES = { "agree", "settle", "%f[%a]rules?%f[%A]", "policy", "convention", "decided", "decision", "consensus",
  "standing", "golden", "insist", "corrected", "reminded", "lesson", "learned", "said it before", "said before",
  "told you" }

local function without_head(text, low, marks)
  local head, at = match(low, "^([^:\1]+):%s+()")
  if not head or words_in(head) > 10 or at > #text or not any(head, META) then return nil end
  if W.no_rule_labels[match(head, "%l+")] and words_in(head) < 3 then return nil end
  marks.label = true
  if any(head, SETTLES) then marks.norm = true end
  return sub(text, at)
end

-- The lead-ins by the word that they begin with; those that begin in another way stand under "".
local LEAD_INS = {}
for i, lead in ipairs(W.lead_ins) do
  local word, after = match(lead[1], "^%^(%l+)(.?)")
  if not word or after == "[" or after == "?" then word = "" end
  LEAD_INS[word] = LEAD_INS[word] or {}
  table.insert(LEAD_INS[word], { lead[1], lead[2], i })
end

local function lead_in(text, low)
  local best, to = nil, nil
  for _, word in ipairs { match(low, "^%l+") or "", "" } do
    for _, lead in ipairs(LEAD_INS[word] or {}) do
      local _, last = find(low, lead[1])
      if last and last < #text and (not best or lead[3] < best[3]) then
        best, to = lead, last
      end
      if best then break end
    end
  end
  return best, to
end

-- Strips the lead of a sentence; notes how firmly it is meant.
local function without_lead(text, marks)
  for _ = 1, 6 do
    local low = lower(text)
    local lead, last = lead_in(text, low)
    if lead then
      text = sub(text, last + 1)
      if lead[2] then marks[lead[2]] = true end
      if lead[2] == "lasts" then marks.strong = true end
    else
      local rest = without_head(text, low, marks)
      if not rest then return text end
      text = rest
    end
  end
  return text
end

-- {A over B} of a contrast, or nil.
local function contrast(text)
  local low = lower(text)
  for _, pattern in ipairs { "^(.-)%s+over%s+()", "^(.-)%s+rather than%s+()", "^(.-)%s+instead of%s+()",
    "^(.-),%s+not%s+()", "^(.-)%s+better than%s+()", "^(.-),%s+never%s+()", "^(.-)%s+to%s+()" } do
    local a, at = match(low, pattern)
    if a and #a > 1 and at <= #text then return sub(text, 1, #a), sub(text, at) end
  end
end

M.any = any
M.veil = veil
M.unveil = unveil
M.plain = plain
M.first_word = first_word
M.is_order = is_order
M.words_in = words_in
M.trimmed = trimmed
M.capital = capital
M.finish = finish
M.without_lead = without_lead
M.contrast = contrast
M.small = small
M.finite = FINITE
M.pronouns = PRONOUNS

return M
