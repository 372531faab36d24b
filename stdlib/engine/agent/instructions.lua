--- Adds instruction files (such as AGENTS.md) to agents' prompts.
--- The project's files are read from the commit at the base of the change.
--- Uncommitted versions are ignored, because they may be part of the change under review.
--- The user's own files are added if the config asks for them (runners.NAME.instructions).
--- A resumed run uses the texts that the journal recorded.
local committed_files = require "moonlet.engine.workspace.committed_files"
local instruction_text = require "moonlet.engine.runner.instruction_text"
local journal = require "moonlet.engine.journal.journal"
local record = require "moonlet.record"
local per_run = require "moonlet.engine.base.per_run"
local resolved_call = require "moonlet.engine.agent.resolved_call"
local scratch_index = require "moonlet.engine.workspace.scratch_index"
local shared = require "moonlet.engine.runner.shared"

local M = {}

local head = "HEAD"
local file_cap, text_cap = 1 << 20, 32 << 10
local most_listed = 50

---@class moonlet.InstructionState   state of one run
---@field given table<string, moonlet.Instructions[]>
---@field nested table<string, string[]>  file names -> paths in subfolders
---@field said table<string, true>

---@type fun(run: table): moonlet.InstructionState
local state_of = per_run(function() return { given = {}, nested = {}, said = {} } end)

local function say(run, text)
  local said = state_of(run).said
  if said[text] then return end
  said[text] = true
  run.emit("warning", { text = text })
end

--- Truncates a text at a line break and returns it as valid UTF-8 without control characters.
local function beginning(text)
  text = require("moonlet.prompt").clean(text)
  if #text <= text_cap then return text, false end
  local start = text:sub(1, text_cap)
  return start:match "^(.*\n)" or start:sub(1, (utf8.offset(start, -1) or text_cap + 1) - 1), true
end

local function entry_of(owner, path, whole)
  if whole:find("\0", 1, true) then return nil, "it is not text" end
  if not whole:find "%S" then return nil end
  local text, cut = beginning(whole)
  return { owner = owner, path = path, text = text, kept = #text, cut = cut, bytes = #whole,
    sha256 = core.text.sha256(whole) }
end

local function refused(run, path, why)
  say(run, ("agents are not given the instructions of %s: %s"):format(
    core.text.printable(path, 200), why))
end

local function same_text(one, other)
  return one == other or one:gsub("\r\n", "\n") == other:gsub("\r\n", "\n")
end

local function of_work_tree(run, path) return (core.file.read(run.home.root, path, file_cap)) end

--- Converts a git revision such as HEAD~1 to its commit id. Returns nil if there is no such commit,
--- or nil and an error if git fails.
local function id_of(run, revision)
  if not core.system.find_program "git" then return nil, record.invalid "git is not installed" end
  local id, err = committed_files.id(run, revision)
  if id or err or revision == head then return id, err end
  record.refuse(("ctx:agent: base: there is no commit %s"):format(
    core.text.printable(revision, 80)),
    "git log --oneline lists the commits")
end

--- Formats a revision for messages: its name, and its short id in parentheses if the two differ.
local function shown(revision, id)
  local short = id:sub(1, 12)
  return revision:sub(1, 12) == short and short
    or ("%s (%s)"):format(core.text.printable(revision, 80), short)
end

--- Warns about an instruction file that is not committed, or is newer than the base.
local function say_new(run, name, revision, id)
  if revision ~= head then
    say(run, ("%s is new since %s, so agents are not given it"):format(name, shown(revision, id)))
  else
    say(run, ("%s is not committed, so agents are not given it"):format(name))
  end
end

local function committed(run, names, revision)
  local id, why_not = id_of(run, revision)
  local blobs = {}
  if id then blobs, why_not = committed_files.list(run, id, names) end
  if why_not then
    say(run, "agents are not given the project's instructions: " .. why_not.message)
    return nil
  end
  for _, name in ipairs(names) do
    local file, err
    if blobs[name] then file, err = committed_files.read(run, id, blobs[name], file_cap) end
    if err or file and file.bytes > file_cap then
      refused(run, name, err and err.message or ("it is larger than %d KB"):format(file_cap >> 10))
    elseif file then
      local entry, why = entry_of("project", file.path, file.text)
      if why then refused(run, file.path, why) end
      if entry then
        entry.at = shown(revision, id)
        entry.differs = not same_text(of_work_tree(run, file.path) or "", file.text) or nil
        if entry.differs then
          say(run, ("%s differs from %s: agents are given the version of that commit"):format(
            core.text.printable(file.path, 200), entry.at))
        end
        return entry
      end
    elseif of_work_tree(run, name) then
      say_new(run, name, revision, id)
    end
  end
end

--- Reads an instruction file from disk, in a folder that is not a git repository.
local function uncommitted(run, names)
  for _, name in ipairs(names) do
    local whole, err, cut = core.file.read(run.home.root, name, file_cap)
    local why = not whole and err.kind ~= "invalid" and err.message or cut and "it is too large"
    if not whole and core.file.stat(run.home.root, name) then why = err.message end
    local entry
    if whole and not why then entry, why = entry_of("project", name, whole) end
    if why then refused(run, name, why) end
    if entry then return entry end
  end
end

local function with_tilde(path)
  local home = core.system.env "HOME" or ""
  return home ~= "" and path:sub(1, #home + 1) == home .. "/" and "~" .. path:sub(#home + 1) or path
end

local function of_user(run, paths)
  for _, path in ipairs(paths) do
    local whole, cut = shared.read_file(path, file_cap)
    local entry, why
    if whole then entry, why = entry_of("user", with_tilde(path), whole) end
    if cut then why = "it is too large" end
    if why then refused(run, path, why) elseif entry then return entry end
  end
end

local function observe(run, names, revision, paths)
  local list = core.json.array {}
  list[1] = of_user(run, paths)
  list[#list + 1] = (run.home.git and committed or uncommitted)(run, names, revision)
  return list
end

--- Returns the instruction files called `names`. The first result is cached for the whole run.
local function files_of(run, names, revision, paths)
  local key = ("/instructions/%s@%s+%s"):format(table.concat(names, ","), revision,
    table.concat(paths, ","))
  local given = state_of(run).given
  if given[key] then return given[key] end
  local input = { verb = "instructions", names = core.json.array { table.unpack(names) },
    base = revision, user = core.json.array { table.unpack(paths) } }
  local recorded = run.journal and run.journal.facts[key]
  local found = not recorded and observe(run, names, revision, paths)
  if recorded or found[1] then
    found = journal.fact(run, key, input, function()
      return found or observe(run, names, revision, paths)
    end)
  end
  given[key] = found
  return found
end

--- Adds instruction files to a call. A call that sees only its inputs gets none, and a prompt that a
--- person has edited contains them already.
function M.add(resolved)
  local run, runner, call = resolved.run, resolved.runner, resolved.call
  local names = runner.instructions or {}
  local paths = resolved.config.instructions and runner.home_instructions
    and runner.home_instructions(resolved.config) or {}
  if #names + #paths == 0 or call.inputs then return resolved end
  if call.edited or instruction_text.is_in(call.prompt) then return resolved end
  local files = files_of(run, names, call.base or head, paths)
  return files[1] and resolved_call.with(resolved, { instructions = files }) or resolved
end

--- Lists the instruction files in subfolders, because the agent's program reads them by itself.
local function nested_files(run, names)
  local state, key = state_of(run), table.concat(names, "\0")
  if state.nested[key] then return state.nested[key] end
  local specs = {}
  for i, name in ipairs(names) do specs[i] = ":(top,glob)*/**/" .. name end
  local ok, exit = pcall(scratch_index.git, run, "instructions", run.top,
    { "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", table.unpack(specs) },
    { may_cut = true })
  local list = {}
  for path in (ok and exit.stdout or ""):gmatch "([^%z]+)%z" do
    if #list < most_listed then list[#list + 1] = path end
  end
  state.nested[key] = list
  return list
end

--- Returns the entries of input-manifest.md for the instruction files in the prompt, and for the
--- instruction files that the agent's program reads by itself.
---@param reads string[]?  absolute paths that the program reads
function M.entries(job, reads)
  local run, list, title = job.run, {}, job.runner.title or job.runner.name
  for _, file in ipairs(job.instructions or {}) do
    list[#list + 1] = { kind = "file", path = file.path, bytes = file.bytes, kept = file.kept,
      sha256 = file.sha256, cut = file.cut, spec = ("instructions of the %s%s%s"):format(file.owner,
        file.at and " at " .. file.at or "",
        file.differs and ", not those of the work tree" or "") }
  end
  local function add(root, name, path, how)
    local entry = root and core.file.stat(root, name) and core.file.load(root, name, file_cap)
    if not entry then return end
    entry.spec, entry.kind, entry.path, entry.text = title .. how, "file", path, nil
    list[#list + 1] = entry
  end
  for _, path in ipairs(reads or {}) do
    local folder, name = (core.system.real_path(path) or path):match "^(/.*)/([^/]+)$"
    add(folder and core.file.root(folder), name, path, " reads it by itself")
  end
  local nested = job.runner.nested_instructions
  if not nested or not run.home.git or job.call.inputs then return list end
  for _, path in ipairs(nested_files(run, nested)) do
    add(run.home.root, path, path, " reads it by itself, with a file of its folder")
  end
  return list
end

return M
