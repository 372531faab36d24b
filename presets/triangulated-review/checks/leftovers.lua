--- Reports lines that only their author needed, such as breakpoints, debug prints and TODOs.
local change_of = require "change"
local text = require "moonlet.text"

local M = {}

M.checks = {
  { name = "breakpoint", severity = "high", confidence = 0.95, fix = "Take it out.",
    help = "a call of a debugger" },
  { name = "debug-print", severity = "low", confidence = 0.8,
    help = "a print that only its author wants",
    fix = "Take it out, or use the project's logging." },
  { name = "focused-test", severity = "high", confidence = 0.95,
    help = "a test that switches off all others",
    fix = "Take the focus out, so that the others run again." },
  { name = "todo-added", severity = "low", confidence = 0.75,
    help = "a TODO, FIXME, XXX or HACK without an issue",
    fix = "Do it now, or name the issue that tracks it." },
  { name = "not-for-others", severity = "high", confidence = 0.9,
    help = "a comment such as DO NOT COMMIT",
    fix = "Take out what was meant only for its author." },
  { name = "home-path", severity = "medium", confidence = 0.85,
    help = "a path into one person's home folder",
    fix = "Take the path from configuration, or make it relative." },
  { name = "stray-file", severity = "low", confidence = 0.95,
    help = "a file that an editor or tool left behind",
    fix = "Remove it and add it to .gitignore." },
}

local JS = { "^%s*debugger%s*;?%s*$", "[;{)]%s*debugger%s*[;}]" }
local BREAKS = {
  javascript = JS, typescript = JS, vue = JS, svelte = JS,
  python = { "^%s*i?pu?db%.set_trace%(", "^%s*import%s+i?pu?db;", "^%s*breakpoint%(%)",
    ":%s*breakpoint%(%)" },
  ruby = { "^%s*binding%.pry%f[^%w_]", "^%s*binding%.irb%f[^%w_]", "^%s*binding%.break%f[^%w_]",
    "^%s*byebug%s*$", "^%s*debugger%s*$" },
  php = { "^%s*xdebug_break%(", "^%s*dd%(" }, csharp = { "^%s*Debugger%.Break%(",
    "^%s*Debugger%.Launch%(" },
  elixir = { "^%s*IEx%.pry%f[^%w_]" }, go = { "^%s*runtime%.Breakpoint%(" },
    cpp = { "^%s*__debugbreak%(" },
}

-- Lists patterns for calls that print a value for debugging, by language.
local DUMPS = {
  rust = { "%f[%w_](dbg!)%s*[%(%[]" }, php = { "^%s*(var_dump)%(",
    "^%s*(print_r)%(%s*%$[%w_]+%s*%)%s*;" },
  go = { "^%s*(spew%.Dump)%(", "^%s*(debug%.PrintStack)%(" }, elixir = { "^%s*(IO%.inspect)%(" },
  lua = { "^%s*(vim%.print)%(", "^%s*print%(%s*(vim%.inspect)%(" },
}
-- Maps each language to the pattern of a print statement.
local PRINTS = {
  python = "^%s*print%(", javascript = "^%s*console%.%a+%(", typescript = "^%s*console%.%a+%(",
  go = "^%s*fmt%.Print%a*%(", java = "^%s*System%.%a+%.print%a*%(", cpp = "^%s*f?printf%(",
  c = "^%s*f?printf%(", rust = "^%s*e?println!%(", ruby = "^%s*puts?%s", lua = "^%s*print%(",
  csharp = "^%s*Console%.Write%a*%(", swift = "^%s*print%(", php = "^%s*echo%s",
}
-- A call that prints one of these words is meant for debugging.
local DEBUG_WORDS = { "^%W*debug%f[^%a]%W*[%w_]*%W*$", "^%W*dbg%f[^%a]", "^%W*here%W*%d*%W*$",
  "^%W*got here",
  "^%W*xxx", "^%W*asdf", "^%W*aaa+", "^%W*wtf", "remove me", "^%W*in here%W*$", "^%W*>>>>+",
    "^%W*reached%W*$" }

local JS_FOCUS = { "^%s*describe%.only%s*%(", "^%s*it%.only%s*%(", "^%s*test%.only%s*%(",
  "^%s*context%.only%s*%(",
  "^%s*fdescribe%s*%(", "^%s*fit%s*%(", "^%s*suite%.only%s*%(", "^%s*test%.describe%.only%s*%(" }
local FOCUS = { javascript = JS_FOCUS, typescript = JS_FOCUS,
  ruby = { "^%s*fit%s", "^%s*fdescribe%s", "^%s*fcontext%s", "[%s,]focus:%s*true" } }

local NOTES = { "TODO", "FIXME", "XXX", "HACK" }
local LEFT_IN = { "do not commit", "don't commit", "do not merge", "don't merge", "nocommit",
  "do not submit",
  "remove before commit", "remove before merg", "revert before commit", "revert before merg" }
local COMMENTS = { python = "#", shell = "#", ruby = "#", perl = "#", make = "#", elixir = "#",
  docker = "#",
  r = "#", cmake = "#", lua = "--", sql = "--", haskell = "--" }

-- Returns the comment at the end of a line. Ignores a comment mark inside quotes.
local function comment_of(file, line)
  local mark = COMMENTS[file.d.language] or "//"
  local at, quote = 1, nil
  while at <= #line do
    local char = line:sub(at, at)
    if quote then
      if char == "\\" then at = at + 1 elseif char == quote then quote = nil end
    elseif line:sub(at, at + #mark - 1) == mark then
      return line:sub(at)
    elseif mark == "//" and line:sub(at, at + 1) == "/*" then
      return line:sub(at)
    elseif char == '"' or char == "'" or char == "`" then
      quote = char
    end
    at = at + 1
  end
  return nil
end

-- Returns the word of a note such as TODO, unless the note refers to an issue or a link.
local function note_in(comment)
  if not comment or comment:find "#%d" or comment:find "://"
    or comment:find "%u%u+%-%d" then return nil end
  for _, word in ipairs(NOTES) do
    local at = comment:find("%f[%w]" .. word .. "%f[^%w_]")
    if at and not comment:find("^[%-'\"`s]", at + #word) then return word end
  end
  return nil
end

local HOMES = { "[\"'`=:%s(](/home/([%a][%w_.-]*)/[%w_./-]+)",
  "[\"'`=:%s(](/Users/([%a][%w_.-]*)/[%w_./-]+)",
  "[\"'`=:%s(](%a:\\\\?Users\\\\?([%a][%w_.-]*)\\[%w_.\\-]+)" }
local SHARED = text.set [[user username runner node app vscode ubuntu me you git build shared
  Shared name Public linuxbrew jovyan circleci travis vagrant pi admin foo bar alice bob john test
  example user_name deploy www ec2-user web root coder gitpod USER]]

local STRAY = { "^%.ds_store$", "^thumbs%.db$", "^desktop%.ini$", "^npm%-debug%.log$",
  "^yarn%-error%.log$",
  "^nohup%.out$", "^%.coverage$", "%.orig$", "%.rej$", "%.sw[op]$", "%.pyc$", ".~$", "^%._" }
local STRAY_DIRS = { "node_modules", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache",
  ".tox",
  ".nyc_output", ".venv" }

local function says_debug(line)
  local said = line:match "[\"'`]([^\"'`]*)[\"'`]"
  return said ~= nil and text.any(said:lower(), DEBUG_WORDS) ~= nil
end

local function code_line(file, n, line, report)
  local language = file.d.language
  if text.any(line, BREAKS[language] or {}) then
    report("breakpoint", file, n, "A breakpoint was left in the code.")
  elseif text.any(line, FOCUS[language] or {}) and file.d.test then
    report("focused-test", file, n, "Only this test runs: the focus switches off all others.")
  end
  local dump = file.source and text.first(line, DUMPS[language] or {})
  local print = PRINTS[language] and line:find(PRINTS[language])
  if dump then
    report("debug-print", file, n,
      ("%s shows a value to a programmer: it looks like a leftover."):format(dump))
  elseif print and not file.example and (says_debug(line)
    or line:find "print%(f[\"'][^\"']*{[%w_.]+=}") then
    report("debug-print", file, n, "The line prints something that only its author wanted to see.")
  end
end

local function notes_removed(file)
  local count = 0
  for _, line in ipairs(file.removed) do
    local is_note = #line < 1000 and (note_in(comment_of(file, line)) or line:find "@todo")
    if is_note then count = count + 1 end
  end
  return count
end

local function comments(file, n, line, left, report)
  local comment = comment_of(file, line)
  if not comment then return left end
  local said = text.word(comment, LEFT_IN)
  if said then report("not-for-others", file, n,
    ("The comment says \"%s\", and here it is."):format(said)) end
  local word = not file.d.test and note_in(comment)
  -- For each TODO that the change removes, ignore a new one: it was probably only reworded.
  if word and left > 0 then return left - 1 end
  if word then
    report("todo-added", file, n, ("A new %s says that something is not finished."):format(word),
      { severity = word == "FIXME" and "medium" or nil })
  end
  return left
end

local function look_at_lines(file, change, report)
  local within, left = change_of.inside(file), notes_removed(file)
  for _, n in ipairs(file.added) do
    local line = file.lines[n]
    local moved = change.removed[text.trim(line)]
    if #line < 1000 and not moved and not within[n] then
      code_line(file, n, line, report)
      left = comments(file, n, line, left, report)
      local path, who = text.first(line, HOMES)
      if file.source and path and not SHARED[who] then
        report("home-path", file, n,
          "The path leads into one person's home folder: it exists on no other machine.")
      end
    end
  end
end

local function stray_dir(path)
  for _, dir in ipairs(STRAY_DIRS) do
    if ("/" .. path):find("/" .. dir .. "/", 1, true) then return dir end
  end
  return nil
end

-- Reports the stray files of each folder as one finding.
local function stray_files(change, report)
  local told = {}
  for _, file in ipairs(change.facts.files) do
    local new = file.status == "added" or file.status == "untracked"
    local dir = new and stray_dir(file.path)
    local at = change.by_path[file.path] or { path = file.path, lines = {}, d = {} }
    if dir and not told[dir] then
      told[dir] = true
      report("stray-file", at, nil, ("What lies in %s is made by tools."):format(dir))
    elseif new and not dir and text.any((file.path:match "[^/]*$"):lower(), STRAY) then
      report("stray-file", at, nil, "The file is a leftover of a tool or an editor.")
    end
  end
end

---@param change review.Change
function M.look(change, report)
  for _, file in ipairs(change.files) do
    if file.d.kind == "code" and not file.d.generated and not file.d.fixture then
      look_at_lines(file, change, report)
    end
  end
  if not change.whole then stray_files(change, report) end
end

return M
