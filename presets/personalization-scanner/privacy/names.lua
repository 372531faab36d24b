--- Names of people: those that a text introduces (a header, a signature, "my name is"), those that follow a title or an
--- address, and given names that are no words. A name that was introduced once is found wherever it occurs again.

local names_data = require "privacy.names_data"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

local GIVEN = names_data.given

local NOT_NAMES = names_data.not_names

local LETTER = "[%a\128-\255]"
local UPPER = "[%u\195-\197]"
-- A word of a name: Anna, Osei-Tutu, O'Neill, Łukasz, Ó.
local WORD = UPPER .. "[%a\128-\255'’%-]*"

local function is_name_word(word)
  local bare = gsub(word, "['’]s$", "")
  if NOT_NAMES[bare] or #bare < 2 or find(bare, "^%u+$") and #bare > 3 then return false end
  -- CamelCase is code; McKay and O'Neill are people.
  return not (find(bare, "%l%u") and not find(bare, "^Ma?c%u") and not find(bare, "^%l"))
end

-- The words of a name at the start of a text: {from, to} of each, in a row.
local function name_at(text, most)
  local words, pos = {}, 1
  while #words < (most or 4) do
    local from, word, to = match(text, "^()(" .. WORD .. ")()", pos)
    if word and #word == 1 and sub(text, to, to) == "." then to = to + 1 end
    if not word or not (is_name_word(word) or find(word, "^%u$")) then
      -- van der Berg, de la Cruz
      local particle = #words > 0 and match(text, "^(%l%l%l?) ", pos)
      if not particle or not find(" van von de del der den la le da di dos bin al el zu ", " " .. particle .. " ", 1,
        true)
      then
        break
      end
      pos = pos + #particle + 1
    else
      words[#words + 1] = { from, to - 1, word }
      if sub(text, to, to) ~= " " then break end
      pos = to + 1
    end
  end
  return words
end

local HEADS = names_data.heads

local function add_words(found, words, text, base)
  for i = 1, #words do
    local word = gsub(words[i][3], "['’]s$", "")
    if #word >= 3 and not find(word, "^%u+$") then found[#found + 1] = word end
  end
  local last = words[#words]
  return { base + words[1][1] - 1, base + last[2] - 1, text }
end

-- Names behind a label at the start of a line, several if they are a list.
local function headed(text, found, spans)
  local from = 1
  while from <= #text do
    local stop = find(text, "\n", from, true) or #text + 1
    local line = sub(text, from, math.min(stop - 1, from + 400))
    local lead, label, rest = match(line, "^([%s%*%->#|_]*)([%a%-]+)[%*_]*:[%*_]*%s+()")
    if not label then
      -- "Reviewer 2: Ann Lee", "Written by Ann Lee"
      lead, label, rest = match(line, "^([%s%*%->#|_]*)([%a%-]+) by:?%s+()")
      if label then label = find(lower(label), "^%a+ed$") or find(lower(label), "^written$") and "author" or "" end
      if label and label ~= "" then label = "author" end
    end
    if label and lead and HEADS[lower(label)] then
      local pos = rest
      for _ = 1, 30 do
        local words = name_at(sub(line, pos), 4)
        if #words > 0 then
          spans[#spans + 1] = add_words(found, words, "name", from + pos - 1)
          pos = pos + words[#words][2]
        end
        local next_one = match(line, "^[^,;&\n]-[,;&]%s*()", pos) or match(line, "^%s+and%s+()", pos)
        if not next_one then break end
        pos = next_one
      end
    end
    from = stop + 1
  end
end

local CLOSINGS = names_data.closings
local CLOSES = {}
for _, closing in ipairs(CLOSINGS) do CLOSES[closing] = true end

local function signed(text, found, spans)
  local from = 1
  while true do
    local stop = find(text, "\n", from, true)
    if not stop then return end
    if stop - from <= 40 then
      local line = lower(sub(text, from, stop - 1))
      local bare = match(line, "^[%s>]*(.-)[%s,!%.]*$")
      local after = CLOSES[bare] and find(text, "[^%s>]", stop) or (bare == "--" and stop + 1)
      if after then
        local words = name_at(sub(text, after, after + 80), 4)
        local ends = #words > 0 and after + words[#words][2]
        if ends and find(text, "^[%s,%.|%(]", ends) or ends and ends > #text then
          spans[#spans + 1] = add_words(found, words, "name", after)
        end
      end
    end
    from = stop + 1
  end
end

local INTRODUCED = names_data.introduced
local WEAK = names_data.weak
local NEEDS_CAPITAL = names_data.needs_capital

local function introduced(text, low, found, spans)
  for i = 1, #INTRODUCED do
    local lead, least = INTRODUCED[i][1], INTRODUCED[i][2]
    local at = find(low, lead, 1, true)
    while at do
      local after = at + #lead
      local fits = not find(sub(low, at - 1, at - 1), "[%w_%-]")
        and (not NEEDS_CAPITAL[lead] or find(sub(text, at, at), "%u"))
      local words = fits and find(sub(text, after, after), UPPER) and name_at(sub(text, after, after + 80), 4) or {}
      if #words >= least then spans[#spans + 1] = add_words(WEAK[lead] and {} or found, words, "name", after) end
      at = find(low, lead, after, true)
    end
  end
  -- Ann Lee <ann@…
  local at = find(text, " <", 1, true)
  while at do
    if find(sub(text, at + 2, at + 80), "^[^%s<>@]+@") then
      local start = math.max(1, at - 60)
      local before = match(sub(text, start, at - 1), "[^\n:;,|<>\"%(]*$")
      local skip = match(before, "^%s*()")
      local words = name_at(sub(before, skip), 4)
      if #words > 0 then spans[#spans + 1] = add_words(found, words, "name", at - #before + skip - 1) end
    end
    at = find(text, " <", at + 2, true)
  end
end

-- Given names, with the capitalised words behind them.
local function given(text, found, spans)
  for from, word in string.gmatch(text, "()(" .. UPPER .. LETTER .. "+)") do
    local before = sub(text, from - 1, from - 1)
    if GIVEN[word] and not find(before, "[%w_%.%-/@\\`]") and not find(sub(text, from + #word, from + #word),
      "[%w_/`%(]") then
      local words = name_at(sub(text, from, from + 80), 4)
      if #words == 0 then words = { { 1, #word, word } } end
      spans[#spans + 1] = add_words(found, words, "name", from)
    end
  end
end

local DOES = names_data.does

local function acting(text, found, spans)
  local pattern = "()%f[%w\128-\255](" .. UPPER .. "[%l\128-\255'’%-]+) (%l[%l\128-\255]+)"
  for from, word, verb in string.gmatch(text, pattern) do
    if DOES[verb] and is_name_word(word) and not find(word, "['’]%l%l?$")
      and not find(sub(text, from - 1, from - 1), "[%w_`@/%.%-]")
      -- A word that is in lower case elsewhere is no name.
      and not find(text, "%f[%w]" .. lower(word) .. "%f[%W]") then
      spans[#spans + 1] = add_words(found, { { 1, #word, word } }, "name", from)
    end
  end
  for from, word in string.gmatch(text, "[Aa]ccording to ()(" .. WORD .. ")") do
    if is_name_word(word) then spans[#spans + 1] = add_words({}, { { 1, #word, word } }, "name", from) end
  end
end

local STAMPED = "^%[?%d[%d%-:/%.T ,APMapm]+%]?[%s%-]+<?@?([%a\128-\255][%w\128-\255%.%-_]*)>?:%s"
local LABELLED = "^%**(" .. UPPER .. "[%l\128-\255%-]+)%**:%**%s"

-- Names that addresses of mail are made of: Ann Lee, ann.lee@…
local function mailed(text, low, found)
  local at, known = find(low, "@", 1, true), {}
  while at do
    local piece = match(sub(low, math.max(1, at - 64), at - 1), "[%w%.%-_]+$")
    for word in string.gmatch(piece or "", "%a%a%a%a+") do
      local name = gsub(word, "^%l", string.upper)
      if not known[name] and is_name_word(name) and find(text, "%f[%a]" .. name .. "%f[%A]") then
        found[#found + 1] = name
      end
      known[name] = true
    end
    at = find(low, "@", at + 1, true)
  end
end

-- Speakers of a conversation, "[09:14] torben: …" or "Ann: …": most lines begin so, and somebody does twice.
local function speaking(text, found)
  local counts, total, lines = {}, 0, 0
  for line in string.gmatch("\n" .. text, "\n([^\n]*)") do
    if find(line, "%S") then lines = lines + 1 end
    local name = match(line, STAMPED) or match(line, LABELLED) or match(line, "^<([%w_%-%.]+)>%s")
    if name and #name >= 3 and #name <= 24 then
      counts[name], total = (counts[name] or 0) + 1, total + 1
    end
  end
  if total < 3 or total * 2 < lines then return end
  for name, count in pairs(counts) do
    name = gsub(name, "^%l", string.upper)
    if count >= 2 and is_name_word(name) and find(name, "^" .. UPPER .. "[%l\128-\255]+$") then
      found[#found + 1] = name
    end
  end
end

local TAGS = names_data.tags

local function handles(text, low, add)
  local at = find(text, "@", 1, true)
  while at do
    local name = match(sub(text, at + 1, at + 40), "^[%a][%w_%-]+")
    local before = sub(text, at - 1, at - 1)
    if name and #name >= 3 and (before == "" or find(before, "[%s%(,:\"'%[]")) then
      local next_char = sub(text, at + 1 + #name, at + 2 + #name)
      local code = find(next_char, "^[/%({]") or find(next_char, "^%.%a") or find(sub(text, at - 1, at - 1), "`")
      if not TAGS[lower(name)] and not code then add(at, at + #name, "handle") end
    end
    at = find(text, "@", at + 1, true)
  end
  for _, word in ipairs { "telegram", "discord", "skype", "twitter", "instagram", "mastodon", "wechat", "threema",
    "handle", "nickname", "irc nick" } do
    local from = find(low, word, 1, true)
    while from do
      local after = from + #word
      local gap, name = match(sub(text, after, after + 60), "^(%s*[%a ]-%s*[:=]%s*@?)([%w_%.#%-]+)")
      gap, name = gap or match(sub(text, after, after + 60), "^( is @?)()"), name
      if name and #name >= 3 and not find(sub(low, from - 1, from - 1), "[%w_]") and not find(name, "^#") then
        add(after + #gap, after + #gap + #name - 1, "handle")
      end
      from = find(low, word, after, true)
    end
  end
  for _, site in ipairs { "linkedin.com/in/", "twitter.com/", "//x.com/", "t.me/", "instagram.com/",
    "facebook.com/" } do
    local from = find(low, site, 1, true)
    while from do
      local name = match(sub(text, from + #site, from + #site + 60), "^[%w_%.%-]+")
      if name then add(from, from + #site + #name - 1, "profile page") end
      from = find(low, site, from + #site, true)
    end
  end
end

local ANYONE = names_data.anyone

local function homes(text, low, add)
  for _, lead in ipairs { "/home/", "/users/", "\\users\\", "\\\\users\\\\" } do
    local at = find(low, lead, 1, true)
    while at do
      local name = match(sub(text, at + #lead, at + #lead + 64), "^[%w\128-\255][%w%._\128-\255%-]*")
      -- A route of a web site is written in lower case.
      local path = lead ~= "/users/" or sub(text, at, at + 6) == "/Users/"
      if name and path and not find(sub(text, at - 1, at - 1), "[%w%.]") and not ANYONE[lower(name)] then
        add(at, at + #lead + #name - 1, "home folder")
      end
      at = find(low, lead, at + #lead, true)
    end
  end
  for from, name, to in string.gmatch(text, "()~(%l[%w_%-]+)()/") do
    if not find(sub(text, from - 1, from - 1), "[%w_/=]") and not ANYONE[name] then add(from, to - 1, "home folder") end
  end
end

--- The words of the names that a text introduces, for finding them again in other texts.
---@param text string
---@return string[]
function M.introduced(text)
  local found, spans = {}, {}
  headed(text, found, spans)
  signed(text, found, spans)
  introduced(text, lower(text), found, spans)
  given(text, found, spans)
  acting(text, found, spans)
  speaking(text, found)
  mailed(text, lower(text), found)
  return found
end

-- Names that are written like words, as in logins and addresses.
local function small_again(text, low, words, add)
  local wanted = {}
  for _, word in ipairs(words) do
    if #word >= 5 and not NOT_NAMES[word] then wanted[lower(word)] = true end
  end
  if not next(wanted) then return end
  for from, word, to in string.gmatch(low, "()(%l[%l\128-\255]+)()") do
    if wanted[word] and find(text, "^%l", from) then add(from, to - 1, "name") end
  end
end

local function again(text, words, add)
  local wanted = {}
  for _, word in ipairs(words) do
    if not NOT_NAMES[word] then wanted[word] = true end
  end
  if not next(wanted) then return end
  for from, word, to in string.gmatch(text, "()(" .. UPPER .. "[%a\128-\255'’%-]*)()") do
    local bare = gsub(word, "['’]s$", "")
    if not find(sub(text, from - 1, from - 1), "[%w_]") then
      local hit = wanted[bare]
      for piece in string.gmatch(bare, "[^%-]+") do hit = hit or wanted[piece] end
      if hit then add(from, to - 1, "name") end
    end
  end
end

--- Calls add(from, to, kind) for each name, handle and home folder of the text.
---@param text string
---@param low string the text in lower case
---@param add fun(from: integer, to: integer, kind: string)
---@param known string[]? words of names that are known already
---@param strict boolean? also names in small letters
function M.scan(text, low, add, known, strict)
  local found, spans = {}, {}
  headed(text, found, spans)
  signed(text, found, spans)
  introduced(text, low, found, spans)
  given(text, found, spans)
  acting(text, found, spans)
  speaking(text, found)
  mailed(text, low, found)
  for _, span in ipairs(spans) do add(span[1], span[2], span[3]) end
  for _, word in ipairs(known or {}) do found[#found + 1] = word end
  again(text, found, add)
  if strict then small_again(text, low, found, add) end
  handles(text, low, add)
  homes(text, low, add)
end

return M
