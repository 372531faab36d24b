--- Defines the findings of reviews: their form, how it is normalised, and how it is printed.
--- Each text in a finding comes from an agent, so it is truncated and escaped for Markdown.

local names = require "moonlet.git.names"

local find, format, gsub = string.find, string.format, string.gsub
local lower, match, sub = string.lower, string.match, string.sub
local flatten, cut = names.flatten, names.cut

---@class moonlet.findings
local M = {}

---@class moonlet.Finding
---@field id string              name of the review, and number of the finding in the review
---@field file string?           relative to the top of the work tree; nil for the whole change
---@field line integer?
---@field severity "critical"|"high"|"medium"|"low"|"info"
---@field lens string
---@field runner string?
---@field rule string?           deterministic rule that reported the finding
---@field claim string           the problem in one sentence
---@field evidence string        the observation
---@field fix string             the remedy
---@field confidence number      0..1
---@field corroborated_by string[]
---@field status "open"|"refuted"|"unverified"|"unsupported"
---@field unjudged boolean?      true if the reviewer's output does not show which lines it read
---@field reason string?         why the finding is refuted, unverified, or a duplicate
---@field merged_from moonlet.Finding[]

---@class moonlet.findings.Origin
---@field id string
---@field lens string?      lens of the review that reported the finding
---@field label string?     name of an unknown lens
---@field runner string?
---@field root string?      absolute path of the work tree
---@field known table<string, boolean>?  existing paths

---@class moonlet.findings.PageOptions
---@field title string?
---@field checked string?   description of the reviewed material, in one line
---@field notes string[]?

local null = core.json.null

--- Lists the severities of findings, from the most to the least severe.
--- ```lua
--- m.findings.severities[1] --> "critical"
--- ```
---@type string[]
M.severities = { "critical", "high", "medium", "low", "info" }

local RANK = {}
for i, name in ipairs(M.severities) do RANK[name] = #M.severities - i + 1 end

local s = require "moonlet.schema"

--- Returns a schema that accepts several types, because `normalise` later converts the value.
local function loose(...) return s.optional { type = core.json.array { ... } } end

local SHORT = s.optional(s.string { max = 20000 })

local ITEM = s.object({
  file = s.optional(s.string { max = 4096 }),
  line = loose("number", "string"),
  severity = loose("string", "number"),
  lens = s.optional(s.string { max = 200 }),
  claim = s.string { min = 1, max = 20000 },
  evidence = SHORT,
  fix = SHORT,
  confidence = loose("number", "string"),
  corroborated_by = s.optional(s.list(s.string())),
  status = s.optional(s.string { max = 40 }),
}, { open = true })

--- The schema of a review, or of a bare list of findings.
--- The schema accepts any clear form, such as "12-14" for a line, which saves repair rounds.
--- ```lua
--- local review = ctx:agent { prompt = "Review src/a.lua. " .. m.findings.form, schema = m.findings.schema }
--- m.merge.findings({ review.data }).findings[1].line --> 3
--- ```
---@type moonlet.Schema
M.schema = s.object({ findings = s.list(ITEM, { max = 10000 }) }, { open = true })
M.schema.type, M.schema.items, M.schema.maxItems = core.json.array { "object", "array" }, ITEM,
  10000

--- Describes the form of a review, in words for an agent's prompt.
--- ```lua
--- local prompt = "Review the change.\n\n" .. m.findings.form
--- m.findings.form:find "severity" ~= nil --> true
--- ```
---@type string
M.form = [[
One JSON object and nothing else:
{"findings": [{"file": "path from the top of the repository", "line": 12, "severity": "high",
"claim": "...", "evidence": "...", "fix": "...", "confidence": 0.8, "status": "open"}]}
- severity: critical (data loss, a security hole, broken for all), high (broken for some), medium
  (will cause trouble), low (worth a change), info (worth knowing).
- claim: one sentence that says what is wrong, and for whom. evidence: what you saw and where, quoted
  briefly, never a secret. fix: what to change, in one or two sentences.
- line is in the new version of the file; null where no one line is meant; file is null for the
  change as a whole.
- confidence: from 0 to 1, how sure you are. Leave out what you would not defend.
- status: "open"; "unverified" where you could not check it; "refuted" where you checked and it does
  not hold, and others should not report it again.
An empty list is a good answer where there is nothing to report.]]

local SEVERITY_WORDS = {}
for severity, words in pairs {
  critical = "critical blocker blocking fatal severe p0 s0 crit emergency",
  high = "high major error important p1 s1 serious must",
  medium = "medium moderate warning warn normal p2 s2 med should mid",
  low = "low minor p3 s3 trivial nit style could small suggestion nitpick cosmetic",
  info = "info note p4 informational information notice hint none praise question",
} do
  for word in words:gmatch "%S+" do SEVERITY_WORDS[word] = severity end
end

--- Returns the severity that a word means, and "medium" for an unknown word.
--- ```lua
--- m.findings.severity "blocker" --> "critical"
--- m.findings.severity "P2" --> "medium"
--- ```
---@param word any
---@return string
function M.severity(word)
  if type(word) == "number" then word = "p" .. format("%d", math.max(0, math.min(4, word // 1))) end
  if type(word) ~= "string" then return "medium" end
  for token in string.gmatch(lower(sub(word, 1, 100)), "%w+") do
    if SEVERITY_WORDS[token] then return SEVERITY_WORDS[token] end
  end
  return "medium"
end

--- Returns the rank of a severity, from 5 for critical to 1 for info.
--- ```lua
--- m.findings.rank "high" --> 4
--- ```
---@param severity string
---@return integer
function M.rank(severity) return RANK[severity] or RANK.medium end

local function escape_codes(text)
  return (gsub(text, utf8.charpattern, function(char)
    local code = utf8.codepoint(char)
    local stays = code == 9 or code == 10 or not names.invisible(code)
    return not stays and format("\\u{%x}", code) or nil
  end))
end

--- Makes a text safe to print: invalid UTF-8 and invisible characters become escape codes.
--- Tabs and line breaks are kept.
--- ```lua
--- m.findings.visible "a\27[31mb" --> "a\\u{1b}[31mb"
--- ```
---@param text string
---@return string
function M.visible(text)
  if not find(text, "[^\9\10\32-\126]") then return text end
  text = gsub(gsub(core.text.clean(text), "\r\n", "\n"), "\r", "\n")
  return escape_codes(text)
end

--- Truncates a text longer than `cap` bytes at a whole character.
--- ```lua
--- m.findings.clip("a long line", 6) --> "a l..."
--- ```
---@type fun(text: string, cap: integer): string
M.clip = cut

local function trim(text) return match(text, "^%s*(.-)%s*$") end

-- Skip the leading spaces first, so that trimming a very long run of spaces takes linear time.
local function words(value, cap)
  if type(value) == "number" or type(value) == "boolean" then value = tostring(value) end
  if type(value) ~= "string" then return "" end
  local from = find(value, "%S")
  if not from then return "" end
  return trim(cut(M.visible(sub(value, from, from + cap * 2)), cap))
end

-- Redact secrets, because some reviewers quote secrets against their instructions.
local function without_secrets(text)
  if #text < 8 then return text end
  local secrets = require "moonlet.secrets"
  local hits = secrets.scan(text, { context = "code" })
  return #hits > 0 and secrets.redact(text, hits) or text
end

local function one_line(value, cap) return (gsub(words(value, cap), "%s+", " ")) end

local function given(value)
  if value == nil or value == null then return nil end
  return value
end

local function whole(value)
  local number = math.tointeger(value)
  if number and number >= 1 and number <= 2147483647 then return number end
  return nil
end

local function line_of(value)
  value = given(value)
  if type(value) == "number" then return value == value and whole(value) or nil end
  if type(value) ~= "string" then return nil end
  local digits = match(sub(value, 1, 200), "%d+")
  return digits and #digits <= 10 and whole(tonumber(digits)) or nil
end

--- Makes a reviewer's path relative to `root`. Also returns the line if the path contained one.
--- ```lua
--- local path, line = m.findings.path("./src/a.lua:12") --> "src/a.lua", 12
--- ```
---@param value any
---@param root string? absolute path of the work tree
---@param known table<string, boolean>? existing paths
---@return string? path
---@return integer? line
function M.path(value, root, known)
  value = given(value)
  if type(value) ~= "string" then return nil end
  if known and known[value] then return value, nil end
  local path = trim(sub(value, 1, 4096))
  path = match(path, "^`+([^`]*)`+$") or match(path, '^"(.*)"$') or match(path, "^'(.*)'$") or path
  path = gsub(path, "^file://", "")
  if not find(path, "/", 1, true) and find(path, "\\", 1, true) then
    path = gsub(path, "\\", "/")
  end
  local line
  local bare, at = match(path, "^(.-)[:#]L?(%d+)[%d:,L–-]*$")
  if bare and bare ~= "" and not (known and known[path]) then path, line = bare, line_of(at) end
  if root and #root > 1 and sub(path, 1, #root + 1) == root .. "/" then
    path = sub(path, #root + 2)
  end
  if path == "" or path == "." or path == "/dev/null" then return nil, line end
  if sub(path, 1, 1) ~= "/" then path = flatten(path) or path end
  if known and not known[path] then
    local inner = match(path, "^[ab]/(.+)$")
    if inner and known[inner] then path = inner end
  end
  if path == "" then return nil, line end
  return path, line
end

local CONFIDENCE_WORDS = {
  certain = 0.95, sure = 0.9, ["very high"] = 0.95, high = 0.85, medium = 0.6,
  moderate = 0.6, low = 0.35, ["very low"] = 0.15, none = 0.1,
}

local function confidence_of(value, fallback)
  value = given(value)
  if type(value) == "string" then
    local text = lower(trim(sub(value, 1, 40)))
    local percent = match(text, "^([%d.]+)%s*%%$")
    value = percent and (tonumber(percent) or -100) / 100 or CONFIDENCE_WORDS[text]
      or tonumber(text)
  end
  if type(value) ~= "number" or value ~= value or value < 0 then return fallback end
  -- A confidence above 1 is a percentage, so 85 becomes 0.85. A value between 1 and 2 becomes 1.
  if value > 1 and value <= 100 then value = value >= 2 and value / 100 or 1 end
  if value > 1 then return fallback end
  return value + 0.0
end

local STATUS = {
  refuted = "refuted", rejected = "refuted", ["false"] = "refuted", ["false positive"] = "refuted",
  false_positive = "refuted", ["false-positive"] = "refuted", invalid = "refuted",
  disproved = "refuted", unverified = "unverified", unconfirmed = "unverified",
  unclear = "unverified", unsure = "unverified", uncertain = "unverified", unknown = "unverified",
}

-- A finding about lines that its reviewer never read is unsupported.
local function support_status(support, status)
  if support == "unsupported" and (status or "open") == "open" then return "unsupported" end
  return status or "open"
end

--- Normalises a finding that an agent returned. Never raises an error.
--- ```lua
--- m.findings.normalise({ claim = "it leaks", severity = "major" }, { id = "r1" }).severity --> "high"
--- ```
---@param raw any
---@param opts moonlet.findings.Origin
---@return moonlet.Finding
function M.normalise(raw, opts)
  local fields = type(raw) == "table" and raw or { claim = raw }
  local function get(name) return given(rawget(fields, name)) end
  local path, line = M.path(get "file" or get "path", opts.root, opts.known)
  local claim = one_line(get "claim" or get "title" or get "message", 2000)
  local evidence = without_secrets(words(get "evidence", 4000))
  local lens = one_line(get "lens", 80)
  local status = get "status"
  local rule = get "rule"
  return {
    id = opts.id,
    file = path,
    line = line_of(get "line") or line,
    severity = M.severity(get "severity"),
    -- If the reviewer's instructions and its answer name different lenses, use the one from the
    -- instructions.
    lens = opts.lens or (lens ~= "" and lens) or opts.label or "review",
    runner = opts.runner,
    rule = type(rule) == "string" and match(rule, "^[%w-]+$") and #rule <= 60 and rule or nil,
    claim = claim ~= "" and without_secrets(claim) or "(no claim was given)",
    evidence = evidence,
    fix = without_secrets(words(get "fix", 4000)),
    confidence = confidence_of(get "confidence", evidence ~= "" and 0.5 or 0.3),
    status = support_status(get "support",
      type(status) == "string" and STATUS[lower(trim(sub(status, 1, 40)))]),
    unjudged = get "support" == "unknown" or nil,
    reason = one_line(get "reason", 400) ~= "" and one_line(get "reason", 400)
      or get "support" == "unsupported" and "its reviewer was never shown the lines that it cites"
        or nil,
  }
end

--- Returns the place of a finding, such as "src/a.c:12" or "the change as a whole".
--- ```lua
--- m.findings.place { file = "src/a.lua", line = 12 } --> "src/a.lua:12"
--- ```
---@param finding moonlet.Finding
---@return string
function M.place(finding)
  local file, line = given(finding.file), given(finding.line)
  if not file then return "the change as a whole" end
  -- Git has already quoted a name that is not valid UTF-8, so do not quote it again.
  local quoted = match(file, '^".*"$') and not find(file, "[%c\x80-\xff]")
  local shown = quoted and cut(file, 200) or require("moonlet.git").show_path(file, 200)
  return line and format("%s:%d", shown, line) or shown
end

local function page() return require "moonlet.findings.markdown" end

--- Escapes a text for one line of Markdown.
--- ```lua
--- m.findings.inline "a * b" --> "a \\* b"
--- ```
---@param text string
---@param cap integer? bytes
---@return string
function M.inline(text, cap) return page().inline(text, cap) end

--- Puts a text into a Markdown code fence that is longer than any fence in it.
--- ```lua
--- m.findings.block "x = 1"
--- ```
---@param text string
---@return string
function M.block(text) return page().block(text) end

--- Formats the result of `m.merge.findings` as a Markdown page for people and agents.
--- ```lua
--- local ranked = m.merge.findings { { { claim = "it leaks", file = "src/a.lua", line = 3 } } }
--- ctx:write("findings.md", m.findings.markdown(ranked, { title = "Review of src" }))
--- ```
---@param result moonlet.merge.Result
---@param opts moonlet.findings.PageOptions?
---@return string
function M.markdown(result, opts) return page().page(result, opts) end

--- Formats the result of `m.merge.findings` as JSON.
--- ```lua
--- ctx:write("findings.json", m.findings.json(m.merge.findings {}))
--- ```
---@param result moonlet.merge.Result
---@return string
function M.json(result) return core.json.encode(result, 2) .. "\n" end

return M
