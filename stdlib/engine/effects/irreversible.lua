--- Finds irreversible commands, which change something outside this machine and need approval.
--- A command line is compared with a table of programs and the words after them.
--- Code for a shell or interpreter counts as irreversible if it mentions such a command.
--- The check does not read scripts in files, make targets or downloads.
local programs = require "moonlet.engine.effects.irreversible.programs"
local text_of = require "moonlet.text"

local M = {}

local any, set = text_of.any, text_of.set
local always, by_words = programs.always, programs.words
local git_commands, git_runs = set(programs.git), set(programs.git_runs)

local shells = set "sh bash dash zsh ksh ksh93 mksh ash rbash yash fish posh"
local interpreters = set [[
  python python2 python3 pypy pypy3 perl ruby node nodejs php lua luajit lua5.4 Rscript julia awk
  gawk mawk nawk sed expect tclsh osascript vim vi nvim ex ed emacs pwsh powershell elixir guile
]]
--- Lists programs that read commands from standard input, like shells.
local reads_commands = set "at batch crontab ssh su sudo doas runuser xargs parallel eval env exec"
--- Lists programs that never execute an argument.
local harmless = set [[
  echo printf cat grep egrep fgrep zgrep rg ag ack ls cp mv rm mkdir rmdir touch head tail sort uniq
  wc cut tr diff cmp comm test [ [[ true false : basename dirname realpath readlink stat file which
  type hash whereis man info apropos help date pwd cd tee seq yes sleep kill jq read unset ln chmod
  chown du df md5sum sha1sum sha256sum column nl tac rev fold fmt expr strings od xxd hexdump base64
  install mktemp id whoami uname hostname codex claude gemini opencode aider llm ollama
]]
local web_clients = set "curl wget http https xh"
local services = { "api.github.com", "uploads.github.com", "/api/v4/", "upload.pypi.org",
  "registry.npmjs.org", "crates.io/api" }
local sends = { "^%-%a*[dFT]", "^%-%-data", "^%-%-form", "^%-%-json", "^%-%-upload%-file",
  "^%-%-post%-", "^%-%-body", "^P[OUA]", "^DELETE$" }
local apis = set "gh glab hub"
local api_writes = { " %-[fF]", " %-%-field", " %-%-raw%-field", " %-%-input", " %-%-form" }

local alias = "git with an alias of its own"

local function base(word) return word:match("[^/]+$") or word end

--- Returns the words of a text as a set, without quotes and without the dash of an option.
local function mentioned(text)
  local found = {}
  for _, one in ipairs { text, (text:gsub("\\\n", ""):gsub("[\\'\"]", "")) } do
    for word in one:gmatch("[%w_-]+") do
      found[word], found[word:gsub("^%-+", "")],
        found[word:gsub("^%-[iv0]*%a", "")] = true, true, true
    end
  end
  return found
end

--- Detects an HTTP client command that writes to the API of a code host, such as its releases or issues.
local function web_action(argv, first)
  local text = table.concat(argv, " ", first)
  local known = false
  for _, host in ipairs(services) do known = known or text:find(host, 1, true) ~= nil end
  for i = first + 1, known and #argv or 0 do
    local word = argv[i]
    local method = word:match("^%-%a*X(.*)") or word:match("^%-%-request=?(.*)")
      or word:match("^%-%-method=?(.*)")
    if method == "" then method = argv[i + 1] end
    if method and not method:upper():find("^GET") and not method:upper():find("^HEAD")
      or any(word, sends) then
      return "a change by the web"
    end
  end
end

--- Detects a `gh api` request with any method except GET.
local function api_action(argv, first)
  local text = table.concat(argv, " ", first) .. " "
  if not text:find(" api ", 1, true) then return nil end
  local method = text:match(" %-X[ =]?(%a+)") or text:match(" %-%-method[ =](%a+)")
  local writes = method and method:upper() ~= "GET" or not method and any(text, api_writes)
  return writes and ("a change by %s api"):format(base(argv[first])) or nil
end

--- Reports whether the words `wanted` follow the program at `first`. Ignores options between them.
local function follows(argv, first, wanted)
  local k, skip = 1, false
  for i = first + 1, #argv do
    local word, before = argv[i], argv[i - 1]
    if wanted[k] == "…" then k, skip = k + 1, true end
    if word == wanted[k] then
      if k == #wanted then return true end
      k, skip = k + 1, false
    elseif not (skip or word:find("^[-+].") or word == wanted[k - 1]
      or i > first + 1 and before:find("^%-.") and not before:find("=", 1, true)) then
      return false
    end
  end
  return false
end

local git_action

--- Lists the words that may precede a command in a shell script, such as `then` and `sudo`.
local before_command =
  set "then do else elif if while until ! { exec eval command builtin time nohup sudo env xargs"

--- Returns the irreversible action in a script's text, or nil. Examines whole command lines.
--- Single words would not show that git calls an alias, or that curl writes to a code host.
local function script_action(text)
  for piece in text:gsub("[\\'\"]", ""):gmatch("[^;&|\n()`]+") do
    local words = {}
    for word in piece:gmatch("%S+") do words[#words + 1] = word end
    for i, word in ipairs(words) do
      local before, program = words[i - 1], base(word)
      local what = web_clients[program] and web_action(words, i)
        or apis[program] and api_action(words, i)
        or program == "git" and (not before or before_command[before] or before:find("=", 1, true))
        and git_action(words, i)
      if what then return what end
    end
  end
end

local function mention(text)
  local words = mentioned(text)
  if text:lower():find("alias%.") and (words.git or text:find("GIT_CONFIG", 1, true)) then
    return alias
  end
  if words["git-tag"] or words.git and words.tag then return "git tag" end
  if words["git-push"] or text:find("%$[%w_{}@*]+[\"']*%s+push%f[%W]") then return "git push" end
  local found
  local function find_action(what) found = (not found or what < found) and what or found end
  for program, what in pairs(always) do
    if words[program] then find_action(what) end
  end
  for program, list in pairs(by_words) do
    for _, one in ipairs(words[program] and list or {}) do
      local all = true
      for word in table.concat(one.words, " "):gmatch("[%w_-]+") do all = all and words[word] end
      if all then find_action(one.action) end
    end
  end
  return found or script_action(text)
end

--- With an option of `tag_lists`, `git tag` only lists or verifies tags.
--- Options of `tag_plain` do not change whether it creates a tag.
local tag_lists =
  set "-l --list -v --verify --contains --merged --no-contains --no-merged --points-at -n"
local tag_plain =
  set "--color --column --no-column -i --ignore-case --omit-empty --no-color --sort --format"

--- Reports whether `git tag` with arguments from `first` on only lists or verifies tags.
local function only_lists(argv, first)
  local lists, names = false, false
  for i = first, #argv do
    local word = argv[i]
    local name = word:match("^(%-%-[^=]+)=") or word
    if tag_lists[name] or word:find("^%-n%d+$") then
      lists = true
    elseif word:sub(1, 1) ~= "-" then
      names = true
    elseif not tag_plain[name] or (name == "--sort" or name == "--format") and name == word then
      return false
    end
  end
  return lists or not names
end

local git_values =
  set "-c -C --git-dir --work-tree --namespace --config-env --attr-source --super-prefix"

function git_action(argv, first, stdin)
  local i = first + 1
  while argv[i] and argv[i]:sub(1, 1) == "-" do
    local text = (argv[i] == "-c" or argv[i] == "--config-env") and argv[i + 1] or argv[i]
    if text:lower():find("alias%.") then return alias end
    if text:find("%s") and mention(text) then return mention(text) end
    i = i + (git_values[argv[i]] and 2 or 1)
  end
  local name, rest = argv[i], table.concat(argv, " ", i + 1)
  if not name then return nil end
  if name:find("[^%w-]") then return "git with a command that is not known before it runs" end
  for _, one in ipairs(by_words.git) do
    if follows(argv, i - 1, one.words) then return one.action end
  end
  if name == "tag" then return not only_lists(argv, i + 1) and "git tag" or nil end
  local refs = name == "update-ref" and (" " .. rest .. (stdin or "")):find("[ \n]refs/tags/")
    or name == "update-ref" and rest:find("--stdin", 1, true) and not stdin
    or (name == "fetch" or name == "pull") and (rest .. " "):find(":refs/tags/[^%s*]*%s")
  if refs then return "git tag" end
  if not git_commands[name] then return "git with a command that is not git's own" end
  if git_runs[name] or (" " .. rest):find(" %-O") or rest:find("--open-files", 1, true) then
    return mention(rest)
  end
end

local input_files = set "- -s /dev/stdin /dev/fd/0 /proc/self/fd/0"

--- Reports whether a shell or interpreter at `first` may read commands from standard input.
local function reads_input(argv, first)
  for i = first + 1, #argv do
    local word = argv[i]
    if input_files[word] or word:find("^%-%l*s%l*$") then return true end
    if word:find("^%-%-?%a*[ce]") then
      local names = mentioned(table.concat(argv, " ", i + 1))
      for name in pairs(names) do
        if shells[name] or reads_commands[name] or interpreters[name] then return true end
      end
      return names.stdin or names.source or false
    end
    if word:sub(1, 1) ~= "-" and (i == first + 1 or argv[i - 1]:sub(1, 1) ~= "-") then
      return false
    end
  end
  return true
end

--- Returns the command line of a shell or interpreter as one text. With `prose`, omits the
--- arguments after the code, which may only mention a command.
local function code_of(argv, first, prose)
  local last = #argv
  for i = first + 1, prose and #argv or first do
    local option = argv[i - 1]:sub(1, 1) == "-"
    if argv[i - 1]:find("^%-%a*[ce]$") or not option and argv[i]:sub(1, 1) ~= "-" then
      last = i
      break
    end
  end
  return table.concat(argv, " ", first, last)
end

local function program_action(argv, first, beside)
  local word, stdin = argv[first], beside.stdin
  if first > 1 and word:find("%s") then return nil end
  local program = base(word)
  if word:find("^GIT_CONFIG[%w_]*=") and word:lower():find("alias%.") then return alias end
  local dashed = program:match("^git%-(.+)")
  if dashed and program ~= "git-lfs" then
    return git_action({ "git", dashed, table.unpack(argv, first + 1) }, 1, stdin)
  end
  if program == "git" then return git_action(argv, first, stdin) end
  if shells[program] or interpreters[program] or program:find("^python[%d.]+$") then
    return mention(code_of(argv, first, beside.prose))
      or stdin and reads_input(argv, first) and mention(stdin) or nil
  end
  if always[program] then
    -- A program that only prints its help or version changes nothing.
    local asks = #argv == first + 1 and (argv[#argv] == "--help" or argv[#argv] == "--version")
    return not asks and always[program] or nil
  end
  if web_clients[program] then return web_action(argv, first) end
  local what = apis[program] and api_action(argv, first)
  for _, one in ipairs(by_words[program] or {}) do
    if follows(argv, first, one.words) and (not what or one.action < what) then
      what = one.action
    end
  end
  if what then return what end
  if (program == "docker" or program == "podman")
      and table.concat(argv, " ", first):find(" --push", 1, true) then
    return "release upload"
  end
  if reads_commands[program] and stdin then return mention(stdin) end
end

--- Lists programs of the table that also execute command lines in their arguments.
local runs_words = set "npm pnpm yarn bun deno uv poetry hatch pdm docker podman nerdctl kubectl oc"
local installs = set "install add i remove uninstall search show info"

---@class moonlet.Beside
---@field env table<string, string>?   environment variables of the command
---@field stdin string?
---@field prose boolean?               the arguments may be sentences that mention commands

--- Returns the irreversible action of a command, such as "git push" or "release upload", or nil.
---@param beside moonlet.Beside?
function M.action(argv, beside)
  beside = beside or {}
  local names = {}
  for name, value in pairs(beside.env or {}) do
    names[#names + 1] = value and tostring(name) or nil
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = tostring(beside.env[name])
    if name:find("^GIT_CONFIG") and value:lower():find("alias%.") then return alias end
    local what = value:find("%s") and mention(value)
    if what then return what end
  end
  local program = base(argv[1] or "")
  if harmless[program] or program == "command" and (argv[2] == "-v" or argv[2] == "-V") then
    return nil
  end
  local what = program_action(argv, 1, beside)
  if what or program == "git" then return what end
  local packages = by_words[program] and (installs[argv[2] or ""] or installs[argv[3] or ""])
  for i = 2, #argv do
    local word = argv[i]
    what = not (packages and always[word]) and program_action(argv, i, beside)
    -- A program that is not in the tables may execute an argument as a command line.
    if not what and (runs_words[program] or not by_words[program]) and not beside.prose
      and word:find("%s") then
      what = mention(word)
    end
    if what then return what end
  end
  -- xargs and parallel append words from their input to the command, so the subcommand is unknown.
  local last = argv[#argv]
  if last and base(last) == "git" and (program == "xargs" or program == "parallel") then
    return "git with a command that is not known before it runs"
  end
  return nil
end

return M
