--- Circumstances of a person, which have no fixed form: their home, their health, their ties.

local phrases = require "moonlet.phrases"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

local STREETS = { "street", "avenue", "road", "lane", "drive", "boulevard", "court", "square", "terrace", "crescent",
  "close", "way", "place", "gardens", "st", "ave", "rd", "blvd", "ln", "dr" }
local STREET_ENDS = { "strasse", "straße", "str.", "str", "gasse", "allee", "platz", "weg", "damm", "ufer", "gata",
  "gatan", "vej", "straat", "laan" }

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
  for at, number, to in string.gmatch(text, "() (%d+%a?)()") do
    local word = #number <= 5 and match(sub(text, math.max(1, at - 48), at - 1), "%u[%a\128-\255%.%-]+$")
    local name = word and lower(word)
    for i = 1, name and #STREET_ENDS or 0 do
      local tail = STREET_ENDS[i]
      if #name >= #tail + 3 and sub(name, -#tail) == tail then
        add(at - #word, rest_of_address(text, to - 1), "postal address")
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

-- Said of a person and of nothing else. An entry that begins with = is a whole word.
local TOLD = phrases.list [[diabetic | epileptic | asthmatic | dyslexic | dyslexia | autistic | autism | adhd |
  pregnan | miscarriage | sick leave | sick note | maternity leave | paternity leave | parental leave |
  medical leave | bereavement | surgery | chemotherapy | radiotherapy | on medication | antidepress | diagnosed with |
  allergic to | my therapist | my doctor | my dentist | the dentist | root canal | wheelchair | left-handed |
  hiv positive | hiv-positive | in rehab | burnout | bipolar | schizophren | is colour-blind | is color-blind |
  am colour-blind | am color-blind | is colour blind | is color blind | am colour blind | am color blind |
  i'm colour | i'm color | hearing aid | is deaf | am deaf | is blind | am blind | low vision | carpal tunnel |
  chickenpox | hernia | dialysis | pacemaker | ivf | my wife | my husband | my son | my daughter | my kids |
  my children | my child | my girlfriend | my boyfriend | my mother | my father | my ex | my mum | my mom | my dad |
  my sister | my brother | my partner | his wife | her husband | their divorce | getting divorced | is divorced |
  custody of | my salary | his salary | her salary | their salary | salary of | earns | my religion | is gay |
  is lesbian | is transgender | is muslim | is jewish | is catholic | is hindu | votes for | trade union member |
  my home address | my address is | home address | new address | i live in | i live at | i live on | lives at |
  i grew up | criminal record | blood pressure | blood type | my visa | asylum | native speaker of | was arrested |
  credit score | bankruptcy | shingles | crohn | parkinson | alzheimer | fibromyalgia | lupus | endometriosis |
  sleep apn |
  coeliac | celiac | ptsd | multiple sclerosis | tinnitus | chronic pain | chronic illness | chronic fatigue |
  chronic migraine | eating disorder | anxiety disorder | is recovering from | suffers from | leidet an | souffre d |
  padece | soffre di | psychiatr | psycholog | mental health | hearing loss | anschrift: | wohnt in | wohnhaft |
  ich wohne | krankgeschrieben | krankheit | erkrankt | ist krank | =krank | elternzeit | mutterschutz | schwanger |
  meine frau | mein mann | mein sohn | meine tochter | meine kinder | meine mutter | mein vater | bandscheibe |
  beim zahnarzt | zum arzt | beim arzt | operiert | gehalt von | gehälter | euro brutto | euro netto | geschieden |
  scheidung | depression | pflegefall | herzinfarkt | schlaganfall | behindert | schwerbehinder | habite au |
  habite à | habite en | habite rue | enceinte | ma femme | mon mari | mon fils | ma fille | arrêt maladie |
  congé maternité | embarazada | mi esposa | mi marido | mi hijo | mi hija | baja médica | vive en la calle |
  zwanger | mijn vrouw | mijn man | ziekteverlof]]

-- Labels of notes about a person.
local LABELLED = phrases.list [[partner | spouse | wife | husband | kids | children | family | religion | health |
  allergies | medical | diagnosis | blood type | salary | nationality | marital status | gehalt | familie | kinder |
  gesundheit | ehefrau | ehemann | konfession | colour-blind | color-blind | colour blind | color blind |
  colourblind | colorblind | date of birth | home | lives | address | adresse | wohnort]]

-- These are also names of data and of other things; near them must be somebody.
local NEAR = phrases.list [[diabetes | cancer | tumour | tumor | depression | migraine | insulin | lithium |
  hospital | asthma | epilepsy | therapy | medication | illness | disease | operation on | injury | anxiety |
  disability | prescription | allergy | allergies | fever | covid | operated | stroke | heart attack | clinic |
  divorce | unwell | is ill | sick | flu | insomnia | sober | arthritis | panic attack | dentist | doctor | rehab |
  krebs | migräne | operation | klinik | krankenhaus | reha | arzt | ärztin]]

local function person_near(low, from, to)
  local before = sub(low, math.max(1, from - 48), from - 1)
  before = match(before, "[^%.\n!?]*$")
  local after = match(sub(low, to + 1, to + 24), "^[^%.\n!?]*")
  return find(before, "%f[%a]i%f[%A]") or find(before, "%f[%a]my%f[%A]") or find(before, "%f[%a]s?he%f[%A]")
    or find(before, "%f[%a]his%f[%A]") or find(before, "%f[%a]her%f[%A]") or find(before, "%f[%a]i'[mv]")
    or find(after, "^ of h[ie][sr]") or false
end

local WHOLE, told = {}, {}
for i, phrase in ipairs(TOLD) do
  told[i] = gsub(phrase, "^=", "")
  WHOLE[told[i]] = told[i] ~= phrase or nil
end
local TOLD_AT, NEAR_AT, LABELLED_AT = phrases.index(told), phrases.index(NEAR), phrases.index(LABELLED)

local function states(low, add)
  phrases.each(TOLD_AT, low, function(word, at, to)
    if WHOLE[word] and find(low, "^[%a\128-\255]", to + 1) or find(sub(low, at - 1, at - 1), "_") then return end
    -- "back surgery": the word before specifies it.
    local lead = match(sub(low, math.max(1, at - 16), at - 1), "%a+ $")
    local tail = match(sub(low, to + 1, to + 24), "^%a*")
    if find(word, "%f[%a]%l%l%l?$") or find(word, "with$") or find(word, "earns$") then
      tail = tail .. (match(sub(low, to + 1 + #tail, to + 40), "^%s?[%a\128-\255]+") or "")
    end
    add(at - (lead and #lead or 0), to + #tail, find(word, "^my ") and "family or health" or "personal circumstances")
  end)
  for from, to in string.gmatch(low, "()%f[%a]has %l+[%l' ]- disease()") do add(from, to - 1, "health") end
  for from, to in string.gmatch(low, "()%f[%a]has %l+[%l' ]- syndrome()") do add(from, to - 1, "health") end
  phrases.each(NEAR_AT, low, function(_, at, to)
    if not find(sub(low, at - 1, at - 1), "[_%-]") and not find(sub(low, to + 1, to + 2), "^s?[%w_%-]")
      and person_near(low, at, to) then
      add(at, to, "health")
    end
  end)
end

-- "Partner: …", "two kids, …" in notes about somebody, and "Knie-OP".
local function noted(text, low, add)
  phrases.each(LABELLED_AT, low, function(_, at, to)
    if not find(low, "^[%*\"'_]*%s*[:=]", to + 1) then return end
    local start = math.max(1, at - 24)
    local before = sub(low, start, at - 1)
    if find(before, "\n[%s%*%->#|\"'{_]*$") or start == 1 and find(before, "^[%s%*%->#|\"'{_]*$") then
      local stop = find(text, "\n", to, true) or #text + 1
      add(at, math.min(stop - 1, to + 200), "personal circumstances")
    end
  end)
  for from, to in string.gmatch(low, "()%f[%a]%a* ?kids?, ()") do
    local words = match(sub(text, to, to + 30), "^%u[%l\128-\255]+")
    if words then add(from, to - 1 + #words, "family or health") end
  end
  for from, to in string.gmatch(text, "()%f[%w]%u[%l\128-\255]+%-OP()%f[%W]") do add(from, to - 1, "health") end
  -- Fenna (6)
  for from, to in string.gmatch(text, "()%f[%a]%u[%l\128-\255]+ %(%d%d?%)()") do
    local before = match(sub(low, math.max(1, from - 80), from - 1), "[^\n]*$")
    local family = false
    for _, word in ipairs { "kid", "child", "son%f[%A]", "daughter", "kinder", "sohn", "tochter", "enfant" } do
      family = family or find(before, word) ~= nil
    end
    if family then add(from, to - 1, "family or health") end
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

--- Calls add(from, to, kind) for each such circumstance in the text.
---@param text string
---@param low string the text in lower case
---@param add fun(from: integer, to: integer, kind: string)
function M.scan(text, low, add)
  addresses(text, low, add)
  states(gsub(low, "’", "'"), add)
  noted(text, low, add)
  origins(text, low, add)
end

return M
