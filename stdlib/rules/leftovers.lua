--- Rules about what was left over from work: prints for debugging, breakpoints, code that is switched off, paths and
--- addresses of one machine.

local V = require "moonlet.rules.view"

local find, format, lower, match = string.find, string.format, string.lower, string.match

local M = {}

M.rules = {
  ["breakpoint"] = { lenses = { "correctness", "risks", "consistency" }, severity = "high", confidence = 0.95,
    fix = "Take it out." },
  ["debug-print"] = { lenses = { "consistency", "practicality", "clarity", "risks" }, severity = "low",
    confidence = 0.8, fix = "Take it out, or use the project's logging." },
  ["home-path"] = { lenses = { "practicality", "risks", "correctness" }, severity = "medium", confidence = 0.85,
    fix = "Take the path from configuration, or make it relative." },
  ["local-address"] = { lenses = { "practicality", "risks" }, severity = "low", confidence = 0.7,
    fix = "Take the address from configuration." },
  ["dead-condition"] = { lenses = { "correctness", "clarity", "risks" }, severity = "medium", confidence = 0.85,
    fix = "Take the condition out, or put the real one back." },
  ["commented-code"] = { lenses = { "clarity", "consistency" }, severity = "info", confidence = 0.75,
    fix = "Delete it: the history keeps it." },
}

local JS = { javascript = true, typescript = true, vue = true, svelte = true, astro = true }

-- Language, pattern in the code, and what it is.
local STOPS = {
  { "javascript", "^%s*debugger%s*;?%s*$", "A debugger statement" },
  { "python", "%f[%w_]pdb%.set_trace%(", "A breakpoint (pdb.set_trace)" },
  { "python", "%f[%w_]i?pu?db%.set_trace%(", "A breakpoint" },
  { "python", "^%s*breakpoint%(%)", "A breakpoint" },
  { "ruby", "%f[%w_]binding%.pry%f[^%w_]", "A breakpoint (binding.pry)" },
  { "ruby", "%f[%w_]binding%.irb%f[^%w_]", "A breakpoint (binding.irb)" },
  { "ruby", "^%s*byebug%s*$", "A breakpoint (byebug)" },
  { "ruby", "^%s*debugger%s*$", "A breakpoint (debugger)" },
  { "php", "%f[%w_]xdebug_break%(", "A breakpoint" },
  { "php", "^%s*dd%(", "A call that dumps a value and ends the request" },
  { "csharp", "%f[%w_]Debugger%.Break%(", "A breakpoint" },
  { "elixir", "%f[%w_]IEx%.pry%f[^%w_]", "A breakpoint" },
  { "c", "%f[%w_]__builtin_trap%(%)%s*;%s*//%s*[Dd][Ee][Bb]", "A breakpoint" },
}

local PRINTS = {
  { "rust", "%f[%w_]dbg!%s*[%(%[]", "dbg! prints to stderr" },
  { "php", "%f[%w_]var_dump%(", "var_dump prints a value to whoever asks" },
  { "php", "^%s*print_r%(%s*%$[%w_]+%s*%)", "print_r prints a value to whoever asks" },
  { "java", "%.printStackTrace%(%s*%)", "printStackTrace goes around the log" },
  { "go", "%f[%w_]spew%.Dump%(", "spew.Dump prints a value" },
  { "elixir", "%f[%w_]IO%.inspect%(", "IO.inspect prints a value" },
  { "javascript", "^%s*console%.table%(", "console.table prints a value" },
}

-- Calls that print; in most languages printing is what programs do, so there the words must say that it is debugging.
local PRINTERS = { python = { "^%s*print%(" }, go = { "^%s*fmt%.Print%a*%(", "^%s*println%(", "^%s*log%.Print%a*%(" },
  java = { "^%s*System%.out%.print%a*%(" }, kotlin = { "^%s*println%(" }, c = { "^%s*f?printf%(" },
  cpp = { "^%s*f?printf%(", "^%s*std::c[oe][ur][tr]%s*<<", "^%s*c[oe][ur][tr]%s*<<" }, rust = { "^%s*e?println!%(" },
  ruby = { "^%s*puts%s", "^%s*p%s" }, php = { "^%s*echo%s" }, csharp = { "^%s*Console%.WriteLine%(" },
  swift = { "^%s*print%(" }, lua = { "^%s*print%(" }, dart = { "^%s*print%(" }, shell = { "^%s*echo%s" } }

local DEBUG_WORDS = { "^%W*debug%f[^%a]", "^%W*dbg%f[^%a]", "^%W*here%W*%d*$", "^%W*got here", "^%W*xxx", "^%W*>>>>*", "^%W*====*%W*$",
  "^%W*test%W*%d*$", "^%W*foo%W*$", "^%W*asdf", "^%W*aaa+", "^%W*###+ ?debug", "^%W*wtf", "^%W*reached%W*$", "^%W*hello%W*$", "remove me",
  "remove this" }

local function debugging(view, line)
  local code, text = line.code, line.text
  local lead = view.language
  for _, pattern in ipairs(PRINTERS[lead] or {}) do
    if find(code, pattern) then
      local said = match(text, "[\"'`]([^\"'`]*)[\"'`]")
      if said then
        said = lower(said)
        for _, word in ipairs(DEBUG_WORDS) do
          if find(said, word) then return true end
        end
      end
      -- print(f"{x=}") is Python's own way to look at a value.
      if lead == "python" and find(text, "print%(f[\"'][^\"']*{[%w_.]+=}") then return true end
      return false
    end
  end
  return false
end

-- Whether printing is what this file is for.
local function prints_by_trade(view)
  if view.script then return true end
  local words = require("moonlet.paths").words_of(view.d)
  for _, word in ipairs { "cli", "log", "logger", "logging", "debug", "print", "printer", "console", "reporter", "main",
    "config", "webpack", "vite", "rollup", "gulpfile", "gruntfile", "bin", "command", "commands", "server", "migrate",
    "seed", "script", "build", "terminal", "benchmarks", "bench", "setup", "run", "dev", "play" } do
    if words[word] then return true end
  end
  local first = view.lines[1]
  return first and find(first.text, "^#!") ~= nil
end

local function console_log(view, n, line, report)
  local code = line.code
  if find(code, "%f[%w_.]console%.debug%(") or find(code, "^%s*console%.log%(") or find(code, "[;{]%s*console%.log%(") then
    local before = V.previous_code(view, n, 2)
    -- Outside of any function this is a program that prints; under a flag it is a feature.
    if view.whole and not V.function_around(view, n) then return end
    if before and find(lower(before.code), "if%s*%(.*[vdb][eb][rbu][bug]") then return end
    report("debug-print", view, n, "console.log was left in code that is not a script.")
  end
end

local function home_paths(view, n, line, report)
  local text = line.text
  if find(line.code, "^%s*$") and view.d.kind == "code" then return end
  local path = match(text, "[\"'`=:%s(](/home/[%a][%w_.-]*/[%w_./-]+)") or match(text, "[\"'`=:%s(](/Users/[%a][%w_.-]*/[%w_./-]+)")
    or match(text, "[\"'`=:%s(](%a:\\\\?Users\\\\?[%a][%w_.-]*\\[%w_.\\-]+)")
  if not path then return end
  local who = match(path, "^/home/([^/]+)") or match(path, "^/Users/([^/]+)") or match(path, "Users\\\\?([^\\]+)")
  local shared = { user = true, username = true, runner = true, node = true, app = true, vscode = true, ubuntu = true,
    me = true, you = true, git = true, build = true, shared = true, Shared = true, name = true, Public = true,
    linuxbrew = true, jovyan = true, circleci = true, travis = true, vagrant = true, pi = true, admin = true,
    foo = true, bar = true, alice = true, bob = true, john = true, test = true, example = true, user_name = true,
    deploy = true, www = true, ec2 = true, ["ec2-user"] = true, web = true, root = true, coder = true, gitpod = true }
  if shared[who or ""] then return end
  report("home-path", view, n, "The path leads into one person's home folder: it exists on no other machine.")
end

local function local_addresses(view, n, line, report)
  if find(line.code, "^%s*$") then return end
  local text = line.text
  local address = match(text, "[\"'`](https?://localhost:%d+[^\"'`]*)[\"'`]") or match(text, "[\"'`](https?://127%.0%.0%.1:%d+[^\"'`]*)[\"'`]")
    or match(text, "[\"'`](https?://192%.168%.%d+%.%d+[^\"'`]*)[\"'`]") or match(text, "[\"'`](https?://10%.%d+%.%d+%.%d+[^\"'`]*)[\"'`]")
  if not address then return end
  local low = lower(text)
  for _, word in ipairs { "default", "env", "??", "||", " or ", "dev", "local_", "log", "print", "example", "placeholder",
    "origin", "cors", "test", "getenv", "help", "==", "allow", "usage", "fallback" } do
    if find(low, word, 1, true) then return end
  end
  report("local-address", view, n, "The address of a server on this machine or this network is written into the code.")
end

local SWITCHED_OFF = {
  { "^%s*if%s*%(%s*false%s*%)", "the code below never runs" }, { "^%s*if%s*%(%s*true%s*%)", "the condition says nothing" },
  { "^%s*if%s+False%s*:", "the code below never runs" }, { "^%s*if%s+True%s*:", "the condition says nothing" },
  { "^%s*if%s*%(%s*0%s*%)", "the code below never runs" }, { "^%s*if%s*%(%s*1%s*%)", "the condition says nothing" },
  { "^%s*if%s+0%s*:", "the code below never runs" }, { "^%s*if%s+false%s*{", "the code below never runs" },
  { "^%s*if%s+true%s*{", "the condition says nothing" }, { "^%s*if%s+false%s+then", "the code below never runs" },
  { "%f[%w_]if.*[%s(]false%s*&&", "the part after && never runs" }, { "%f[%w_]if.*&&%s*false%s*%)", "it is never true" },
  { "%f[%w_]if.*||%s*true%s*%)", "it is always true" }, { "^%s*if.*%sor%s+True%s*:", "it is always true" },
  { "^%s*if.*%sand%s+False%s*:", "it is never true" }, { "^%s*#%s*if%s+0%s*$", "the code below is not compiled" },
}

local function switched_off(view, n, line, report)
  for _, item in ipairs(SWITCHED_OFF) do
    if find(line.code, item[1]) then
      report("dead-condition", view, n, format("The condition is fixed: %s.", item[2]))
      return
    end
  end
end

-- Several commented lines in a row that end as statements do.
local STATEMENT = { "[;{}]%s*$", "^%s*return%s", "^%s*[%w_.]+%s*=%s*[%w_\"'%[{(]", "^%s*if%s*%(.*%)%s*{?$", "^%s*[%w_.]+%(.*%)%s*;?$",
  "^%s*for%s*%(", "^%s*def%s+[%w_]+%(.*:$", "^%s*import%s+[%w_{]", "^%s*const%s+[%w_]+%s*=", "^%s*let%s+[%w_]+%s*=" }

local function commented_code(view, report)
  if not view.production or view.d.kind ~= "code" then return end
  local run, first, last = 0, nil, nil
  local function close()
    if run >= 4 and first then
      report("commented-code", view, first, format("%d lines of code were added as comments.", run))
    end
    run, first = 0, nil
  end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local comment = match(line.text, "^%s*//[^/!](.*)$") or (view.language == "python" and match(line.text, "^%s*#%s(.*)$"))
    local statement = false
    if comment and not line.moved and not find(comment, "^%s*[%*@>]") then
      for i = 1, #STATEMENT do
        -- Python has no marks that end a statement, so prose is told apart by its words.
        if find(comment, STATEMENT[i]) and not find(comment, "%a%s+%a+%s+%a+%s+%a+[.:]?%s*$") then
          statement = true
          break
        end
      end
    end
    if statement and (run == 0 or last == n - 1) then
      first = first or n
      run, last = run + 1, n
    elseif statement then
      close()
      first, run, last = n, 1, n
    else
      close()
    end
  end
  close()
end

---@param view moonlet.rules.View
function M.file(view, report)
  if view.generated then return end
  local code_file = view.d.kind == "code" and view.language
  local family = JS[view.language] and "javascript" or view.language == "kotlin" and "java" or view.language
  local trade = code_file and prints_by_trade(view)
  if not code_file and view.d.kind ~= "config" then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and #line.text < 1000 then
      if code_file and find(line.code, "%S") and line.inside ~= "string" then
        for _, stop in ipairs(STOPS) do
          if stop[1] == family and find(line.code, stop[2]) then
            report("breakpoint", view, n, stop[3] .. " was left in the code.")
            break
          end
        end
        for _, item in ipairs(PRINTS) do
          if item[1] == family and find(line.code, item[2]) and not view.test and not view.example then
            report("debug-print", view, n, item[3] .. ": it looks like a leftover.")
            break
          end
        end
        if family == "javascript" and view.production and not trade then console_log(view, n, line, report) end
        if not view.example and debugging(view, line) then
          report("debug-print", view, n, "The line prints something that only its author wanted to see.", { confidence = 0.85 })
        end
        if not view.test then switched_off(view, n, line, report) end
      end
      if not view.test and not view.example then home_paths(view, n, line, report) end
      if view.production and not trade then local_addresses(view, n, line, report) end
    end
  end
  if code_file then commented_code(view, report) end
end

return M
