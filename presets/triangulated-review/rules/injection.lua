--- Rules about text that becomes something else: queries and commands put together from values, data that is run as
--- code.

local block = require "rules.block"
local shape = require "moonlet.text"
local V = require "rules.view"

local find, format, lower, match, sub = string.find, string.format, string.lower, string.match, string.sub

local M = {}

M.rules = {
  ["query-from-text"] = { lenses = { "security", "risks", "correctness" }, severity = "high", confidence = 0.8,
    fix = "Pass the values as parameters of the query." },
  ["command-from-text"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.85,
    fix = "Run the program with a list of arguments, without a shell." },
  ["code-from-text"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.8,
    fix = "Parse the data instead of running it." },
}

-- Queries ----------------------------------------------------------------------------------------

local QUERIES = { "SELECT%s.*%sFROM%s", "INSERT%s+INTO%s", "UPDATE%s+[%w_`\"%[%].]+%s+SET%s", "DELETE%s+FROM%s",
  "[\"'`]select%s.*%sfrom%s.*where", "[\"'`]delete%s+from%s.*where", "[\"'`]insert%s+into%s.*values",
  "[\"'`]update%s+%w+%s+set%s.*=", "%.where%(%s*\"[^\"]*#{", "%.find_by_sql%(?%s*\"[^\"]*#{" }

local function looks_like_query(text) return shape.any(text, QUERIES) ~= nil end

-- Parts of a query that are no values, by the names that people give them.
local STRUCTURAL = shape.set [[table column columns placeholder placeholders schema tablename table_name where fields
  order limit cols marks qmarks conditions clause where_clause _table self prefix]]
local STRUCTURAL_PART = { "table", "column", "placeholder", "quote", "escape" }

local function is_structural(name)
  local last = lower(match(name, "([%a_][%w_]*)[^%w_]*$") or "")
  local first = lower(match(name, "^([%w_]*)") or "")
  return name == "" or STRUCTURAL[last] or STRUCTURAL[first] or find(name, "^%u[%u%d_]*$")
    or shape.word(last, STRUCTURAL_PART) or shape.word(name, { "join", "quote", "escape" }) ~= nil
end

local function all_of(names, text, pattern)
  for name in string.gmatch(text, pattern) do names[#names + 1] = name end
end

local function one_of(names, text, pattern) names[#names + 1] = match(text, pattern) end

-- The names that are put into a text, by language.
local put_into = {}

function put_into.python(text, names)
  if find(text, "%f[%w_][fF][rR]?[\"']") then all_of(names, text, "{([^{}]*)}") end
  one_of(names, text, "[\"']%s*%%%s*%(?%s*([%a_][%w_.%[%]]*)")
  one_of(names, text, "[\"']%s*%+%s*([%a_][%w_.%[%]()]*)")
  one_of(names, text, "[\"']%.format%(%s*([%w_.]*)")
end

function put_into.javascript(text, names)
  all_of(names, text, "%${?([%a_][%w_.()%[%]]*)")
  one_of(names, text, "[\"'`]%s*%+%s*([%a_$][%w_.$%[%]()]*)")
end

put_into.kotlin, put_into.groovy, put_into.dart, put_into.scala = put_into.javascript, put_into.javascript,
  put_into.javascript, put_into.javascript

function put_into.php(text, names)
  for name in string.gmatch(text, "%$([%a_][%w_]*)") do
    if find(text, "\"[^\"]*%$" .. name) or find(text, "[\"']%s*%.%s*%$" .. name) then names[#names + 1] = name end
  end
end

function put_into.ruby(text, names)
  all_of(names, text, "#{([^{}]*)}")
  one_of(names, text, "[\"']%s*%+%s*([%a_][%w_.]*)")
end

put_into.elixir = put_into.ruby

function put_into.go(text, names)
  if find(text, "Sprintf%(") and find(text, "%%[svq]") then
    names[#names + 1] = match(text, "[\"`]%s*,%s*([%w_.]+)") or "a value"
  end
  one_of(names, text, "[\"`]%s*%+%s*([%a_][%w_.]*)")
end

local function put_into_any(text, names)
  one_of(names, text, "\"%s*%+%s*([%a_][%w_.()]*)")
  one_of(names, text, "\"%s*%.%.%s*([%a_][%w_.()]*)")
  if find(text, "[sS]tring%.[fF]ormat%(") and find(text, "%%s") then names[#names + 1] = "a value" end
  if find(text, "format!%(") and find(text, "{[%w_]*}") then names[#names + 1] = "a value" end
  if find(text, "s[np]+rintf%(") and find(text, "%%s") then names[#names + 1] = "a value" end
  if find(text, "%$\"") then all_of(names, text, "{([^{}]*)}") end
end

-- The name that is put into the text; nil if only fixed parts of a query (tables, columns) are.
local function put_in(view, text)
  local names = {}
  local reader = put_into[view.language] or view.family == "javascript" and put_into.javascript or put_into_any
  reader(text, names)
  for _, name in ipairs(names) do
    if not is_structural(name) then return name end
  end
  return nil
end

-- Tagged templates bind their values; logged text is not run.
local HARMLESS = { "[sS][qQ][lL]`", "%f[%w_]Prisma%.sql", "%f[%w_][lL]og%a*[.:(]", "%f[%w_]LOG%a*[.:(]" }

-- The text of a query, which may continue on the next line with the values put into it.
local function whole_query(view, n, line)
  local following = view.lines[n + 1]
  local goes_on = following and find(line.code, "[\"'`]%s*[%+.%%]?%s*$") and find(following.code, "^%s*[%+%%.]")
  return goes_on and line.text .. " " .. following.text or line.text
end

local function queries(view, n, line, report)
  if line.comment ~= "" and not find(line.code, "%S") then return end
  if not looks_like_query(line.text) or shape.any(line.code, HARMLESS) then return end
  local name = put_in(view, line.text) or put_in(view, whole_query(view, n, line))
  if name then
    report("query-from-text", view, n,
      format("A query is put together from text: what %s holds can change what it does.",
        find(name, "^[%w_.$]+$") and name or "the value"))
  end
end

-- Queries are often written as text over several lines.
local function query_in_text(view, n, line, report)
  if not looks_like_query(line.text) or not find(line.text, "{[%a_][%w_.]*}") then return end
  if V.previous_code(view, n, 3) then
    queries(view, n, { text = "f\"" .. line.text, code = line.code, comment = "" }, report)
  end
end

-- Commands ---------------------------------------------------------------------------------------

local RUNS = "A shell runs text that is put together at run time."

-- A tool of the developers mostly puts in their own words.
local function severity_here(view) return view.for_developers and "low" or nil end

local PYTHON_JOINED = { "[\"']%s*%%%s*[%w_(]", "%.format%(", "[\"']%s*%+%s*[%a_]", "[%w_)]%s*%+%s*[\"']" }

local function joined_in_python(line)
  return find(line.text, "%f[%w_][fF][rR]?[\"'][^\"']*{") ~= nil or shape.any(line.code, PYTHON_JOINED) ~= nil
end

-- The command of a call that says shell=True on a line of its own: "joined", "fixed" or nil.
local function command_above(view, n)
  for i = n - 1, math.max(1, n - 6), -1 do
    local before = view.lines[i]
    if not before then return nil end
    if find(before.text, "%f[%w_][fF][rR]?[\"'][^\"']*{") then return "joined" end
    if find(before.code, "subprocess%.") or find(before.code, "Popen") or find(before.code, "%(%s*$") then
      return find(view.lines[i + 1].text, "^%s*[\"'][^\"'{}]*[\"']%s*,") and "fixed" or nil
    end
  end
  return nil
end

local function python_shell(view, n, line, report)
  local joined = joined_in_python(line)
  if not joined and find(line.text, "%(%s*[\"'][^\"'{}]*[\"']%s*,") then return end
  local above = not joined and command_above(view, n)
  if above == "fixed" then return end
  joined = joined or above == "joined"
  report("command-from-text", view, n, RUNS,
    { severity = severity_here(view) or joined and "high" or "medium", confidence = joined and 0.9 or 0.75 })
end

local SYSTEM = { "%f[%w_]os%.system%(", "%f[%w_]os%.popen%(", "getoutput%(" }

local function python_commands(view, n, line, report)
  if find(line.code, "shell%s*=%s*True") then
    python_shell(view, n, line, report)
  elseif shape.any(line.code, SYSTEM) and (joined_in_python(line) or find(line.code, "%(%s*[%a_][%w_.]*%s*%)")) then
    report("command-from-text", view, n, RUNS, { severity = severity_here(view) })
  end
end

local function combined(starts, ends)
  local list = {}
  for _, first in ipairs(starts) do
    for _, second in ipairs(ends) do list[#list + 1] = first .. second end
  end
  return list
end

local GO_SHELL = "exec%.Command%a*%(.*\"[/%w]*sh\"%s*,%s*\"%-c\"%s*,"
local RUST_SHELL = "Command::new%(%s*\"[/%w]*sh\"%s*%).*%.arg%(%s*\"%-c\"%s*%).*%.arg%(%s*&?"
local C_VALUE = "%s*[%l_][%w_.%->()]*%s*"

-- Shapes of a statement, as it is written, that hands joined text to a shell.
local COMMANDS = {
  javascript = combined({ "%f[%w_.]exec%(%s*", "%f[%w_]execSync%(%s*", "%f[%w_][cp][ph][%a_]*%.exec%(%s*" },
    { "`[^`]*%${", "[\"'][^\"']*[\"']%s*%+", "[%w_.]+%s*%+%s*[\"'`]" }),
  ruby = { "%f[%w_]system%(?%s*\"[^\"]*#{", "^[^#\"']*`[^`]*#{[^`]*`", "%f[%w_]exec%(?%s*\"[^\"]*#{",
    "%%x[%({%[][^%)}%]]*#{", "IO%.popen%(%s*\"[^\"]*#{", "Open3%.%w+%(%s*\"[^\"]*#{" },
  go = combined({ GO_SHELL }, { ".*\"%s*%+", ".*Sprintf", "%s*[%a_][%w_.]*%s*%)" }),
  java = { "getRuntime%(%)%.exec%(%s*\"[^\"]*\"%s*%+", "getRuntime%(%)%.exec%(%s*[%w_]+%s*%+%s*\"",
    "getRuntime%(%)%.exec%(%s*String%.format", "%.exec%(%s*new%s+String%[%]%s*{.*\"%-c\"%s*,.*%+",
    "ProcessBuilder%(.*\"[/%w]*sh\"%s*,%s*\"%-c\"%s*,.*%+" },
  rust = combined({ RUST_SHELL }, { "format!", "[%l_][%w_.]*%s*%)" }),
  cpp = { "%f[%w_.>:]system%s*%(" .. C_VALUE .. "%)%s*;", "%f[%w_.>:]popen%s*%(" .. C_VALUE .. ",",
    "std::system%s*%(" .. C_VALUE .. "%)", "%f[%w_.>:]system%s*%(.*\"%s*%+" },
  csharp = { "Process%.Start%(.*%$\"[^\"]*{", "Process%.Start%(.*\"%s*%+" },
  perl = { "%f[%w_]system%(?%s*\"[^\"]*%$", "`[^`]*%$[%a_]" },
}
-- Words on the line at which such a statement begins.
local STARTS = { "exec", "system", "popen", "Open3", "ProcessBuilder", "Process.Start", "Command", "`", "%x" }

local function begins_command(text)
  for _, start in ipairs(STARTS) do
    if find(text, start, 1, true) then return true end
  end
  return false
end

local PHP_CALLS = { "%f[%w_>]shell_exec%(", "%f[%w_>]exec%(", "%f[%w_>]system%(", "%f[%w_>]passthru%(" }

-- Command::new("sh") and its arguments, which mostly stand on lines of their own.
local function rust_call(view, n, line)
  local parts = { line.text }
  for i = n + 1, n + 4 do
    local later = view.lines[i]
    if not later or not find(later.code, "^%s*%.") then break end
    parts[#parts + 1] = later.text
  end
  return table.concat(parts, " ")
end

local function other_commands(view, n, line, report)
  local found
  if view.language == "php" then
    found = shape.any(line.code, PHP_CALLS) and find(line.text, "%(.*%$[%w_]+") and not find(line.code, "escapeshell")
  elseif view.language == "rust" then
    found = find(line.text, "Command::new") and shape.any(rust_call(view, n, line), COMMANDS.rust)
  else
    local shapes = COMMANDS[view.family]
    found = shapes and begins_command(line.text) and shape.any(sub(block.statement(view, n, "text"), 1, 2000), shapes)
  end
  if found then report("command-from-text", view, n, RUNS, { severity = severity_here(view) }) end
end

-- Code -------------------------------------------------------------------------------------------

local CODE = "Text is run as code: whoever writes the text runs what they like."
local PYTHON_EVALS = { "%f[%w_.]eval%s*%(", "^%s*exec%s*%(", "[=(,]%s*exec%s*%(" }
local NOT_RUN = { "%f[%w_]def%s", "literal_eval" }

local function python_evaluation(view, n, line, report)
  local at = shape.any(line.code, PYTHON_EVALS)
  if at and not shape.any(line.code, NOT_RUN) and not find(sub(line.code, at), "^[%s=(,]*%a+%s*%(%s*[\"']") then
    report("code-from-text", view, n, CODE)
  end
end

local function javascript_evaluation(view, n, line, report)
  local code = line.code
  local at = find(code, "%f[%w_.$]eval%s*%(%s*[^%s)]") or find(code, "%f[%w_.$]new%s+Function%s*%(%s*[^)]")
  -- A fixed text is as safe as the code around it.
  if at and not find(code, "^%a+%s*%(%s*[\"'`]\1*[\"'`]%s*%)", at)
    and not find(code, "^new%s+Function%s*%([\"'`\1,%s]*%)", at) then
    report("code-from-text", view, n, CODE, { severity = "medium" })
  end
end

local function evaluation(view, n, line, report)
  if view.language == "python" then
    python_evaluation(view, n, line, report)
  elseif view.family == "javascript" then
    javascript_evaluation(view, n, line, report)
  elseif view.language == "php" and find(line.code, "%f[%w_.]eval%s*%(?%s*%$?[%a_]") then
    report("code-from-text", view, n, CODE)
  elseif view.language == "ruby" and find(line.code, "%f[%w_]eval%s*%(?%s*[%a_]") and find(line.text, "params") then
    report("code-from-text", view, n, CODE)
  end
end

---@param view rules.View
function M.file(view, report)
  if view.generated or view.d.fixture or view.d.kind ~= "code" or view.test then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and #line.text < 1000 then
      if line.inside == "string" then
        if view.production and view.language == "python" then query_in_text(view, n, line, report) end
      elseif find(line.code, "%S") then
        queries(view, n, line, report)
        if not view.example then
          if view.language == "python" then python_commands(view, n, line, report) end
          other_commands(view, n, line, report)
          evaluation(view, n, line, report)
        end
      end
    end
  end
end

return M
