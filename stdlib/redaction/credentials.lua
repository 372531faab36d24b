--- Credentials as people write them down: beside the published forms that moonlet.secrets knows, the word after
--- "password is" and its like in several languages, logins in the form of name and word, and strings that look drawn
--- at random. Errs towards finding: a line too many is left out.

local phrases = require "moonlet.phrases"
local secrets = require "moonlet.secrets"
local set = require("moonlet.text").set

local find, lower, match, sub = string.find, string.lower, string.match, string.sub

local M = {}

-- Leading characters of a credential, and the least length of the rest.
local LEADS = {
  { "AKIA", 12 }, { "ASIA", 12 }, { "ghp_", 16 }, { "gho_", 16 }, { "ghu_", 16 }, { "ghs_", 16 }, { "ghr_", 16 },
  { "github_pat_", 16 }, { "glpat-", 12 }, { "gldt-", 12 }, { "glrt-", 12 }, { "xoxb-", 10 }, { "xoxp-", 10 },
  { "xoxa-", 10 }, { "xoxs-", 10 }, { "xapp-", 10 }, { "sk_live_", 10 }, { "sk_test_", 10 }, { "rk_live_", 10 },
  { "rk_test_", 10 }, { "pk_live_", 10 }, { "whsec_", 10 }, { "AIza", 20 }, { "GOCSPX-", 10 }, { "ya29.", 16 },
  { "sk-", 16 }, { "npm_", 20 }, { "pypi-", 24 }, { "hf_", 20 }, { "SG.", 20 }, { "dop_v1_", 20 }, { "shpat_", 16 },
  { "hvs.", 20 }, { "dckr_pat_", 12 }, { "AGE-SECRET-KEY-", 16 }, { "eyJ", 30 }, { "pk.eyJ", 16 }, { "sk.eyJ", 16 },
  { "lin_api_", 16 }, { "glsa_", 16 }, { "figd_", 16 }, { "sntrys_", 16 }, { "ATATT3x", 16 }, { "sq0csp-", 12 },
}

local LEAST, lead_texts = {}, {}
for i, lead in ipairs(LEADS) do
  LEAST[lead[1]], lead_texts[i] = lead[2], lead[1]
end
local LEADS_AT = phrases.index(lead_texts)

local function leads(text, add)
  phrases.each(LEADS_AT, text, function(lead, at, to)
    local rest = match(sub(text, to + 1, to + 4097), "^[%w_%-%.%+/=]*")
    -- Words joined by dashes are a name, such as a class of a style sheet.
    if not find(sub(text, at - 1, at - 1), "_") and #rest >= LEAST[lead]
      and (find(rest, "%d") or find(rest, "%u") and find(rest, "%l")) then
      add(at, to + #rest, "access token")
    end
  end)
end

local function private_keys(text, add)
  local at = find(text, "-----BEGIN ", 1, true)
  while at do
    local head = match(sub(text, at, at + 80), "^%-%-%-%-%-BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*%-%-%-%-%-")
    local stop = at + 10
    if head then
      local ends = find(text, "-----END ", at + #head, true)
      local _, close = find(text, "PRIVATE KEY", ends or #text + 1, true)
      stop = close and close - at < 16384 and close or math.min(#text, at + 4096)
      stop = stop + #match(sub(text, stop + 1, stop + 24), "^[A-Z ]*%-*")
      add(at, stop, "private key")
    end
    at = find(text, "-----BEGIN ", stop, true)
  end
end

local function class_of(b)
  if b >= 48 and b <= 57 then return 1 end
  if b >= 65 and b <= 90 then return 2 end
  if b >= 97 and b <= 122 then return 3 end
  return 4
end

-- The number of changes of the kind of character: names change it at the seams of words, random text all the time.
local function restless(text)
  local changes, before = 0, nil
  for i = 1, #text do
    local class = class_of(text:byte(i))
    if before and class ~= before then changes = changes + 1 end
    before = class
  end
  return changes / #text
end

local function random(word)
  if #word < 24 or #word > 4096 then return false end
  local digits = select(2, string.gsub(word, "%d", ""))
  if digits < 3 or not find(word, "%l") or not find(word, "%u") then return false end
  if find(word, "^sha%d+%-") or find(word, "^SHA256:") or find(word, "^h1:") or find(word, "^[./~]")
    or select(2, string.gsub(word, "/", "")) > 3 then
    return false
  end
  return restless(word) >= 0.33 and secrets.entropy(word) >= 3.9
end

local function random_words(text, add)
  for from, word, to in string.gmatch(text, "()([%w+/_%-]+=*)()") do
    if #word >= 24 and random(word) then add(from, to - 1, "random string") end
  end
  -- Tokens of chat bots.
  local at = find(text, ":", 1, true)
  while at do
    local number = match(sub(text, math.max(1, at - 12), at - 1), "%f[%w]%d+$")
    local rest = number and match(sub(text, at + 1, at + 60), "^[%w_%-]+")
    if rest and #number >= 8 and #number <= 10 and #rest > 30 and #rest < 50 then
      add(at - #number, at + #rest, "access token")
    end
    at = find(text, ":", at + 1, true)
  end
end

local QUERY =
  set "token key secret sig signature access_token api_key apikey auth password passwd pwd client_secret code"

local function urls(text, add)
  local at = find(text, "://", 1, true)
  while at do
    local window = sub(text, at + 3, at + 2003)
    local login = match(window, "^[^%s@/\"'`<>]*:[^%s@\"'`<>]+@[%w.-]+")
    if login and not find(login, "[<{$]") then
      -- The scheme and the host go too: together they name the door.
      local scheme = match(sub(text, math.max(1, at - 24), at - 1), "[%w+.-]*$")
      add(at - #scheme, at + 2 + #login, "login in a URL")
    end
    local key = match(window, "^[%w_%-]+%f[@]")
    if key and #key >= 16 and find(key, "%d") and find(key, "%a") then
      local scheme = match(sub(text, math.max(1, at - 24), at - 1), "[%w+.-]*$")
      add(at - #scheme, at + 2 + #match(window, "^[^%s\"'`<>|%)]+"), "key in a URL")
    end
    local url = match(window, "^[^%s\"'`<>|%)]+")
    if url then
      local scheme = match(sub(text, math.max(1, at - 24), at - 1), "[%w+.-]*$")
      if lower(scheme) == "otpauth" or find(url, "^hooks%.slack%.com/services/.")
        or find(url, "^discord[app]*%.com/api/webhooks/.") then
        add(at - #scheme, at + 2 + #url, "secret URL")
      end
      for name, from, value in string.gmatch(url, "[?&;]([%w_%-]+)=()([^&;#]+)") do
        if QUERY[lower(name)] and #value >= 6 and not find(value, "^[<{$%%]") then
          add(at + 2 + from, at + 1 + from + #value, "secret in a URL")
        end
      end
    end
    at = find(text, "://", at + 3, true)
  end
end

-- pass takes nearly anything, code takes digits, token needs something that is no word.
local GROUPS = {
  pass = { "password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "pwd", "recovery code",
    "backup code", "mot de passe", "contraseña", "wachtwoord", "senha", "lösenord", "passord", "adgangskode",
    "salasana", "hasło", "heslo", "parola d'ordine", "losung", "losungswort" },
  code = { "pin", "door code", "door", "alarm code", "access code", "gate code", "security code", "otp", "cvv", "cvc",
    "türcode", "tuercode", "alarmcode", "zugangscode", "torcode", "entry code", "tresor", "geheimzahl",
    "code de la porte", "digicode", "clave", "código de acceso" },
  token = { "token", "secret", "key", "apikey", "credential", "credentials", "creds", "sessionid", "phpsessid",
    "jsessionid", "cookie", "bearer", "authorization", "session", "signature", "seed", "login", "auth", "geheimnis",
    "schlüssel", "zugangsdaten", "dsn", "webhook" },
}
-- Ordered words: the first one decides if two overlap.
local WORDS = {}
for _, group in ipairs { "pass", "code", "token" } do
  for _, word in ipairs(GROUPS[group]) do WORDS[#WORDS + 1] = { word, group } end
end

-- Words of a sentence about passwords, in place of a password.
local DESCRIBES = set [[required optional string none null nil true false empty hidden text the a an in from see
  stored ask set your rotated change changed never must should prompt env environment variable file yes no unknown it
  is are not always to of and or for by with on at if when plain hashed encrypted redacted omitted here there this
  that only being kept read sent passed taken given used needed wrong expired valid invalid missing correct different
  masked str password bool boolean int number field value type secret input weak strong short long easy hard same
  still now currently also just too very simple blank default part ok okay fine good bad safe unsafe new old back
  forgotten broken known public private plain-text plaintext mandatory manager hash prompts policy reset rules der die
  das nicht kein leer falsch richtig nötig]]
local NOT_VALUES = { "^base64", "^sha%d", "^utf%-?8", "^oauth", "^https?://", "^iso%-?%d", "^pbkdf2", "^argon2",
  "^md5", "^v?%d+%.%d+", "^rfc%d", "^x509", "^%d+[%-%s]?bit", "^%d+%-", "^[%./~]", "^%-%-", "^%a[%w_]*%(" }

-- Endings of words that describe a password.
local COMPOUNDS = set [[authentication auth hashing hash hashes protection protected manager managers policy policies
  reset resets rotation field fields prompt file files store storage based login entry strength rule rules change
  changes length generator database check checks input prompts rotated encryption vault recovery]]
local TELLING = { "ed$", "ly$", "ing$", "able$", "ible$", "ive$", "ous$", "ful$", "less$", "bar$", "lich$" }

local function any(text, patterns)
  for i = 1, #patterns do
    if find(text, patterns[i]) then return true end
  end
  return false
end

local function stands_in(value)
  return find(value, "[<{$%%*]") ~= nil or find(value, "%.%.%.") ~= nil or find(lower(value), "^x+$") ~= nil
    or find(value, "^[%u_]+$") ~= nil
end

-- True if a value is one of its group. `sure` if a colon or an equals sign stands before it.
local function is_value(value, group, sure, quoted, ends)
  if #value < 3 or stands_in(value) then return false end
  local low = lower(value)
  for i = 1, #NOT_VALUES do
    if find(low, NOT_VALUES[i]) then return false end
  end
  local digit, letter, mark = find(value, "%d"), find(value, "[%a\128-\255]"), find(value, "[^%w%s%.,/'\"\128-\255-]")
  if group == "code" then return find(value, "^%d%d%d+[#*]?$") ~= nil and #value <= 10 end
  if group == "pass" then
    if quoted then return #value >= 4 and not DESCRIBES[low] end
    if digit and letter or mark then return true end
    if digit then return #value >= 4 end
    local mixed = find(value, "%l%u") or (find(value, "%-") and #value >= 10)
    if sure == "with" then return #value >= 4 and find(value, "^[%l\128-\255]+$") ~= nil and not COMPOUNDS[low]
      and not DESCRIBES[low] end
    if sure == "said" then
      -- "is hidden", "was easily guessed" describe it; its value ends the sentence or its part.
      return #value >= 4 and ends and find(value, "^[%l\128-\255]+$") ~= nil and not DESCRIBES[low]
        and not any(low, TELLING) or mixed ~= nil
    end
    return sure and (#value >= 5 and not DESCRIBES[low] or mixed ~= nil) or false
  end
  if not (digit and letter) or find(value, "%s") then return false end
  if quoted or sure then return #value >= 12 and not find(value, "^%a[%w_]*%.%a[%w_.]*$") end
  return #value >= 16
end

local function trim_value(value)
  return (string.gsub(value, "[%.,;:%)%]\"'`|]+$", ""))
end

local COPULAS = { "is", "was", "are", "lautet", "ist", "war", "heißt", "est", "était", "es", "era", "fue" }
local BETWEEN = set "still now currently always again just jetzt noch immer aktuell toujours encore sigue todavía ahora"

local GOES_ON = set "for until if please and but on und für aber bis bitte pour et para y"

-- The forms in which a value follows its word: {pattern, sure}. "said" is a copula, after which much can stand.
local FORMS = { { "^[\"'`*_%]]*%s*[:=]=?>?%s*()", true } }
for _, copula in ipairs(COPULAS) do
  FORMS[#FORMS + 1] = { "^[\"'`*_]*%s+" .. copula .. "%s*:?%s*()", "said" }
end
FORMS[#FORMS + 1] = { "^%s+()", false }
FORMS[#FORMS + 1] = { "^s?%s[%w%s'%(%),\128-\255-]-[:=]%s*()", true }
for _, copula in ipairs(COPULAS) do
  FORMS[#FORMS + 1] = { "^s?%s[%w%s'%(%)\128-\255_-]-%s" .. copula .. "%s+()", "said" }
end

-- The values that may follow a word: {text, offset, sure, quoted, ends}, for each form that fits.
local function value_after(window, with)
  local found, head = {}, sub(window, 1, 70)
  local handed = with and match(head, "^%s+()[%l\128-\255]+")
  if handed then
    found[1] = { trim_value(match(sub(window, handed), "^%S+")), handed, "with", false, true }
  end
  for i = 1, #FORMS do
    local offset = match(head, FORMS[i][1])
    if offset then
      local rest = sub(window, offset)
      local lead = match(rest, "^([%a\128-\255]+)%s")
      if FORMS[i][2] == "said" and lead and BETWEEN[lower(lead)] then
        local skip = match(rest, "^%S+%s+()")
        rest, offset = sub(rest, skip), offset + skip - 1
      end
      local quote = match(rest, "^[\"'`]")
      local stop = quote and find(rest, quote, 2, true)
      if stop then
        found[#found + 1] = { sub(rest, 2, stop - 1), offset + 1, FORMS[i][2], true, true }
      else
        local skipped, value = match(rest, "^(%a*%s*)(%S+)")
        if skipped and lower(match(skipped, "%a*")) ~= "basic" and lower(match(skipped, "%a*")) ~= "bearer" then
          skipped, value = "", match(rest, "^%S+")
        end
        if value then
          local bare = trim_value(value)
          local follows = match(rest, "^%S+%s+(%l+)%f[%A]")
          local ends = bare ~= value or find(rest, "^%S+%s*$") ~= nil or find(rest, "^%S+%s*[%(\n]") ~= nil
            or follows ~= nil and GOES_ON[follows] == true
          found[#found + 1] = { bare, offset + #skipped, FORMS[i][2], false, ends }
        end
      end
    end
  end
  return found
end

local FUNCTION = set [[is must the be to a an of in on for and or should will can not may are was it this that with by
  from at as if when then before after every each you we i do does use used need needs has have please per]]

-- Several plain words to the end of the line or sentence: a passphrase, if they make no sentence about one.
local function phrase(window)
  local offset, rest = match(window, "^[\"'`*_]*%s*[:=]%s*()([%l\128-\255%s]+)%f[^%l\128-\255%s]")
  if not rest or not find(window, "^[%.,;%)]", offset + #rest) and offset + #rest <= #window then return nil end
  local count, small = 0, 0
  for word in string.gmatch(rest, "[%l\128-\255]+") do
    if DESCRIBES[word] and not FUNCTION[word] then return nil end
    if FUNCTION[word] then small = small + 1 end
    count = count + 1
  end
  if count >= 3 and small <= 1 and small * 3 <= count then return offset, #rest end
end

local GIVES = set "with using mit avec con met und and use user"

local function labelled(text, low, add)
  for i = 1, #WORDS do
    local word, group = WORDS[i][1], WORDS[i][2]
    local at = find(low, word, 1, true)
    while at do
      local after = at + #word
      local before, next_char = sub(low, at - 1, at - 1), sub(low, after, after)
      local whole = not find(next_char, "[%a]") and (not find(before, "%a") or group == "pass" or word == "token")
      -- To pin is what one does to a version; the number is a PIN.
      if word == "pin" and sub(text, at, at + 2) ~= "PIN" and not find(low, "^pin%s*[:=]", at) then whole = false end
      if whole then
        local line_end = find(text, "\n", after, true) or #text + 1
        local window = sub(text, after, math.min(line_end - 1, after + 400))
        -- A sentence continues in the next line.
        if #window < 60 then window = window .. sub(text, line_end, math.min(#text, line_end + 80)) end
        -- "with password sommer" has one; "password sommer" might be a heading.
        local lead = match(sub(low, math.max(1, at - 12), at - 1), "(%a+)%s+$") or ""
        local article = match(sub(low, math.max(1, at - 18), at - 1), "(%a+)%s+the%s+$") or ""
        local with = group == "pass" and (GIVES[lead] or GIVES[article])
        for _, value in ipairs(value_after(window, with)) do
          if is_value(value[1], group, value[3], value[4], value[5]) then
            local from = after + value[2] - 1
            add(from, from + #value[1] - 1, group == "pass" and "password" or group == "code" and "access code"
              or "secret value")
            break
          end
        end
        local offset, size
        if group == "pass" then offset, size = phrase(sub(text, after, line_end - 1)) end
        if offset then add(after + offset - 1, after + offset + size - 2, "passphrase") end
      end
      at = find(low, word, after, true)
    end
  end
end

local ACCOUNT = { "login", "log in", "logs in", "zugang", "account", "benutzer", "smtp", "imap", "ftp", "ssh", "vpn",
  "admin", "root", "sign in", "credential", "creds", "anmeld", "user" }

-- "admin / hunter2" and "admin:hunter2", in a line that speaks of a login.
local function pairs_of(text, low, add)
  local mark = find(text, "[/:]")
  while mark do
    local name, gap = match(sub(text, math.max(1, mark - 66), mark - 1), "([%w@%._%-]+)(%s?)$")
    local skip, value = match(sub(text, mark + 1, mark + 130), "^(%s?)([^%s/]+)")
    local slash = sub(text, mark, mark) == "/"
    if name and value and (slash and gap .. skip ~= "" or not slash and gap .. skip == "") then
      local from, bare = mark - #gap - #name, trim_value(value)
      local line = match(sub(low, math.max(1, from - 60), mark - 1), "[^\n]*$")
      local telling = find(bare, "%d") and find(bare, "%a") or slash and find(bare, "[!#%$%%&%*%+=%?%^_~]")
      -- In code, a colon stands between a name and its type.
      if not slash and (find(bare, "[_%(<]") or #bare < 8) then telling = nil end
      if telling and any(line, ACCOUNT) and #name >= 3 and #bare >= 6 and not find(name, "^%d+$")
        and not stands_in(bare) and not any(lower(bare), NOT_VALUES) and not find(bare, "%.%l%l%l?%l?$") then
        add(from, mark + #skip + #bare, "login")
      end
    end
    mark = find(text, "[/:]", mark + 1)
  end
end

-- Codes in groups, as of licences and recovery keys; and networks with their keys.
local function grouped(text, low, add)
  for from in string.gmatch(text, "()%f[%w%-][%u%d]") do
    local run = match(sub(text, from, from + 80), "^[%u%d]+%-[%u%d%-]+%f[%W]") or ""
    local groups, size, even = 0, nil, true
    for group in string.gmatch(run, "[^%-]+") do
      groups, size = groups + 1, size or #group
      even = even and #group == size
    end
    if groups >= 4 and even and size >= 4 and size <= 8 and find(run, "%d") and find(run, "%u") then
      add(from, from + #run - 1, "licence or recovery key")
    end
  end
  for _, word in ipairs { "wi-fi", "wifi", "wlan", "hotspot" } do
    local at = find(low, word, 1, true)
    while at do
      local window = match(sub(text, at + #word, at + #word + 80), "^[^\n]*")
      local offset, value = match(window, "^.-%s()(%S*%d%S*)")
      value = value and trim_value(value)
      if value and #value >= 8 and find(value, "%a") and not any(lower(value), NOT_VALUES) then
        add(at + #word + offset - 1, at + #word + offset + #value - 2, "password")
      end
      at = find(low, word, at + #word, true)
    end
  end
  for _, verb in ipairs { "encrypted with", "protected with", "decrypts? with", "unlocks? with", "unlocked with",
    "secured with",
    "verschlüsselt mit", "signed with" } do
    for from, value, to in string.gmatch(text, verb .. "%s+[\"'`“]()([^\"'`”\n]+)()") do
      if #value >= 5 and not find(value, "^%-%-")
        and not find(value, "^[%w_]+%.%l+$") then add(from, to - 1, "passphrase") end
    end
  end
  -- "code 28406" is one if a door is near.
  for from, code, to in string.gmatch(low, "()%f[%a]code%s?[:=]?%s?i?s?%s?(%d%d%d%d+)()") do
    local near = sub(low, math.max(1, from - 60), from - 1) .. sub(low, to, to + 30)
    if #code <= 8 and any(near, { "door", "gate", "alarm", "safe%f[%A]", "lock", "entry", "cage", "garage",
      "building", "tür", "tresor", "puerta", "porte" }) then
      add(from, to - 1, "access code")
    end
  end
end

--- Calls add(from, to, kind) for each credential of the text.
---@param text string
---@param low string the text in lower case
---@param add fun(from: integer, to: integer, kind: string)
function M.scan(text, low, add)
  for _, hit in ipairs(secrets.scan(text, { context = "code", loose = true, limit = 5000 })) do
    add(hit.from, hit.to, hit.kind)
  end
  leads(text, add)
  private_keys(text, add)
  random_words(text, add)
  urls(text, add)
  labelled(text, low, add)
  pairs_of(text, low, add)
  grouped(text, low, add)
end

return M
