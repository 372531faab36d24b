--- Formats findings for machines: editors, GitHub Actions, SARIF 2.1.0 for code scanning.
--- Each format contains the findings that the report and --fail-on count.
--- Unverified findings are only in the report and in the JSON output of the command.
--- SARIF also lists the refuted and the suppressed findings, marked as suppressed.
local findings = require "moonlet.findings"
local names = require "moonlet.git.names"
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"

local M = {}

local null = core.json.null
local forms = { "lines", "github", "sarif" }

--- Raises an error if --fail-on, --format or a related option is invalid.
---@param form string?  the value of --format
function M.check(found, form)
  local severity = found["fail-on"]
  if severity then
    local known = {}
    for _, name in ipairs(findings.severities) do known[name] = true end
    if not known[severity] then
      options.refuse(("--fail-on '%s' is not a severity"):format(core.text.printable(severity, 40)),
        record.suggest(severity, findings.severities))
    end
  end
  if form then options.check_choice("format", form, forms) end
  if form and (found.json or found.events or found.background) then
    options.refuse("--format prints findings, and --json, --events and --background print "
      .. "something else",
      "leave one of them out; moonlet show last --format " .. form .. " prints them later")
  end
end

--- Returns a field of a finding, or nil if it contains no text. Scripts may store any value there.
local function text_of(item, key)
  local value = rawget(item, key)
  return type(value) == "string" and value ~= "" and core.text.clean(value) or nil
end

--- Returns the bytes of a file name. Git quotes a name that is not valid UTF-8.
local function path_of(item)
  local path = rawget(item, "file")
  if type(path) ~= "string" or path == "" then return nil end
  local bytes = names.unquote(path)
  return core.text.is_utf8(bytes) and path or bytes
end

local function percent(bytes)
  return (bytes:gsub(".", function(char) return ("%%%02X"):format(char:byte()) end))
end

--- Programs that read SARIF or GitHub's commands store line numbers in 32 bits.
local most_lines = 0x7fffffff

local function line_of(item)
  local line = math.tointeger(rawget(item, "line"))
  return line and line > 0 and line <= most_lines and line or nil
end

--- Returns a table in a field of a value, or {} if there is none. Scripts may return any value.
local function table_in(value, key)
  local inner = type(value) == "table" and value ~= null and rawget(value, key)
  return type(inner) == "table" and inner ~= null and inner or {}
end

--- Collects the findings of a result. Their field `settled` is "refuted", "suppressed" or nil.
local function collect(result)
  local list = {}
  local function add(name, settled)
    for _, item in ipairs(table_in(result, name)) do
      if type(item) == "table" and item ~= null and text_of(item, "claim") then
        local is_refuted = rawget(item, "status") == "refuted"
        list[#list + 1] = { item = item, settled = settled or is_refuted and "refuted" or nil }
      end
    end
  end
  add("findings")
  add("refuted", "refuted")
  add("suppressed", "suppressed")
  return list
end

local function plain_line(item)
  local line, fix = line_of(item), text_of(item, "fix")
  return core.text.printable(("%s:%s %s: %s%s"):format(text_of(item, "file") or ".",
    line and line .. ":" or "", findings.severity(text_of(item, "severity")),
    text_of(item, "claim"), fix and " " .. fix or ""), 4000)
end

local commands = { critical = "error", high = "error", medium = "warning", low = "notice",
  info = "notice" }

local function escaped(text, is_property)
  local codes = { ["%"] = "%25", ["\r"] = "%0D", ["\n"] = "%0A" }
  if is_property then codes[":"], codes[","] = "%3A", "%2C" end
  return (text:gsub("[%%\r\n:,]", codes))
end

--- Encodes a file name as a property of a workflow command.
--- GitHub decodes only a few characters, so it displays other invisible characters as %XX.
local function file_property(path)
  local shown = path:gsub(core.text.is_utf8(path) and utf8.charpattern or "[%c\128-\255]",
    function(char)
    if char ~= "\r" and char ~= "\n" and findings.visible(char) ~= char then
      return percent(char)
    end
  end)
  return escaped(shown, true)
end

--- Formats a workflow command, which GitHub displays beside the line of a pull request.
local function github_line(item)
  local severity, where = findings.severity(text_of(item, "severity")), {}
  local file, line, fix = path_of(item), line_of(item), text_of(item, "fix")
  if file then where[#where + 1] = "file=" .. file_property(file) end
  if file and line then where[#where + 1] = "line=" .. line end
  where[#where + 1] = "title="
    .. escaped(("%s: %s"):format(severity, text_of(item, "lens") or "review"), true)
  local said = core.text.strip(text_of(item, "claim") .. (fix and "\n" .. fix or ""))
  return ("::%s %s::%s"):format(commands[severity], table.concat(where, ","), escaped(said))
end

--- Removes digits and joins white space, so that moved lines do not change a fingerprint.
local function settled_text(text) return ((text or ""):gsub("%d+", ""):gsub("%s+", " ")) end

--- Gives each finding a fingerprint: the hash of its file, rule and quoted line, and a number that
--- distinguishes findings with equal hashes.
local function fingerprints(list)
  local seen = {}
  for _, one in ipairs(list) do
    local item = one.item
    local what = text_of(item, "rule") or settled_text(text_of(item, "claim"))
    local key = table.concat({ text_of(item, "file") or "", what,
      settled_text(text_of(item, "evidence")) }, "\0")
    seen[key] = (seen[key] or 0) + 1
    one.fingerprint = core.text.sha256(key):sub(1, 32) .. ":" .. seen[key]
  end
end

local levels = { critical = "error", high = "error", medium = "warning", low = "note",
  info = "note" }
--- GitHub sorts alerts by the number `security-severity`.
local weights = { critical = "9.5", high = "8.0", medium = "5.5", low = "3.0", info = "1.0" }

local function uri(path)
  return (path:gsub("[^%w/._~-]", percent))
end

local function is_outside(path)
  local depth = 0
  for part in path:gmatch "[^/]+" do
    depth = depth + (part == ".." and -1 or part == "." and 0 or 1)
    if depth < 0 then return true end
  end
  return path:sub(1, 1) == "/"
end

--- Returns the place of a finding, which code scanning requires.
--- A finding without a line is placed at the first line of its file.
--- A finding without a file is placed at the top folder of the repository.
local function location_of(item)
  local file, line, evidence = path_of(item) or ".", line_of(item), text_of(item, "evidence")
  return { physicalLocation = {
    artifactLocation = { uri = (file:sub(1, 1) == "/" and "file://" or "") .. uri(file),
      uriBaseId = not is_outside(file) and "SRCROOT" or nil },
    region = { startLine = line or 1, snippet = line and evidence and { text = evidence } or nil },
  } }
end

local function sentence(text)
  text = core.text.strip(text)
  return text:find "[.!?…]$" and text or text .. "."
end

--- Returns the rule id of a finding: the check that found it, or the lens of its reviewer.
local function rule_of(item)
  local name = text_of(item, "rule") or text_of(item, "lens") or "review"
  return (name:gsub("[^%w._-]", "-"))
end

--- Converts a rule's name to the form that SARIF requires: "CommandFromText".
local function pascal(id)
  return id:gsub("%f[%w]%l", string.upper):gsub("[^%w]", "") .. "Finding"
end

local function result_of(one, index)
  local item = one.item
  local severity = findings.severity(text_of(item, "severity"))
  local fix, settled = text_of(item, "fix"), one.settled
  return {
    ruleId = rule_of(item), ruleIndex = index, level = levels[severity],
    message = { text = sentence(text_of(item, "claim")) .. (fix and " " .. sentence(fix) or "") },
    locations = core.json.array { location_of(item) },
    partialFingerprints = { ["moonletFinding/v1"] = one.fingerprint },
    suppressions = core.json.array { settled
      and { kind = settled == "suppressed" and "inSource" or "external",
      status = "accepted", justification = ("%s: %s"):format(settled,
        sentence(text_of(item, "reason") or "no reason is given")) } },
    properties = { severity = severity, lens = text_of(item, "lens"),
      confidence = tonumber(rawget(item, "confidence")),
      status = settled or text_of(item, "status") or "open" },
  }
end

local function sarif_text(list, envelope)
  fingerprints(list)
  local rules, places, results = core.json.array {}, {}, core.json.array {}
  for _, one in ipairs(list) do
    local id = rule_of(one.item)
    if not places[id] then
      local severity = findings.severity(text_of(one.item, "severity"))
      local about = sentence(text_of(one.item, "rule") and text_of(one.item, "claim")
        or "A reviewer reads the change for " .. id)
      rules[#rules + 1] = { id = id, name = pascal(id), shortDescription = { text = about },
        fullDescription = { text = about },
        help = { text = sentence(text_of(one.item, "fix") or "Read the finding, and decide") },
        defaultConfiguration = { level = levels[severity] },
        properties = { ["security-severity"] = weights[severity] } }
      places[id] = #rules - 1
    end
    results[#results + 1] = result_of(one, places[id])
  end
  local run, err = envelope.run, envelope.error
  local is_ok = run.verdict == "ok" or run.verdict == "findings" or run.verdict == "degraded"
  local told = err ~= null and type(err) == "table" and core.json.array { { level = "error",
    message = { text = sentence(tostring(err.message)) } } } or nil
  return core.json.encode_record({
    ["$schema"] = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
      .. "sarif-schema-2.1.0.json",
    version = "2.1.0",
    runs = core.json.array { {
      tool = { driver = { name = "moonlet", version = core.system.version,
        semanticVersion = core.system.version, informationUri = "man:moonlet(1)", rules = rules } },
      automationDetails = { id = ("moonlet/%s/"):format(run.preset) },
      invocations = core.json.array { { executionSuccessful = is_ok, exitCode = run.exit_code,
        toolExecutionNotifications = told } },
      originalUriBaseIds = { SRCROOT = { description = { text = "The top of the repository." } } },
      columnKind = "utf16CodeUnits", results = results,
    } },
  }, 2) .. "\n"
end

--- Formats the scope and the notes of a review for standard error.
--- Without this text, a review that read nothing would look like one that found nothing.
---@param result any  a review's result; its `checked` has `text` and `notes`
---@return string
function M.status(result)
  local checked = table_in(result, "checked")
  local lines = { text_of(checked, "text") }
  for _, note in ipairs(table_in(checked, "notes")) do
    if type(note) == "string" then lines[#lines + 1] = "Note: " .. note end
  end
  for i, line in ipairs(lines) do lines[i] = core.text.printable(line, 1000) .. "\n" end
  return table.concat(lines)
end

function M.text(form, envelope)
  local list = collect(envelope.result)
  if form == "sarif" then return sarif_text(list, envelope) end
  local lines, line_of_item = {}, form == "github" and github_line or plain_line
  for _, one in ipairs(list) do
    if not one.settled then lines[#lines + 1] = line_of_item(one.item) .. "\n" end
  end
  return table.concat(lines)
end

return M
