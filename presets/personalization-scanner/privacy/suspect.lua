--- Text that looks private without being of a known kind: long numbers, words that mix letters and digits as keys do,
--- and any such word in a sentence about credentials. For texts that leave the machine and lose little by a sentence
--- less.

local set = require("moonlet.text").set

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

--- The kind of hit that is about a person rather than a key.
M.number = "a long number"

local ABOUT = { "password", "passwort", "kennwort", "passphrase", "passcode", "login", "log in", "credential",
  "token", "secret", "api key", "access key", "private key", "mot de passe", "contraseña", "wachtwoord", "zugang",
  "pin ", " pin", "geheim", "vault", "2fa", "otp", "unlock" }
-- Written so by everybody: versions, standards, files, tickets, code.
local USUAL = { "^v?%d+[%.%d]*%a?%d*$", "^%u%u+%-%d+$", "^%l+%-%d+$", "^%a+%d?%.%d[%.%d]*$", "^[%w_%-]*%.%l%l%l?%l?$",
  "^utf%-?%d+", "^sha%d+", "^md5", "^x86", "^amd64", "^arm64", "^i18n", "^l10n", "^a11y", "^k8s", "^e2e$",
  "^iso%-?%d+", "^pep%d+", "^rfc%d+", "^es20%d%d", "^http%d", "^ipv%d", "^python%d", "^c%+%+%d", "^base%d+",
  "^int%d+", "^u?int%d+", "^float%d+", "^s3$", "^h%d$", "^p%d+$", "^q%d$", "^t%d+$", "^r%-?%d+$", "^%d+[kmgtp]?i?b$",
  "^%d+[a-z][a-z]?[a-z]?$", "^#%d+$", "^%d+x%d+$", "^%d+%-%l+$", "^%l+%d%d?$", "^%d+%-%d+$", "^%d+:%d+$",
  "^%d%d%d%d%-%d%d%-%d%d" }

local function usual(word)
  for i = 1, #USUAL do
    if find(word, USUAL[i]) then return true end
  end
  return false
end

local function about_credentials(low)
  for i = 1, #ABOUT do
    if find(low, ABOUT[i], 1, true) then return true end
  end
  return false
end

-- Words and small numbers with seams between them: KON-123-short-title, page_2_of_10.
local function is_joined(word)
  for piece in string.gmatch(word, "[^%-_%./:]+") do
    if not find(piece, "^%a+$") and not find(piece, "^%d%d?%d?%d?$") then return false end
  end
  return true
end

local FILES = set [[env yml yaml json toml md txt py js ts sh ini cfg properties conf lua go rs rb java kt sql xml
  html]]

-- In a sentence about credentials: any word with something inside that belongs in no word.
local function is_odd(word, low_word)
  if not find(word, "%w[%._/@:=+~!#%$%%&]+%w") or find(low_word, "^%l/%l$")
    or find(low_word, "^and/or$") then return false end
  return not FILES[match(low_word, "%.(%l+)$") or ""]
end

local function is_key(word, low_word, loose)
  local digits = select(2, gsub(word, "%d", ""))
  if loose and is_odd(word, low_word) then return true end
  if digits == 0 or not find(word, "%a") then return false end
  if loose and #word >= 9 and find(low_word, "^%l+%d+$") then return true end
  if usual(low_word) then return false end
  if loose then return #word >= 6 end
  if is_joined(word) then return false end
  if find(word, "^%x+$") and #word >= 16 then return true end
  -- Serial numbers.
  if find(word, "^[%u%d]+$") and #word >= 10 and digits >= 2 then return true end
  -- Paths and names of things have seams; random text has none.
  return #word >= 14 and digits >= 3 and not find(word, "[/%(%)<>]") and not find(low_word, "^[%l_%-]+%d%d?%d?$")
end

local PASS = { "password", "passwort", "kennwort", "passphrase", "passcode", "mot de passe", "contraseña",
  "wachtwoord", "%f[%a]pin%f[%A]", "%f[%a]login%f[%A]", "log in as" }
-- A rule about passwords says one of these.
local POLICY = { "%f[%a]never", "%f[%a]not%f[%A]", "n't%f[%A]", "%f[%a]no%f[%A]", "%f[%a]must", "%f[%a]rotat",
  "%f[%a]hash", "%f[%a]vault", "%f[%a]store", "%f[%a]env", "%f[%a]manager", "%f[%a]passwords", "%f[%a]log[gs]",
  "%f[%a]nie%f[%A]", "%f[%a]keine?", "%f[%a]jamais", "%f[%a]nunca" }

local function any(text, patterns)
  for i = 1, #patterns do
    if find(text, patterns[i]) then return true end
  end
  return false
end

--- Calls add(from, to, kind) for each such thing.
---@param text string
---@param low string
---@param add fun(from: integer, to: integer, kind: string)
function M.scan(text, low, add)
  for from, line in string.gmatch(text, "()([^\n]+)") do
    local small = sub(low, from, from + #line - 1)
    local loose = about_credentials(small)
    if any(small, PASS) and not any(small, POLICY) then add(from, from + #line - 1, "a sentence about a password") end
    for at, word in string.gmatch(line, "()([^%s`\"'%(%),;|]+)") do
      local bare = gsub(gsub(word, "[%.:!%?]+$", ""), "^[%*_%[<]+", "")
      if #bare >= 6 and #bare <= 4096 and is_key(bare, lower(bare), loose) then
        add(from + at - 1, from + at + #word - 2, "something like a key")
      end
    end
    for at, run in string.gmatch(line, "()%f[%w](%d[%d %-%./]+%d)%f[%W]") do
      local digits = gsub(run, "%D", "")
      if #digits >= 7 and not find(run, "^%d%d%d%d[%-/%.]%d%d[%-/%.]%d%d") and not find(run, "^%d%d?%.%d%d?%.%d%d%d%d")
        and not match(run, "^%d+%.%d+$") and not find(run, "^%d+%.%d+%.%d+") then
        add(from + at - 1, from + at + #run - 2, M.number)
      end
    end
  end
end

return M
