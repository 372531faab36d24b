--- Rules about what an attacker would try: secrets in the text, queries and commands put together from input,
--- verification switched off, weak cryptography, data that becomes code.

local secrets = require "moonlet.secrets"
local V = require "moonlet.rules.view"

local find, format, lower, match, sub = string.find, string.format, string.lower, string.match, string.sub

local M = {}

M.rules = {
  ["secret"] = { lenses = { "security", "risks" }, severity = "critical", confidence = 0.85,
    fix = "Take it out, revoke it (it is in the history now), and read it from the environment." },
  ["secret-file"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.85,
    fix = "Take the file out of the repository, ignore it, and revoke what it holds." },
  ["query-from-text"] = { lenses = { "security", "risks", "correctness" }, severity = "high", confidence = 0.8,
    fix = "Pass the values as parameters of the query." },
  ["command-from-text"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.85,
    fix = "Run the program with a list of arguments, without a shell." },
  ["code-from-text"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.8,
    fix = "Parse the data instead of running it." },
  ["verification-off"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.9,
    fix = "Leave verification on; trust the one certificate that is needed." },
  ["weak-hash"] = { lenses = { "security" }, severity = "medium", confidence = 0.7,
    fix = "Use SHA-256, or a password hash such as argon2 or bcrypt for passwords." },
  ["weak-cipher"] = { lenses = { "security" }, severity = "high", confidence = 0.85,
    fix = "Use AES-GCM or ChaCha20-Poly1305." },
  ["weak-random"] = { lenses = { "security" }, severity = "high", confidence = 0.8,
    fix = "Use the system's cryptographic random numbers." },
  ["unsafe-load"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.8,
    fix = "Use a format that holds data only, or the safe loader." },
  ["raw-html"] = { lenses = { "security" }, severity = "medium", confidence = 0.7,
    fix = "Set it as text, or clean it first." },
  ["open-permissions"] = { lenses = { "security", "risks" }, severity = "medium", confidence = 0.85,
    fix = "Give write access to the owner alone." },
  ["debug-mode"] = { lenses = { "security", "risks", "practicality" }, severity = "medium", confidence = 0.8,
    fix = "Take it from configuration, off by default." },
  ["temporary-name"] = { lenses = { "security" }, severity = "low", confidence = 0.8,
    fix = "Use mkstemp or NamedTemporaryFile." },
}

local JS = { javascript = true, typescript = true, vue = true, svelte = true, astro = true }

-- Secrets ----------------------------------------------------------------------------------------

local function found_secrets(view)
  if #view.part.secrets > 0 or view.section ~= "file" then return view.part.secrets end
  local list, texts = {}, {}
  for i, n in ipairs(view.added) do texts[i] = view.lines[n].text end
  local text = table.concat(texts, "\n")
  local context = view.d.kind == "docs" and "docs" or view.test and "test" or view.generated and "generated" or "code"
  local pos, line = 1, 1
  for _, hit in ipairs(secrets.scan(text, { context = context,
    loose = view.d.kind == "config" or view.language == "shell" or view.language == "docker" })) do
    while true do
      local stop = find(text, "\n", pos, true)
      if not stop or stop >= hit.from then break end
      pos, line = stop + 1, line + 1
    end
    list[#list + 1] = { kind = hit.kind, line = view.added[line] }
  end
  return list
end

local function leaked(view, report)
  for _, hit in ipairs(found_secrets(view)) do
    report("secret", view, hit.line, format("A secret is in the text: it looks like a %s.", hit.kind), { loud = true,
      evidence = format("line %d holds a %s; it is not repeated here", hit.line, hit.kind),
      severity = view.d.kind == "docs" and "high" or nil })
  end
  local what, maybe = secrets.name(view.path)
  if what and not maybe and view.status ~= "deleted" and not view.test and not view.example
    and (view.status == "added" or view.status == "untracked") then
    report("secret-file", view, nil, format("The name of the file says that it holds %s.", what), { loud = true })
  end
end

-- Queries and commands ---------------------------------------------------------------------------

local function looks_like_query(text)
  return find(text, "SELECT%s.*%sFROM%s") or find(text, "INSERT%s+INTO%s") or find(text, "UPDATE%s+[%w_`\"%[%].]+%s+SET%s")
    or find(text, "DELETE%s+FROM%s") or find(text, "[\"'`]select%s.*%sfrom%s.*where") or find(text, "[\"'`]delete%s+from%s.*where")
    or find(text, "[\"'`]insert%s+into%s.*values") or find(text, "[\"'`]update%s+%w+%s+set%s.*=")
end

local STRUCTURAL = { table = true, column = true, columns = true, placeholder = true, placeholders = true, schema = true,
  tablename = true, table_name = true, where = true, fields = true, order = true, limit = true, cols = true, marks = true,
  qmarks = true, conditions = true, clause = true, where_clause = true, _table = true, self = true, prefix = true }

-- The name of what is put into the text; nil where only fixed parts of a query (tables, columns) are.
local function put_in(view, text)
  local names = {}
  local language = view.language
  local function add(name) names[#names + 1] = name end
  if language == "python" then
    if find(text, "%f[%w_][fF][rR]?[\"']") then
      for name in string.gmatch(text, "{([^{}]*)}") do add(name) end
    end
    local after = match(text, "[\"']%s*%%%s*%(?%s*([%a_][%w_.%[%]]*)") or match(text, "[\"']%s*%+%s*([%a_][%w_.%[%]()]*)")
    if after and not find(text, "^%s*#") then add(after) end
    local formatted = match(text, "[\"']%.format%(%s*([%w_.]*)")
    if formatted then add(formatted) end
  elseif JS[language] or language == "kotlin" or language == "groovy" or language == "dart" or language == "scala" then
    for name in string.gmatch(text, "%${?([%a_][%w_.()%[%]]*)") do add(name) end
    local joined = match(text, "[\"'`]%s*%+%s*([%a_$][%w_.$%[%]()]*)")
    if joined then add(joined) end
  elseif language == "php" then
    for name in string.gmatch(text, "%$([%a_][%w_]*)") do
      if find(text, "\"[^\"]*%$" .. name) or find(text, "[\"']%s*%.%s*%$" .. name) then add(name) end
    end
  elseif language == "ruby" or language == "elixir" then
    for name in string.gmatch(text, "#{([^{}]*)}") do add(name) end
  elseif language == "go" then
    if find(text, "Sprintf%(") and find(text, "%%[svq]") then add(match(text, "[\"`]%s*,%s*([%w_.]+)") or "a value") end
    local joined = match(text, "[\"`]%s*%+%s*([%a_][%w_.]*)")
    if joined then add(joined) end
  else
    local joined = match(text, "\"%s*%+%s*([%a_][%w_.()]*)") or match(text, "\"%s*%.%.%s*([%a_][%w_.()]*)")
    if joined then add(joined) end
    if find(text, "[sS]tring%.[fF]ormat%(") and find(text, "%%s") then add "a value" end
    if find(text, "format!%(") and find(text, "{[%w_]*}") then add "a value" end
    if find(text, "%$\"") then
      for name in string.gmatch(text, "{([^{}]*)}") do add(name) end
    end
  end
  for _, name in ipairs(names) do
    local last = lower(match(name, "([%a_][%w_]*)[^%w_]*$") or "")
    local fixed = STRUCTURAL[last] or STRUCTURAL[lower(match(name, "^([%w_]*)") or "")] or find(name, "^%u[%u%d_]*$") or find(last, "table")
      or find(last, "column") or find(last, "placeholder") or find(last, "quote") or find(last, "escape") or find(name, "join")
      or find(name, "quote") or find(name, "escape")
    if not fixed and name ~= "" then return name end
  end
  return nil
end

local function queries(view, n, line, report)
  local text = line.text
  if line.comment ~= "" and not find(line.code, "%S") then return end
  if find(line.code, "[sS][qQ][lL]`") or find(line.code, "%f[%w_]Prisma%.sql") or find(lower(text), "log", 1, true) then return end
  if not looks_like_query(text) then return end
  local name = put_in(view, text)
  -- The value may be put in on the next line.
  if not name then
    local following = view.lines[n + 1]
    if following and find(line.code, "[\"'`]%s*[%+.%%]?%s*$") and find(following.code, "^%s*[%+%%.]") then
      name = put_in(view, text .. " " .. following.text)
    end
  end
  if name then
    report("query-from-text", view, n, format("A query is put together from text: what %s holds can change what the query does.",
      find(name, "^[%w_.$]+$") and name or "the value"))
  end
end

local function python_commands(view, n, line, report)
  local code, text = line.code, line.text
  local joined = find(text, "%f[%w_][fF][rR]?[\"'][^\"']*{") or find(code, "[\"']%s*%%%s*[%w_(]") or find(code, "%.format%(")
    or find(code, "[\"']%s*%+%s*[%a_]") or find(code, "[%w_)]%s*%+%s*[\"']")
  if find(code, "shell%s*=%s*True") then
    local fixed = match(text, "%(%s*[\"']([^\"'{}]*)[\"']%s*,") ~= nil and not joined
    if not fixed then
      -- The command may stand on a line above.
      local above = joined
      local constant = false
      for i = n - 1, math.max(1, n - 6), -1 do
        local before = view.lines[i]
        if not before or above then break end
        if find(before.text, "%f[%w_][fF][rR]?[\"'][^\"']*{") then above = true end
        if find(before.code, "subprocess%.") or find(before.code, "Popen") or find(before.code, "%(%s*$") then
          constant = constant or find(view.lines[i + 1].text, "^%s*[\"'][^\"'{}]*[\"']%s*,") ~= nil
          break
        end
      end
      if not constant then
        report("command-from-text", view, n, "A shell runs text that is put together at run time.",
          { severity = (joined or above) and "high" or "medium", confidence = (joined or above) and 0.9 or 0.75 })
      end
    end
  elseif (find(code, "%f[%w_]os%.system%(") or find(code, "%f[%w_]os%.popen%(") or find(code, "getoutput%(")) then
    local argument = match(code, "%(%s*([%a_][%w_.]*)%s*%)")
    if joined or argument then
      report("command-from-text", view, n, "A shell runs text that is put together at run time.")
    end
  end
end

local function other_commands(view, n, line, report)
  local code, text = line.code, line.text
  local found = false
  if JS[view.language] then
    found = (find(code, "%f[%w_.]exec%(") or find(code, "%f[%w_]execSync%(") or find(code, "child_process%.exec%("))
      and (find(text, "exec%a*%(%s*`[^`]*%${") or find(text, "exec%a*%(%s*[\"'][^\"']*[\"']%s*%+"))
  elseif view.language == "ruby" then
    found = find(text, "%f[%w_]system%(?%s*\"[^\"]*#{") or find(text, "`[^`]*#{[^`]*`")
  elseif view.language == "php" then
    found = (find(code, "%f[%w_]s?h?e?l?l?_?exec%(") or find(code, "%f[%w_]system%(") or find(code, "%f[%w_]passthru%("))
      and find(text, "%(.*%$[%w_]+") and not find(code, "escapeshell")
  elseif view.language == "go" then
    found = find(text, "exec%.Command%(%s*\"[/%w]*sh\"%s*,%s*\"%-c\"%s*,") and (find(code, "\"%s*%+") or find(code, "Sprintf")
      or find(code, ",%s*[%a_][%w_.]*%s*%)"))
  elseif view.language == "java" or view.language == "kotlin" then
    found = find(text, "getRuntime%(%)%.exec%(%s*\"[^\"]*\"%s*%+")
  elseif view.language == "c" or view.language == "cpp" then
    found = find(code, "%f[%w_.>:]system%s*%(%s*[%a_][%w_.%->()]*%s*%)") and not find(code, "std::system%(%s*\"")
  end
  if found then report("command-from-text", view, n, "A shell runs text that is put together at run time.") end
end

local function evaluation(view, n, line, report)
  local code, text = line.code, line.text
  if view.language == "python" then
    local at = find(code, "%f[%w_.]eval%s*%(") or find(code, "^%s*exec%s*%(") or find(code, "[=(,]%s*exec%s*%(")
    if at and not find(code, "%f[%w_]def%s") and not find(code, "literal_eval") and not find(sub(code, at), "^%s*%a+%s*%(%s*[\"']") then
      report("code-from-text", view, n, "Text is run as code: whoever writes the text runs what they like.")
    end
  elseif JS[view.language] then
    local at = find(code, "%f[%w_.$]eval%s*%(%s*[^%s)]") or find(code, "%f[%w_.]new%s+Function%s*%(%s*[^)]")
    -- A fixed text is as safe as the code around it.
    if at and not find(code, "^%a+%s*%(%s*[\"'`]\1*[\"'`]%s*%)", at) and not find(code, "^new%s+Function%s*%([\"'`\1,%s]*%)", at) then
      report("code-from-text", view, n, "Text is run as code: whoever writes the text runs what they like.",
        { severity = "medium" })
    end
  elseif view.language == "php" or view.language == "ruby" then
    if find(code, "%f[%w_.]eval%s*%(?%s*%$?[%a_]") and (view.language == "php" or find(text, "params")) then
      report("code-from-text", view, n, "Text is run as code: whoever writes the text runs what they like.")
    end
  end
end

-- Verification, cryptography, data ---------------------------------------------------------------

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
  { "c", "CURLOPT_SSL_VERIFY%a+%s*,%s*0", "TLS certificates are not checked" },
  { "csharp", "ServerCertificateValidationCallback.*true", "TLS certificates are not checked" },
}

local HASHES = {
  { "python", "hashlib%.md5%(", "MD5" }, { "python", "hashlib%.sha1%(", "SHA-1" },
  { "javascript", "createHash%(%s*[\"'`]md5", "MD5", true }, { "javascript", "createHash%(%s*[\"'`]sha1", "SHA-1", true },
  { "go", "%f[%w_]md5%.New%(", "MD5" }, { "go", "%f[%w_]md5%.Sum%(", "MD5" }, { "go", "%f[%w_]sha1%.New%(", "SHA-1" },
  { "go", "%f[%w_]sha1%.Sum%(", "SHA-1" }, { "java", "getInstance%(%s*\"MD5\"", "MD5", true },
  { "java", "getInstance%(%s*\"SHA%-?1\"", "SHA-1", true }, { "php", "%f[%w_>]md5%(%s*%$", "MD5" },
  { "php", "%f[%w_>]sha1%(%s*%$", "SHA-1" }, { "ruby", "Digest::MD5", "MD5" }, { "ruby", "Digest::SHA1", "SHA-1" },
  { "csharp", "MD5%.Create%(", "MD5" }, { "c", "%f[%w_]MD5_?Init%(", "MD5" },
}
local SECRET_WORDS = { "password", "passwd", "token", "secret", "signature", "sign(", "auth", "credential", "session" }

local CIPHERS = {
  { "MODE_ECB", "ECB shows which blocks are equal" }, { "AES/ECB", "ECB shows which blocks are equal" },
  { "aes%-%d+%-ecb", "ECB shows which blocks are equal" }, { "createCipher%(", "createCipher derives its key without salt" },
  { "getInstance%(%s*\"DES", "DES can be broken by trying" }, { "%f[%w_]DES%.new%(", "DES can be broken by trying" },
  { "%f[%w_]des%.NewCipher%(", "DES can be broken by trying" }, { "des%-ede?3?%-?%a*[\"']", "DES can be broken by trying" },
  { "%f[%w_]rc4%.NewCipher%(", "RC4 is broken" }, { "%f[%w_]ARC4%.new%(", "RC4 is broken" },
  { "algorithms?%s*[=:]%s*%[?%s*[\"']none[\"']", "a token without signature is accepted" },
}

local RANDOM = { python = "%f[%w_]random%.[crs][haeo][nomt][idlp][cnoel]%a*%(", javascript = "Math%.random%(%)", java = "new%s+Random%(",
  php = "%f[%w_]m?t?_?rand%(", go = "%f[%w_]rand%.Int", c = "%f[%w_]rand%(%)" }
local RANDOM_WORDS = { "token", "secret", "password", "passwd", "session", "nonce", "otp", "api_key", "apikey", "salt", "csrf" }

local LOADS = {
  { "python", "%f[%w_]pickle%.loads?%(", "pickle runs code that is in the data" },
  { "python", "%f[%w_]marshal%.loads?%(", "marshal trusts its data" },
  { "python", "%f[%w_]yaml%.load%(", "yaml.load makes objects of any class" },
  { "python", "%f[%w_]shelve%.open%(", "shelve runs code that is in the data" },
  { "php", "%f[%w_]unserialize%(%s*%$_", "unserialize makes objects of any class" },
  { "ruby", "%f[%w_]Marshal%.load", "Marshal makes objects of any class" },
  { "ruby", "%f[%w_]YAML%.load%(", "YAML.load makes objects of any class" },
  { "java", "new%s+ObjectInputStream%(", "ObjectInputStream makes objects of any class" },
}

local function of_language(view, name)
  if name == "javascript" then return JS[view.language] end
  if name == "c" then return view.language == "c" or view.language == "cpp" end
  if name == "java" then return view.language == "java" or view.language == "kotlin" or view.language == "scala" end
  return view.language == name
end

local function any_word(text, words)
  local low = lower(text)
  for _, word in ipairs(words) do
    if find(low, word, 1, true) then return word end
  end
  return nil
end

local function weaknesses(view, n, line, report)
  local code, text = line.code, line.text
  for _, item in ipairs(OFF) do
    if of_language(view, item[1]) and find(item[4] and text or code, item[2]) and not find(code, "^%s*if%s") and not find(code, "==")
      and not find(code, "^%s*a?s?y?n?c?%s*def%s") then
      report("verification-off", view, n, (item[3]:gsub("^%l", string.upper)) .. ".")
      break
    end
  end
  for _, item in ipairs(HASHES) do
    if of_language(view, item[1]) and find(item[4] and text or code, item[2]) and not find(text, "usedforsecurity", 1, true) then
      local what = any_word(text, SECRET_WORDS)
      -- A checksum or a cache key needs no strength.
      if what or not any_word(text .. " " .. view.path, { "etag", "cache", "checksum", "finger", "digest", "key", "hash", "dedup", "id" }) then
        report("weak-hash", view, n, format("%s can be forged%s.", item[3], what and ", and here it protects something" or ""),
          { severity = what and "high" or nil, confidence = what and 0.85 or nil })
      end
      break
    end
  end
  for _, item in ipairs(CIPHERS) do
    if find(text, item[1]) and find(code, "%S") then
      report("weak-cipher", view, n, (item[2]:gsub("^%l", string.upper)) .. ".")
      break
    end
  end
  for name, pattern in pairs(RANDOM) do
    if of_language(view, name) and find(code, pattern) then
      local before = view.lines[n - 1]
      local named = any_word(code, RANDOM_WORDS)
      local enclosing = before and find(before.code, "[fd][ue][nf]") and any_word(before.code, RANDOM_WORDS)
      if named or enclosing then
        report("weak-random", view, n, format("These random numbers can be predicted, and a %s is made of them.", named or enclosing))
      end
    end
  end
  for _, item in ipairs(LOADS) do
    if of_language(view, item[1]) and find(code, item[2]) and not find(code, "[sS]afe") and not find(code, "Loader%s*=%s*%a*C?S") then
      report("unsafe-load", view, n, (item[3]:gsub("^%l", string.upper)) .. ".")
      break
    end
  end
  if view.language == "python" and find(code, "tempfile%.mktemp%(") then
    report("temporary-name", view, n, "Between mktemp and the opening anybody can put a file there.")
  end
end

local function html(view, n, line, report)
  if not (JS[view.language] or view.language == "html") then return end
  local code, text = line.code, line.text
  local cleaned = find(lower(text), "sanitize", 1, true) or find(lower(text), "purify", 1, true) or find(lower(text), "escape", 1, true)
  if cleaned then return end
  local value = match(code, "%.innerHTML%s*%+?=%s*([^=%s].*)$") or match(code, "%.outerHTML%s*%+?=%s*([^=%s].*)$")
    or match(code, "insertAdjacentHTML%([^,]*,%s*(.*)$") or match(code, "document%.write%((.*)$")
  local interpolated = value and (find(value, "^[%a_$]") or find(value, "%${") or find(value, "%+%s*[%a_$]"))
  if interpolated then
    report("raw-html", view, n, "A value is put into the page as HTML: what it holds is run.")
  elseif find(text, "dangerouslySetInnerHTML") and find(text, "__html:%s*[%a_]") and find(code, "dangerouslySetInnerHTML") then
    report("raw-html", view, n, "A value is put into the page as HTML: what it holds is run.")
  end
end

local function permissions(view, n, line, report)
  local code, text = line.code, line.text
  if find(code, "%f[%w_]chmod%s+[%-%w%s]*0?777%f[^%w]") or find(code, "%f[%w_]chmod%s+[%-R%s]*a%+rwx") or find(code, "%f[%w_]chmod%s+[%-R%s]*o%+w")
    or find(code, "chmod%w*%(.*,%s*0o?777%s*%)") or find(code, "[cC]hmod%(.*,%s*0o?[67]66%s*%)") or find(code, "Chmod%(.*,%s*0o?777%s*%)")
    or find(code, "WriteFile%(.*,%s*0o?777%s*%)") or find(code, "umask%(%s*0+%s*%)") or find(code, "%f[%w]S_IRWXO%f[^%w]")
    or (view.language == "docker" and find(code, "%-%-chmod=0?777")) then
    report("open-permissions", view, n, "Everybody on the machine may write to it.")
  end
  if view.language == "python" and find(code, "%.run%(.*debug%s*=%s*True") or find(text, "^%s*DEBUG%s*=%s*True%s*$") and find(view.d.name, "settings") then
    report("debug-mode", view, n, "Debug mode is on in the code: it shows the inside of the program to everybody.")
  end
end

---@param view moonlet.rules.View
function M.file(view, report)
  leaked(view, report)
  if view.generated or view.d.fixture or (view.d.kind ~= "code" and view.d.kind ~= "config") then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and #line.text < 1000 and find(line.code, "%S") and not (line.inside == "string" and view.language ~= "yaml") then
      permissions(view, n, line, report)
      if view.d.kind == "code" and not view.test then
        queries(view, n, line, report)
        weaknesses(view, n, line, report)
        if not view.example then
          html(view, n, line, report)
          if view.language == "python" then python_commands(view, n, line, report) end
          other_commands(view, n, line, report)
          evaluation(view, n, line, report)
        end
      end
    elseif line.inside == "string" and not line.moved and view.production and #line.text < 1000 then
      -- Queries are often written as text over several lines.
      local opener = V.previous_code(view, n, 3)
      if opener and looks_like_query(line.text) and view.language == "python" and find(line.text, "{[%a_][%w_.]*}") then
        queries(view, n, { text = "f\"" .. line.text, code = line.code, comment = "" }, report)
      end
    end
  end
end

return M
