--- Rules about errors that get lost: empty handlers, results that say "failed" and are thrown away, promises
--- that nobody waits for.

local V = require "moonlet.rules.view"

local find, format, match, sub = string.find, string.format, string.match, string.sub

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

local BRACES = { javascript = true, typescript = true, vue = true, svelte = true, java = true, kotlin = true,
  csharp = true, cpp = true, php = true, scala = true, swift = true, dart = true, groovy = true, objc = true }

-- Whether there is no code and no comment from after `{` to its `}`; the body may span lines.
local function empty_block(view, n, from)
  local rest = sub(view.lines[n].code, from)
  if find(rest, "^%s*}") then return view.lines[n].comment == "" end
  if find(rest, "%S") or view.lines[n].comment ~= "" then return false end
  for i = n + 1, n + 4 do
    local line = view.lines[i]
    if not line or line.comment ~= "" then return false end
    if find(line.code, "^%s*}") then return true end
    if find(line.code, "%S") then return false end
  end
  return false
end

local function catches(view, n, line, report)
  local code = line.code
  local at = find(code, "%f[%w_]catch%s*[%({]") or find(code, "%f[%w_]catch%s+[%w.]+[^;]*{")
  if at and not find(sub(code, at - 1, at - 1), "[.$]") then
    local brace = find(code, "{", at, true)
    local name = match(code, "^catch%s*%(([^)]*)%)", at) or ""
    local expected = find(name, "%f[%w_]ignored?%f[^%w_]") or find(name, "%f[%w_]expected%f[^%w_]")
      or find(name, "InterruptedException")
    if brace and not expected and empty_block(view, n, brace + 1) then
      report("swallowed-error", view, n, "The handler is empty: the error disappears without a trace.")
    end
  end
  if find(code, "%.catch%(%s*%(?[%w_]*%)?%s*=>%s*{%s*}%s*%)") or find(code, "%.catch%(%s*function%s*%([%w_]*%)%s*{%s*}%s*%)") then
    if line.comment == "" then
      report("swallowed-error", view, n, "The rejection is caught by an empty function: the error disappears.")
    end
  end
end

local BROAD = { [""] = true, Exception = true, BaseException = true }

local function python_excepts(view, n, line, report)
  local lead, rest = match(line.code, "^(%s*)except%f[^%w_](.*)$")
  if not lead then return end
  local name = match(rest, "^%s*%(?%s*([%w_.]*)") or ""
  local body = match(rest, ":%s*(%S.*)$")
  local at = n
  if not body then
    local handler
    handler, at = V.next_code(view, n, 3)
    body = handler and match(handler.code, "^%s*(.-)%s*$")
  end
  local said = line.comment ~= ""
  for i = n + 1, at or n do said = said or (view.lines[i] and view.lines[i].comment ~= "") end
  local nothing = body == "pass" or body == "..." or body == "continue"
  local after = at and view.lines[at + 1]
  local alone = nothing and (body ~= "continue") and (not after or not find(after.code, "%S")
    or V.indent(after.text) <= #lead or not after.code)
  if alone and BROAD[name] and not said then
    report("swallowed-error", view, n,
      format("%s is caught and nothing is done with it: every failure in the block disappears.",
        name == "" and "Everything, even an interrupt," or name))
  elseif name == "" and find(rest, "^%s*:") then
    -- A bare except that raises again is no trap.
    local raises = false
    for i = n + 1, n + 12 do
      local next_line = view.lines[i]
      if not next_line then break end
      if find(next_line.code, "%S") and V.indent(next_line.text) <= #lead then break end
      if find(next_line.code, "%f[%w_]raise%f[^%w_]") then raises = true end
    end
    if not raises then
      report("bare-except", view, n, "A bare except also catches SystemExit and KeyboardInterrupt.")
    end
  end
end

-- Functions of the standard library whose error is the point of calling them.
local GO_FALLIBLE = { "os%.Open", "os%.Create", "os%.ReadFile", "os%.WriteFile", "os%.Rename", "os%.MkdirAll",
  "os%.OpenFile", "os%.ReadDir", "ioutil%.ReadFile", "ioutil%.ReadAll", "ioutil%.WriteFile", "io%.ReadAll", "io%.Copy",
  "json%.Marshal", "json%.MarshalIndent", "json%.Unmarshal", "xml%.Marshal", "xml%.Unmarshal", "yaml%.Unmarshal",
  "strconv%.Atoi", "strconv%.ParseInt", "strconv%.ParseFloat", "strconv%.ParseBool", "strconv%.ParseUint",
  "http%.NewRequest", "http%.Get", "http%.Post", "net%.Dial", "net%.Listen", "sql%.Open", "time%.Parse", "url%.Parse",
  "hex%.DecodeString", "base64%.StdEncoding%.DecodeString", "exec%.Command%b()%.Run", "exec%.Command%b()%.Output",
  "filepath%.Abs", "template%.ParseFiles", "rand%.Read", "db%.Exec", "db%.Query", "tx%.Commit", "tx%.Exec",
  "rows%.Scan", "row%.Scan", "http%.ListenAndServe" }

local function go_errors(view, n, line, report)
  local code = line.code
  if find(code, "%f[%w_]if%f[^%w_].*err%s*!=%s*nil%s*{%s*$") or find(code, "%f[%w_]if%f[^%w_].*err%s*!=%s*nil%s*{%s*}") then
    if empty_block(view, n, find(code, "{[^{]*$") + 1) then
      report("swallowed-error", view, n, "The error is checked and then nothing is done about it.")
    end
  end
  if not view.production then return end
  for _, name in ipairs(GO_FALLIBLE) do
    if find(code, name, 1) then
      if find(code, "^%s*[%w_]+%s*,%s*_%s*:?=%s*" .. name .. "%(") or find(code, "^%s*_%s*=%s*" .. name .. "%(") then
        if line.comment == "" and not find(code, "^%s*_%s*=") then
          report("ignored-error", view, n, format("The error of %s is thrown away, and its result is used as if it were right.",
            match(code, "([%w_]+%.[%w_.]+)%(") or "the call"))
        end
      elseif find(code, "^%s*" .. name .. "%(") and line.comment == "" and not find(code, "^%s*io%.Copy")
        and not find(code, "^%s*rand%.Read") then
        report("ignored-error", view, n, format("The error that %s returns is not looked at.",
          match(code, "([%w_]+%.[%w_.]+)%(") or "the call"))
      end
      return
    end
  end
end

local function ruby_rescue(view, n, line, report)
  if find(line.code, "^%s*rescue%f[^%w_]") then
    local following = V.next_code(view, n, 3)
    local between = view.lines[n + 1]
    if following and find(following.code, "^%s*end%s*$") and line.comment == "" and between and between.comment == "" then
      report("swallowed-error", view, n, "The rescue is empty: the error disappears without a trace.")
    end
  elseif find(line.code, "%S%s+rescue%s+nil%s*$") then
    report("swallowed-error", view, n, "\"rescue nil\" turns every failure into nil.")
  end
end

local ASYNC_ONLY = { "asyncio%.sleep", "asyncio%.gather", "asyncio%.wait_for", "asyncio%.to_thread" }

local function waits(view, n, line, report)
  local code = line.code
  if view.language == "python" then
    for _, name in ipairs(ASYNC_ONLY) do
      if find(code, "^%s*" .. name .. "%(") then
        local before = V.previous_code(view, n, 2)
        if not (before and find(before.code, "[%(%[,=]%s*$")) then
          report("missing-await", view, n, format("%s is called but not awaited: it never runs.",
            match(code, "([%w_.]+)%(")))
        end
      end
    end
    return
  end
  if find(code, "%.forEach%(%s*async%f[^%w_]") then
    report("async-callback", view, n, "forEach does not wait for an async function: the loop is over before the work is, "
      .. "and its errors are lost.")
  end
  local name = match(code, "^%s*[clv][oea][ntr]s?t?%s+([%w_$]+)%s*=%s*fetch%(")
  if name then
    local plain = name:gsub("%$", "%%$")
    for i = n + 1, n + 6 do
      local later = view.lines[i]
      if not later then return end
      if find(later.code, "await%s+" .. plain .. "%f[^%w_.]") or find(later.code, plain .. "%s*%.then") then return end
      if find(later.code, "%f[%w_$]" .. plain .. "%.json%(") or find(later.code, "%f[%w_$]" .. plain .. "%.ok%f[^%w_]")
        or find(later.code, "%f[%w_$]" .. plain .. "%.text%(") or find(later.code, "%f[%w_$]" .. plain .. "%.status%f[^%w_]") then
        report("missing-await", view, n, format("fetch is not awaited, yet \"%s\" is used as its response.", name))
        return
      end
    end
  end
end

local JS = { javascript = true, typescript = true, vue = true, svelte = true }

---@param view moonlet.rules.View
function M.file(view, report)
  if view.generated or view.d.kind ~= "code" then return end
  local language = view.language
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and find(line.code, "%S") then
      -- Tests provoke errors and may let them go; leftovers of work there hurt nobody.
      if BRACES[language] and not view.test then catches(view, n, line, report) end
      if language == "python" then
        if not view.test then
          -- What was done with the error may be what was taken out.
          local before, number = V.previous_code(view, n, 1)
          if before and not before.added and find(line.code, "^%s*pass%s*$") and find(before.code, "^%s*except") then
            python_excepts(view, number, before, report)
          end
          python_excepts(view, n, line, report)
        end
        waits(view, n, line, report)
      elseif language == "go" then
        if not view.test then go_errors(view, n, line, report) end
      elseif language == "ruby" and not view.test then
        ruby_rescue(view, n, line, report)
      elseif JS[language] then
        waits(view, n, line, report)
      end
    end
  end
end

return M
