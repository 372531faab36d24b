--- Runs one attempt of an agent on a remote machine.
--- The work tree is sent to that machine as a git bundle.
--- The agent's changes come back as a patch, which is applied to the local worktree.
--- The attempt is then merged like a local attempt.
local adoption = require "moonlet.engine.journal.adoption"
local files = require "moonlet.engine.base.files"
local gate = require "moonlet.engine.effects.gate"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local links = require "moonlet.engine.remote.link"
local kept_worktrees = require "moonlet.engine.workspace.kept_worktrees"
local plumbing = require "moonlet.engine.workspace.plumbing"
local remote_steps = require "moonlet.engine.remote.steps"
local scratch_index = require "moonlet.engine.workspace.scratch_index"
local worktree_changes = require "moonlet.engine.workspace.worktree_changes"

local M = {}

local answer_cap, patch_cap = 8 << 20, 256 << 20
local schema_cap = 16 << 20
local most_ignored = 64 << 20
local transfer_ms = 10 * 60 * 1000

--- Prevents git on the remote machine from running programs that a config or the tree names.
local git_there =
  "git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c protocol.file.allow=always"
--- Unpacks the tree on the remote machine. A script whose connection broke may still run, so each
--- script works in a private folder and renames the result. The first script wins, because `mv -T`
--- replaces no folder that has files. Disables the tree's git attributes, so that files are copied
--- byte for byte. The script removes the attempt's folder if it fails or if another host has
--- removed the attempt.
local unpack_script = ([[
umask 077 && mkdir -p "$1" && cd "$1" && : >sent && trap '[ -e sent ] && [ -d tree ] || rm -rf "$1"' EXIT &&
rm -rf new.$$ && mkdir new.$$ && cat >new.$$/bundle &&
GIT init -q --bare new.$$/base.git && GIT --git-dir=new.$$/base.git fetch -q new.$$/bundle "$2:refs/heads/moonlet" &&
GIT clone -q -n -b moonlet new.$$/base.git new.$$/tree &&
GIT -C new.$$/tree remote set-url origin "$PWD/base.git" || exit 1
for folder in base.git tree/.git; do
  mkdir -p new.$$/$folder/info
  echo "* -text !eol !crlf !filter !ident !working-tree-encoding" >new.$$/$folder/info/attributes
done
GIT -C new.$$/tree checkout -q moonlet || exit 1
for folder in base.git tree; do mv -T new.$$/$folder $folder 2>/dev/null; done
rm -rf new.$$ && [ -d base.git ] && [ -d tree ]
]]):gsub("GIT", git_there)
--- Prints a file on standard output and its size on standard error. The receiver counts the bytes
--- and compares their number with this size to detect truncated output.
local send = 'wc -c <"$file" >&2 && exec cat "$file"'
--- Prints records that end with a NUL byte: "submodule PATH" if the agent wrote into a submodule,
--- "history PATH" for a repository in which the agent committed, "folder PATH" for an empty folder.
local look_script = ([[
cd "$1/tree" && file="../found.$$" && find . -maxdepth 0 -printf '' &&
GIT --git-dir=../base.git ls-tree -rz refs/heads/moonlet >../base.$$ &&
sed -zn 's/^160000 [^\t]*\t//p' ../base.$$ >../submodules.$$ && {
  xargs -0 -r -I{} find ./{} -maxdepth 0 ! \( -type d -empty \) -printf 'submodule %p\0' <../submodules.$$
  find . -path ./.git -prune -o -type d -empty ! -name .git -printf 'folder %p\0' -o -name .git -prune \
    ! -exec sh -c '[ -d "$1" ] && [ -z "$(find "$1/objects" -type f -print -quit)" ]' sh {} \; -printf 'history %h\0'
} 2>/dev/null >"$file"; ]]):gsub("GIT%f[ ]", git_there) .. send
--- Adds each new file by its name, because `git add` refuses a folder that is a repository itself.
--- Adds ignored files like others, but prints "ignored SIZE" and omits them if they are too large.
local collect_script = ([[
cd "$1" && export GIT_DIR="$PWD/base.git" GIT_WORK_TREE="$PWD/tree" GIT_INDEX_FILE="$PWD/index.$$" &&
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null file="$PWD/changes.$$" && cd tree &&
GIT read-tree refs/heads/moonlet && GIT add -u . && GIT ls-files -oz --exclude-standard >"$file.new" &&
GIT ls-files -oiz --exclude-standard >"$file.ignored" &&
size=$(sed -z 's|^|./|' "$file.ignored" | xargs -0 -r stat -c %s | awk '{ size += $1 } END { print size + 0 }') &&
if [ "$size" -le IGNORED ]; then cat "$file.ignored" >>"$file.new"; else echo "ignored $size" >&2; fi &&
sed -z 's|^|./|' "$file.new" >"$file.from" &&
xargs -0 -r sh -c 'exec find "$@" -name .git -prune -o \( -type f -o -type l \) -print0' sh \
  <"$file.from" >"$file.add" &&
GIT update-index -z --add --replace --stdin <"$file.add" &&
GIT diff --cached --binary --full-index --no-renames --no-ext-diff --no-textconv \
  --src-prefix=a/ --dst-prefix=b/ refs/heads/moonlet >"$file" && ]]):gsub("GIT%f[ ]", git_there)
  :gsub("IGNORED", tostring(most_ignored)) .. send
local answer_script = '[ -e "$1" ] || exit 3; file=$1; ' .. send

local function failure(on, what, text, hint)
  return { kind = "failed", retryable = false, message = ("%s: %s: %s"):format(on, what,
    links.printed(text, 400)),
    hint = text:find "git: .*not found" and "the machine needs git" or hint }
end

--- Raises an error, but keeps the agent's files on the remote machine for a resume.
local function keep_there(err) error(infrastructure_error.mark(err), 0) end

--- Writes the current files of the agent's folder, including uncommitted changes, as a git bundle.
---@return string path  relative to .agent
---@return string ref   name of the bundle's commit
---@return string[] submodules  paths of submodules, which are empty folders in the bundle
local function bundle(job, nonce)
  local run, path, tree = job.run, job.dir .. "/tree.bundle", job.lease.place.worktree
  local ref, index = "refs/moonlet/" .. nonce, run.absolute(job.dir .. "/tree.index")
  local function git(words, with)
    return scratch_index.git(run, job.key, run.top, words, with).stdout
  end
  local folder = tree and tree.path or run.top
  local env = tree and plumbing.env(tree.raw, tree.path, index, true) or { GIT_INDEX_FILE = index }
  local function in_index(words)
    return scratch_index.git(run, job.key, folder, words, { env = env }).stdout
  end
  local head = git({ "rev-parse", "-q", "--verify", "HEAD^{commit}" },
    { may_fail = true }):match "^%x+"
  local base = tree and tree.base or head
  if base then in_index { "read-tree", base } end
  in_index { "add", "-A", "." }
  local words = { "-c", "user.name=moonlet", "-c", "user.email=moonlet@localhost", "commit-tree",
    in_index({ "write-tree" }):match "^%x+", "-m", "moonlet" }
  if head then table.move({ "-p", head }, 1, 2, #words + 1, words) end
  git { "update-ref", ref, git(words):match "^%x+" }
  local ok, err = pcall(git, { "bundle", "create", "-q", run.absolute(path), ref })
  git { "update-ref", "-d", ref }
  local submodules = {}
  for _, entry in ipairs(scratch_index.entries(run, job.key, env)) do
    if entry.mode == "160000" then submodules[#submodules + 1] = entry.path end
  end
  core.run.remove(job.dir .. "/tree.index")
  if not ok then error(err, 0) end
  return path, ref, submodules
end

local function send_tree(job, office, nonce)
  local path, ref, submodules = bundle(job, nonce)
  local exit = office.link:exec({ "sh", "-c", unpack_script, "sh",
    office.machine.dir .. "/attempts/" .. nonce, ref }, nil,
    { stdin_file = path, wall_ms = transfer_ms })
  core.run.remove(path)
  if exit.code ~= 0 then
    office.keeper.sent[nonce] = nil
    error(failure(office.machine.on, "the work tree cannot be unpacked", exit.stderr), 0)
  end
  if #submodules > 0 then
    job.run.emit("log",
      { step = job.key, text = ("submodules are empty folders on %s: %s"):format(office.machine.on,
      kept_worktrees.shown(submodules)) })
  end
end

--- Returns a function that replaces local paths in a text by placeholders for the paths on the
--- remote machine.
local function translator(job, nonce)
  local run, mark = job.run, "@" .. nonce .. "@"
  local home = core.system.env "HOME"
  local pairs_of = { { run.absolute(job.dir), mark .. "/step" }, { job.temporary, mark .. "/tmp" },
    { job.lease.place.cwd, mark .. "/tree" },
    { run.top, mark .. "/tree" }, { home and #home > 1 and home, "@" .. nonce .. ":home@" } }
  return function(text)
    for _, pair in ipairs(pairs_of) do
      local from, to = pair[1], pair[2]
      if type(from) == "string" then
        text = text:gsub(from:gsub("%p", "%%%0") .. "%f[/%z%s\"':,;=%]]", (to:gsub("%%", "%%%%")))
      end
    end
    return text
  end
end

--- Makes a path relative to the attempt's remote folder. Returns nil for a path outside of it.
local function inside(there, nonce, path)
  return there(path):match("^@" .. nonce .. "@/(.+)$")
end

--- Describes an attempt for the remote machine: command line, files, links and sandbox.
local function describe(job, attempt, made, rules, nonce)
  local run, there = job.run, translator(job, nonce)
  local far = { cwd = "@" .. nonce .. "@/tree",
    files = { ["step/prompt.md"] = attempt.prompt }, links = {},
    argv = core.json.array {}, folders = core.json.array { "step/out", "tmp/state" },
    env_text = there }
  for i, word in ipairs(made.argv) do far.argv[i] = there(word) end
  -- Send only the program's name. The remote machine finds the program in its own PATH.
  if far.argv[1]:sub(1, 1) == "/" then far.argv[1] = far.argv[1]:match "[^/]+$" end
  local schema = run.read_artifact(job.dir .. "/schema.json", schema_cap)
  if schema then far.files["step/schema.json"] = schema end
  for path, text in pairs(made.files or {}) do
    local name = inside(there, nonce, path)
    if name then far.files[name] = there(text) end
  end
  for _, list in ipairs { made.folders or {}, made.state_dirs or {} } do
    for _, path in ipairs(list) do far.folders[#far.folders + 1] = inside(there, nonce, path) end
  end
  for folder, targets in pairs(made.links or {}) do
    local name, list = inside(there, nonce, folder), core.json.array {}
    for i, target in ipairs(targets) do list[i] = there(target) end
    if name then far.links[name] = list end
  end
  if not next(far.links) then far.links = nil end
  if made.stdin == "prompt" then far.stdin_file = "step/prompt.md" end
  if rules then
    far.writable, far.network = core.json.array { "@" .. nonce .. "@/tmp",
      "@" .. nonce .. "@/step/out" }, rules.network
    for _, path in ipairs(rules.writable) do table.insert(far.writable, there(path)) end
    far.restrict_reads = rules.restrict_reads
    far.readable = core.json.array {}
    for i, path in ipairs(rules.readable or {}) do far.readable[i] = there(path) end
  end
  return far
end

---@param child table  argument of core.process.run for a local attempt
---@param rules table?  rules of the sandbox
function M.run(job, attempt, child, made, rules)
  local exit = remote_steps.run(job.run, job.on, child,
    { ask = gate.unreachable, submission = gate.submission, far = function(nonce)
      return describe(job, attempt, made, rules, nonce)
    end,
    before = function(office, nonce) send_tree(job, office, nonce) end })
  return M.collect(job, attempt, exit)
end

--- Applies the agent's patch to the worktree, again if an earlier host has applied it already.
local function apply(job, patch)
  local run, tree = job.run, job.lease.place.worktree
  local ok, err = pcall(worktree_changes.apply, run, job.key, tree, patch)
  if ok then return end
  if pcall(worktree_changes.apply, run, job.key, tree, patch, true) then
    return worktree_changes.apply(run, job.key, tree, patch)
  end
  error({ kind = "failed", at = patch,
    message = ("the changes from %s are not merged: %s"):format(job.on,
    links.printed(tostring(type(err) == "table" and err.message or err), 400)),
    hint = "read the patch; it is not merged" }, 0)
end

--- Runs a remote script that sends a file. Raises an error if the file was truncated.
local function receive(office, script, folder, options)
  local exit = office.link:exec({ "sh", "-c", script, "sh", folder }, nil, options)
  if exit.code == 0 and tonumber(exit.stderr:match "(%d+)%s*$") ~= exit.stdout_total then
    error({ kind = "unreachable", message = office.machine.on .. ": its answer is cut off" }, 0)
  end
  return exit
end

--- Parses the output of `look_script`, without the empty hidden folders of sandboxes.
---@return {submodule: string[], history: string[], folder: string[]}
local function parse_found(text)
  local found = { submodule = {}, history = {}, folder = {} }
  for kind, path in text:gmatch "(%l+) %./([^%z]+)%z" do
    local is_hidden = ("/" .. path):find("/.", 1, true)
    if found[kind] and not (kind == "folder" and is_hidden) then table.insert(found[kind], path) end
  end
  return found
end

--- Fetches the logs, the answer and the changes of an ended attempt from the remote machine.
function M.collect(job, attempt, exit)
  if exit.why == "lost" or exit.why == "not_started" or exit.stdout == nil then return exit end
  local run = job.run
  for stream, name in pairs { stdout = "stdout.log", stderr = "stderr.log" } do
    run.write_artifact(job.dir .. "/" .. name, exit[stream], true)
    exit[stream .. "_kept"] = core.run.size(job.dir .. "/" .. name) or 0
  end
  local answer, look, made, folder
  remote_steps.insist(run, job.key, adoption.id(job.key, attempt.number), gate.unreachable,
    function(office, nonce)
    folder = office.machine.dir .. "/attempts/" .. nonce
    answer = receive(office, answer_script, folder .. "/step/out/output.md", { cap = answer_cap })
    look = receive(office, look_script, folder, { cap = answer_cap, wall_ms = transfer_ms })
    made = receive(office, collect_script, folder,
      { cap = patch_cap, stdout_file = job.dir .. "/far.patch", wall_ms = transfer_ms })
  end)
  if answer.code == 0 then run.write_artifact(job.dir .. "/out/output.md", answer.stdout, true) end
  local there = ("the agent's work is in %s/tree on %s; moonlet resume collects it again"):format(
    folder, job.on)
  for _, got in ipairs { look, made } do
    if got.code ~= 0 or got.stdout_cut then
      keep_there(failure(job.on, "the changes cannot be collected", got.stderr, there))
    end
  end
  local found, is_writer = parse_found(look.stdout), job.lease.place.tree
  if is_writer and found.submodule[1] then
    keep_there { kind = "failed", retryable = false, hint = there,
      message = ("the agent's work in the submodule %s cannot be carried over, so nothing "
        .. "is merged"):format(
        core.text.printable(found.submodule[1], 200)) }
  end
  local ignored = is_writer and tonumber(made.stderr:match "ignored (%d+)")
  if ignored then
    run.emit("warning", { step = job.key,
      text = ("the agent's files on %s that git ignores are left out, because they "
      .. "have %d MB, more than %d MB"):format(job.on, ignored >> 20, most_ignored >> 20) })
  end
  local size = core.run.size(job.dir .. "/far.patch") or 0
  if size > 0 and is_writer then
    apply(job, run.absolute(job.dir .. "/far.patch"))
  elseif size > 0 then
    local text = ("a read-only agent changed files on %s: they are dropped"):format(job.on)
    run.emit("warning", { step = job.key, text = text })
  end
  local root = is_writer and files.must(core.file.root(job.lease.place.worktree.path))
  for _, path in ipairs(root and found.folder or {}) do
    files.must(core.file.make_dirs(root, path))
  end
  if root and found.history[1] then
    run.emit("warning", { step = job.key,
      text = ("the agent made a repository of its own on %s: the files in %s were "
      .. "carried over, its history was not"):format(job.on, kept_worktrees.shown(found.history)) })
  end
  if size == 0 or is_writer then core.run.remove(job.dir .. "/far.patch") end
  return exit
end

return M
