--- Rules about printing that was for its author alone: calls that dump a value, words that only debugging uses, and
--- prints in code that prints nowhere else.

local paths = require "moonlet.paths"
local shape = require "moonlet.text"
local V = require "rules.view"

local find, format, lower, match, sub = string.find, string.format, string.lower, string.match, string.sub

local M = {}

M.rules = {
  ["debug-print"] = { lenses = { "consistency", "practicality", "clarity", "risks", "correctness" }, severity = "low",
    confidence = 0.8, fix = "Take it out, or use the project's logging." },
}

-- Calls that show a value to a programmer and are of no use to anybody else.
local DUMPS = {
  rust = { "%f[%w_](dbg!)%s*[%(%[]" },
  php = { "%f[%w_>:](var_dump)%(", "^%s*(print_r)%(%s*%$[%w_]+%s*%)", "%f[%w_](var_export)%(%s*%$[%w_]+%s*%)%s*;" },
  java = { "%.(printStackTrace)%(%s*%)", "%f[%w_](Thread%.dumpStack)%(" },
  go = { "%f[%w_](spew%.Dump)%(", "%f[%w_](debug%.PrintStack)%(" },
  elixir = { "%f[%w_](IO%.inspect)%(" },
  lua = { "^%s*(vim%.print)%(", "^%s*print%(%s*(vim%.inspect)%(" },
}
-- The same, unless printing is the purpose of the file.
local SHOWS = {
  javascript = { "^%s*(console%.table)%(", "^%s*(console%.dir)%(", "^%s*(console%.trace)%(", "^%s*(console%.debug)%(" },
  python = { "^%s*(pprint)%(", "^%s*(pprint%.pprint)%(", "^%s*(pp)%(", "^%s*(ic)%(" },
  ruby = { "^%s*(pp)%s+[%w_@]", "^%s*(p)%s+[%a_@:\"'%[]", "^%s*(ap)%s+[%a_@]" },
}

-- Calls that print.
local PRINTERS = {
  python = { "^%s*print%(" },
  javascript = { "^%s*console%.%a+%(", "[;{]%s*console%.%a+%(", "^%s*alert%(" },
  go = { "^%s*fmt%.Print%a*%(", "^%s*println%(", "^%s*log%.Print%a*%(", "^%s*fmt%.Fprint%a*%(%s*os%.Stderr" },
  java = { "^%s*System%.%a+%.print%a*%(", "^%s*println%(" },
  cpp = { "^%s*printf%(", "^%s*fprintf%(%s*stderr", "^%s*puts%(", "^%s*s?t?d?:?:?cout%s*<<", "^%s*s?t?d?:?:?cerr%s*<<",
    "^%s*NSLog%(" },
  rust = { "^%s*e?println!%(" },
  ruby = { "^%s*puts%f[%s(]", "^%s*p%s", "^%s*print%s", "^%s*warn%s" },
  php = { "^%s*echo%s", "^%s*error_log%(" },
  csharp = { "^%s*Console%.Write%a*%(", "^%s*Debug%.Write%a*%(" },
  swift = { "^%s*print%(" }, lua = { "^%s*print%(" }, dart = { "^%s*print%(" }, shell = { "^%s*echo%s" },
}

-- Words that people print to see if they got there.
local DEBUG_WORDS = { "^%W*debug%f[^%a]", "^%W*debugging%f[^%a]", "^%W*dbg%f[^%a]", "^%W*here%W*%d*$", "^%W*got here",
  "^%W*xxx", "^%W*asdf", "^%W*aaa+", "^%W*###+ ?debug", "^%W*wtf", "remove me", "remove this", "^%W*in here" }
-- Words that tests print for other reasons.
local CASUAL_WORDS = { "^%W*>>>>*", "^%W*====*%W*$", "^%W*test%W*%d*$", "^%W*foo%W*$", "^%W*reached%W*$",
  "^%W*hello%W*$", "^%W*hi%W*$", "^%W*!!!+" }

local function says_debug(view, line)
  local said = match(line.text, "[\"'`]([^\"'`]*)[\"'`]")
  if not said then return false end
  said = lower(said)
  return shape.any(said, DEBUG_WORDS) ~= nil or not view.test and shape.any(said, CASUAL_WORDS) ~= nil
end

local function prints(view, code)
  local printers = PRINTERS[view.family]
  return printers ~= nil and shape.any(code, printers) ~= nil
end

-- Files whose name says that they talk to people.
local TALKERS = { "cli", "log", "logger", "logging", "debug", "print", "printer", "console", "reporter", "terminal",
  "command", "commands", "script", "bin", "benchmarks", "bench", "play", "repl", "shell", "webpack", "vite", "rollup",
  "gulpfile", "gruntfile" }
-- Files that may say a sentence when they start, but show no values.
local STARTERS = { "main", "server", "config", "migrate", "seed", "build", "setup", "run", "dev" }
local ENTRIES = {
  python = { "__name__%s*==", "%f[%w_]argparse%f[^%w_]", "%f[%w_]click%f[^%w_]", "%f[%w_]typer%f[^%w_]", "sys%.argv",
    "BaseCommand" },
  go = { "^package%s+main%f[^%w_]" },
  java = { "%f[%w_]void%s+main%s*%(", "%f[%w_]fun%s+main%s*%(" },
  rust = { "%f[%w_]fn%s+main%s*%(", "%f[%w_]clap%f[^%w_]" },
  ruby = { "%f[%w_]ARGV%f[^%w_]", "%f[%w_]OptionParser%f[^%w_]", "%f[%w_]Thor%f[^%w_]" },
  javascript = { "process%.argv", "process%.stdout", "require%.main", "commander", "yargs" },
  csharp = { "%f[%w_]static%s.*%f[%w_]Main%s*%(" },
}

local function named_as(view, names)
  local words = paths.words_of(view.d)
  for _, name in ipairs(names) do
    if words[name] then return true end
  end
  return false
end

-- The manner of a file: "talks" if printing is its trade, "starts" if it may say a word, else "quiet".
local function manner(view, change)
  local first = view.lines[1]
  local program = V.of_program(view, change) or view.script or first and find(first.text, "^#!")
  if program or named_as(view, TALKERS) then return "talks" end
  local entries, printed = ENTRIES[view.family] or {}, 0
  for _, line in pairs(view.lines) do
    if not line.inside and find(line.code, "%S") and shape.any(line.text, entries) then return "talks" end
    if not line.added and prints(view, line.code) then printed = printed + 1 end
  end
  if printed >= 2 then return "talks" end
  return (printed > 0 or named_as(view, STARTERS)) and "starts" or "quiet"
end

local VALUE = "^[%a_$@][%w_$.@%[%]]*$"

-- True if a call shows bare values: names alone, at most with one word in front.
local function shows_values(line)
  local text = sub(line.text, (find(line.code, "%(")) or #line.text)
  local inside = match(text, "^%(%s*(.-)%s*%)%s*;?%s*}?%s*$")
  if not inside or #inside > 200 then return false end
  inside = match(inside, "^JSON%.stringify%(([%w_$.]+)[^()]*%)$") or match(inside, "^{%s*(.-)%s*}$") or inside
  inside = match(inside, "^[\"'`]%W*[%w_.]*%W*[\"'`]%s*,%s*(.+)$") or inside
  for part in string.gmatch(inside, "[^,]+") do
    if not find(shape.trim(part), VALUE) then return false end
  end
  return true
end

local AFTER_CONDITION = { "debug", "verbose", "dev", "trace", "quiet", "silent" }

-- True under a flag that asks for it, and outside of any function: printing is wanted there.
local function wanted(view, n)
  local before = V.previous_code(view, n, 2)
  if before and find(before.code, "%f[%w_]if%f[^%w_]") and shape.word(before.code, AFTER_CONDITION) then return true end
  return view.whole and not V.function_around(view, n)
end

local QUIET_CLAIM = {
  javascript = "console.log was left in code that is not a script.",
  python = "print was left in code that is not a script.",
}
local SILENT_LANGUAGES = shape.set "javascript python go java rust ruby csharp"
-- Messages for those who run the program.
local LOGS = { "^%s*console%.[ewi][rna][rrf][on]", "^%s*log%.Print", "^%s*fmt%.Fprint", "^%s*alert%(", "^%s*warn%s",
  "^%s*eprintln!", "^%s*System%.err%." }

-- Prints with a destination of their own.
local AIMED = { "%f[%w_]file%s*=", "%(%s*%*%w", "%(%s*%)" }

local function plain_print(view, n, line, report, how)
  if shape.any(line.code, AIMED) then return end
  if not SILENT_LANGUAGES[view.family] or how == "talks" or shape.any(line.code, LOGS) then return end
  if wanted(view, n) then return end
  if how == "quiet" or shows_values(line) then
    report("debug-print", view, n, QUIET_CLAIM[view.family] or "A print was left in code that prints nothing else.")
  end
end

local function debug_prints(view, n, line, report, how)
  local dump = shape.first(line.code, DUMPS[view.family] or {})
  local shown = not dump and shape.first(line.code, SHOWS[view.family] or {})
  if shown and how() ~= "talks" then dump = shown end
  if dump and not view.test and not view.example then
    report("debug-print", view, n, format("%s shows a value to a programmer: it looks like a leftover.", dump))
  elseif not prints(view, line.code) then
    return
  elseif not view.example and says_debug(view, line) or find(line.text, "print%(f[\"'][^\"']*{[%w_.]+=}") then
    report("debug-print", view, n, "The line prints something that only its author wanted to see.",
      { confidence = 0.85 })
  elseif view.production then
    plain_print(view, n, line, report, how())
  end
end

---@param view rules.View
function M.file(view, report, change)
  if view.generated or view.d.kind ~= "code" or not (PRINTERS[view.family] or DUMPS[view.family]) then return end
  local known
  local function how()
    known = known or manner(view, change)
    return known
  end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and #line.text < 1000 and find(line.code, "%S") and line.inside ~= "string" then
      debug_prints(view, n, line, report, how)
    end
  end
end

return M
