--- Parses the output of linters to findings with file, line, severity, rule and claim.
local m = require "moonlet"

local M = { most = 1000 }  -- maximum number of findings of one linter


local WORDS = { error = "high", fatal = "high", ["fatal error"] = "high", warning = "medium",
  note = "low", info = "low", information = "info", style = "info", performance = "low",
  portability = "low", none = "info", E = "high", W = "low" }

local function severity_of(linter, word)
  local levels = linter.levels or {}
  return levels[word] or WORDS[word] or "medium"
end

-- Replaces the severity of messages that the linter ranks too low.
local function weighed(linter, item)
  for _, pair in ipairs(linter.grave or {}) do
    if item.claim:find(pair[1]) then item.severity = pair[2] end
  end
  return item
end

local function rule_name(value)
  if type(value) ~= "string" then return nil end
  local name = value:gsub("[^%w]+", "-"):gsub("^%-", ""):gsub("%-$", "")
  return name ~= "" and name or nil
end

-- Splits a message of a linter into severity, rule and text.
local function parts_of(linter, message)
  local rule
  if linter.rule_at_end then
    rule = message:match(linter.rule_at_end)
    if rule then message = message:sub(1, message:find(linter.rule_at_end) - 1) end
  else
    local before, name = message:match "^(.-)%s*%[([%w@/_.-]+)%]$"
    if before then message, rule = before, name end
  end
  local word, rest = message:match "^%[(%a+)%]%s*(.*)$"
  if word then return word, rest, rule end
  local letter, digits, said = message:match "^%((%u)(%d+)%)%s*(.*)$"
  if letter then return letter, said, letter .. digits end
  local code
  word, code, rest = message:match "^(%a+)[%s%[]+(%u+%d+)%]?:%s*(.*)$"
  if word and WORDS[word] then return word, rest, code end
  word, rest = message:match "^(%l[%l ]*):%s+(.*)$"
  if word and WORDS[word] then return word, rest, rule end
  return "", message, rule
end

--- Parses FILE:LINE:COL: text, FILE:LINE: text and FILE(LINE,COL): text. Other lines are skipped.
function M.lines(linter, output)
  local list, seen = {}, 0
  for line in output:gmatch "[^\r\n]+" do
    line = line:sub(1, 4000)
    local file, number, message = line:match "^(.-):(%d+):%d+:?%s+(.+)$"
    if not file then file, number, message = line:match "^(.-):(%d+):%s*(.+)$" end
    if not file then file, number, message = line:match "^(.-)%((%d+),%d+%):%s*(.+)$" end
    if file and file ~= "" then
      seen = seen + 1
      local word, claim, rule = parts_of(linter, message)
      if #list < M.most and not (word == "note" and linter.name ~= "mypy") then
        list[#list + 1] = weighed(linter, { file = file, line = math.tointeger(number),
          claim = claim,
          severity = severity_of(linter, word), rule = rule_name(rule) })
      end
    end
  end
  if seen == 0 and output:find "%S" then error("nothing in its output can be read", 0) end
  return list
end

local function decoded(output, kind)
  local ok, value = pcall(m.json.decode, output)
  if not ok or type(value) ~= kind then error("its output is not JSON", 0) end
  return value
end

-- Returns a nested field of a value, or nil if the value is no table or lacks the field.
local function get(value, ...)
  for _, name in ipairs { ... } do
    if type(value) ~= "table" then return nil end
    value = rawget(value, name)
  end
  if value == m.null then return nil end
  return value
end

local function list_at(value, ...)
  local list = get(value, ...)
  return type(list) == "table" and list or {}
end

--- Parses the output of `shellcheck -f json1`.
function M.shellcheck(linter, output)
  local data, list = decoded(output, "table"), {}
  if not get(data, "comments") then error("its output has no list of comments", 0) end
  for _, item in ipairs(list_at(data, "comments")) do
    if #list >= M.most then break end
    list[#list + 1] = { file = get(item, "file"), line = get(item, "line"), claim = get(item,
      "message"),
      severity = severity_of(linter, get(item, "level")),
      rule = "SC" .. tostring(get(item, "code") or "") }
  end
  return list
end

--- Parses the output of `eslint -f json`.
function M.eslint(_, output)
  local list = {}
  for _, file in ipairs(decoded(output, "table")) do
    for _, item in ipairs(list_at(file, "messages")) do
      local fatal = get(item, "fatal") == true
      -- Eslint also lists files that its settings ignore, which are not findings.
      if #list < M.most and (fatal or get(item, "ruleId")) then
        list[#list + 1] = { file = get(file, "filePath"), line = get(item, "line"),
          claim = get(item, "message"), rule = rule_name(get(item, "ruleId")),
          severity = fatal and "high" or get(item, "severity") == 2 and "medium" or "low" }
      end
    end
  end
  return list
end


local function unescaped(uri)
  uri = uri:gsub("^file://", ""):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return uri
end

local function place_of(run, result)
  local place = get(result, "locations", 1, "physicalLocation")
  local at = get(place, "artifactLocation")
  local uri, index = get(at, "uri"), get(at, "index")
  if not uri and math.type(index) == "integer" then
    uri = get(run, "artifacts", index + 1, "location", "uri")
  end
  return type(uri) == "string" and unescaped(uri) or nil, get(place, "region", "startLine")
end

local function rule_of(run, result)
  local rules = list_at(run, "tool", "driver", "rules")
  local index = get(result, "ruleIndex") or get(result, "rule", "index")
  local rule = math.type(index) == "integer" and get(rules, index + 1) or nil
  local id = get(result, "ruleId") or get(result, "rule", "id") or get(rule, "id")
  for _, item in ipairs(rule and {} or rules) do
    if id and get(item, "id") == id then rule = item end
  end
  return type(id) == "string" and id or nil, rule
end

local function message_of(result, rule)
  local text = get(result, "message", "text") or get(result, "message", "markdown")
  local id = get(result, "message", "id")
  if not text and id then text = get(rule, "messageStrings", id, "text") end
  if type(text) ~= "string" then return get(rule, "shortDescription", "text") end
  local words = list_at(result, "message", "arguments")
  return (text:gsub("{(%d+)}", function(n)
    local word = words[tonumber(n) + 1]
    return type(word) == "string" and word or nil
  end))
end

local NOT_FOUND = { pass = true, notApplicable = true, informational = true }

local function counts(result)
  if NOT_FOUND[get(result, "kind")] or get(result,
    "baselineState") == "absent" then return false end
  for _, suppression in ipairs(list_at(result, "suppressions")) do
    local status = get(suppression, "status")
    if status == nil or status == "accepted" then return false end
  end
  return true
end

local function read_run(linter, run, list)
  for _, result in ipairs(list_at(run, "results")) do
    if #list >= M.most then return end
    if counts(result) then
      local id, rule = rule_of(run, result)
      local file, line = place_of(run, result)
      local level = get(result, "level") or get(rule, "defaultConfiguration", "level") or "warning"
      list[#list + 1] = { file = file, line = line, rule = rule_name(id), id = id,
        claim = message_of(result, rule), severity = severity_of(linter, level),
        tool = get(run, "tool", "driver", "name") }
    end
  end
end

--- Parses SARIF 2.1.0 with the levels and messages of its rules. Skips suppressed results.
function M.sarif(linter, output)
  local data, list = decoded(output, "table"), {}
  if type(get(data, "runs")) ~= "table" then error("this is not SARIF: it has no runs", 0) end
  for _, run in ipairs(data.runs) do read_run(linter, run, list) end
  return list
end

return M
