--- Runs git so that no repository can make it start programs, use the terminal or take locks.
--- git/output.lua parses git's output, and git/names.lua quotes names.
--- Every path that a person or a model will see goes through `show_path`.

local environment = require "moonlet.git.environment"
local names = require "moonlet.git.names"
local output = require "moonlet.git.output"

local find, format, gsub, lower, match, sub = string.find, string.format, string.gsub, string.lower,
  string.match, string.sub
local concat = table.concat

---@class moonlet.git
local M = {}

M.show_path, M.shell_word, M.unquote = names.show_path, names.shell_word, names.unquote
M.parse_status, M.parse_changes, M.parse_diff = output.parse_status, output.parse_changes,
  output.parse_diff
M.status_word, M.changed_lines, M.new_file_diff = output.status_word, output.changed_lines,
  output.new_file_diff

---@class moonlet.git.RunOptions
---@field cap integer?      most bytes of output to keep (default 1 MB)
---@field env table<string, string>?
---@field stdin string?
---@field cwd string?
---@field timeout string|number|nil  default: "2m"
---@field journal boolean?  false: the call is not recorded in the journal
---@field clean (fun(stdout: string): string)|false|nil  redacts the recorded output; false: no redaction

local HARDEN = {
  "--no-pager",
  "--no-optional-locks",
  "-c", "core.fsmonitor=false",
  "-c", "core.untrackedCache=false",
  "-c", "core.hooksPath=/dev/null",
  "-c", "core.alternateRefsCommand=",
  "-c", "core.quotePath=true",
  "-c", "color.ui=false",
  "-c", "credential.helper=",
  "-c", "diff.external=",
  "-c", "diff.orderFile=/dev/null",
  "-c", "diff.suppressBlankEmpty=false",
  "-c", "log.showSignature=false",
  "-c", "protocol.allow=never",
  "-c", "submodule.recurse=false",
}

local DIFF = {
  "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative", "--no-indent-heuristic",
  "--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=myers", "--inter-hunk-context=0",
  "--unified=3", "--submodule=short", "--ignore-submodules=dirty", "--find-renames=50%",
  "--abbrev=12",
}

--- Returns the full command line for a git command, hardened so that git starts no other program.
--- ```lua
--- m.git.command({ "status" })[1] --> "git"
--- ```
---@param args string[]
---@return string[]
function M.command(args)
  return table.move(args, 1, #args, #HARDEN + 2, { "git", table.unpack(HARDEN) })
end

--- Returns options that make `git diff` independent of the user's configuration.
--- ```lua
--- local args = m.git.diff_args({ "diff", "--cached" }, { "HEAD" })
--- args[#args] --> "HEAD"
--- ```
---@param first string[] words before the options, such as { "diff", "--cached" }
---@param last string[]? words after the options, such as revisions and paths
---@return string[]
function M.diff_args(first, last)
  local args = table.move(DIFF, 1, #DIFF, #first + 1, { table.unpack(first) })
  return table.move(last or {}, 1, #(last or {}), #args + 1, args)
end

--- Returns the first line of git's message without a prefix such as "fatal: ", and escapes it.
--- ```lua
--- m.git.first_line "fatal: bad revision\n" --> "bad revision"
--- ```
---@param stderr string?
---@return string
function M.first_line(stderr)
  local line = match(stderr or "", "^%s*([^\n]*)") or ""
  line = gsub(gsub(line, "^fatal: ", ""), "^error: ", "")
  if line == "" then return "git said nothing" end
  return M.show_path(line)
end

--- Returns an error table, ready to be raised, that explains a failed git command to the user.
--- ```lua
--- local result = m.git.run(ctx, { "rev-parse", "no-such-branch" })
--- result.code ~= 0 --> true
--- m.git.failure(result, "find the branch").kind --> "failed"
--- ```
---@param result moonlet.ExecResult
---@param doing string the attempted action, such as "read the state of the work tree"
---@return moonlet.Error
function M.failure(result, doing)
  local text = result.stderr or ""
  local err = { kind = "failed", message = format("git could not %s: %s", doing,
    M.first_line(text)) }
  if find(text, "must be run in a work tree", 1, true) then
    err.kind = "invalid"
    err.message = "this repository is bare: it has no work tree"
    err.hint = "run it in a clone, or add a work tree with: git worktree add DIR"
  elseif find(text, "not a git repository", 1, true) then
    err.kind = "invalid"
    err.message = "this is not a git repository"
    err.hint = "run it inside one, name one with --repo DIR, or make one with: git init"
  elseif find(text, "dubious ownership", 1, true) then
    err.kind = "denied"
    err.message = "git refuses this repository because another user owns it"
    err.hint = "if you trust it: git config --global --add safe.directory DIR"
  elseif find(text, "index file", 1, true) or find(text, "bad signature", 1, true) then
    err.hint = "the index is damaged; git status says more"
  end
  return err
end

-- Redacts git's output. The caller can replace this function with the option `clean`.
local function clean_text(text) return require("moonlet.facts.clean").text(text) end

--- Runs one read-only git command. A failed command is a result, not an error.
--- The journal stores the output with secrets redacted.
--- If the output contained secrets, a resumed run calls git again.
--- Errors: `denied` git was not granted;
--- `failed` means that git could not be started.
--- ```lua
--- m.git.run(ctx, { "rev-parse", "--is-inside-work-tree" }).stdout --> "true\n"
--- ```
---@param ctx moonlet.Ctx
---@param args string[] without the word git
---@param opts moonlet.git.RunOptions?
---@return moonlet.ExecResult
function M.run(ctx, args, opts)
  opts = opts or {}
  local env = {}
  for name, value in pairs(environment) do env[name] = value end
  for name, value in pairs(opts.env or {}) do env[name] = value end
  return ctx:exec {
    argv = M.command(args),
    env = env,
    cap = opts.cap,
    stdin = opts.stdin,
    cwd = opts.cwd,
    timeout = opts.timeout or "2m",
    journal = opts.journal,
    clean = opts.clean == nil and clean_text or opts.clean or nil,
    name = "git-" .. args[1],
  }
end

--- Runs git commands in parallel and returns their results in the order of the calls.
--- Errors: those of m.git.run.
--- ```lua
--- local results = m.git.run_all(ctx, { { { "rev-parse", "HEAD" } }, { { "branch", "--list" } } })
--- #results --> 2
--- ```
---@param ctx moonlet.Ctx
---@param calls {[1]: string[], [2]: moonlet.git.RunOptions?}[]  pairs of arguments and options
---@return moonlet.ExecResult[]
function M.run_all(ctx, calls)
  if #calls == 1 then return { M.run(ctx, calls[1][1], calls[1][2]) } end
  return (ctx:parallel(calls, function(c, call) return M.run(c, call[1], call[2]) end))
end

--- Returns why a target is unsafe on a command line, such as "it starts with a dash"; nil if it is safe.
--- ```lua
--- m.git.target_problem "main..HEAD" --> nil
--- m.git.target_problem "--output=x" ~= nil --> true
--- ```
---@param target string
---@return string? problem
function M.target_problem(target)
  if #target > 4096 then return "it is longer than 4096 bytes" end
  if find(target, "%c") then return "it contains a control character" end
  for _, part in ipairs { target, match(target, "%.%.%.?(.*)$") or "" } do
    if sub(part, 1, 1) == "-" then
      return "it begins with a dash, which git would read as an option"
    end
  end
  return nil
end

local STATES = {
  { "MERGE_HEAD", "merge" }, { "CHERRY_PICK_HEAD", "cherry-pick" }, { "REVERT_HEAD", "revert" },
  { "BISECT_LOG", "bisect" }, { "rebase-merge", "rebase" }, { "rebase-apply", "rebase" },
}

-- Asks git for the state of a linked work tree, whose git folder ctx:list cannot read.
local function state_by_git(ctx)
  local refs = { "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "refs/bisect/bad" }
  local words = { "merge", "cherry-pick", "revert", "rebase", "bisect" }
  local results = M.run_all(ctx, {
    { { "rev-parse", "--is-shallow-repository" } },
    { { "cat-file", "--batch-check=%(objectname)" }, { stdin = concat(refs, "\n") .. "\n" } },
  })
  local states, i = {}, 0
  if results[2].code == 0 then
    for line in string.gmatch(results[2].stdout, "[^\n]+") do
      i = i + 1
      if not find(line, "missing", 1, true) and words[i] then states[#states + 1] = words[i] end
    end
  end
  return states, match(results[1].stdout or "", "^true") ~= nil
end

--- Returns git's operations in progress, such as { "merge" } or { "rebase" }.
--- Also returns whether the clone is shallow.
--- ```lua
--- local states, shallow = m.git.state(ctx)
--- #states --> 0
--- shallow --> false
--- ```
---@param ctx moonlet.Ctx
---@return string[] states
---@return boolean shallow
function M.state(ctx)
  local list = ctx:list(".git", { missing = "nil" })
  if not list then return state_by_git(ctx) end
  local there, states = {}, {}
  for _, entry in ipairs(list) do there[entry.name] = true end
  for _, pair in ipairs(STATES) do
    if there[pair[1]] then states[#states + 1] = pair[2] end
  end
  return states, there.shallow == true
end

--- Reads the repository's settings that affect later git calls.
--- The returned environment switches off the repository's filter drivers, which git would start.
--- ```lua
--- local call = m.git.config_call()
--- local env, settings = m.git.read_config(m.git.run(ctx, call[1], call[2]))
--- settings.sparse --> false
--- ```
---@param result moonlet.ExecResult  result of the call m.git.config_call()
---@return table<string, string> env
---@return {sparse: boolean, filters: string[]} settings
function M.read_config(result)
  local env, settings, count, seen = {}, { sparse = false, filters = {} }, 0, {}
  local next_record = output.records(result.code == 0 and result.stdout or "")
  local function set(key, value)
    env["GIT_CONFIG_KEY_" .. count], env["GIT_CONFIG_VALUE_" .. count] = key, value
    count = count + 1
  end
  for scope in next_record do
    local key, value = match(next_record() or "", "^([^\n]*)\n?(.*)$")
    if scope == "local" or scope == "worktree" then
      local name = match(key or "", "^filter%.(.*)%.%a+$")
      if name and not seen[name] then
        seen[name] = true
        settings.filters[#settings.filters + 1] = name
        for _, part in ipairs { "clean", "smudge", "process" } do
          set("filter." .. name .. "." .. part, "")
        end
        set("filter." .. name .. ".required", "false")
      elseif lower(key or "") == "core.sparsecheckout" then
        settings.sparse = lower(value) == "true" or value == ""
      end
    end
  end
  if count > 0 then env.GIT_CONFIG_COUNT = tostring(count) end
  return env, settings
end

--- Returns the arguments and options of the git call whose result m.git.read_config parses.
--- The call is not journaled, so a resumed run reads git's configuration again.
--- ```lua
--- local call = m.git.config_call()
--- m.git.run(ctx, call[1], call[2]).signal --> nil
--- ```
---@return {[1]: string[], [2]: moonlet.git.RunOptions}
function M.config_call()
  return { { "config", "--includes", "--show-scope", "-z", "--get-regexp",
    "^(filter\\..*|core\\.sparsecheckout)$" }, { journal = false } }
end

return M
