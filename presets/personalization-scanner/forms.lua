--- The shapes in which English asks somebody to do or to leave something: orders, bans, contrasts, the text behind a
--- label. Each form is a function of (text, low, marks, unit) and returns {form, text, a, b}, or nil.
local W = require "words"
local wording = require "wording"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub
local any, first_word, is_order, words_in = wording.any, wording.first_word, wording.is_order, wording.words_in
local trimmed, small = wording.trimmed, wording.small
local FINITE = wording.finite

local M = {}

local function made(form, text, a, b)
  return { form = form, text = text, a = a, b = b }
end

function M.never(text, low, marks)
  local rest = match(low, "^never,?%s+()") or match(low, "^never ever%s+()") or (marks.never and 1)
  if not rest then return end
  local order = sub(low, rest)
  local word = first_word(order)
  if not word or W.idle[word] or find(word, "ed$") or find(word, "s$") and not W.verbs[word] then return end
  if find(" through in on from by with for to at over into ", " " .. word .. " ", 1, true) then return end
  if find(" mind again been was is a the before had have ", " " .. word .. " ", 1, true) then return end
  if not W.verbs[word] and not find(order, "^%l+%s+[%l\1]") then return end
  marks.strong, marks.negative = true, true
  return made("dont", "Never " .. sub(text, rest))
end

function M.always(text, low, marks)
  local rest = match(low, "^always,?%s+()") or (marks.always and 1)
  if not rest or not is_order(sub(low, rest)) then return end
  marks.strong = true
  return made("do", "Always " .. sub(text, rest))
end

local BANS = { "do not ", "don't ", "dont ", "must not ", "mustn't ", "should not ", "shouldn't ", "not to ",
  "we do not ", "we don't ", "cannot ", "may not ", "you may not ", "you must not ", "you should not ",
  "you shouldn't ", "not " }

function M.dont(text, low, marks, unit)
  local spare = match(low, "^don't bother with ()") or match(low, "^don't bother ()%l+ing")
    or match(low, "^do not bother with ()") or match(low, "^don't bother to ()")
  if spare then
    marks.negative, marks.strong = true, true
    return made("dont", (find(low, " bother to ") and "No need to " or "No need for ") .. sub(text, spare))
  end
  for _, lead in ipairs(BANS) do
    if sub(low, 1, #lead) == lead then
      local rest = gsub(sub(text, #lead + 1), "^ever ", "")
      local word = first_word(lower(rest))
      if find(lower(rest), "^take %l+ personally") then return end
      -- "We don't follow it" says nothing by itself.
      if find(lower(rest), "^%l+ [ti][th]%l*[%.!]*$") or find(lower(rest), "^%l+ so[%.!]*$") then return end
      if not word or W.idle[word] or not is_order(lower(rest)) and (lead == "not "
        or not find(lower(rest), "^%l+%s")) then
        return
      end
      if find(lead, "^we ") then
        if not W.verbs[word] or W.no_habits[word] and not unit.level then return end
        marks.habit = true
      end
      marks.negative = true
      return made("dont", "Do not " .. rest)
    end
  end
end

function M.avoid(text, low, marks)
  local rest = match(low, "^avoid%s+()") or match(low, "^refrain from%s+()") or match(low, "^steer clear of%s+()")
    or match(low, "^stay away from%s+()") or match(low, "^we avoid%s+()")
  if not rest then
    rest = match(low, "^stop%s+()%l+ing%f[%A]") or match(low, "^quit%s+()%l+ing%f[%A]") or match(low, "^no more%s+()%l")
      or match(low, "^enough with the%s+()%l") or match(low, "^please no%s+()%l")
  end
  if not rest or find(sub(low, rest), "^by ") then return end
  marks.negative, marks.strong = true, true
  return made("dont", "Avoid " .. sub(text, rest))
end

local NO_BAN = { "^longer", "^answer", "^need", "^idea", "^one%f[%A]", "^change", "^problem", "^worr", "^issue",
  "^news", "^comment%f[%A]", "^rush", "^objection", "^doubt", "^way%f[%A]", "^reply", "^remark", "^action",
  "^decision", "^show", "^data yet", "^result", "^progress", "^success", "^luck", "^difference", "^further",
  "^rules?%f[%A]", "^preference" }

function M.no(text, low, marks, unit)
  local rest = match(low, "^no%s+()[%l\1]")
  if not rest or not (unit.list or unit.kind == "chat" or marks.request or marks.label or unit.kind == "instructions"
    or unit.level == "rules" or find(low, "please%W*$")) or find(low, " needed") or find(low, " necessary") then
    return
  end
  if unit.kind == "instructions" and not unit.list and unit.level ~= "rules" then return end
  local body = sub(low, rest)
  if words_in(body) > 14 or any(body, FINITE) or find(body, "^%l+ed%f[^%a%-]") or find(body, "^%l+ %l+ed%f[%A]")
    or any(body, NO_BAN) then
    return
  end
  if unit.kind == "chat" and words_in(body) < 2 and not marks.request and not find(low, "please%W*$") then return end
  marks.negative, marks.strong = true, true
  return made("dont", "Avoid " .. sub(text, rest))
end

-- An item of a list below "Start", "Stop" and "Continue".
function M.gerund(text, low, marks, unit)
  local heading = lower(unit.heading or "")
  if unit.level ~= "rules" or not unit.list or not find(low, "^%l+ing%f[%A]") or words_in(low) < 2 then return end
  if not (find(heading, "^start") or find(heading, "^stop") or find(heading, "^continue") or find(heading, "^keep")
    or find(heading, "^avoid") or find(heading, "^do") or find(heading, "^never") or find(heading, "^less")) then
    return
  end
  marks.decided = true
  return made("do", "Wanted: " .. small(text))
end

local LIMITS = { "^at most ", "^at least ", "^only ", "^never ", "^always ", "^no ", "^max", "^min", "^prefer ",
  "^no more than", "^one ", "^two ", "^%d+ ", "^up to ", "^under ", "^use ", "^keep ", "^avoid " }

-- "Branch names: lower case", "GPU jobs: at most two at a time".
function M.topic(text, low, marks, unit)
  local rules = unit.level == "rules"
  if unit.kind ~= "instructions" and unit.kind ~= "memory" and not unit.list and not rules then return end
  local topic, value = match(low, "^([%l][%l %-/]*):%s+(.+)$")
  if not topic or words_in(topic) > 4 then return end
  local last = match(topic, "%l+$")
  if not last or W.no_rule_labels[match(topic, "%l+")] and (not W.topics[last] or last == topic) then return end
  local limits = any(value, LIMITS) or find(value, "%f[%a]must%f[%A]") or find(value, "%f[%a]never%f[%A]")
    or find(value, "%f[%a]always%f[%A]") or find(value, ", not ") or find(value, " instead of ")
    or find(value, "%f[%a]no wider than") or find(value, "%f[%a]no longer than")
  local about = W.topics[last] or W.topics[last .. "s"] or find(topic, "names$") or find(topic, "messages$")
    or find(topic, "comma$") or find(topic, "length$") or find(topic, "style$")
  if unit.level == "facts" and not limits or not find(gsub(value, "\1%d+\2", ""), "%l%l") and not about then return end
  if not limits and not rules and not (about and (unit.kind ~= "notes" or unit.list)) then return end
  local preferred = find(unit.heading or "", "preference") ~= nil
  if rules and not limits and not about and not preferred and words_in(value) < 2 then return end
  if words_in(value) > 24 or find(value, "^%d+ of %d+") or find(value, "^https?:") then return end
  if any(value, FINITE) and not limits and not about then return end
  marks.topic = true
  return made("do", text)
end

-- "Four spaces, not tabs", "Shorter answers please".
function M.bare(text, low, marks, unit)
  if any(low, FINITE) or any(low, wording.pronouns) or words_in(low) > 16
    or find(low, "%f[%a]should%f[%A]") then return end
  local a, b = match(low, "^(.-),%s+not%s+()")
  if not a then
    a, b = match(low, "^(.-)%s+over%s+()")
    if a and (find(low, "^more than", b) or find(low, "^%d", b) or find(low, "^the ", b)) then a = nil end
  end
  if not a then a, b = match(low, "^(.-)%s+instead of%s+()") end
  if not a then a, b = match(low, "^(.-)%s+rather than%s+()") end
  local placed = unit.list and unit.kind ~= "decision" and unit.kind ~= "log" or unit.kind == "instructions"
    or unit.kind == "chat" or unit.kind == "memory" or unit.level == "rules"
  if a and placed and not find(a, "%f[%a]%l+ed%f[%A]") and not find(a, "^[ait][nh]?[eo]? ") and not is_order(a) then
    -- "Alerts go to the channel, not to mail" is a sentence.
    local verb = match(a, "^%l+s (%l+)")
    if verb and W.verbs[verb] and not W.nouns_too[verb] or find(a, "s %l+ %l+ ") and not find(a, " of ")
      and words_in(a) > 3 or find(sub(low, b), "^to ")
      or find(sub(low, b), "^in ") or find(sub(low, b), "^on ") or find(sub(low, b), "^from ") then
      return words_in(a) <= 8 and made("do", text) or nil
    end
    if words_in(a) <= 5 then
      return made("prefer", ("Prefer %s over %s"):format(small(sub(text, 1, #a)), sub(text, b)), sub(text, 1, #a),
        sub(text, b))
    end
  end
  if (marks.request or find(lower(unit.text), "please%W*$")) and any(low, W.comparatives) then
    return made("do", find(low, "^in ") and "Answer " .. text or "Wanted: " .. text)
  end
  if marks.request and unit.kind == "chat" and find(low, " only$") then return made("do", "Wanted: " .. text) end
  -- Four spaces in Python, tabs in Makefiles.
  if unit.kind == "instructions" and unit.list and any(low, W.layouts) then return made("do", text) end
end

local IDIOMS = { "^get to the point", "^be brief", "^be concise", "^be terse", "^be short", "^be direct",
  "^be honest", "^be specific", "^be precise", "^be explicit", "^think before", "^ask first", "^ask before",
  "^ask me", "^show your work", "^cite your sources", "^keep it ", "^default to ", "^stick to ", "^stick with ",
  "^err on ", "^be consistent", "^be kind to", "^opt for ", "^check with me", "^check in with me", "^double%-check",
  "^don't ask" }

-- True if an order without a duration is meant for good, by its place.
local function lasting(verb, low, marks, unit)
  local kind = unit.kind
  if unit.level == "rules" then return true end
  if kind == "memory" then return unit.level ~= "facts" end
  if not W.standing[verb] then return false end
  if kind == "guide" then return unit.list or false end
  local topic = false
  for word in string.gmatch(low, "%l+") do topic = topic or W.topics[word] == true end
  return kind == "chat" and unit.speaker ~= "team" and (topic or marks.correction or find(low, "%f[%a]%l+s%f[%A]")
    or find(low, " when ") or find(low, " in %l+ when"))
end

function M.order(text, low, marks, unit)
  if not is_order(low) or unit.task and not marks.strong then return end
  local verb = match(first_word(low), "^%l+")
  local kind, rules = unit.kind, unit.level == "rules"
  if find(low, "^note that ") or find(low, "^note \1") or find(low, "^return to ") then return end
  local firm = marks.strong or marks.decided or marks.condition or marks.label
  local general = firm or marks.general or any(low, W.general) or any(low, IDIOMS)
  local asked = marks.should or marks.request
  if unit.ordered and W.steps[verb] and not general and not rules then return end
  if W.errands[verb] and not firm and not asked then return end
  if marks.nit or marks.question and not any(low, W.general) then return end
  if verb == "be" and kind ~= "instructions" and not rules and not any(low, IDIOMS)
    and not find(low, "^be %l+ with ") then
    return
  end
  if kind == "instructions" then
    if W.steps[verb] and not general and not unit.list and not asked and not rules then return end
    if unit.level == "facts" and not general and not asked then return end
    if words_in(low) < 3 and not any(low, IDIOMS) then return end
  elseif not general and not marks.should then
    if not lasting(verb, low, marks, unit) then return end
  elseif (kind == "notes" or unit.speaker == "team") and not firm and not W.standing[verb]
    and not any(low, W.lasting) then
    return
  end
  return made("do", text)
end

function M.only(text, low, marks, unit)
  local rest = match(low, "^only%s+()")
  if not rest then return end
  -- Only synthetic data in prompts.
  local placed = unit.list or unit.level == "rules" or unit.kind == "instructions" or unit.kind == "decision"
    or unit.speaker == "user"
  local phrase = placed and words_in(low) >= 4 and not any(low, FINITE) and (find(low, " in ") or find(low, " for ")
    or find(low, " on ") or find(low, " with ") or find(low, " from ") or find(low, " as "))
    and not find(low, "^only then")
  if is_order(sub(low, rest)) or phrase then
    marks.strong = true
    return made("do", text)
  end
end

function M.meaning(text, low, marks)
  local said, meant = match(low, "^when i say ()[^,]+,%s+i mean%s+()")
  if not said then return end
  marks.user, marks.strong = true, true
  local word = match(sub(text, said), "^([^,]+),")
  return made("do", ("Understand %s as %s"):format(word, trimmed(sub(text, meant))))
end

return M
