--- Rules about leftovers of work: breakpoints, code that is switched off, paths and addresses of one machine.
--- Debugging prints are in rules.prints.

local shape = require "moonlet.text"

local find, format, lower, match = string.find, string.format, string.lower, string.match

local M = {}

M.rules = {
  ["breakpoint"] = { lenses = { "correctness", "risks", "consistency" }, severity = "high", confidence = 0.95,
    fix = "Take it out." },
  ["temporary-code"] = { lenses = { "correctness", "risks", "consistency", "clarity" }, severity = "low",
    confidence = 0.8, fix = "Take it out, or say why it stays." },
  ["home-path"] = { lenses = { "practicality", "risks", "correctness" }, severity = "medium", confidence = 0.85,
    fix = "Take the path from configuration, or make it relative." },
  ["local-address"] = { lenses = { "practicality", "risks" }, severity = "low", confidence = 0.7,
    fix = "Take the address from configuration." },
  ["dead-condition"] = { lenses = { "correctness", "clarity", "risks" }, severity = "medium", confidence = 0.85,
    fix = "Take the condition out, or put the real one back." },
  ["commented-code"] = { lenses = { "clarity", "consistency" }, severity = "info", confidence = 0.75,
    fix = "Delete it: the history keeps it." },
}

-- Pattern in the code, and its description.
local STOPS = {
  javascript = {
    { "^%s*debugger%s*;?%s*$", "A debugger statement" },
    { "[;{)]%s*debugger%s*[;}]", "A debugger statement" },
  },
  python = {
    { "%f[%w_]pdb%.set_trace%(", "A breakpoint (pdb.set_trace)" },
    { "%f[%w_]i?pu?db%.set_trace%(", "A breakpoint" },
    { "^%s*import%s+(i?pu?db)%s*;?%s*$", "The import of a debugger" },
    { "^%s*breakpoint%(%)", "A breakpoint" }, { ":%s*breakpoint%(%)", "A breakpoint" },
    { "%f[%w_]embed%(%)%s*$", "A call that opens a shell" },
    { "%f[%w_]code%.interact%(", "A call that opens a shell" },
  },
  ruby = {
    { "%f[%w_]binding%.pry%f[^%w_]", "A breakpoint (binding.pry)" },
    { "%f[%w_]binding%.irb%f[^%w_]", "A breakpoint (binding.irb)" },
    { "%f[%w_]binding%.break%f[^%w_]", "A breakpoint (binding.break)" },
    { "^%s*byebug%s*$", "A breakpoint (byebug)" },
    { "^%s*debugger%s*$", "A breakpoint (debugger)" },
  },
  php = {
    { "%f[%w_]xdebug_break%(", "A breakpoint" },
    { "^%s*dd%(", "A call that dumps a value and ends the request" },
  },
  csharp = { { "%f[%w_]Debugger%.Break%(", "A breakpoint" }, { "%f[%w_]Debugger%.Launch%(", "A breakpoint" } },
  elixir = { { "%f[%w_]IEx%.pry%f[^%w_]", "A breakpoint" } },
  go = { { "%f[%w_]runtime%.Breakpoint%(", "A breakpoint" } },
  cpp = { { "%f[%w_]__debugbreak%(", "A breakpoint" }, { "%f[%w_]raise%(%s*SIGTRAP%s*%)", "A breakpoint" } },
}

-- True if a file works with a debugger's module, beyond stopping in it: then its import is on purpose.
local function works_with(view, module)
  for _, line in pairs(view.lines) do
    local used = match(line.code, "%f[%w_]" .. module .. "%.([%w_]+)")
    if used and used ~= "set_trace" and used ~= "post_mortem" then return true end
  end
  return false
end

local function breakpoints(view, n, line, report)
  for _, stop in ipairs(STOPS[view.family] or {}) do
    local at, _, module = find(line.code, stop[1])
    if at and not (module and works_with(view, module)) then
      report("breakpoint", view, n, stop[2] .. " was left in the code.")
      return
    end
  end
end

-- The whole of a comment after code: the author's mark for finding the line again.
local MARKS = shape.set [[debug debugging temp temporary testing]]
local MARKING = { "^for debug", "^for testing", "^debug only", "^only for debug", "^testing only", "^remove me",
  "^remove this", "^remove later", "^temporary hack", "^temp hack", "^temporarily disabled", "^delete me" }

local function marked(view, n, line, report)
  if line.comment == "" or not find(line.code, "%w") then return end
  local said = lower(match(line.comment, "^%W*(.-)%W*$"))
  if MARKS[said] or shape.any(said, MARKING) then
    report("temporary-code", view, n, format("The comment says \"%s\": the line was meant to go again.", said))
  end
end

local function traced(view, n, line, report)
  if view.language ~= "shell" or view.status ~= "modified" or line.comment ~= "" then return end
  if not find(line.code, "^%s*set%s+%-x%s*$") then return end
  for _, other in ipairs(view.added) do
    if find(view.lines[other].code, "^%s*set%s+%+x") then return end
  end
  report("temporary-code", view, n, "The script prints each of its commands from here on: it looks like a leftover.")
end

local HOMES = { "[\"'`=:%s(](/home/([%a][%w_.-]*)/[%w_./-]+)", "[\"'`=:%s(](/Users/([%a][%w_.-]*)/[%w_./-]+)",
  "[\"'`=:%s(](%a:\\\\?Users\\\\?([%a][%w_.-]*)\\[%w_.\\-]+)" }
-- Names of nobody in particular.
local SHARED = shape.set [[user username runner node app vscode ubuntu me you git build shared Shared name Public
  linuxbrew jovyan circleci travis vagrant pi admin foo bar alice bob john test example user_name deploy www ec2
  ec2-user web root coder gitpod]]

local function home_paths(view, n, line, report)
  if not find(line.code, "%S") and view.d.kind == "code" then return end
  local path, who = shape.first(line.text, HOMES)
  if path and not SHARED[who] then
    report("home-path", view, n, "The path leads into one person's home folder: it exists on no other machine.")
  end
end

local ADDRESSES = { "[\"'`](https?://localhost:%d+[^\"'`]*)[\"'`]", "[\"'`](https?://127%.0%.0%.1:%d+[^\"'`]*)[\"'`]",
  "[\"'`](https?://192%.168%.%d+%.%d+[^\"'`]*)[\"'`]", "[\"'`](https?://10%.%d+%.%d+%.%d+[^\"'`]*)[\"'`]" }
-- Words which show that the address is only one of several, or is shown and not used.
local MAY_BE_LOCAL = { "default", "env", "??", "||", " or ", "dev", "local_", "log", "print", "example", "placeholder",
  "origin", "cors", "test", "getenv", "help", "==", "allow", "usage", "fallback" }
local SERVERS = { "cli", "log", "logger", "console", "main", "config", "webpack", "vite", "rollup", "gulpfile",
  "gruntfile", "bin", "command", "commands", "server", "build", "bench", "setup", "run", "dev", "play", "seed" }

-- True if the file runs on its author's machine, or says where the others are.
local function runs_locally(view)
  if view.script then return true end
  local words = require("moonlet.paths").words_of(view.d)
  for _, word in ipairs(SERVERS) do
    if words[word] then return true end
  end
  return false
end

local function local_addresses(view, n, line, report)
  if find(line.code, "%S") and shape.first(line.text, ADDRESSES) and not shape.word(line.text, MAY_BE_LOCAL) then
    report("local-address", view, n,
      "The address of a server on this machine or this network is written into the code.")
  end
end

local NEVER, NOTHING = "the code below never runs", "the condition says nothing"
local SWITCHED_OFF = {
  { "^%s*if%s*%(%s*false%s*%)", NEVER }, { "^%s*if%s*%(%s*0%s*%)", NEVER }, { "^%s*if%s+False%s*:", NEVER },
  { "^%s*if%s+0%s*:", NEVER }, { "^%s*if%s+false%s*{", NEVER }, { "^%s*if%s+false%s+then", NEVER },
  { "^%s*if%s+false%s*$", NEVER }, { "^%s*if%s+false%s*;%s*then", NEVER },
  { "^%s*if%s*%(%s*true%s*%)", NOTHING }, { "^%s*if%s*%(%s*1%s*%)", NOTHING }, { "^%s*if%s+True%s*:", NOTHING },
  { "^%s*if%s+true%s*{", NOTHING }, { "^%s*if%s+true%s*;%s*then", NOTHING },
  { "%f[%w_]if.*[(|&]%s*false%s*&&", "the part after && never runs" },
  { "%f[%w_]if.*&&%s*false%s*%)", "it is never true" },
  { "%f[%w_]if.*||%s*true%s*%)", "it is always true" }, { "%f[%w_]if%s*%(%s*true%s*||", "it is always true" },
  { "^%s*if.*%sor%s+True%s*:", "it is always true" }, { "^%s*if%s+True%s+or%s", "it is always true" },
  { "^%s*if.*%sand%s+False%s*:", "it is never true" }, { "^%s*if%s+False%s+and%s", "it is never true" },
  { "^%s*#%s*if%s+0%s*$", "the code below is not compiled" },
}

local function switched_off(view, n, line, report)
  local before = view.lines[n - 1]
  if before and find(before.comment, "%a%a%a") then return end
  for _, item in ipairs(SWITCHED_OFF) do
    if find(line.code, item[1]) then
      report("dead-condition", view, n, format("The condition is fixed: %s.", item[2]))
      return
    end
  end
end

-- Shapes of statements that stand in a comment.
local STATEMENT = { "[;{}]%s*$", "^%s*return%s", "^%s*[%w_.]+%s*=%s*[%w_\"'%[{(]", "^%s*if%s*%(.*%)%s*{?$",
  "^%s*[%w_.]+%(.*%)%s*;?$", "^%s*for%s*%(", "^%s*def%s+[%w_]+%(.*:$", "^%s*import%s+[%w_{]", "^%s*const%s+[%w_]+%s*=",
  "^%s*let%s+[%w_]+%s*=" }

-- Tells prose from Python by its words, for Python has no marks that end a statement.
local function is_prose(text) return find(text, "%a%s+%a+%s+%a+%s+%a+[.:]?%s*$") ~= nil end

local function is_commented_statement(view, line)
  local comment = match(line.text, "^%s*//[^/!](.*)$")
    or (view.language == "python" and match(line.text, "^%s*#%s(.*)$"))
  return comment and not line.moved and not find(comment, "^%s*[%*@>]") and shape.any(comment, STATEMENT) ~= nil
    and not is_prose(comment)
end

local least_commented = 4

-- True if the comment is a program for a generator, which marks it.
local function for_generator(view, n)
  for i = math.max(1, n - 10), n do
    local line = view.lines[i]
    if line and find(line.text, "[[[", 1, true) then return true end
  end
  return false
end

-- Several commented lines in a row that end as statements do.
local function commented_code(view, report)
  local count, first = 0, nil
  local function close()
    if count >= least_commented and not for_generator(view, first) then
      report("commented-code", view, first, format("%d lines of code were added as comments.", count))
    end
    count, first = 0, nil
  end
  for _, n in ipairs(view.added) do
    local statement = is_commented_statement(view, view.lines[n])
    if first and (not statement or n ~= first + count) then close() end
    if statement then
      first = first or n
      count = count + 1
    end
  end
  close()
end

local function check_code(view, n, line, report)
  breakpoints(view, n, line, report)
  traced(view, n, line, report)
  if not view.test then
    switched_off(view, n, line, report)
    if not view.example then marked(view, n, line, report) end
  end
end

---@param view rules.View
function M.file(view, report)
  local code_file = view.d.kind == "code" and view.language
  if view.generated or not code_file and view.d.kind ~= "config" then return end
  local settled = view.production and not runs_locally(view)
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and #line.text < 1000 then
      if code_file and find(line.code, "%S") and line.inside ~= "string" then check_code(view, n, line, report) end
      if not view.test and not view.example then home_paths(view, n, line, report) end
      if settled then local_addresses(view, n, line, report) end
    end
  end
  if code_file and view.production then commented_code(view, report) end
end

return M
