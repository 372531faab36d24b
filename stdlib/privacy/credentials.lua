--- Credentials as people write them down: beside the published forms that moonlet.secrets knows, what follows words
--- such
--- as "password is", and strings that look drawn at random. Errs towards finding: a line too many is left out.

local secrets = require "moonlet.secrets"

local find, lower, match, sub = string.find, string.lower, string.match, string.sub

local M = {}

local function set(text)
  local result = {}
  for word in string.gmatch(text, "%S+") do result[word] = true end
  return result
end

-- What a credential begins with, and how much must follow.
local LEADS = {
  { "AKIA", 12 }, { "ASIA", 12 }, { "ghp_", 16 }, { "gho_", 16 }, { "ghu_", 16 }, { "ghs_", 16 }, { "ghr_", 16 },
  { "github_pat_", 16 }, { "glpat-", 12 }, { "gldt-", 12 }, { "glrt-", 12 }, { "xoxb-", 10 }, { "xoxp-", 10 },
  { "xoxa-", 10 }, { "xoxs-", 10 }, { "xapp-", 10 }, { "sk_live_", 10 }, { "sk_test_", 10 }, { "rk_live_", 10 },
  { "rk_test_", 10 }, { "pk_live_", 10 }, { "whsec_", 10 }, { "AIza", 20 }, { "GOCSPX-", 10 }, { "ya29.", 16 },
  { "sk-", 16 }, { "npm_", 20 }, { "pypi-", 24 }, { "hf_", 20 }, { "SG.", 20 }, { "dop_v1_", 20 }, { "shpat_", 16 },
  { "hvs.", 20 }, { "dckr_pat_", 12 }, { "AGE-SECRET-KEY-", 16 }, { "eyJ", 30 }, { "pk.eyJ", 16 }, { "sk.eyJ", 16 },
  { "lin_api_", 16 }, { "glsa_", 16 }, { "figd_", 16 }, { "sntrys_", 16 }, { "ATATT3x", 16 }, { "sq0csp-", 12 },
}

local function leads(text, add)
  for i = 1, #LEADS do
    local lead, least = LEADS[i][1], LEADS[i][2]
    local at = find(text, lead, 1, true)
    while at do
      local rest = match(sub(text, at + #lead, at + #lead + 4096), "^[%w_%-%.%+/=]*")
      local alone = not find(sub(text, at - 1, at - 1), "[%w_]")
      -- Words joined by dashes are a name, such as a class of a style sheet.
      if alone and #rest >= least and (find(rest, "%d") or find(rest, "%u") and find(rest, "%l")) then
        add(at, at + #lead + #rest - 1, "access token")
      end
      at = find(text, lead, at + #lead, true)
    end
  end
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

-- How often the kind of character changes: names of things change it at the seams of words, random text all the time.
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
  for from, word, to in string.gmatch(text, "()([%w_%-]+:[%w_%-]+)()") do
    if #word > 40 and #word < 60 and find(word, "^%d%d%d%d%d%d%d%d%d?%d?:[%w_%-]+$") then
      add(from, to - 1, "access token")
    end
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
      -- The scheme and the host go too: together they say where the door is.
      local scheme = match(sub(text, math.max(1, at - 24), at - 1), "[%w+.-]*$")
      add(at - #scheme, at + 2 + #login, "login in a URL")
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

-- {word, group}: pass takes nearly anything, code takes digits, token needs something that is no word.
local WORDS = {
  { "password", "pass" }, { "passwd", "pass" }, { "passphrase", "pass" }, { "passcode", "pass" }, { "passwort",
    "pass" },
  { "kennwort", "pass" }, { "pwd", "pass" }, { "pin", "code" }, { "door code", "code" }, { "door", "code" },
  { "alarm code", "code" }, { "access code", "code" }, { "gate code", "code" }, { "security code", "code" },
  { "recovery code", "pass" }, { "backup code", "pass" }, { "otp", "code" }, { "cvv", "code" }, { "cvc", "code" },
  { "token", "token" }, { "secret", "token" }, { "key", "token" }, { "apikey", "token" }, { "credential", "token" },
  { "credentials", "token" }, { "sessionid", "token" }, { "phpsessid", "token" }, { "jsessionid", "token" },
  { "cookie", "token" }, { "bearer", "token" }, { "authorization", "token" }, { "session", "token" },
  { "signature", "token" }, { "seed", "token" }, { "login", "token" }, { "auth", "token" },
}

-- What a sentence about passwords says instead of one.
local DESCRIBES = set [[required optional string none null nil true false empty hidden text the a an in from see
  stored
  ask set your rotated change changed never must should prompt env environment variable file yes no unknown it is are
  not always to of and or for by with on at if when plain hashed encrypted redacted omitted here there this that only
  being kept read sent passed taken given used needed wrong expired valid invalid missing correct different masked str
  password bool boolean int number field value type secret input]]
local NOT_VALUES = { "^base64", "^sha%d", "^utf%-?8", "^oauth", "^https?://", "^iso%-?%d", "^pbkdf2", "^argon2", "^md5",
  "^v?%d+%.%d+", "^rfc%d", "^x509", "^%d+[%-%s]?bit", "^%d+%-", "^[%./~]", "^%-%-", "^%a[%w_]*%(" }

local function stands_in(value)
  return find(value, "[<{$%%*]") ~= nil or find(value, "%.%.%.") ~= nil or find(lower(value), "^x+$") ~= nil
    or find(value, "^[%u_]+$") ~= nil
end

-- Whether a value is one of its group. `sure` where a colon or an equals sign stands before it.
local function is_value(value, group, sure, quoted)
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
    return sure and (#value >= 5 and not DESCRIBES[low] or mixed ~= nil) or false
  end
  if not (digit and letter) or find(value, "%s") then return false end
  if quoted or sure then return #value >= 12 and not find(value, "^%a[%w_]*%.%a[%w_.]*$") end
  return #value >= 16
end

local function trim_value(value)
  return (string.gsub(value, "[%.,;:%)%]\"'`|]+$", ""))
end

-- The value after a word and where it begins: {text, offset, sure, quoted}
local function value_after(window)
  local forms = {
    { "^[\"'`*_%]]*%s*[:=]=?>?%s*()", true }, { "^[\"'`*_]*%s+is%s*:?%s*()", false },
    { "^[\"'`*_]*%s+lautet%s*:?%s*()", false }, { "^%s+()", false },
    { "^s?%s[%w%s'%(%),-]-[:=]%s*()", true }, { "^%s[%w%s'%(%)-]-%sis%s+()", false },
  }
  local found, head = {}, sub(window, 1, 70)
  for i = 1, #forms do
    local offset = match(head, forms[i][1])
    if offset then
      local rest = sub(window, offset)
      local quote = match(rest, "^[\"'`]")
      local stop = quote and find(rest, quote, 2, true)
      if stop then
        found[#found + 1] = { sub(rest, 2, stop - 1), offset + 1, forms[i][2], true }
      else
        local skipped, value = match(rest, "^(%a*%s*)(%S+)")
        if skipped and lower(match(skipped, "%a*")) ~= "basic" and lower(match(skipped, "%a*")) ~= "bearer" then
          skipped, value = "", match(rest, "^%S+")
        end
        if value then
          value = trim_value(value)
          found[#found + 1] = { value, offset + #skipped, forms[i][2], false }
        end
      end
    end
  end
  return found
end

local FUNCTION = set [[is must the be to a an of in on for and or should will can not may are was it this that with
  by from
  at as if when then before after every each you we i do does use used need needs has have please per]]

-- Several plain words to the end of the line: a passphrase, if none of them makes a sentence of it.
local function phrase(window)
  local offset, rest = match(window, "^[\"'`*_]*%s*[:=]%s*()([%l%s]+)$")
  if not rest then return nil end
  local count = 0
  for word in string.gmatch(rest, "%l+") do
    if FUNCTION[word] or DESCRIBES[word] then return nil end
    count = count + 1
  end
  if count >= 3 then return offset, #rest end
end

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
        -- A sentence goes on in the next line.
        if #window < 60 then window = window .. sub(text, line_end, math.min(#text, line_end + 80)) end
        for _, value in ipairs(value_after(window)) do
          if is_value(value[1], group, value[3], value[4]) then
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
end

return M
