--- Finds credentials as people write them: known token forms, "password is …", logins.
--- Strings that look random are also reported, because false alarms are better than misses.

local forms = require "moonlet.secrets.forms"
local secrets = require "moonlet.secrets"
local text_of = require "moonlet.text"

local any, set = text_of.any, text_of.set
local find, gmatch, lower, match, sub = string.find, string.gmatch, string.lower,
  string.match, string.sub

local M = {}

local function each(text, word, found)
  local from, to = find(text, word, 1, true)
  while from do
    found(from, to)
    from, to = find(text, word, to + 1, true)
  end
end

local function tokens(text, add)
  for _, form in ipairs(forms) do
    each(text, form[1], function(from, to)
      local rest = match(sub(text, to + 1, to + 4097), "^[%w_%-%.%+/=]*")
      -- Words with dashes or underscores, such as CSS classes, are not access tokens.
      if form.rest and not find(sub(text, from - 1, from - 1), "[%w_]") and #rest >= form.rest
        and (find(rest, "%d") or find(rest, "%u") and find(rest, "%l")) then
        add(from, to + #rest, "access token")
      end
    end)
  end
  -- Finds tokens of chat bots, which have the form 123456789:letters.
  for from, number, rest, to in gmatch(text, "()%f[%w](%d+):([%w_%-]+)()") do
    if #number >= 8 and #number <= 10 and #rest > 30 and #rest < 50 then
      add(from, to - 1, "access token")
    end
  end
end

local function private_keys(text, add)
  each(text, "-----BEGIN ", function(from)
    if not find(text, "^[A-Z0-9 ]*PRIVATE KEY", from + 11) then return end
    local ends = find(text, "-----END ", from + 11, true)
    local _, to = find(text, "PRIVATE KEY[A-Z ]*%-*", ends or #text + 1)
    add(from, to and to - from < 16384 and to or math.min(#text, from + 4096), "private key")
  end)
end

-- Returns the changes of kind (digit, upper, lower, other) per character, most in random text.
local function restless(text)
  local changes = 0
  for _, seam in ipairs { "%f[%d]", "%f[%u]", "%f[%l]", "%f[^%w]" } do
    changes = changes + select(2, string.gsub(text, seam, ""))
  end
  return (changes - 1) / #text
end

local function random_words(text, add)
  for from, word, to in gmatch(text, "()([%w+/_%-]+=*)()") do
    if #word >= 24 and #word <= 4096 and select(2, string.gsub(word, "%d", "")) >= 3
        and find(word, "%l")
      and find(word, "%u") and not any(word, { "^sha%d+%-", "^[./~]", "/.*/.*/.*/" })
      and restless(word) >= 0.33 and secrets.entropy(word) >= 3.9 then
      add(from, to - 1, "random string")
    end
  end
end

local QUERY =
  set [[token key secret sig signature access_token api_key apikey auth password passwd pwd
    client_secret code]]

local function urls(text, add)
  each(text, "://", function(at, to)
    local scheme = match(sub(text, math.max(1, at - 24), at - 1), "[%w+.-]*$")
    local url = match(sub(text, to + 1, to + 2000), "^[^%s\"'`<>|%)]+") or ""
    local login, key = match(url, "^[^/]*:[^@]+@[%w.-]+"), match(url, "^[%w_%-]+%f[@]")
    -- Redact the scheme and the host, too, because together with the login they give access.
    if login and not find(login, "[<{$]") then add(at - #scheme, to + #login, "login in a URL") end
    if key and #key >= 16 and find(key, "%d") and find(key, "%a") or lower(scheme) == "otpauth"
      or find(url, "^hooks%.slack%.com/services/.")
        or find(url, "^discord[app]*%.com/api/webhooks/.") then
      add(at - #scheme, to + #url, "secret URL")
    end
    for name, from, value in gmatch(url, "[?&;]([%w_%-]+)=()([^&;#]+)") do
      if QUERY[lower(name)] and #value >= 6 and not find(value, "^[<{$%%]") then
        add(to + from, to + from + #value - 1, "secret in a URL")
      end
    end
  end)
end

-- Lists labels that may precede a secret. After a label of `code`, the secret consists of digits.
-- After a label of `token`, it contains letters and digits. After `pass`, it may have any form.
local LABELS = {
  pass = "password|passwd|passphrase|passcode|passwort|kennwort|pwd|recovery code|backup "
    .. "code|mot de passe|contraseña|"
    .. "wachtwoord|senha|lösenord|passord|adgangskode|salasana|hasło|heslo|losung|losungswort",
  code = "pin|door|code|otp|cvv|cvc|geheimzahl|tresor|digicode|clave",
  token = "token|secret|key|credential|credentials|creds|session|cookie|bearer|authorization|"
    .. "signature|seed|login|"
    .. "auth|geheimnis|schlüssel|zugangsdaten|webhook",
}

-- Lists words that follow "password" in prose and are not a password.
local DESCRIBES = set [[
  required optional string none null nil true false empty hidden text the a an in from see stored
  ask set your rotated change changed never must should prompt env environment variable file yes no
  unknown it is are not always to of and or for by with on at if when plain hashed encrypted
  redacted omitted here there this that only being kept read sent passed taken given used needed
  wrong expired valid invalid missing correct different masked field value type secret input weak
  strong short long easy hard same still now also just too very default part ok fine good bad safe
  unsafe new old back forgotten broken known public private mandatory manager managers hash prompts
  policy policies reset rules authentication storage generator check nicht kein leer falsch richtig
  der die das
]]
local NOT_VALUES = { "^base64", "^sha%d", "^utf%-?8", "^https?:", "^v?%d+%.%d+", "^%d+%-",
  "^[%./~]", "^%-%-", "^%a[%w_]*%(", "[<{$%%*]", "%.%.%.", "^x+$" }

local SEPARATORS = { "^[\"'`*_%]]*%s*[:=]=?>?%s*()", "^s?%s[%w%s'%(%),\128-\255-]-[:=]%s*()" }
local COPULAS = { "is", "was", "are", "lautet", "ist", "war", "est", "était", "es", "era", "fue" }
for _, copula in ipairs(COPULAS) do
  SEPARATORS[#SEPARATORS + 1] = "^s?[\"'`*_]*%s[%w%s'%(%)\128-\255_-]-%f[%w\128-\255]" .. copula
    .. "%s+:?%s*()"
end
SEPARATORS[#SEPARATORS + 1] = "^%s+()"

local function is_value(value, group, quoted, colon, plain)
  local low = lower(value)
  if #value < 3 or DESCRIBES[low] or any(low, NOT_VALUES) or find(value, "^[%u_]+$") then
    return false
  end
  local digit, letter = find(value, "%d"), find(value, "[%a\128-\255]")
  if group == "code" then return find(value, "^%d%d%d+[#*]?$") ~= nil and #value <= 10 end
  if group == "token" then
    return digit and letter and #value >= ((quoted or colon) and 12 or 16) or false
  end
  return #value >= 4
    and (quoted or colon or not plain or digit ~= nil or find(value, "[^%w%s%.,/'\"\128-\255-]"))
      and true or false
end

-- Returns the offset and length of the value after a label.
local function value_after(window, group, given)
  for i, pattern in ipairs(SEPARATORS) do
    local offset = match(window, pattern)
    local rest = offset and sub(window, offset)
    local quote = rest and match(rest, "^[\"'`]")
    local value = quote and match(rest, "^.([^\n]-)" .. quote) or rest and match(rest, "^%S+")
    if value then
      if not quote then value = string.gsub(value, "[%.,;:%)%]\"'`|]+$", "") end
      local plain = not given and not find(rest, "^%S+%s*$")
      if is_value(value, group, quote, i <= 2, plain or i == #SEPARATORS and not given) then
        return quote and offset + 1 or offset, #value
      end
    end
  end
end

-- Finds a password of several plain words after a label. Returns its offset and length.
local function phrase(window)
  local offset, words = match(window,
    "^[\"'`*_]*%s*[:=]%s*()([%l\128-\255]+ [%l\128-\255 ]+)%f[^%l\128-\255 ]")
  if not words then return nil end
  for word in gmatch(words, "%S+") do
    if DESCRIBES[word] then return nil end
  end
  return offset, #words
end

local GIVES = set "with using mit avec con met und and use the"

local function labelled(text, low, add)
  for group, words in pairs(LABELS) do
    for word in gmatch(words, "[^|]+") do
      each(low, word, function(from, to)
        if find(sub(low, to + 1, to + 1), "%a") then return end
        if find(sub(low, from - 1, from - 1), "%a") and group ~= "pass" then return end
        local window = sub(text, to + 1,
          math.min((find(text, "\n", to + 1, true) or #text + 1) - 1, to + 400))
        -- "with password sommer" contains a password; "password sommer" may be a heading.
        local given = group == "pass"
          and GIVES[match(sub(low, math.max(1, from - 8), from - 1), "(%a+)%s$") or ""]
        local offset, size = value_after(window, group, given)
        if group == "pass" and not offset then offset, size = phrase(window) end
        if offset then
          add(to + offset, to + offset + size - 1, group == "pass" and "password" or "secret value")
        end
      end)
    end
  end
end

--- Calls add(from, to, kind) for each credential that it finds in the text.
---@param text string
---@param low string  the text in lower case
---@param add fun(from: integer, to: integer, kind: string)
function M.scan(text, low, add)
  for _, hit in ipairs(secrets.scan(text, { context = "code", loose = true, limit = 5000 })) do
    add(hit.from, hit.to, hit.kind)
  end
  tokens(text, add)
  private_keys(text, add)
  random_words(text, add)
  urls(text, add)
  labelled(text, low, add)
end

return M
