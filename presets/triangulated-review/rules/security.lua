--- Rules about attacks: secrets in the text, verification that is switched off, weak cryptography, loaders that trust
--- their data, values that become part of a page.

local passwords = require "moonlet.passwords"
local secrets = require "moonlet.secrets"
local shape = require "moonlet.text"
local V = require "rules.view"

local find, format, gsub = string.find, string.format, string.gsub

local M = {}

M.rules = {
  ["secret"] = { lenses = { "security", "risks" }, severity = "critical", confidence = 0.85,
    fix = "Take it out, revoke it, and read it from the environment." },
  ["secret-file"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.85,
    fix = "Take the file out of the repository, ignore it, and revoke what it holds." },
  ["verification-off"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.9,
    fix = "Leave verification on; trust the one certificate that is needed." },
  ["weak-hash"] = { lenses = { "security", "risks" }, severity = "medium", confidence = 0.7,
    fix = "Use SHA-256, or a password hash such as argon2 or bcrypt for passwords." },
  ["weak-cipher"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.85,
    fix = "Use AES-GCM or ChaCha20-Poly1305." },
  ["weak-random"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.8,
    fix = "Use the system's cryptographic random numbers." },
  ["unsafe-load"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.8,
    fix = "Use a format that holds data only, or the safe loader." },
  ["raw-html"] = { lenses = { "security", "risks" }, severity = "medium", confidence = 0.7,
    fix = "Set it as text, or clean it first." },
  ["debug-mode"] = { lenses = { "security", "risks", "practicality" }, severity = "medium", confidence = 0.8,
    fix = "Take it from configuration, off by default." },
  ["temporary-name"] = { lenses = { "security", "risks" }, severity = "low", confidence = 0.8,
    fix = "Use mkstemp or NamedTemporaryFile." },
}

-- Secrets ----------------------------------------------------------------------------------------

local function context_of(view)
  if view.d.kind == "docs" then return "docs" end
  return view.test and "test" or view.generated and "generated" or "code"
end

-- The secrets of a file that is reviewed as a whole; those of a diff were found when it was read.
local function found_secrets(view)
  if #view.part.secrets > 0 or view.section ~= "file" then return view.part.secrets end
  local texts, list = {}, {}
  for i, n in ipairs(view.added) do texts[i] = view.lines[n].text end
  local text = table.concat(texts, "\n")
  local loose = view.d.kind == "config" or view.language == "shell" or view.language == "docker"
  local pos, line = 1, 1
  for _, hit in ipairs(secrets.scan(text, { context = context_of(view), loose = loose })) do
    local stop = find(text, "\n", pos, true)
    while stop and stop < hit.from do
      pos, line = stop + 1, line + 1
      stop = find(text, "\n", pos, true)
    end
    list[#list + 1] = { kind = hit.kind, line = view.added[line] }
  end
  return list
end

local COMMITTED = "Take it out, revoke it (it is in the history now), and read it from the environment."
-- Remedies by the place where the secret is by now.
local FIXES = { commit = COMMITTED, range = COMMITTED,
  path = "Take it out, revoke it if it was ever committed, and read it from the environment." }
local NOT_COMMITTED = "Take it out before you commit, and read it from the environment."

-- Reports a secret without repeating it.
local function report_secret(view, n, kind, report, change, confidence)
  -- Tests of anything with certificates hold keys without use elsewhere.
  local made = view.test and kind == "private key" and "keys in tests are mostly made for them" or nil
  local what = (find(kind, "^[AEIOaeio]") and "an " or "a ") .. kind
  report("secret", view, n, format("A secret is in the text: it looks like %s.", what), { loud = true,
    evidence = format("line %d holds %s; it is not repeated here", n, what), confidence = confidence,
    fix = FIXES[change.facts.target.kind] or NOT_COMMITTED,
    severity = view.d.kind == "docs" and "high" or nil, question = made })
end

local function named_passwords(view, report, change)
  if view.test or view.example or view.generated or view.d.kind ~= "code" and view.d.kind ~= "config" then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and #line.text < 1000 and find(line.code, "%S") and passwords.has(line.text) then
      report_secret(view, n, "password", report, change, 0.75)
    end
  end
end

local function leaked(view, report, change)
  for _, hit in ipairs(found_secrets(view)) do report_secret(view, hit.line, hit.kind, report, change) end
  named_passwords(view, report, change)
  local new = view.status == "added" or view.status == "untracked"
  local what, maybe = secrets.name(view.path)
  if what and not maybe and new and not view.test and not view.example then
    report("secret-file", view, nil, format("The name of the file says that it holds %s.", what), { loud = true })
  end
end

-- Verification, cryptography, data ---------------------------------------------------------------

-- Language, shape, its meaning, and true if the shape holds a text.
local OFF = {
  { "python", "%f[%w_]verify%s*=%s*False%f[^%w_]", "TLS certificates are not checked" },
  { "python", "_create_unverified_context", "TLS certificates are not checked" },
  { "python", "%f[%w_]CERT_NONE%f[^%w_]", "TLS certificates are not checked" },
  { "python", "check_hostname%s*=%s*False", "the name in the certificate is not checked" },
  { "python", "verify_ssl%s*=%s*False", "TLS certificates are not checked" },
  { "python", "[\"']verify_signature[\"']%s*:%s*False", "the signature of the token is not checked", true },
  { "python", "AutoAddPolicy%(", "any host key is accepted" },
  { "go", "InsecureSkipVerify:%s*true", "TLS certificates are not checked" },
  { "go", "InsecureSkipVerify%s*=%s*true", "TLS certificates are not checked" },
  { "go", "InsecureIgnoreHostKey%(", "any host key is accepted" },
  { "javascript", "rejectUnauthorized[\"']?%s*:%s*false", "TLS certificates are not checked" },
  { "javascript", "NODE_TLS_REJECT_UNAUTHORIZED[\"'%]]*%s*=%s*[\"']?0", "TLS certificates are not checked", true },
  { "javascript", "strictSSL%s*:%s*false", "TLS certificates are not checked" },
  { "php", "CURLOPT_SSL_VERIFY%a+%s*,%s*[f0]", "TLS certificates are not checked" },
  { "php", "[\"']verify_peer[\"']%s*=>%s*false", "TLS certificates are not checked", true },
  { "rust", "danger_accept_invalid_%a+%(%s*true", "TLS certificates are not checked" },
  { "ruby", "VERIFY_NONE", "TLS certificates are not checked" },
  { "java", "ALLOW_ALL_HOSTNAME_VERIFIER", "the name in the certificate is not checked" },
  { "java", "NoopHostnameVerifier", "the name in the certificate is not checked" },
  { "cpp", "CURLOPT_SSL_VERIFY%a+%s*,%s*0", "TLS certificates are not checked" },
  { "java", "checkServerTrusted%(.*%)%s*[%w%s]*{%s*}", "TLS certificates are not checked" },
  { "csharp", "ServerCertificateValidationCallback.*true", "TLS certificates are not checked" },
}

local HASHES = {
  { "python", "hashlib%.md5%(", "MD5" }, { "python", "hashlib%.sha1%(", "SHA-1" },
  { "javascript", "createHash%(%s*[\"'`]md5", "MD5", true },
  { "javascript", "createHash%(%s*[\"'`]sha1", "SHA-1", true },
  { "go", "%f[%w_]md5%.New%(", "MD5" }, { "go", "%f[%w_]md5%.Sum%(", "MD5" }, { "go", "%f[%w_]sha1%.New%(", "SHA-1" },
  { "go", "%f[%w_]sha1%.Sum%(", "SHA-1" }, { "java", "getInstance%(%s*\"MD5\"", "MD5", true },
  { "java", "getInstance%(%s*\"SHA%-?1\"", "SHA-1", true }, { "php", "%f[%w_>]md5%(%s*%$", "MD5" },
  { "php", "%f[%w_>]sha1%(%s*%$", "SHA-1" }, { "ruby", "Digest::MD5", "MD5" }, { "ruby", "Digest::SHA1", "SHA-1" },
  { "csharp", "MD5%.Create%(", "MD5" }, { "cpp", "%f[%w_]MD5_?Init%(", "MD5" }, { "cpp", "%f[%w_]EVP_md5%(", "MD5" },
  { "rust", "%f[%w_][mM]d5::", "MD5" },
}
local SECRET_WORDS = { "password", "passwd", "token", "secret", "signature", "sign(", "auth", "credential", "session" }
-- A checksum or a cache key needs no strength.
local CHECKSUM_WORDS = { "etag", "cache", "checksum", "finger", "digest", "key", "hash", "dedup", "id" }

local ECB, DES = "ECB shows which blocks are equal", "DES can be broken by trying"
local CIPHERS = {
  { "MODE_ECB", ECB }, { "AES/ECB", ECB }, { "aes%-%d+%-ecb", ECB },
  { "createCipher%(", "createCipher derives its key without salt" },
  { "getInstance%(%s*\"DES", DES }, { "%f[%w_]DES%.new%(", DES }, { "%f[%w_]des%.NewCipher%(", DES },
  { "des%-ede?3?%-?%a*[\"']", DES },
  { "%f[%w_]rc4%.NewCipher%(", "RC4 is broken" }, { "%f[%w_]ARC4%.new%(", "RC4 is broken" },
  { "algorithms?%s*[=:]%s*%[?%s*[\"']none[\"']", "A token without signature is accepted" },
}

local RANDOM = {
  python = "%f[%w_]random%.%l+%(", javascript = "Math%.random%(%)",
  java = "new%s+Random%(", php = "%f[%w_]m?t?_?rand%(", go = "%f[%w_]rand%.Int", cpp = "%f[%w_]rand%(%)",
  ruby = "%f[%w_.]rand%(",
}
local RANDOM_WORDS = { "token", "secret", "password", "passwd", "session", "nonce", "otp", "api_key", "apikey", "salt",
  "csrf" }

local LOADS = {
  { "python", "%f[%w_]pickle%.loads?%(", "pickle runs code that is in the data" },
  { "python", "%f[%w_]marshal%.loads?%(", "marshal trusts its data" },
  { "python", "%f[%w_]yaml%.load%(", "A plain yaml.load makes objects of any class" },
  { "python", "%f[%w_]yaml%.unsafe_load%(", "A yaml.unsafe_load makes objects of any class" },
  { "python", "%f[%w_]shelve%.open%(", "shelve runs code that is in the data" },
  { "php", "%f[%w_]unserialize%(%s*%$_", "unserialize makes objects of any class" },
  { "ruby", "%f[%w_]Marshal%.load", "Marshal makes objects of any class" },
  { "ruby", "%f[%w_]YAML%.load%(", "YAML.load makes objects of any class" },
  { "java", "new%s+ObjectInputStream%(", "ObjectInputStream makes objects of any class" },
}

-- The first of a language's shapes that a line has; a shape with a fourth field is looked for in strings too.
local function first_of(view, line, list)
  for _, item in ipairs(list) do
    if item[1] == view.family and find(item[4] and line.text or line.code, item[2]) then return item end
  end
  return nil
end

local NO_SETTING = { "^%s*if%s", "==", "^%s*a?s?y?n?c?%s*def%s" }

local ASKED_FOR = { "verify", "insecure", "trust", "skip", "unsafe", "check_hostname", "ssl", "tls" }
local CONDITIONS = { "%f[%w]if%f[%W]", "%f[%w]elif%f[%W]", "%f[%w]unless%f[%W]" }
local NAMED_SO = { "no_verify", "noverify", "insecure", "unverified", "untrusted" }

-- True if somebody asked for it: the line stands under a condition, or in a function, that speaks of it.
local function asked_for(view, n)
  local indent = V.indent(view.lines[n].code)
  for i = n - 1, math.max(1, n - 20), -1 do
    local before = view.lines[i]
    if not before then return false end
    local width = V.indent(before.code)
    if find(before.code, "%S") and width < indent then
      if shape.any(before.code, CONDITIONS) and shape.word(before.code, ASKED_FOR) then return true end
      if find(before.code, "%f[%w]def%f[%W]") or find(before.code, "%f[%w]func") then
        return shape.word(before.code, NAMED_SO) ~= nil
      end
      indent = width + (find(before.code, "^%s*}?%s*else") and 1 or 0)
    end
  end
  return false
end

local function verification(view, n, line, report)
  local item = first_of(view, line, OFF)
  if item and not shape.any(line.code, NO_SETTING) and not asked_for(view, n) then
    report("verification-off", view, n, (gsub(item[3], "^%l", string.upper)) .. ".")
  end
end

local function hashes(view, n, line, report)
  local item = first_of(view, line, HASHES)
  if not item or find(line.text, "usedforsecurity", 1, true) then return end
  local protects = shape.word(line.text, SECRET_WORDS)
  if protects or not shape.word(line.text .. " " .. view.path, CHECKSUM_WORDS) then
    report("weak-hash", view, n,
      format("%s can be forged%s.", item[3], protects and ", and here it protects something" or ""),
      { severity = protects and "high" or nil, confidence = protects and 0.85 or nil,
        question = not protects and "some formats and protocols ask for it" or nil })
  end
end

local function ciphers(view, n, line, report)
  for _, item in ipairs(CIPHERS) do
    if find(line.text, item[1]) then
      report("weak-cipher", view, n, item[2] .. ".")
      return
    end
  end
end

local function random_numbers(view, n, line, report)
  local pattern = RANDOM[view.family]
  if not pattern or not find(line.code, pattern) then return end
  local around = view.lines[n - 1]
  local named = shape.word(line.code, RANDOM_WORDS)
    or around and find(around.code, "[fd][ue][nf]") and shape.word(around.code, RANDOM_WORDS)
  if named then
    report("weak-random", view, n, format("These random numbers can be predicted, and a %s is made of them.", named))
  end
end

local function loaders(view, n, line, report)
  local item = first_of(view, line, LOADS)
  if item and not find(line.code, "[sS]afe") and not find(line.code, "Loader%s*=%s*%a*C?S") then
    report("unsafe-load", view, n, (gsub(item[3], "^%l", string.upper)) .. ".")
  end
  if view.language == "python" and find(line.code, "tempfile%.mktemp%(") then
    report("temporary-name", view, n, "Between mktemp and the opening anybody can put a file there.")
  end
end

local PAGE_WRITES = { "%.innerHTML%s*%+?=%s*([^=%s].*)$", "%.outerHTML%s*%+?=%s*([^=%s].*)$",
  "insertAdjacentHTML%([^,]*,%s*(.*)$", "document%.write%((.*)$" }

local function pages(view, n, line, report)
  if shape.word(line.text, { "sanitize", "purify", "escape" }) then return end
  local value = shape.first(line.code, PAGE_WRITES)
  local put_in = value and (find(value, "^[%a_$]") or find(value, "%${") or find(value, "%+%s*[%a_$]"))
  if put_in or find(line.code, "dangerouslySetInnerHTML") and find(line.text, "__html:%s*[%a_]") then
    report("raw-html", view, n, "A value is put into the page as HTML: what it holds is run.")
  end
end

local function debug_mode(view, n, line, report)
  local started = find(line.code, "%.run%(.*debug%s*=%s*True") or find(line.code, "%f[%w_]app%.debug%s*=%s*True")
  local set = find(line.text, "^%s*DEBUG%s*=%s*True%s*$") and find(view.d.name, "settings")
  if started or set then
    report("debug-mode", view, n,
      "Debug mode is on in the code: it shows the inside of the program to everybody.")
  end
end

local function check(view, n, line, report)
  if view.language == "python" then debug_mode(view, n, line, report) end
  if view.d.kind ~= "code" or view.test then return end
  verification(view, n, line, report)
  hashes(view, n, line, report)
  ciphers(view, n, line, report)
  random_numbers(view, n, line, report)
  loaders(view, n, line, report)
  local page = view.family == "javascript" or view.language == "html"
  if page and not view.example then pages(view, n, line, report) end
end

---@param view rules.View
function M.file(view, report, change)
  leaked(view, report, change)
  if view.generated or view.d.fixture or view.d.kind ~= "code" and view.d.kind ~= "config" then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local told = line.inside == "string" and view.language ~= "yaml"
    if not line.moved and #line.text < 1000 and find(line.code, "%S") and not told then check(view, n, line, report) end
  end
end

return M
