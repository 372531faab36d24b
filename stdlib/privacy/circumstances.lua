--- What is told about a person without a form to tell it by: where they live, how they are, whom they belong to.

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

local STREETS = { "street", "avenue", "road", "lane", "drive", "boulevard", "court", "square", "terrace", "crescent",
  "close", "way", "place", "gardens", "st", "ave", "rd", "blvd", "ln", "dr" }
local STREET_ENDS = { "strasse", "straße", "str.", "str", "gasse", "allee", "platz", "weg", "damm", "ufer", "gata",
  "gatan",
  "vej", "straat", "laan" }

-- After a street: flat, postcode, town.
local function rest_of_address(text, to)
  local window = sub(text, to + 1, to + 70)
  local more = match(window, "^,?%s*%u?%-?%d%d%d%d%d?%s+%u[%a\128-\255%-]+")
    or match(window, "^,?%s*%u[%a\128-\255%-]+,?%s+%u%u?%d[%u%d]?%s?%d%u%u%f[%W]")
    or match(window, "^,?%s*%u[%a\128-\255%- ]-,%s*%u%u%s+%d%d%d%d%d")
    or match(window, "^,%s*%u[%a\128-\255%-]+")
  return more and to + #more or to
end

local function addresses(text, low, add)
  for i = 1, #STREETS do
    local word = STREETS[i]
    local at = find(low, word, 1, true)
    while at do
      local to = at + #word - 1
      -- 27 Juniper Crescent, but not "3 steps. The way".
      if find(sub(text, at, at), "%u") and find(sub(text, at - 1, at - 1), "%s") and not find(sub(text, to + 1,
        to + 1), "[%w_]")
      then
        local start = math.max(1, at - 48)
        local head = match(sub(text, start, at - 1), "%f[%w]%d+%a?,?%s+%u[%a\128-\255'%.%-]*%s+$")
          or match(sub(text, start, at - 1), "%f[%w]%d+%a?,?%s+%u[%a\128-\255'%.%-]*%s+%u[%a\128-\255'%-]*%s+$")
        if head then add(at - #head, rest_of_address(text, to), "postal address") end
      end
      at = find(low, word, to + 1, true)
    end
  end
  for from, word, number, to in string.gmatch(text, "()(%u[%a\128-\255%.%-]+) (%d+%a?)()") do
    local name = lower(word)
    for i = 1, #STREET_ENDS do
      local tail = STREET_ENDS[i]
      if #name >= #tail + 3 and sub(name, -#tail) == tail and #number <= 5 then
        add(from, rest_of_address(text, to - 1), "postal address")
        break
      end
    end
  end
  for _, lead in ipairs { "rue ", "avenue ", "boulevard ", "place ", "calle ", "via ", "rua ", "avenida ", "piazza ",
    "plaza ", "carrer " } do
    local at = find(low, lead, 1, true)
    while at do
      local before = match(sub(text, math.max(1, at - 10), at - 1), "%f[%w]%d+%a?,?%s$")
      local name = match(sub(text, at + #lead, at + #lead + 50), "^[%l' ]-%u[%a\128-\255%-]+")
      local number = name and match(sub(text, at + #lead + #name, at + #lead + #name + 12), "^,?%s%d+%a?%f[%W]")
      local capital = find(sub(text, at, at), "%u")
      if name and ((before and lead ~= "via " and lead ~= "place ") or (number and capital)) then
        add(at - #(before or ""), rest_of_address(text, at + #lead - 1 + #name + #(number or "")), "postal address")
      end
      at = find(low, lead, at + #lead, true)
    end
  end
  for from, code, to in string.gmatch(text, "()%f[%w](%u%u?%d[%u%d]?%s%d%u%u)%f[%W]()") do
    if #code >= 6 then add(from, to - 1, "postal address") end
  end
  for from, to in string.gmatch(text, "()%f[%a]%u%l+,%s+%u%u%s+%d%d%d%d%d%f[%D]()") do add(from, to - 1,
    "postal address") end
  for from, to in string.gmatch(text, "()%f[%w]%u?%u?%-?%d%d%d%d%d%s+%u%l%l%l+%f[%W]()") do
    if find(sub(text, from, from), "%u") or find(sub(text, from - 2, from - 1), ",%s") then
      add(from, to - 1, "postal address")
    end
  end
  for from, to in string.gmatch(low, "()%f[%w]p%.?%s?o%.? box %d+()") do add(from, to - 1, "postal address") end
  for from, to in string.gmatch(low, "()%f[%w]postfach %d[%d ]*()") do add(from, to - 1, "postal address") end
end

-- Said of a person and of nothing else.
local TOLD = { "diabetic", "epileptic", "asthmatic", "dyslexic", "dyslexia", "autistic", "adhd", "pregnan",
  "miscarriage",
  "sick leave", "maternity leave", "paternity leave", "parental leave", "medical leave", "surgery", "chemotherapy",
  "on medication", "antidepressant", "diagnosed with", "allergic to", "my therapist", "my doctor", "wheelchair",
  "hiv positive", "hiv-positive", "in rehab", "burnout", "bipolar", "schizophren", "is colour-blind", "is color-blind",
  "am colour-blind", "am color-blind", "is colour blind", "is color blind", "am colour blind", "am color blind",
  "i'm colour", "i'm color", "hearing aid", "is deaf", "am deaf", "is blind", "am blind", "low vision", "carpal tunnel",
  "my wife", "my husband", "my son", "my daughter", "my kids", "my children", "my child", "my girlfriend",
    "my boyfriend",
  "my mother", "my father", "my ex", "his wife", "her husband", "their divorce", "getting divorced", "is divorced",
  "my salary", "his salary", "her salary", "earns ", "my religion", "is gay", "is lesbian", "is muslim", "is jewish",
  "is catholic", "votes for", "trade union member", "my home address", "my address is", "home address", "anschrift:",
  "i live in ", "i live at", "i live on", "lives at ", "wohnt in ", "i grew up", "criminal record", "blood pressure",
  "blood type", "krank", "my visa", "asylum", "native speaker of", "was arrested", "credit score" }

-- These are also names of data and of other things; near them must be somebody.
local NEAR = { "diabetes", "cancer", "tumour", "tumor", "depression", "migraine", "insulin", "lithium", "hospital",
  "asthma", "epilepsy", "therapy", "medication", "illness", "disease", "operation on", "injury", "anxiety",
    "disability",
  "prescription", "allergy", "allergies", "fever", "covid", "operated", "stroke", "heart attack", "clinic", "divorce",
  "unwell", "is ill", "sick", "flu ", "insomnia", "sober", "hernia", "arthritis", "panic attack" }

local function person_near(low, from, to)
  local before = sub(low, math.max(1, from - 48), from - 1)
  before = match(before, "[^%.\n!?]*$")
  local after = match(sub(low, to + 1, to + 24), "^[^%.\n!?]*")
  return find(before, "%f[%a]i%f[%A]") or find(before, "%f[%a]my%f[%A]") or find(before, "%f[%a]s?he%f[%A]")
    or find(before, "%f[%a]his%f[%A]") or find(before, "%f[%a]her%f[%A]") or find(before, "%f[%a]i'[mv]")
    or find(after, "^ of h[ie][sr]") or false
end

local function states(low, add)
  for i = 1, #TOLD do
    local word = TOLD[i]
    local at = find(low, word, 1, true)
    while at do
      local to = at + #word - 1
      if not find(sub(low, at - 1, at - 1), "[%a_%-]") then
        -- "back surgery": the word before says of what.
        local lead = match(sub(low, math.max(1, at - 16), at - 1), "%a+ $")
        local tail = match(sub(low, to + 1, to + 24), "^%a*")
        if find(word, " $") or find(word, "with$") or find(word, "to$") then
          tail = tail .. (match(sub(low, to + 1 + #tail, to + 40), "^%s?[%a\128-\255]+") or "")
        end
        add(at - (lead and #lead or 0), to + #tail, find(word, "^my ") and "family or health"
          or "personal circumstances")
      end
      at = find(low, word, to + 1, true)
    end
  end
  for i = 1, #NEAR do
    local word = NEAR[i]
    local at = find(low, word, 1, true)
    while at do
      local to = at + #word - 1
      if not find(sub(low, at - 1, at - 1), "[%w_%-]") and not find(sub(low, to + 1, to + 1), "[%w_%-]")
        and person_near(low, at, to) then
        add(at, to, "health")
      end
      at = find(low, word, to + 1, true)
    end
  end
end

local function origins(text, low, add)
  for from, to in string.gmatch(text, "()%f[%a][Nn]ative %u%l+ [Ss]peaker()") do add(from, to - 1, "origin") end
  for from, to in string.gmatch(text, "()%f[%a]%u%l+ citizen()") do add(from, to - 1, "origin") end
  for from, to in string.gmatch("\n" .. text, "()\n[%s%*%->]*[Ll]ives? [ioa][nt] [%u%d][^\n%.;,]*()") do
    add(math.max(1, from), to - 2, "postal address")
  end
  for from, to in string.gmatch(low, "()%f[%a]s?he lives in %a+()") do add(from, to - 1, "postal address") end
end

--- Calls add(from, to, kind) for each such thing that the text tells.
---@param text string
---@param low string the text in lower case
---@param add fun(from: integer, to: integer, kind: string)
function M.scan(text, low, add)
  addresses(text, low, add)
  states(gsub(low, "’", "'"), add)
  origins(text, low, add)
end

return M
