--- Irreversible commands: they change the world outside this machine, and always need a person. The check looks
--- through programs that start others, shells too, as far as words show; if words cannot be understood and name such
--- a command all the same, a person is asked: a question too many costs less than one too few. The inside of a
--- program (a script in a file, a target of make, a download) cannot be seen here.
local command = require "moonlet.engine.runner.command"
local git = require "moonlet.engine.effects.irreversible.git"
local programs = require "moonlet.engine.effects.irreversible.programs"
local shell = require "moonlet.engine.effects.irreversible.shell"
local wrappers = require "moonlet.engine.effects.irreversible.wrappers"

local M = {}

local unknown = shell.unknown
local deepest = 24
local most_looks = 2000
local largest_script = 256 * 1024

local set = require("moonlet.text").set

local shells = set "sh bash dash zsh ksh ksh93 mksh ash rbash yash fish posh"

--- Programs that run none of their words.
local harmless = set [[
  echo printf cat grep egrep fgrep zgrep rg ag ack ls cp mv rm mkdir rmdir touch head tail sort uniq wc cut tr diff
  cmp comm
  test [ [[ true false : basename dirname realpath readlink stat file which type hash whereis man info apropos help
  date pwd
  cd tee seq yes sleep kill jq read unset shift return exit break continue for case select ln chmod chown du df md5sum
  sha1sum sha256sum column nl tac rev fold fmt expr let wait umask ulimit getopts set shopt pushd popd dirs strings
  od xxd
  hexdump base64 install mktemp id whoami uname hostname env-vars codex claude gemini opencode aider llm ollama
]]
local declares = set "export declare typeset readonly local"

--- Programs with code on their command line, and those of which any word may be code.
local interpreters = set [[
  python python2 python3 pypy pypy3 perl ruby node nodejs deno bun php lua luajit lua5.4 Rscript julia
]]
local code_anywhere = set [[
  awk gawk mawk nawk expect tclsh osascript vim vi nvim ex ed emacs pwsh powershell elixir guile
]]
local reads_commands = set "at batch crontab"

local looks = {}
looks.__index = looks

--- The context of one command line: everything that was given with it, as text, and its standard input.
local function look_of(whole, stdin, strict)
  local look = { whole = whole, stdin = stdin, strict = strict, depth = 0, shared = { count = 0, mentions = {} } }
  for name, fn in pairs(looks) do
    if type(fn) == "function" then look[name] = function(...) return fn(look, ...) end end
  end
  return look
end

local action_of

local function mention(look, text)
  local known = look.shared.mentions
  if known[text] == nil then known[text] = programs.mention(text) or false end
  return known[text] or nil
end

--- Hands on to `fn`, unless there was more to look through than any command has.
local function deeper(look, fn, ...)
  look.shared.count = look.shared.count + 1
  if look.depth >= deepest or look.shared.count > most_looks then return mention(look, look.whole) end
  look.depth = look.depth + 1
  local what = fn(look, ...)
  look.depth = look.depth - 1
  return what
end

--- The action of a text whose words may be commands.
function looks.mention(look, text)
  if look.strict then return nil end
  return mention(look, text)
end

function looks.command(look, argv, first)
  if not argv[first or 1] then return nil end
  if look.shared.count > most_looks then return mention(look, look.whole) end
  return deeper(look, action_of, { table.unpack(argv, first or 1) })
end

--- The effect of a variable on the programs that see it.
local function variable_action(look, name, value)
  if name:find("^GIT_CONFIG_KEY") and value:lower():find("^alias%.")
    or name == "GIT_CONFIG_PARAMETERS" and value:lower():find("alias.", 1, true) then
    return "git with an alias of its own"
  end
  return look.text((value:gsub("^!", "")))
end

local function assigned_action(look, list)
  for _, word in ipairs(list) do
    local name, value = word:match("^([^=]-)%+?=(.*)$")
    local what = name and variable_action(look, name, value)
    if what then return what end
  end
end

local function script_action(look, text)
  local commands = #text <= largest_script and shell.commands(text)
  if not commands then return looks.mention(look, text) end
  local stdin, whole = look.stdin, look.whole
  -- The content of a pipe is unknown; the words of the whole are known.
  look.whole, look.in_script = whole .. "\n" .. text, true
  local what
  for _, simple in ipairs(commands) do
    what = assigned_action(look, simple.assigned)
    if not what and simple.words[1] then
      if simple.feeds[1] then look.stdin = table.concat(simple.feeds, "\n") end
      what = action_of(look, simple.words)
      look.stdin = stdin
    end
    if what then break end
  end
  look.whole = whole
  return what
end

--- The action of a script's text.
function looks.script(look, text)
  local before = look.in_script
  local what = deeper(look, script_action, text)
  look.in_script = before
  return what
end

--- The action of a text that may be a command, or anything else: a sentence about commands does nothing.
function looks.text(look, text)
  if not text:find("%s") or #text > largest_script then return nil end
  local own = look_of(text, nil, true)
  own.depth, own.shared = look.depth, look.shared
  return own.script(text)
end

--- The action of a program that reads commands from its standard input.
local function input_action(look)
  local what = look.stdin and look.script(look.stdin)
  return what or look.in_script and look.mention(look.whole) or nil
end

local input_files = set "- /dev/stdin /dev/fd/0 /proc/self/fd/0"

--- A file that commands are read from.
local function file_action(look, path)
  if input_files[path] then return input_action(look) end
  if path:find(unknown, 1, true) or path:find("^/dev/fd/") or path:find("^/proc/") then
    return look.mention(look.whole) or input_action(look)
  end
end

local function shell_action(look, argv)
  local i, has_script, from_input = 2, false, false
  while argv[i] and argv[i]:find("^[-+].") do
    local word = argv[i]
    i = i + 1
    if word == "--" then break end
    local long, text = word:match("^%-%-([^=]+)=?(.*)$")
    if long then
      if long == "rcfile" or long == "init-file" or long == "emulate" then i = i + 1 end
      if long == "command" or long == "init-command" then
        if text == "" then text, i = argv[i] or "", i + 1 end
        local what = look.script(text)
        if what then return what end
      end
    else
      for letter in word:sub(2):gmatch(".") do
        if letter == "c" and word:sub(1, 1) == "-" then has_script = true end
        if letter == "s" then from_input = true end
        if letter == "o" or letter == "O" then i = i + 1 end
      end
    end
  end
  if has_script then return argv[i] and look.script(argv[i]) end
  if from_input or not argv[i] then return input_action(look) end
  return file_action(look, argv[i])
end

local function is_known(program)
  return program == "git" or program:find("^git%-") or program == "env" or program == "find" or program == "eval"
    or program == "parallel" or shells[program] or wrappers.known[program] or programs.knows(program)
end

local installs = set "install add i remove uninstall search show info"

local function base(word) return ((word:match("[^/]+$") or word):lower()) end

--- A program that may start another one: any command that its words hold.
local function holds(look, argv)
  if look.strict then return nil end
  local packages = installs[argv[2] or ""] or installs[argv[3] or ""]
  for i = 2, #argv do
    local program = base(argv[i])
    if is_known(program) and not (packages and programs.always[program]) then
      local what = look.command(argv, i)
      if what then return what end
    end
  end
end

--- The action of an unknown program: any of its words may be a script.
local function unknown_action(look, argv)
  if look.strict then return nil end
  local what = holds(look, argv)
  for i = 2, look.prose and 1 or #argv do
    if what then break end
    what = look.text(argv[i])
    local first, last = argv[i]:match("=(.*)"), argv[i]:match(".*=(.*)")
    what = what or first and (look.text(first) or look.text(last))
  end
  return what
end

--- A program that is only known when it runs.
local function dynamic_action(look, argv)
  if look.strict then return nil end
  if argv[2] == "push" or argv[2] == "send-pack" then return "git push" end
  return programs.any_program(argv) or look.mention(look.whole) or look.stdin and look.mention(look.stdin)
    or unknown_action(look, argv)
end

local function interpreter_action(look, argv)
  local i, saw_code = 2, false
  while argv[i] do
    local word, before = argv[i], argv[i - 1]
    if word == "-m" or word:find("^%-m%a") and base(argv[1]):find("^py") then
      local module = word == "-m" and argv[i + 1] or word:sub(3)
      return look.command({ module or "", table.unpack(argv, word == "-m" and i + 2 or i + 1) })
    end
    local after_option = i > 2 and (before:sub(1, 1) == "-" or before == "eval")
    if word:find("[%s(\"']") or after_option then
      local what = look.mention(word)
      if what then return what end
      saw_code = saw_code or after_option
    elseif word:sub(1, 1) ~= "-" and word ~= "eval" then
      break
    end
    if word == "-" then break end
    i = i + 1
  end
  if (not argv[i] or argv[i] == "-") and not saw_code then
    return look.stdin and look.mention(look.stdin) or look.in_script and look.mention(look.whole) or nil
  end
  return programs.action(base(argv[1]), argv) or argv[i] and unknown_action(look, { table.unpack(argv, i) })
end

local function env_action(look, argv)
  local rest, assigned, split = wrappers.of_env(argv)
  local what = assigned_action(look, assigned)
  if what then return what end
  if split then
    local ok, words = pcall(command.split, (split:gsub("\\_", " "):gsub("%${[%w_]+}", unknown)))
    if not ok then return look.mention(look.whole) end
    return look.command({ "env", table.unpack(table.move(rest, 1, #rest, #words + 1, words)) })
  end
  return look.command(rest)
end

local function wrapped_action(look, program, argv)
  if program == "command" and (argv[2] == "-v" or argv[2] == "-V") then return nil end
  local spec = wrappers.known[program]
  local first, scripts, assigned = wrappers.program(spec, argv)
  -- `runuser -u NAME` starts a program itself.
  if program == "runuser" and (argv[2] == "-u" or argv[2] == "--user") then first = 4 end
  local what = assigned_action(look, assigned)
  for _, text in ipairs(scripts) do what = what or look.script(text) end
  for i = 2, (first or #argv + 1) - 1 do what = what or look.text(argv[i]:match("=(.*)") or argv[i]) end
  if what then return what end
  if not first or not argv[first] then
    return not scripts[1] and program ~= "exec" and program ~= "xargs" and look.stdin and input_action(look) or nil
  end
  local words = wrappers.started(program, argv, first)
  if spec.joined then return look.script(table.concat(words,
    " ")) or program == "watch" and look.command(words) or nil end
  -- Its words may be those of a shell.
  if program == "su" or program == "runuser" then
    return look.command(words) or look.command({ "sh", table.unpack(words) })
  end
  if program == "sudo" and (argv[2]:find("^%-%a*[si]")) then
    return look.command(words) or look.script(table.concat(words, " "))
  end
  return look.command(words)
end

local builtins = {
  eval = function(look, argv)
    local text = table.concat(argv, " ", 2)
    return look.script(text) or text:find(unknown, 1, true) and look.mention(look.whole) or nil
  end,
  trap = function(look, argv) return argv[2] and look.script(argv[2]) end,
  alias = function(look, argv)
    for i = 2, #argv do
      local what = look.script(argv[i]:match("=(.*)") or "")
      if what then return what end
    end
  end,
  ["."] = function(look, argv) return argv[2] and file_action(look, argv[2]) end,
  find = function(look, argv)
    for _, words in ipairs(wrappers.of_find(argv)) do
      local what = look.command(words)
      if what then return what end
    end
  end,
  parallel = function(look, argv)
    for _, text in ipairs(wrappers.of_parallel(argv, look.stdin)) do
      local what = look.script(text)
      if what then return what end
    end
  end,
  env = env_action,
  -- s///e and the command e of GNU sed run their text.
  sed = function(look, argv)
    for i = 2, #argv do
      local word = argv[i]
      if word:find("^[%d,$%s]*e%s") or word:find("[;\n{][%d,$%s]*e%s") or word:find("s(%p).*%1.*%1[%dgpIi]*e") then
        local what = look.mention(word)
        if what then return what end
      end
    end
  end,
}
builtins.source = builtins["."]

function action_of(look, argv)
  local program = base(argv[1])
  if program == "" then return nil end
  if program:find(unknown, 1, true) then return dynamic_action(look, argv) end
  local dashed = program:match("^git%-(.+)")
  if dashed then return git.action({ "git", dashed, table.unpack(argv, 2) }, look) end
  if program == "git" then return git.action(argv, look) end
  if shells[program] then return shell_action(look, argv) end
  if builtins[program] then return builtins[program](look, argv) end
  if wrappers.known[program] then return wrapped_action(look, program, argv) end
  if declares[program] then return assigned_action(look, { table.unpack(argv, 2) }) end
  if harmless[program] then return nil end
  if reads_commands[program] and look.stdin then
    local what = look.script(look.stdin)
    if what then return what end
  end
  if code_anywhere[program] then
    local what = look.mention(table.concat(argv, " ", 2)) or look.stdin and look.mention(look.stdin)
    if what then return what end
  end
  if interpreters[program] or program:find("^python[%d.]+$") then return interpreter_action(look, argv) end
  local what = programs.action(program, argv)
  if what then return what end
  if programs.knows(program) then return holds(look, argv) end
  return unknown_action(look, argv)
end

---@class moonlet.Beside
---@field env table<string, string>?   variables that it is given
---@field stdin string?
---@field prose boolean?               its words may be sentences that speak of commands

-- Loops run the same command again and again.
local last = {}

--- The irreversible action of a command: "git push", "git tag", "release upload", …; nil if none is seen.
---@param argv string[]
---@param beside moonlet.Beside?
---@return string?
function M.action(argv, beside)
  beside = beside or {}
  local plain = not beside.env and not beside.stdin and not beside.prose and table.concat(argv, "\0")
  if plain and plain == last.plain then return last.what end
  local look = look_of(table.concat(argv, " "), beside.stdin, false)
  look.prose = beside.prose
  local names = {}
  for name in pairs(beside.env or {}) do names[#names + 1] = tostring(name) end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = beside.env[name]
    local what = value and variable_action(look, name, tostring(value))
    if what then return what end
  end
  local what = look.command(argv)
  if plain then last = { plain = plain, what = what } end
  return what
end

return M
