--- Personal data that has a form: addresses of mail and machines, telephone numbers, accounts, cards, identity numbers,
--- dates of birth, places on the map.

local phrases = require "moonlet.phrases"
local set = require("moonlet.text").set

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

-- Endings of a file's name, not of a mail address.
local FILE_ENDS = set [[png jpg jpeg gif svg webp ico js ts mjs cjs jsx tsx css scss json jsonl py rb go rs c h cc cpp
  hpp java kt php sh md txt rst html htm xml yml yaml toml ini lock log service socket timer mount target slice conf
  cfg]]
local NOBODY = set "git hg svn noreply no-reply donotreply do-not-reply"

local function mail(text, low, add)
  local at = find(text, "@", 1, true)
  while at do
    local name = match(sub(text, math.max(1, at - 64), at - 1), "[%w%._%%%+'\128-\255%-]+$")
    local host = match(sub(text, at + 1, at + 200), "^[%w\128-\255][%w%.\128-\255%-]*%.[%a\128-\255][%a\128-\255]+")
    if name and host and not find(name, "^[%.%-]+$") then
      local from = at - #name
      local last = lower(match(host, "[^%.]+$"))
      if not FILE_ENDS[last] and not NOBODY[lower(name)] and sub(text, from - 1, from - 1) ~= "/" then
        add(from, at + #host, "e-mail address")
      end
    end
    at = find(text, "@", at + 1, true)
  end
  -- Written so that programs do not see it.
  at = find(low, "[%(%[{]%s?at%s?[%)%]}]")
  while at do
    local close = find(low, "[%)%]}]", at + 1)
    local name = match(sub(text, math.max(1, at - 64), at - 1), "[%w%._%+'%-]+%s?$")
    local host = match(sub(low, close + 1, close + 80), "^%s?[%w%-]+%s?[%(%[{]?%s?[d%.]o?t?%s?[%)%]}]?%s?%a[%a%.]+")
    if name and host then add(at - #name, close + #host, "e-mail address") end
    at = find(low, "[%(%[{]%s?at%s?[%)%]}]", close + 1)
  end
  at = find(low, " dot ", 1, true)
  while at do
    local start = math.max(1, at - 80)
    local name = match(sub(low, start, at - 1), "[%w%._%-]+ at [%w%-]+$")
    local last = match(sub(low, at + 5, at + 20), "^%a%a+")
    if name and last then add(at - #name, at + 4 + #last, "e-mail address") end
    at = find(low, " dot ", at + 4, true)
  end
end

local function luhn(digits)
  local sum, double = 0, false
  for i = #digits, 1, -1 do
    local d = digits:byte(i) - 48
    if double then
      d = d * 2
      if d > 9 then d = d - 9 end
    end
    sum, double = sum + d, not double
  end
  return sum % 10 == 0
end

local function is_card(run, digits)
  local size = #digits
  if size < 13 or size > 19 or not find(digits, "^[23456]") or find(digits, "^(%d)%1+$") then return false end
  if find(run, "[^%d]") and not find(run, "^%d%d%d%d[%s%-]%d%d%d%d[%s%-]%d%d%d%d[%s%-]%d+$")
    and not find(run, "^%d%d%d%d[%s%-]%d%d%d%d%d%d[%s%-]%d%d%d%d%d$") then
    return false
  end
  return luhn(digits)
end

local CALLS = { "phone", "mobile", "tel", "cell", "fax", "whatsapp", "handy", "mobil", "call me", "call", "ring me",
  "reach me", "reach him", "reach her", "text me", "hotline", "sms", "extension", "ext." }

local function called(before)
  for i = 1, #CALLS do
    local _, last = find(before, CALLS[i], 1, true)
    -- A telephone number stands close behind its label, with only words between.
    if last and not find(sub(before, last + 1), "[%d%(;=]") then return true end
  end
  return false
end

local function is_phone(run, digits, plus, before)
  local size = #digits
  if plus then return size >= 8 and size <= 15 and find(run, "^%+[1-9]") ~= nil end
  if size > 15 then return false end
  if find(run, "^%(%d%d%d%d?%)[%s%-]?%d%d%d[%s%-%.]?%d%d%d%d?") then return true end
  if find(run, "^1?[%-%. ]?%(?%d%d%d%)?[%-%.]%d%d%d[%-%.]%d%d%d%d$") then return true end
  if find(run, "^0[1-9]%d?%d?%d?[%s/%-]") and size >= 9 and size <= 13
    and not find(run, "^0%d[%-/]%d%d[%-/]%d%d%d%d") and not find(run, "%d%s%d%s%d%s%d") then
    return true
  end
  if find(run, "^00[1-9]%d") and find(run, "%s") and size >= 10 then return true end
  return size >= 6 and called(before) and not find(run, "^%d+%.%d+$")
    or size >= 3 and (find(before, "extension%s$") or find(before, "%f[%a]ext%.?%s?$")) ~= nil
end

-- Each run of digits, with the marks that may stand between the digits of one number.
local function digit_runs(text, low, add)
  local pos = 1
  while true do
    local at = find(text, "%d", pos)
    if not at then return end
    local lead = match(sub(text, math.max(1, at - 2), at - 1), "%+?%(?$")
    local from = at - #lead
    local run = match(sub(text, from, from + 48), "^%+?%(?%d[%d%s%-%.%(%)/\194\160]*")
    -- Only a number that begins with + may continue in the next line.
    if sub(run, 1, 1) ~= "+" then run = match(run, "^[^\n]*") end
    run = match(run, "^(.*%d)")
    local to = from + #run - 1
    pos = to + 1
    local digits = gsub(run, "%D", "")
    local around = sub(text, from - 1, from - 1)
    if #digits >= 3 and not find(around, "[%w_%.%-/#]") and not find(sub(text, to + 1, to + 1), "[%a_]") then
      local plus = sub(run, 1, 1) == "+"
      local before = sub(low, math.max(1, from - 30), from - 1)
      if is_card(run, digits) then
        add(from, to, "card number")
      elseif find(run, "^%d%d%d%-%d%d%-%d%d%d%d$") then
        add(from, to, "identity number")
      elseif find(run, "^756%.%d%d%d%d%.%d%d%d%d%.%d%d$") or find(run, "^%d%d%d%.%d%d%d%.%d%d%d%-%d%d$")
        or find(run, "^%d%d%d%d %d%d%d%d %d%d%d%d$") then
        add(from, to, "identity number")
      elseif is_phone(run, digits, plus, before) then
        add(from, to, "telephone number")
      end
    end
  end
end

local IBAN_SIZE = { DE = 22, GB = 22, FR = 27, ES = 24, IT = 27, NL = 18, BE = 16, AT = 20, CH = 21, PL = 28, PT = 25,
  SE = 24, NO = 15, DK = 18, FI = 18, IE = 22, LU = 20, CZ = 24, HU = 28, RO = 24, GR = 27, TR = 26, SK = 24, SI = 19,
  HR = 21, BG = 22, LT = 20, LV = 21, EE = 20, MT = 31, CY = 28, IS = 26, LI = 21, MC = 27, SM = 27, UA = 29, AE = 23,
  SA = 24, IL = 23, BR = 29 }

local function iban_ok(code)
  local moved = sub(code, 5) .. sub(code, 1, 4)
  local rest = 0
  for char in string.gmatch(moved, ".") do
    local value = tonumber(char, 36)
    rest = (value > 9 and rest * 100 + value or rest * 10 + value) % 97
  end
  return rest == 1
end

local function ibans(text, add)
  local at = find(text, "%f[%w]%u%u%d%d[%s%w]")
  while at do
    local window = sub(text, at, at + 60)
    local size, code, last = IBAN_SIZE[sub(window, 1, 2)], "", 0
    for pos, char in string.gmatch(window, "()(.)") do
      if find(char, "[%u%d]") then
        code, last = code .. char, pos
      elseif not find(char, "[%s%-]") then
        break
      end
      if size and #code == size then break end
    end
    if size and #code == size and iban_ok(code) then add(at, at + last - 1, "bank account") end
    at = find(text, "%f[%w]%u%u%d%d[%s%w]", at + 4)
  end
end

local NETWORK = { "ip", "host", "server", "address", "addr", "ssh", "ping", "relay", "client", "from", "gateway",
  "dns", "http", "connect", "node", "at", "proxy", "box", "machine" }

local function network(before)
  for i = 1, #NETWORK do
    if find(before, "%f[%a]" .. NETWORK[i] .. "%A") then return true end
  end
  return find(before, "[@/]$") ~= nil
end

local function machines(text, low, add)
  for from, token, to in string.gmatch(text, "()([%d%.]+)()") do
    if #token >= 7 and #token <= 16 then
      local a, b, c, d = match(token, "^(%d+)%.(%d+)%.(%d+)%.(%d+)%.?$")
      if a then
        a, b, c, d = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
        local fits = a <= 255 and b <= 255 and c <= 255 and d <= 255
        local alone = not find(sub(text, from - 1, from - 1), "[%w_%-]") and not find(sub(text, to, to), "[%w_]")
        local special = a == 127 or a == 0 or (a == 255 and b == 255)
        local before = sub(low, math.max(1, from - 24), from - 1)
        local version = (a < 20 and b < 20 and c < 20 and d < 20 and not network(before))
          or find(before, "version%s*:?%s*$") ~= nil
        if fits and alone and not special and not version then
          add(from, to - 1 - (sub(token, -1) == "." and 1 or 0), "IP address")
        end
      end
    end
  end
  for from, token, to in string.gmatch(text, "()([%x:]+)()") do
    local size, colons = #token, select(2, gsub(token, ":", ""))
    if size >= 8 and size <= 39 and colons >= 2 and not find(sub(text, from - 1, from - 1), "[%w_]")
      and not find(sub(text, to, to), "[%w_]") then
      if find(token, "^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$") then
        add(from, to - 1, "hardware address")
      elseif (find(token, "^[23]%x%x%x?:") or find(token, "^f[cde]%x%x:")) and (colons >= 4 or find(token, "::", 1,
        true))
        and colons <= 8 then
        add(from, to - 1, "IP address")
      end
    end
  end
end

-- Words that name an official number after them.
local NUMBERED = { "social security", "ssn", "passport", "driver's license", "driver's licence", "driving licence",
  "driving license", "drivers license", "tax id", "tax number", "tax file number", "steuer-id", "steuernummer",
  "steueridentifikationsnummer", "sozialversicherungsnummer", "national insurance", "insurance n", "insurance id",
  "social insurance", "personalausweis", "id card", "identity card", "national id", "aadhaar", "nhs n", "mrn",
  "medical record", "patient id", "patient n", "employee id", "employee n", "staff id", "staff n", "personnel n",
  "personalnummer", "student id", "student n", "matriculation", "matrikelnummer", "customer n", "customer id",
  "account n", "account:", "sort code", "routing n", "policy n", "license plate", "licence plate", "number plate",
  "kennzeichen", "imei", "visa n", "membership n", "residence permit", "green card", "reisepass", "pesel", "curp",
  "dni", "bsn", "burgerservicenummer", "personnummer", "cpr", "nif", "nss", "inss", "codice fiscale", "cpf",
  "ausweisnummer", "passnummer", "versichertennummer", "krankenversicherungsnummer", "rentenversicherungsnummer",
  "kundennummer", "kontonummer", "bankleitzahl", "blz", "mitgliedsnummer", "ahv", "sécurité sociale",
  "seguridad social", "número de cuenta", "serial n", "serial:", "serial ", "seriennummer", "service tag", "iccid" }

local NUMBERED_AT = phrases.index(NUMBERED)

local function official(text, low, add)
  phrases.each(NUMBERED_AT, low, function(_, at, to)
    local window = sub(text, to + 1, to + 70)
    local gap, value = match(window, "^([%a\128-\255%s%.,:#'%(]-)%f[%w]([%u%d][%u%d%.%-/ ]*%d[%u%d]*)")
    if value and #gap <= 40 and select(2, gsub(value, "%d", "")) >= 4 then
      -- A single letter may close it: QQ 12 34 56 C.
      local tail = match(sub(window, #gap + #value + 1), "^ ?%u%f[%W]") or ""
      add(at, to + #gap + #value + #tail, "identity number")
    end
  end)
  for from, run in string.gmatch(text, "()%f[%w](%u%u %d%d %d%d %d%d %u)%f[%W]") do
    add(from, from + #run - 1, "identity number")
  end
  for from, run in string.gmatch(text, "()%f[%w](%u%u%d%d%d%d%d%d%u)%f[%W]") do
    if find(run, "[A-D]$") then add(from, from + #run - 1, "identity number") end
  end
  for from, run in string.gmatch(text, "()%f[%w](%d%d%d%d%d%d%d%d%-?%u)%f[%W]") do
    local number = tonumber(sub(run, 1, 8))
    if sub("TRWAGMYFPDXBNJZSQVHLCKE", number % 23 + 1, number % 23 + 1) == sub(run, -1) then
      add(from, from + #run - 1, "identity number")
    end
  end
  for from, run in string.gmatch(text, "()%f[%w](%u%u%u%u%u%u%d%d%u%d%d%u%d%d%d%u)%f[%W]") do
    add(from, from + #run - 1, "identity number")
  end
end

local BORN = { "born", "date of birth", "dob", "d.o.b", "birthday", "birthdate", "birth date", "geburtsdatum",
  "geboren", "geburtstag", "nato il", "nata il", "naissance", "nacimiento", "geboortedatum", "geb. ", "née le",
  "né le", "nacido", "nacida", "turns", "turned", "turning" }

local BORN_AT = phrases.index(BORN)

local function births(text, low, add)
  phrases.each(BORN_AT, low, function(word, at, to)
    if find(low, "^%a", to + 1) then return end
    local window = sub(text, to + 1, to + 41)
    local gap, date = match(window, "^([^%d\n%.;]*)(%d[%w%s%./%-,]-%d%d)%f[%D]")
    local month
    if not date then gap, month = match(window, "^([^\n%.;]-)(%u%l%l%l*%s+%d%d?)") end
    if not date and not month then gap, month = match(window, "^([^%d\n%.;]-)(%d%d?%.?%a*%s+%u[%l\128-\255]+)") end
    date = date or month
    if find(word, "^turn") then
      gap, date = match(window, "^(%s+)(%d%d)%f[%D]")
      -- A person turns forty; a page turns too, but not into a number after a name.
      if not find(sub(text, math.max(1, at - 24), at - 1), "[%u]%l+%s$")
        and not find(sub(low, math.max(1, at - 4), at - 1), "%f[%a]s?he%s$") then
        date = nil
      end
    end
    if date and #gap <= 24 then add(at, to + #gap + #date, "date of birth") end
  end)
  for from, to in string.gmatch(low, "()%f[%a]i'?%s?a?m %d%d years old()") do add(from, to - 1, "age") end
  for from, to in string.gmatch(low, "()%f[%a]s?he is %d%d years old()") do add(from, to - 1, "age") end
  for from, to in string.gmatch(low, "()%f[%a]aged %d%d%f[%D]()") do add(from, to - 1, "age") end
  for from, to in string.gmatch(low, "()%f[%d]%d%d jahre alt()") do add(from, to - 1, "age") end
  for from, to in string.gmatch(low, "()%f[%d]%d%d?%-year%-old [dbswmg]()") do add(from, to - 1, "age") end
end

local function coordinates(text, add)
  for from, lat, lon, to in string.gmatch(text,
    "()%f[%d%-](%-?%d%d?%.%d%d%d%d+)°?%s?[NS]?,%s?(%-?%d%d?%d?%.%d%d%d%d+)()") do
    if math.abs(tonumber(lat)) <= 90 and math.abs(tonumber(lon)) <= 180 then add(from, to - 1, "place on the map") end
  end
end

--- Calls add(from, to, kind) for each such datum of the text.
---@param text string
---@param low string the text in lower case
---@param add fun(from: integer, to: integer, kind: string)
function M.scan(text, low, add)
  mail(text, low, add)
  digit_runs(text, low, add)
  ibans(text, add)
  machines(text, low, add)
  official(text, low, add)
  births(text, low, add)
  coordinates(text, add)
end

return M
