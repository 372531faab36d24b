--- Finds credentials in file names and in text, and redacts text that leaves the machine.
--- A finding has a place and a kind, but never contains the secret itself.
--- To avoid false alarms, an assigned value must look random and not like a placeholder.
--- A well-known token form needs no assignment.

local byte, find, format, lower = string.byte, string.find, string.format, string.lower
local match, sub = string.match, string.sub
local concat = table.concat

---@class moonlet.secrets
local M = {}

---@class moonlet.secrets.Options
---@field context "code"|"docs"|"test"|"generated"|nil
---@field loose boolean?    true: unquoted values are reported, too
---@field limit integer?    most hits (default 200)

---@class moonlet.secrets.Hit
---@field from integer   first byte in the scanned text
---@field to integer     last byte
---@field kind string    kind of the secret in words, such as "AWS access key"

local SAMPLE = { example = true, sample = true, template = true, dist = true, tmpl = true,
  defaults = true, default = true, schema = true, md = true, ["in"] = true, j2 = true, erb = true,
  tpl = true }

local SURE = {
  [".netrc"] = "machine logins", ["_netrc"] = "machine logins",
  [".git-credentials"] = "git passwords", [".pgpass"] = "database passwords",
  [".my.cnf"] = "database passwords", [".htpasswd"] = "web passwords",
  [".pypirc"] = "package registry login", [".dockercfg"] = "registry login",
  ["id_rsa"] = "a private key", ["id_dsa"] = "a private key", ["id_ecdsa"] = "a private key",
  ["id_ed25519"] = "a private key", ["master.key"] = "a master key",
  ["kubeconfig"] = "cluster credentials",
  ["terraform.tfstate"] = "infrastructure state with secrets", [".vault-token"] = "a vault token",
  ["client_secret.json"] = "client credentials", ["credentials.json"] = "credentials",
  [".vault_pass"] = "a vault password", [".s3cfg"] = "storage credentials",
  [".boto"] = "cloud credentials",
}

-- A file with one of these names contains secrets if it is in the given folder.
local SURE_HOME = {
  [".aws/credentials"] = "cloud credentials", [".docker/config.json"] = "registry login",
  [".kube/config"] = "cluster credentials", [".cargo/credentials"] = "package registry login",
  [".gem/credentials"] = "package registry login", [".azure/credentials"] = "cloud credentials",
}

local SURE_END = {
  p12 = "a key store", pfx = "a key store", jks = "a key store", keystore = "a key store",
  kdbx = "a password store", ppk = "a private key", ovpn = "VPN credentials",
  tfstate = "infrastructure state with secrets",
}

local MAYBE_END = { pem = true, key = true, crt = true, cer = true, asc = true, der = true }

--- Reports whether the name of a file is enough to show that the file contains secrets.
--- ```lua
--- require("moonlet.secrets").name ".env" --> "an environment file"
--- ```
---@param path string
---@return string? what  for people; nil if the name shows nothing
---@return boolean? maybe  true if the content decides: a .pem may be a public certificate
function M.name(path)
  local name = lower(match(path, "([^/]*)$"))
  if SURE[name] then return SURE[name] end
  local home = match(lower("/" .. path), "/(%.[^/]+/[^/]+)$")
  if home and SURE_HOME[home] then return SURE_HOME[home] end
  if name == ".env" or find(name, "^%.env%.") or find(name, "^[%w_-]+%.env$") then
    local last = match(name, "%.([%w]+)$")
    if SAMPLE[last] or find(name, "example", 1, true) or find(name, "sample", 1, true) then
      return nil
    end
    return "an environment file"
  end
  local stem, last = match(name, "^(.*)%.([%w]+)$")
  if not last or SAMPLE[last] then return nil end
  if SURE_END[last] then return SURE_END[last] end
  if last == "tfvars" and not SAMPLE[match(stem, "%.?([%w]+)$") or ""] then
    return "infrastructure variables", true
  end
  if MAYBE_END[last] then return "a key or certificate", true end
  if find(stem, "^service[-_]account") and last == "json" then return "a service account key" end
  if (stem == "secrets" or stem == "secret")
      and (find(last, "^ya?ml$") or last == "json" or last == "toml") then
    return "a file of secrets", true
  end
  return nil
end

--- Returns the Shannon entropy in bits per byte; human text seldom exceeds 3.5.
--- ```lua
--- require("moonlet.secrets").entropy "aaaa" --> 0.0
--- ```
---@param text string
---@return number
function M.entropy(text)
  local counts, size = {}, #text
  if size == 0 then return 0 end
  for i = 1, size do
    local b = byte(text, i)
    counts[b] = (counts[b] or 0) + 1
  end
  local sum = 0
  for b = 0, 255 do
    local n = counts[b]
    if n then sum = sum - n / size * math.log(n / size, 2) end
  end
  return sum
end

local PLACEHOLDERS = {
  "example", "sample", "placeholder", "changeme", "change_me", "change-me", "replace", "redacted",
  "dummy", "fake", "your_", "your-", "yourp", "yours", "yourt", "yourk", "youra", "xxxx", "****",
  "....", "<", "${", "{{", "$(", "%(", "%{", "#{", "not_a_", "not-a-", "notreal", "not-real",
  "insert", "todo", "lorem", "process.env", "os.environ", "getenv", "secrets.", "vars.",
  "env.", "config.", "settings.",
  -- Every installation of Azure's storage emulator has this key, so the key is not a secret.
  "eby8vdm02x",
}

-- Lists filler texts. They are placeholders in documents and tests, but may be secrets in code.
local FILLERS = { "abcdef", "123456", "deadbeef", "hunter2" }

--- Reports whether a value is a placeholder for a secret, such as "your_key_here".
--- ```lua
--- require("moonlet.secrets").placeholder "your_key_here" --> true
--- ```
---@param value string
---@param context string? "docs" and "test" accept more placeholders than "code"
---@return boolean
function M.placeholder(value, context)
  local text = lower(value)
  if context == "docs" or context == "test" then
    for i = 1, #FILLERS do
      if find(text, FILLERS[i], 1, true) then return true end
    end
  end
  for i = 1, #PLACEHOLDERS do
    if find(text, PLACEHOLDERS[i], 1, true) then return true end
  end
  local first = sub(text, 1, 1)
  -- Detect a value that repeats one character, or a short piece.
  return text == first:rep(#text) or (#text % 4 == 0 and text == sub(text, 1, 4):rep(#text // 4))
end

local FORMS = require "moonlet.secrets.forms"

-- Detects a long run of letters and digits. A name with dashes has no such run.
local function has_long_run(value)
  for run in string.gmatch(value, "%w+") do
    if #run >= 16 and find(run, "%d") then return true end
  end
  return false
end

-- Lists the lower-case names to which code and config files assign secrets.
local KEYS = {
  "password", "passwd", "passphrase", "secret", "api_key", "apikey", "api-key", "token",
  "access_key", "accesskey", "private_key", "credential", "_pwd", "authorization", "signing_key",
  "encryption_key", "accountkey", "account_key",
}

local function add(hits, from, to, kind)
  hits[#hits + 1] = { from = from, to = to, kind = kind }
end

-- Lists words that a real token never contains. In source code, a value is a placeholder only if it
-- contains one of them.
local BLANKS = { "your", "xxxx", "placeholder", "redacted", "changeme", "replace", "<", "{", "..." }

local function blank(value, context)
  if context ~= "code" then return M.placeholder(value, context) end
  local text = lower(value)
  for i = 1, #BLANKS do
    if find(text, BLANKS[i], 1, true) then return true end
  end
  return false
end

-- Calls found(from, to) for each occurrence of a word, until `hits` has reached its limit.
local function each(text, word, hits, found)
  local from, to = find(text, word, 1, true)
  while from and #hits < hits.limit do
    from, to = find(text, word, (found(from, to) or to) + 1, true)
  end
end

local function known_forms(text, hits, context)
  for _, form in ipairs(FORMS) do
    local lead, pattern, kind, entropy, least, most = table.unpack(form)
    if pattern and (context == "code" or lead ~= "eyJ") then
      each(text, lead, hits, function(from)
        local value = (from == 1 or not find(text, "^[%w_]", from - 1))
          and match(sub(text, from, from + most), pattern)
        local size = value and #value or 0
        if size >= least and size <= most and not find(text, "^[%w_]", from + size)
          and not blank(form.last and match(value, "[^/]*$") or value, context)
          and M.entropy(sub(value, #lead + 1)) >= entropy
            and (not form.long_run or has_long_run(value)) then
          add(hits, from, from + size - 1, kind)
          return from + size - 1
        end
      end)
    end
  end
end

-- Returns the text after the BEGIN line of a private key, where the key's data is expected.
local function key_body(text, after)
  local rest = sub(text, after, after + 600)
  local body = match(rest, "^%s*[+-]?%s*\\n([%w+/=]+)")
    or match(rest, "^[^\n]*\n[+ -]?%s*[\"']?([%w+/=:, -]*)")
  return body or ""
end

local function private_keys(text, hits)
  each(text, "-----BEGIN ", hits, function(at)
    local head = match(sub(text, at, at + 80),
      "^%-%-%-%-%-BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*%-%-%-%-%-")
    if not head then return nil end
    local after = at + #head
    local line_end = find(text, "\n", after, true) or #text + 1
    local before = sub(text, math.max(1, at - 200), at - 1)
    local lead = match(before, "^.*\n(.*)$") or before
    local tail, body = sub(text, after, math.min(line_end - 1, after + 40)), key_body(text, after)
    local alone = find(lead, "^[+ -]?[%s\"'|>`#*/]*$") and find(tail, "^[%s\"'`,;\\]*$")
    local inline = find(tail, "^\\n[%w+/=]") ~= nil
    local random = #body >= 40 and M.entropy(body) > 3
    if (inline and #body >= 16) or random or (alone and #body >= 4 and not blank(body, "code")) then
      local _, size = find(sub(text, after, after + 16384),
        "%-%-%-%-%-END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*%-%-%-%-%-")
      local to = size and after + size - 1 or inline and line_end - 1
        or math.min(#text, after + 4096)
      add(hits, at, to, "private key")
      return to
    end
  end)
end

-- Finds the value that is assigned to a key in the text after the key, and its offset.
local function assigned(window, loose, called)
  local rest = match(window, "^[%w_%-]*[\"'%]]?%s*:?[=:]>?%s*(.*)$")
    or (called and match(window, "^[%w_%-]*[\"']%s*,%s*([\"'].*)$"))
  if not rest then return nil end
  local from = #window - #rest + 1
  local quote = match(rest, "^[\"'`]")
  if quote then
    local stop = find(rest, quote, 2, true)
    if stop then return sub(rest, 2, stop - 1), from + 1 end
    return nil
  end
  if not loose then return nil end
  local value = match(rest, "^[^%s#;,]+")
  if value then return value, from end
end

local function looks_random(value, least_size, least_entropy, context)
  if #value < least_size or find(value, "%s") or find(value, "^[%w_.]+%(") then return false end
  -- AWS secret keys have 40 characters: letters, digits, "+" and "/".
  -- The published example key is also reported, except in documents.
  local issued = #value == 40 and context ~= "docs" and find(value, "^[%w+/]+$")
    and find(value, "[+/]")
  if not issued and M.placeholder(value, context) then return false end
  if not (find(value, "%d") and find(value, "%a")) then return false end
  -- URLs, paths, versions and dotted names are not passwords.
  if find(value, "^%a[%w+.-]*://") or find(value, "^[./~]")
      or find(value, "^%a[%w_]*[%.:][%w_.:]+$") then
    return false
  end
  return M.entropy(value) >= least_entropy
end

-- Reports whether a value looks like a name: short lower-case words joined by "_" or "-".
local function identifier(value, password)
  if not find(value, "^[a-z0-9]+[_%-][a-z0-9_%-]*$") then return false end
  for piece in string.gmatch(value, "[a-z0-9]+") do
    local mixed = find(piece, "%a") and find(piece, "%d")
    if #piece > 10 or find(piece, "^%d%d%d%d%d") or (password and mixed) then return false end
  end
  return true
end

-- Returns the value that is assigned to a key's name, and the position of the value.
-- First looks for an assignment in only 48 bytes, because most key names are not followed by one.
local function value_of(text, low, at, after, opts)
  local near = sub(low, after, after + 48)
  if opts.looks <= 0 or not find(near, "^[%w_%-]*[\"'%]]?%s*[:=,]") then return nil end
  opts.looks = opts.looks - 1
  -- A call such as put("password", "…") is an assignment, but a list of names is not.
  local called = find(sub(text, math.max(1, at - 40), at - 1), "%(%s*[\"'][%w_.-]*$") ~= nil
  local line_end = find(text, "\n", after, true) or #text + 1
  local window = sub(text, after, math.min(line_end - 1, after + 600))
  -- In a document, an unquoted value counts only in a line such as TOKEN=value.
  local loose = opts.loose or (opts.context == "docs" and find(window, "^[%w_]*=%S+%s*$")
    and find(sub(text, math.max(1, at - 80), at - 1), "[\n+ :>$`][A-Z][A-Z0-9_]*$")) or false
  local value, offset = assigned(window, loose, called)
  if not value then return nil end
  return value, after + offset - 1, called
end

-- Adds hits for the secret values that follow the name of a key.
local function key_hits(text, low, key, hits, opts)
  local docs, header = opts.context == "docs", key == "authorization"
  local password = find(key, "pass", 1, true) or key == "_pwd"
  each(low, key, hits, function(at, to)
    local after = to + 1
    local value, from, called = value_of(text, low, at, after, opts)
    if value and header then
      local skip, bare = match(value, "^(%a+%s+)(%S+)$")
      value, from = bare, from + #(skip or "")
    end
    -- Skip "token" at the start of a word such as "tokenize".
    if not value or key == "token" and find(low, "^i[sz]", after) then return end
    -- Accept shorter passwords than tokens, because people choose short passwords.
    local short = password and not called and not docs
    local size, entropy = docs and 20 or short and 7 or 10, docs and 3.6 or short and 2.5 or 2.9
    -- Hexadecimal digits have less entropy per character, so lower the threshold for a key.
    if docs and #value >= 32 and find(value, "^%x+$") then entropy = 3 end
    if looks_random(value, size, entropy, opts.context) and not identifier(value, password) then
      add(hits, from, from + #value - 1,
        header and "authorization header" or password and "hard-coded password"
        or "hard-coded secret")
    end
  end)
end

local SCHEMES = { bearer = true, basic = true, token = true, apikey = true, key = true,
  digest = true }
local LOCAL_HOSTS = { localhost = true, ["127.0.0.1"] = true, db = true, postgres = true,
  mysql = true, redis = true, mongo = true, mongodb = true, rabbitmq = true, database = true,
  host = true, hostname = true, ["0.0.0.0"] = true }

-- Adds the passwords and tokens of logins in command lines, headers and URLs to `hits`.
local function logins(text, low, hits, opts)
  local docs = opts.context == "docs"
  each(low, "authorization", hits, function(_, to)
    local lead, value = match(sub(text, to + 1, to + 601),
      "^([\"']?%s*[:=,]%s*[\"'`]?%a+%s+)([^%s\"'`,;\\]+)")
    if value and SCHEMES[match(lower(lead), "(%a+)%s+$")] and not find(value, "$", 1, true)
      and looks_random(value, docs and 20 or 12, docs and 3.4 or 2.9, opts.context)
        and not identifier(value) then
      add(hits, to + 1 + #lead, to + #lead + #value, "authorization header")
    end
  end)
  for _, option in ipairs { "-u", "--user" } do
    each(text, option, hits, function(at)
      local lead, pass = match(sub(text, at, at + 300),
        "^(%-%-?%l+[ =]?%s*[\"']?[%w._@+-]+:)([^%s\"'`\\]+)")
      if pass and find(sub(text, math.max(1, at - 1), at - 1), "^[%s\"'+-]?$")
          and not find(pass, "^[$%%]")
        and looks_random(pass, docs and 12 or 8, docs and 3 or 2.5, opts.context)
          and not identifier(pass, true) then
        add(hits, at + #lead, at + #lead + #pass - 1, "password on a command line")
      end
    end)
  end
  each(text, "://", hits, function(at)
    local user, pass, host = match(sub(text, at, at + 300),
      "^://([%w._%%-]*):([^%s@/:\"'`<>{}$]+)@([%w.-]+)")
    if pass and #pass >= 6 and pass ~= user and not LOCAL_HOSTS[lower(host)]
        and not M.placeholder(pass)
      and not find(host, "example") and not find(lower(pass), "^pass")
        and M.entropy(pass) >= 2.2 then
      add(hits, at + #user + 4, at + #user + 3 + #pass, "password in a URL")
    end
  end)
end

--- Finds credentials in a text. The hits come in order and do not overlap.
--- ```lua
--- #require("moonlet.secrets").scan("x = 1", { context = "code" }) --> 0
--- ```
---@param text string
---@param options moonlet.secrets.Options?
---@return moonlet.secrets.Hit[]
---@return boolean all  false if the search stopped because of too many suspected secrets
function M.scan(text, options)
  options = options or {}
  local opts = { context = options.context or "code", loose = options.loose, looks = 20000 }
  local hits = { limit = options.limit or 200 }
  known_forms(text, hits, opts.context)
  private_keys(text, hits)
  if opts.context ~= "test" and opts.context ~= "generated" then
    local low = lower(text)
    for _, key in ipairs(KEYS) do key_hits(text, low, key, hits, opts) end
    logins(text, low, hits, opts)
  end
  table.sort(hits, function(a, b)
    if a.from ~= b.from then return a.from < b.from end
    return a.to > b.to
  end)
  local kept, last = {}, 0
  for i = 1, #hits do
    if hits[i].from > last then
      kept[#kept + 1] = hits[i]
      last = hits[i].to
    end
  end
  return kept, opts.looks > 0 and #hits < hits.limit
end

--- Replaces each hit by its kind. Line breaks inside a hit stay, so line numbers do not change.
--- ```lua
--- local secrets = require "moonlet.secrets"
--- secrets.redact("x = 1", secrets.scan "x = 1") --> "x = 1"
--- ```
---@param text string
---@param hits moonlet.secrets.Hit[]
---@return string
function M.redact(text, hits)
  if #hits == 0 then return text end
  local parts, pos = {}, 1
  for i = 1, #hits do
    local hit = hits[i]
    parts[#parts + 1] = sub(text, pos, hit.from - 1)
    parts[#parts + 1] = format("[redacted: %s]", hit.kind)
    local at = find(text, "\n", hit.from, true)
    while at and at <= hit.to do
      -- The first byte of a diff line marks its kind, so keep it.
      parts[#parts + 1] = match(sub(text, at, at + 1), "^\n[+ -]?") .. "[redacted]"
      at = find(text, "\n", at + 1, true)
    end
    pos = hit.to + 1
  end
  parts[#parts + 1] = sub(text, pos)
  return concat(parts)
end

return M
