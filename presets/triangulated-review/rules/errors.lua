--- Rules about errors that get lost: handlers that do nothing, results that say "failed" and are thrown away,
--- promises without an await.

local block = require "rules.block"
local shape = require "moonlet.text"
local V = require "rules.view"

local find, format, lower, match, sub = string.find, string.format, string.lower, string.match, string.sub

local M = {}

M.rules = {
  ["swallowed-error"] = { lenses = { "risks", "correctness" }, severity = "medium", confidence = 0.85,
    fix = "Handle the error, pass it on, or say in a comment why it may be ignored." },
  ["bare-except"] = { lenses = { "risks", "correctness" }, severity = "medium", confidence = 0.8,
    fix = "Name the exceptions that are expected here." },
  ["ignored-error"] = { lenses = { "risks", "correctness" }, severity = "medium", confidence = 0.8,
    fix = "Take the error and handle it." },
  ["missing-await"] = { lenses = { "correctness", "risks" }, severity = "high", confidence = 0.85,
    fix = "Await it." },
  ["async-callback"] = { lenses = { "correctness", "risks" }, severity = "medium", confidence = 0.85,
    fix = "Use a for ... of loop with await, or Promise.all over map." },
}

-- A comment that gives a reason for doing nothing; "TODO" and its like give none.
local function gives_reason(comment)
  local words = lower(comment)
  return find(words, "%a%a%a") ~= nil and not find(words, "%f[%a]todo%f[%A]") and not find(words, "%f[%a]fixme%f[%A]")
    and not find(words, "auto%-generated")
end

local function does_nothing(body) return body ~= nil and body.code == "" and not gives_reason(body.comment) end

-- Languages with braces --------------------------------------------------------------------------

local BRACES = shape.set [[javascript typescript vue svelte astro java kotlin csharp cpp php scala swift dart groovy
  objc]]

local CATCHES = { "%f[%w_.$]catch%s*[%({]", "%f[%w_.$]catch%s*$", "%f[%w_.$]catch%s+[%w.]+[^;]*{" }
local NAMED_AS_EXPECTED = { "%f[%w_]ignored?%f[^%w_]", "%f[%w_]expected%f[^%w_]" }

local function catches(view, n, line, report)
  local at = shape.any(line.code, CATCHES)
  if not at then return end
  local name = match(line.code, "^catch%s*%(([^)]*)%)", at) or ""
  if shape.any(name, NAMED_AS_EXPECTED) then return end
  local from = at + #"catch"
  if name ~= "" then from = find(line.code, ")", at, true) end
  if does_nothing(block.braces(view, n, from)) then
    report("swallowed-error", view, n, "The handler is empty: the error disappears without a trace.")
  end
end

local REJECTIONS = { "%.catch%(%s*a?s?y?n?c?%s*%(?[%w_$]*%s*:?%s*[%w_]*%)?%s*=>%s*()",
  "%.catch%(%s*function%s*%([%w_$]*%)%s*()" }

local function rejections(view, n, line, report)
  local at = shape.first(line.code, REJECTIONS)
  if not at or sub(line.code, at, at) ~= "{" then return end
  if does_nothing(block.braces(view, n, at)) then
    report("swallowed-error", view, n, "The rejection is caught by an empty function: the error disappears.")
  end
end

-- Python -----------------------------------------------------------------------------------------

local BROAD = { Exception = true, BaseException = true }
local NOTHING = { pass = true, ["..."] = true, continue = true }

-- The broad exception among those that a handler names; "" for a handler that names none.
local function broad_name(names)
  if not find(names, "%S") then return "" end
  for name in string.gmatch(match(names, "^(.-)%f[%w_]as%f[^%w_]") or names, "[%w_.]+") do
    if BROAD[name] then return name end
  end
  return nil
end

local function handler_on_its_line(line, statement)
  return { code = shape.trim(statement), comment = line.comment }
end

local function python_excepts(view, n, line, report)
  local names, rest = match(line.code, "^%s*except%f[^%w_]%*?([^:]*):(.*)$")
  if not names then return end
  local name = broad_name(names)
  if not name then return end
  local body = find(rest, "%S") and handler_on_its_line(line, rest) or block.indented(view, n)
  if body and NOTHING[body.code] and not gives_reason(body.comment) then
    report("swallowed-error", view, n,
      format("%s is caught and nothing is done with it: every failure in the block disappears.",
        name == "" and "Everything, even an interrupt," or name))
  elseif name == "" and body and not find(body.code, "%f[%w_]raise%f[^%w_]") then
    report("bare-except", view, n, "A bare except also catches SystemExit and KeyboardInterrupt.")
  end
end

local function python_errors(view, n, line, report)
  -- An added `pass` may replace the handler of an `except` that stands already.
  local before, number = V.previous_code(view, n, 1)
  if before and not before.added and find(line.code, "^%s*pass%s*$") and find(before.code, "^%s*except") then
    python_excepts(view, number, before, report)
  end
  python_excepts(view, n, line, report)
  local suppressed = match(line.code, "%f[%w_]suppress%(%s*(%w+)%s*%)")
  if BROAD[suppressed or ""] and not gives_reason(line.comment) then
    report("swallowed-error", view, n, format("%s is suppressed: every failure in the block disappears.", suppressed))
  end
end

-- Go ---------------------------------------------------------------------------------------------

-- Functions of the standard library whose error is the point of calling them.
local GO_FALLIBLE = { "os%.Open", "os%.Create", "os%.ReadFile", "os%.WriteFile", "os%.Rename", "os%.MkdirAll",
  "os%.OpenFile", "os%.ReadDir", "ioutil%.ReadFile", "ioutil%.ReadAll", "ioutil%.WriteFile", "io%.ReadAll", "io%.Copy",
  "json%.Marshal", "json%.MarshalIndent", "json%.Unmarshal", "xml%.Marshal", "xml%.Unmarshal", "yaml%.Unmarshal",
  "strconv%.Atoi", "strconv%.ParseInt", "strconv%.ParseFloat", "strconv%.ParseBool", "strconv%.ParseUint",
  "http%.NewRequest", "http%.Get", "http%.Post", "net%.Dial", "net%.Listen", "sql%.Open", "time%.Parse", "url%.Parse",
  "hex%.DecodeString", "base64%.StdEncoding%.DecodeString", "filepath%.Abs", "template%.ParseFiles", "rand%.Read",
  "db%.Exec", "db%.Query", "tx%.Commit", "tx%.Exec", "rows%.Scan", "row%.Scan", "http%.ListenAndServe" }

-- Calls for which even "_ =" in front only says that somebody knew.
local GO_MUST = { "os%.WriteFile", "os%.Rename", "ioutil%.WriteFile", "json%.Unmarshal", "xml%.Unmarshal",
  "yaml%.Unmarshal", "db%.Exec", "tx%.Exec", "tx%.Commit" }

-- The name of the function that a line defines, and its results; of a method only the latter.
local function go_function(code)
  local name, rest = match(code, "^func%s+([%w_]+)%s*(%(.*)$")
  if not name then rest = match(code, "^func%s+%b()%s*[%w_]+%s*(%(.*)$") end
  return name, rest and (match(rest, "^%b()%s*(.-)%s*{?%s*}?%s*$") or "")
end

local function ends_in_error(results) return find(results, "%f[%w_]error%s*%)?$") ~= nil end

-- The names that the files of this change define as functions whose last result is an error, and those that they
-- also define as something else.
local function go_definitions(change)
  if change.go_errors then return change.go_errors end
  local fallible, other = {}, {}
  for _, view in ipairs(change.views) do
    for _, line in pairs(view.language == "go" and view.lines or {}) do
      local name, results = go_function(line.code)
      local names = name and (ends_in_error(results) and fallible or other)
      if names then names[name] = true end
    end
  end
  for name in pairs(other) do fallible[name] = nil end
  change.go_errors = fallible
  return fallible
end

local function go_empty_check(view, n, line, report)
  local at = match(line.code, "%f[%w_]if%f[^%w_].*err%s*!=%s*nil%s*(){")
  if at and does_nothing(block.braces(view, n, at)) then
    report("swallowed-error", view, n, "The error is checked and then nothing is done about it.")
  end
end

-- if err != nil { return nil } in a function whose result is the error.
local function go_returns_nil(view, n, line, report)
  if not find(line.code, "^%s*if%s+err%s*!=%s*nil%s*{%s*$") or line.comment ~= "" then return end
  local body = block.braces(view, n, 1)
  if not body or body.comment ~= "" then return end
  if body.code ~= "return nil" and not find(body.code, "^return [%w_.\"\1]+, nil$") then return end
  local around = V.function_around(view, n)
  local _, results = go_function(around and around.code or "")
  if not results or not ends_in_error(results) then return end
  local _, wanted = string.gsub(results, ",", "")
  local _, given = string.gsub(body.code, ",", "")
  if wanted == given then
    report("swallowed-error", view, n + 1, "There was an error, and the function returns as if there was none.")
  end
end

local function go_call_name(code)
  return shape.first(code, { "([%w_]+%.[%w_.]+)%(", "([%w_]+)%(" }) or "the call"
end

-- True if the line is a statement of its own inside of a function.
local function go_statement(view, n)
  local before = V.previous_code(view, n, 2)
  return V.function_around(view, n) ~= nil and not (before and find(before.code, "[=,(&|+]%s*$"))
end

-- A text that a regular expression has found to be a number is one.
local function checked_before(view, n, name)
  if not find(name, "^strconv%.") then return false end
  for i = math.max(1, n - 10), n - 1 do
    local line = view.lines[i]
    if line and find(line.code, "FindStringSubmatch", 1, true) then return true end
  end
  return false
end

local function go_ignored(view, n, line, report, change)
  local code = line.code
  local discarded = match(code, "^%s*[%w_]+%s*,%s*_%s*:?=%s*([%w_.]+)%(")
  local silenced_call = match(code, "^%s*_%s*=%s*([%w_.]+)%(")
  local bare = match(code, "^%s*([%w_.]+)%(")
  local name = discarded or silenced_call or bare
  if not name or line.comment ~= "" then return end
  -- A call through a value may be of any type that has such a method.
  local own = go_definitions(change)[name] == true
  local known = shape.any(name, GO_FALLIBLE) == 1
  if discarded and (known or own) and not checked_before(view, n, name) then
    report("ignored-error", view, n,
      format("The error of %s is thrown away, and its result is used as if it were right.", go_call_name(code)))
  elseif silenced_call and shape.any(name, GO_MUST) == 1 then
    report("ignored-error", view, n, format("The error of %s is thrown away.", go_call_name(code)),
      { confidence = 0.7 })
  elseif bare and (own or known and bare ~= "io.Copy" and bare ~= "rand.Read") and go_statement(view, n) then
    report("ignored-error", view, n, format("The error that %s returns is not looked at.", go_call_name(code)))
  end
end

-- Rust and Ruby ----------------------------------------------------------------------------------

local RUST_ARMS = { "^%s*Err%(%s*[%w_]*%s*%)%s*=>%s*(){",
  "^%s*if%s+let%s+Err%(%s*[%w_]*%s*%)%s*=.*%s(){%s*}?%s*$" }
local RUST_MUST = { "fs::write", "fs::rename", "File::create", "%.write_all%(", "%.sync_all%(", "%.commit%(",
  "%.execute%(" }
local RUST_NOTHING = "^%s*Err%(%s*[%w_]*%s*%)%s*=>%s*%(%s*%)%s*,?%s*}?%s*$"

local function rust_errors(view, n, line, report)
  local code = line.code
  local at = shape.first(code, RUST_ARMS)
  local nothing = find(code, RUST_NOTHING) and not gives_reason(line.comment)
  if nothing or at and does_nothing(block.braces(view, n, at)) then
    report("swallowed-error", view, n, "The error is matched and then nothing is done about it.")
    return
  end
  local dropped = find(code, "^%s*let%s+_%s*=") or find(code, "%.ok%(%)%s*;%s*$") and not find(code, "[^=!<>]=[^=>]")
  if dropped and view.production and shape.any(code, RUST_MUST) and not gives_reason(line.comment) then
    report("ignored-error", view, n, "The result of the call is thrown away, and with it the error.",
      { confidence = 0.75 })
  end
end

local function ruby_rescue(view, n, line, report)
  if find(line.code, "%S%s+rescue%s+nil%s*$") then
    report("swallowed-error", view, n, "\"rescue nil\" turns every failure into nil.")
    return
  end
  local names = match(line.code, "^%s*rescue%f[^%w_]%s*(.-)%s*$")
  if not names then return end
  -- A rescue of LoadError makes do without a package.
  if find(names, "LoadError", 1, true) then return end
  local body = block.indented(view, n)
  if not body or gives_reason(body.comment) then return end
  local broad = find(names, "^=>") or find(names, "^StandardError") or find(names, "^Exception") or names == ""
  if body.code == "" then
    report("swallowed-error", view, n, "The rescue is empty: the error disappears without a trace.")
  elseif body.code == "nil" and broad then
    report("swallowed-error", view, n, "Every failure becomes nil here: the error disappears without a trace.")
  elseif find(names, "^Exception%f[^%w_:]") and not find(body.code, "%f[%w_]raise%f[^%w_]") then
    report("bare-except", view, n, "rescue Exception also catches interrupts and the end of the program.",
      { fix = "Rescue StandardError, or the errors that are expected here." })
  end
end

-- Promises ---------------------------------------------------------------------------------------

local ASYNC_ONLY = { "^%s*(asyncio%.sleep)%(", "^%s*(asyncio%.gather)%(", "^%s*(asyncio%.wait_for)%(",
  "^%s*(asyncio%.to_thread)%(" }

local function python_waits(view, n, line, report)
  local name = shape.first(line.code, ASYNC_ONLY)
  local before = name and V.previous_code(view, n, 2)
  if name and not (before and find(before.code, "[%(%[,=]%s*$")) then
    report("missing-await", view, n, format("%s is called but not awaited: it never runs.", name))
  end
end

-- const response = fetch(…), and then response.json() as if it were the answer.
local function javascript_fetch(view, n, line, report)
  local name = match(line.code, "^%s*[clv][oea][ntr]s?t?%s+([%w_$]+)%s*=%s*fetch%(")
  if not name then return end
  local word = "%f[%w_$]" .. shape.plain(name)
  local used = { word .. "%.json%(", word .. "%.ok%f[^%w_]", word .. "%.text%(", word .. "%.status%f[^%w_]" }
  for i = n + 1, n + 6 do
    local later = view.lines[i]
    if not later or find(later.code, "await%s+" .. word .. "%f[^%w_.]") or find(later.code, word .. "%s*%.then") then
      return
    end
    if shape.any(later.code, used) then
      report("missing-await", view, n, format("fetch is not awaited, yet \"%s\" is used as its response.", name))
      return
    end
  end
end

local function javascript_waits(view, n, line, report)
  if find(line.code, "%.forEach%(%s*async%f[^%w_]") then
    report("async-callback", view, n,
      "forEach does not wait for an async function: the loop is over before the work is, and its errors are lost.")
  end
  javascript_fetch(view, n, line, report)
end

-- Tests provoke errors and may drop them; leftovers of work there do no harm.
local function lost_errors(view, n, line, report, change)
  local language = view.language
  if BRACES[view.language] then
    catches(view, n, line, report)
    rejections(view, n, line, report)
  elseif language == "python" then
    python_errors(view, n, line, report)
  elseif language == "go" then
    go_empty_check(view, n, line, report)
    if view.production then
      go_returns_nil(view, n, line, report)
      go_ignored(view, n, line, report, change)
    end
  elseif language == "ruby" then
    ruby_rescue(view, n, line, report)
  elseif language == "rust" then
    rust_errors(view, n, line, report)
  end
end

---@param view rules.View
function M.file(view, report, change)
  if view.generated or view.d.kind ~= "code" then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and find(line.code, "%S") then
      if not view.test then lost_errors(view, n, line, report, change) end
      if view.language == "python" then python_waits(view, n, line, report) end
      if view.family == "javascript" then javascript_waits(view, n, line, report) end
    end
  end
end

return M
