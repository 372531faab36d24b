--- Commands that change the world outside this machine and cannot be taken back: they always need a
--- person. Programs that start others are looked through, shells too, as far as words tell; what a
--- program does inside cannot be seen here.
local command = require "moonlet.internal.runner.command"

local M = {}

--- Programs that do nothing else.
local always = {
  sbatch = "job submission", qsub = "job submission", bsub = "job submission", condor_submit = "job submission",
  msub = "job submission",
}

--- program -> the words that follow it -> what that is.
local by_words = {
  gh = {
    ["release create"] = "release upload", ["release upload"] = "release upload", ["release edit"] = "release upload",
    ["release delete"] = "release upload", ["issue create"] = "public issue creation",
    ["issue comment"] = "public issue creation", ["pr create"] = "public issue creation",
    ["pr comment"] = "public issue creation", ["pr merge"] = "git push", ["workflow run"] = "job submission",
    ["gist create"] = "release upload",
  },
  glab = {
    ["release create"] = "release upload", ["release upload"] = "release upload",
    ["issue create"] = "public issue creation", ["mr create"] = "public issue creation", ["mr merge"] = "git push",
    ["ci run"] = "job submission",
  },
  npm = { publish = "release upload" }, pnpm = { publish = "release upload" }, yarn = { publish = "release upload",
    ["npm publish"] = "release upload" },
  cargo = { publish = "release upload" }, poetry = { publish = "release upload" },
  uv = { publish = "release upload" }, flit = { publish = "release upload" }, hatch = { publish = "release upload" },
  twine = { upload = "release upload" }, gem = { push = "release upload" }, docker = { push = "release upload",
    ["image push"] = "release upload" },
  podman = { push = "release upload" }, ["git-lfs"] = { push = "git push" },
  kubectl = { ["create job"] = "job submission" }, hub = { ["release create"] = "release upload" },
}

--- Programs that start another one: options of theirs that take a word.
local wrappers = {
  env = { ["-u"] = true, ["-C"] = true, ["-S"] = false }, sudo = { ["-u"] = true, ["-g"] = true },
  nice = { ["-n"] = true }, nohup = {}, setsid = {}, stdbuf = { ["-i"] = true, ["-o"] = true, ["-e"] = true },
  timeout = { ["-s"] = true, ["-k"] = true, words = 1 }, xargs = { ["-n"] = true, ["-I"] = true, ["-P"] = true },
  time = {}, exec = {}, command = {}, ionice = { ["-c"] = true, ["-n"] = true },
}
local shells = { sh = true, bash = true, dash = true, zsh = true, ksh = true }

--- Options of git itself that take a word.
local git_options = {
  ["-c"] = true, ["-C"] = true, ["--git-dir"] = true, ["--work-tree"] = true, ["--namespace"] = true,
  ["--exec-path"] = true, ["--config-env"] = true, ["--attr-source"] = true,
}

--- Whether `git tag` with these words only lists or checks.
local function only_lists(argv, first)
  if not argv[first] then return true end
  for i = first, #argv do
    local word = argv[i]
    if word == "-l" or word == "--list" or word == "-v" or word == "--verify" or word:match("^%-%-contains")
      or word:match("^%-%-no%-contains") or word:match("^%-%-merged") or word:match("^%-%-no%-merged")
      or word:match("^%-%-points%-at") or word:match("^%-n%d*$") or word:match("^%-%-sort")
      or word:match("^%-%-format") then
      return true
    end
  end
  return false
end

local function git_action(argv)
  local i = 2
  while argv[i] and argv[i]:sub(1, 1) == "-" do
    if argv[i] == "-c" and (argv[i + 1] or ""):match("^alias%.") then return "git with an alias of its own" end
    i = i + (git_options[argv[i]] and 2 or 1)
  end
  local word = argv[i]
  if word == "push" or word == "send-pack" or word == "http-push" or word == "send-email" then return "git push" end
  if word == "lfs" and argv[i + 1] == "push" then return "git push" end
  if word == "tag" and not only_lists(argv, i + 1) then return "git tag" end
end

local action_of

--- What stands behind a program that starts another one.
local function wrapped_action(argv, takes)
  local i, skip = 2, takes.words or 0
  while argv[i] do
    local word = argv[i]
    if word:sub(1, 1) == "-" then
      i = i + (takes[word] and 2 or 1)
    elseif word:match("^[%a_][%w_]*=") then
      i = i + 1
    elseif skip > 0 then
      skip, i = skip - 1, i + 1
    else
      return action_of({ table.unpack(argv, i) })
    end
  end
end

local function script_action(text)
  for line in (text .. "\n"):gsub("[;&|()`{}]", "\n"):gmatch("([^\n]*)\n") do
    local ok, words = pcall(command.split, line)
    if not ok then
      words = {}
      for word in line:gmatch("%S+") do words[#words + 1] = (word:gsub("[\"']", "")) end
    end
    while words[1] and (words[1]:match("^[%a_][%w_]*=") or words[1] == "then" or words[1] == "do"
      or words[1] == "else" or words[1] == "if" or words[1] == "while" or words[1] == "!" or words[1] == "$") do
      table.remove(words, 1)
    end
    local action = words[1] and action_of(words)
    if action then return action end
  end
end

local function shell_action(argv)
  for i = 2, #argv do
    if argv[i]:match("^%-%a*c%a*$") then return argv[i + 1] and script_action(argv[i + 1]) end
    if argv[i]:sub(1, 1) ~= "-" then return nil end
  end
end

local function words_action(argv, known)
  local plain = {}
  for i = 2, #argv do
    if argv[i]:sub(1, 1) ~= "-" then plain[#plain + 1] = argv[i] end
    if #plain == 2 then break end
  end
  return known[plain[1] or ""] or known[table.concat(plain, " ")]
end

local function gh_api_writes(argv)
  if argv[2] ~= "api" then return nil end
  local reads = true
  for i = 3, #argv do
    local word = argv[i]
    local method = (word == "-X" or word == "--method") and argv[i + 1] or word:match("^%-X(.+)")
      or word:match("^%-%-method=(.+)")
    if method and method:upper() ~= "GET" then return "a change by gh api" end
    if method then return nil end
    if word == "-f" or word == "-F" or word == "--field" or word == "--raw-field" or word == "--input" then
      reads = false
    end
  end
  return not reads and "a change by gh api" or nil
end

function action_of(argv)
  local program = argv[1]:match("[^/]+$") or argv[1]
  if always[program] then return always[program] end
  if program == "git" then return git_action(argv) end
  if shells[program] then return shell_action(argv) end
  if wrappers[program] then return wrapped_action(argv, wrappers[program]) end
  if program == "gh" and gh_api_writes(argv) then return gh_api_writes(argv) end
  return by_words[program] and words_action(argv, by_words[program])
end

--- What cannot be taken back in this command: "git push", "git tag", "release upload", …; nil when
--- nothing is seen.
---@param argv string[]
---@return string?
function M.action(argv) return action_of(argv) end

return M
