--- Irreversible actions of a git command line, its plumbing and the commands that it starts included.
local shell = require "moonlet.engine.effects.irreversible.shell"

local M = {}

--- Options of git itself that take a word.
local own_options = {
  ["-c"] = true, ["-C"] = true, ["--git-dir"] = true, ["--work-tree"] = true, ["--namespace"] = true,
  ["--exec-path"] = false, ["--config-env"] = true, ["--attr-source"] = true, ["--super-prefix"] = true,
}

--- git's own commands that neither publish nor tag. Any other name may be an alias, which can do anything.
local harmless = {}
for name in ([[
  add am annotate apply archimport archive backfill bisect blame branch bugreport bundle cat-file check-attr
  check-ignore
  check-mailmap check-ref-format checkout checkout--worker checkout-index cherry cherry-pick citool clean clone column
  commit commit-graph commit-tree config count-objects credential credential-cache credential-store cvsimport daemon
  describe diagnose diff diff-files diff-index diff-pairs diff-tree difftool fast-export fast-import fetch fetch-pack
  filter-branch filter-repo fmt-merge-msg for-each-ref for-each-repo format-patch fsck fsck-objects fsmonitor--daemon gc
  get-tar-commit-id grep gui gitk hash-object help hook index-pack init init-db instaweb interpret-trailers
  last-modified lfs
  log ls-files ls-remote ls-tree mailinfo mailsplit maintenance merge merge-base merge-file merge-index merge-octopus
  merge-one-file merge-ours merge-recursive merge-resolve merge-subtree merge-tree mergetool mktag mktree
  multi-pack-index mv
  name-rev notes p4 pack-objects pack-redundant pack-refs patch-id prune prune-packed pull quiltimport range-diff
  read-tree
  rebase receive-pack reflog refs remote repack replace replay repo request-pull rerere reset restore rev-list rev-parse
  revert rm send-pack shell shortlog show show-branch show-index show-ref sparse-checkout stage stash status stripspace
  submodule submodule--helper subtree svn switch symbolic-ref tag unpack-file unpack-objects update-index update-ref
  update-server-info upload-archive upload-pack var verify-commit verify-pack verify-tag version web--browse whatchanged
  worktree write-tree
]]):gmatch("%S+") do harmless[name] = true end

local publishes = {
  push = true, ["send-pack"] = true, ["http-push"] = true, ["send-email"] = true, ["imap-send"] = true,
  ["cvsexportcommit"] = true, ["remote-http"] = true, ["remote-https"] = true, ["remote-ftp"] = true,
  ["remote-ftps"] = true, ["remote-ext"] = true, ["remote-fd"] = true,
}

--- Commands of git that publish with one of these as their first plain word.
local publishes_with = {
  lfs = { push = true }, subtree = { push = true }, p4 = { submit = true }, annex = { sync = true },
  svn = { dcommit = true, ["set-tree"] = true, ["commit-diff"] = true, branch = true, tag = true },
}

--- Options with a word that git runs.
local runs = {
  rebase = { "-x", "--exec" }, difftool = { "-x", "--extcmd" }, clone = { "-u", "--upload-pack", "-c", "--config" },
  fetch = { "--upload-pack" }, pull = { "--upload-pack" }, ["ls-remote"] = { "--upload-pack", "--exec" },
  ["fetch-pack"] = { "--upload-pack", "--exec" }, archive = { "--exec" }, grep = { "-O", "--open-files-in-pager" },
}

--- Options of `git tag` that take a word, and those after which it only lists or checks. An option that stands in
--- neither is taken for one of a new tag.
local tag_values = {
  ["-m"] = true, ["--message"] = true, ["-F"] = true, ["--file"] = true, ["-u"] = true, ["--local-user"] = true,
  ["--sort"] = true, ["--format"] = true, ["--cleanup"] = true, ["--trailer"] = true,
}
local tag_lists = {
  ["-l"] = true, ["--list"] = true, ["-v"] = true, ["--verify"] = true, ["--contains"] = true, ["--merged"] = true,
  ["--no-contains"] = true, ["--no-merged"] = true, ["--points-at"] = true, ["-n"] = true,
}
local tag_plain = {
  ["--color"] = true, ["--column"] = true, ["--no-column"] = true, ["-i"] = true, ["--ignore-case"] = true,
  ["--omit-empty"] = true, ["--no-color"] = true,
}

--- True if `git tag` with the words from `first` on only lists or checks.
local function only_lists(argv, first)
  local lists, names, plain, i = false, false, true, first
  while argv[i] do
    local word = argv[i]
    local name = word:match("^(%-%-[^=]+)=") or word
    if word == "--" then
      names = names or argv[i + 1] ~= nil
      break
    elseif tag_lists[name] or word:find("^%-n%d+$") then
      lists = true
    elseif tag_values[name] then
      if name ~= "--sort" and name ~= "--format" then plain = false end
      if name == word then i = i + 1 end
    elseif word:sub(1, 1) ~= "-" then
      names = true
    elseif not tag_plain[name] then
      plain = false
    end
    i = i + 1
  end
  if not plain then return lists and not names and first > #argv end
  return lists or not names
end

local function any(argv, first, pattern)
  for i = first, #argv do
    if argv[i]:find(pattern) then return true end
  end
  return false
end

--- The action of the commands that git is asked to run.
local function run_by_git(argv, at, look)
  local name = argv[at]
  for _, option in ipairs(runs[name] or {}) do
    for i = at + 1, #argv do
      local word, text = argv[i], nil
      if word == option then
        text = argv[i + 1]
      elseif word:sub(1, #option) == option then
        text = word:sub(#option + 1):gsub("^=", "")
      end
      local what = text and look.script(text)
      if what then return what end
    end
  end
  if name == "bisect" and argv[at + 1] == "run" then return look.command(argv, at + 2) end
  if name == "submodule" then
    for i = at + 1, #argv do
      if argv[i] == "foreach" then
        local first = i + 1
        while argv[first] and argv[first]:sub(1, 1) == "-" do first = first + 1 end
        if first == #argv then return look.script(argv[first]) end
        return look.command(argv, first)
      end
    end
  end
  if name == "filter-branch" then
    for i = at + 1, #argv do
      local what = look.script(argv[i])
      if what then return what end
    end
  end
  if name == "for-each-repo" then
    for i = at + 1, #argv do
      local what = argv[i]:sub(1, 1) ~= "-" and M.action({ "git", table.unpack(argv, i) }, look)
      if what then return what end
    end
  end
end

--- The action of a `git -c` setting.
local function setting(text, look)
  local name, value = text:match("^([^=]*)=?(.*)$")
  if name:lower():find("^alias%.") then return "git with an alias of its own" end
  return look.text((value:gsub("^!", "")))
end

---@param argv string[]
---@param look table examines a command line, a script, or a text that may be one
---@return string?
function M.action(argv, look)
  local i = 2
  while argv[i] and argv[i]:sub(1, 1) == "-" do
    local word = argv[i]
    local text = word == "-c" and argv[i + 1] or word:match("^%-%-config%-env=(.*)")
      or word == "--config-env" and argv[i + 1]
    local what = text and setting(text, look)
    if what then return what end
    i = i + (own_options[word] and 2 or 1)
  end
  local name = argv[i]
  if not name then return nil end
  if name:find(shell.unknown, 1, true) then return "git with a command that is not known before it runs" end
  if publishes[name] then return "git push" end
  if publishes_with[name] then
    for at = i + 1, #argv do
      if publishes_with[name][argv[at]] then return "git push" end
    end
  end
  if name == "tag" then return not only_lists(argv, i + 1) and "git tag" or nil end
  if name == "update-ref" and (any(argv, i + 1, "^refs/tags/") or any(argv, i + 1, "^%-%-stdin$")
    and (not look.stdin or look.stdin:find("refs/tags/", 1, true))) then return "git tag" end
  if (name == "fetch" or name == "pull") and any(argv, i + 1, "^[^*]*:refs/tags/[^*]*$") then return "git tag" end
  if not harmless[name] then return "git with a command that is not git's own" end
  -- A remote that is a command.
  for at = i + 1, #argv do
    local text = argv[at]:match("^ext::(.*)")
    if text then return look.mention(text) or look.script((text:gsub("%% ", " "))) end
  end
  return run_by_git(argv, i, look)
end

return M
