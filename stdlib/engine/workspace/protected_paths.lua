--- Detects changes to records of other runs and to files that can make git start programs.
--- Sandbox rules cannot protect these paths, because write access to a folder includes everything
--- in it. Instead, snapshots from before and after an attempt are compared.
local records = require "moonlet.engine.journal.records"
local git = require "moonlet.engine.workspace.git"
local cooperative = require "moonlet.engine.base.cooperative"

local M = {}

local walk_cap = 200000
local journal_cap = 64 << 20
local tail_bytes = 4096
--- The host and other commands may write these files of a run at any time.
local busy = { lock = true, ["keeper.log"] = true, ["keeper.sock"] = true, temporary = true,
  attempts = true }

--- Lists the folders whose presence in `.agent` a snapshot ignores, because any command may create
--- or remove them.
local passing = { runs = true, sidecars = true, tasks = true, sessions = true, live = true }

local function join(folder, name) return folder == "" and name or folder .. "/" .. name end

local function fingerprint(root, path)
  local info = core.file.stat(root, path)
  if not info then return nil end
  return ("%s %d %d %d %d %o"):format(info.type, info.size, info.mtime_ns, info.ctime_ns,
    info.inode, info.mode)
end

--- Records the fingerprints of all files below `folder`, with `prefix` before their names.
local function note(look, root, folder, prefix, state)
  state = state or fingerprint
  local info = core.file.stat(root, folder)
  if not info then return end
  if info.type ~= "directory" then
    look.files[prefix .. folder] = state(root, folder)
    return
  end
  local pending = { folder }
  while #pending > 0 do
    local at = table.remove(pending)
    look.pause()
    for _, entry in ipairs(core.file.list(root, at) or {}) do
      local path = join(at, entry.name)
      if entry.type == "directory" then
        pending[#pending + 1] = path
      elseif look.left > 0 then
        look.left = look.left - 1
        look.files[prefix .. path] = state(root, path)
      end
    end
  end
end

--- Fingerprints a file by its content, because git may rewrite its config file unchanged.
local function content(root, path) return (core.file.content(root, path)) end

--- These parts of a git folder name programs to start, or point to another git folder.
local starting = { "hooks", "config", "config.worktree", "info/attributes", "commondir",
  "rebase-merge/git-rebase-todo", "rebase-apply", "sequencer/todo" }

local deepest = 40 -- Submodules may be nested this deep.

local function note_git_dir(look, root, folder, prefix, depth)
  for _, name in ipairs(starting) do note(look, root, join(folder, name), prefix, content) end
  -- Other commands may add or remove a worktree at any time.
  for _, entry in ipairs(core.file.list(root, join(folder, "worktrees")) or {}) do
    local path = join(folder, "worktrees") .. "/" .. entry.name
    for _, name in ipairs { "commondir", "config.worktree", "rebase-merge/git-rebase-todo" } do
      look.passing[prefix .. path .. "/" .. name] = content(root, path .. "/" .. name)
    end
  end
  local function add_modules(at, left)
    look.pause()
    for _, entry in ipairs(left > 0 and core.file.list(root, at) or {}) do
      local path = at .. "/" .. entry.name
      if entry.type == "directory" then
        if core.file.stat(root, path .. "/HEAD") then
          note_git_dir(look, root, path, prefix, left - 1)
        else
          add_modules(path, left - 1)
        end
      end
    end
  end
  add_modules(join(folder, "modules"), depth or deepest)
end

local function git_dirs(run)
  local _, _, path = git.dirs(run.top)
  if path then return path end
  local exit = core.process.run { step = "guarded", cwd = run.top, wall_ms = 60000, cap = 1 << 16,
    env = git.environment(run),
    argv = git.command({ "rev-parse", "--path-format=absolute", "--git-common-dir" }) }
  if exit.why ~= "exited" or exit.code ~= 0 then return nil end
  return (exit.stdout:gsub("\n$", ""))
end

local function note_git(look, run)
  local top = core.file.root(run.top)
  if top and (core.file.stat(top, ".git") or {}).type ~= "directory" then
    note(look, top, ".git", "")
  end
  look.git = look.git or git_dirs(run)
  local root = look.git and core.file.root(look.git)
  if root then note_git_dir(look, root, "", ".git/") end
  for _, path in ipairs(top and look.nested or {}) do
    if (core.file.stat(top, path .. "/.git") or {}).type == "directory" then
      note_git_dir(look, top, path .. "/.git", "")
    end
  end
end

--- Hashes the first `size` bytes of a journal, which never change because a journal only grows.
--- Returns nil if `size` is above a limit.
local function beginning(root, path, size)
  if size > journal_cap then return nil end
  local text = core.file.read(root, path, size)
  return text and core.text.sha256(text)
end

--- Hashes the last bytes of a journal. If they are unchanged, all earlier records are, too, because
--- each record contains a hash of the record before it.
local function tail(root, path, size)
  local text = core.file.part(root, path, math.max(0, size - tail_bytes),
    math.min(size, tail_bytes))
  return text and core.text.sha256(text):sub(1, 32)
end

local function journal_of(id) return "runs/" .. id .. "/steps.jsonl" end

local function note_journal(look, root, id)
  local path = journal_of(id)
  local known = look.before and look.before.journals[path]
  local info = core.file.stat(root, path)
  local size = known and known.size or info and info.size
  if not info or not size then return end
  local wholly = known and known.hash or not known and look.live[id]
  if wholly then
    look.journals[path] = { size = size, hash = beginning(root, path, size) }
  else
    look.journals[path] = { size = size, tail = tail(root, path, size) }
  end
end

--- Reports whether a run's journal is valid and has gained records of a host, or of a person's
--- decision, since the first snapshot.
local function was_driven(look, run, root, id)
  local path = journal_of(id)
  local known = look.before and look.before.journals[path]
  local info = known and known.tail and core.file.stat(root, path)
  if not info or info.size <= known.size or tail(root, path, known.size) ~= known.tail then
    return false
  end
  local report = core.journal.verify(run.home.handle, id)
  if not report or report.line or report.torn_bytes > 0 then return false end
  local text = core.file.part(root, path, known.size, math.min(info.size - known.size, journal_cap))
    or ""
  return records.has_driver(text)
end

local function task_of(root, id)
  local text = core.file.read(root, "runs/" .. id .. "/run.json", 16 << 20)
  local ok, record = pcall(core.json.decode, text or "")
  return ok and type(record) == "table" and record.task_id or nil
end

--- Returns the folders of this run's completed steps, which must not change any more.
local function ended_steps(run)
  local list = {}
  for _, step in ipairs(run.steps) do
    if step.status ~= "running" and step.dir and step.dir ~= run.sidecar then
      list[#list + 1] = step.dir
    end
  end
  return list
end

local function note_agent(look, run)
  local root = core.file.root(run.home.agent_path)
  if not root then return end
  local before = look.before
  for _, entry in ipairs(core.file.list(root, "runs") or {}) do
    local id = entry.name
    look.pause()
    if id == run.id or core.runs.holder(run.home.handle, id) or was_driven(look, run, root, id) then
      look.live[id] = true
      if id ~= run.id then look.live[task_of(root, id) or id] = true end
    end
    note_journal(look, root, id)
    if not look.live[id] then
      for _, file in ipairs(core.file.list(root, "runs/" .. id) or {}) do
        if not busy[file.name] then
          note(look, root, "runs/" .. id .. "/" .. file.name, ".agent/")
        end
      end
    end
  end
  look.live[run.task_id] = true
  for _, entry in ipairs(core.file.list(root, "sidecars") or {}) do
    if not look.live[entry.name] then note(look, root, "sidecars/" .. entry.name, ".agent/") end
  end
  note(look, root, "tasks", ".agent/")
  look.steps = before and before.steps or ended_steps(run)
  for _, dir in ipairs(look.steps) do note(look, root, dir, ".agent/") end
  for _, entry in ipairs(core.file.list(root, ".") or {}) do
    local name = entry.name
    if not passing[name] and not name:find("^ledger%.") and not name:find("%.lock$")
        and name:sub(1, 1) ~= "." then
      look.names[".agent/" .. name] = true
    end
  end
end

--- Takes a snapshot. If `before` is given, examines the same repositories and steps as `before`.
---@param nested string[]?  repositories inside the work tree
function M.look(run, before, nested)
  local look = { files = {}, passing = {}, journals = {}, live = {}, names = {}, left = walk_cap,
    before = before, git = before and before.git, nested = before and before.nested or nested,
    pause = cooperative.new() }
  if run.home.git then note_git(look, run) end
  note_agent(look, run)
  look.before, look.pause = nil, nil
  return look
end

--- Returns the id of the run or sidecar that owns a path.
local function owner(path)
  return path:match("^%.agent/runs/([^/]+)/") or path:match("^%.agent/sidecars/([^/]+)/")
end

--- Returns the folder of the step that owns a path, or "".
local function step_of(path) return path:match("^%.agent/(sidecars/[^/]+/steps/[^/]+)/") or "" end

--- Shortens fingerprints for the journal. All files of another run's folder get one common hash.
local function condensed(files)
  local short, folders = {}, {}
  for path, state in pairs(files) do
    local folder = path:match("^%.agent/runs/[^/]+/") or path:match("^%.agent/sidecars/[^/]+/")
    if folder then
      folders[folder] = folders[folder] or {}
      table.insert(folders[folder], path .. "\0" .. state)
    else
      short[path] = core.text.sha256(state):sub(1, 16)
    end
  end
  for folder, list in pairs(folders) do
    table.sort(list)
    short[folder] = core.text.sha256(table.concat(list, "\0")):sub(1, 16)
  end
  return short
end

local function keys_of(set)
  local list = core.json.array {}
  for key in pairs(set) do list[#list + 1] = key end
  return list
end

local function set_of(list)
  local set = {}
  for _, key in ipairs(list) do set[key] = true end
  return set
end

--- Converts a snapshot to its form in the journal. Omits the folders of this run's steps, because a
--- resumed run writes them again.
function M.record(look)
  if look.condensed then return look.condensed end
  local files, own, journals, steps = core.json.array {}, {}, core.json.array {}, set_of(look.steps)
  for path, state in pairs(look.files) do
    if not steps[step_of(path)] then own[path] = state end
  end
  for path, state in pairs(condensed(own)) do
    files[#files + 1] = path
    files[#files + 1] = state
  end
  for path, seen in pairs(look.journals) do
    journals[#journals + 1] = { path, seen.size, seen.hash or core.json.null, seen.tail }
  end
  local others_git = core.json.array {}
  for path, state in pairs(look.passing) do
    table.move({ path, state }, 1, 2, #others_git + 1, others_git)
  end
  return { files = files, passing = others_git, journals = journals, live = keys_of(look.live),
    names = keys_of(look.names), git = look.git,
    nested = look.nested and core.json.array(look.nested) }
end

--- Reports whether a recorded snapshot is complete. Old versions of moonlet recorded less.
function M.is_record(kept) return type(kept.passing) == "table" end

---@param kept table  result of record()
---@return table look  snapshot in the form that between() compares
function M.of_record(kept)
  local look = { files = {}, journals = {}, live = set_of(kept.live), names = set_of(kept.names),
    git = kept.git, steps = {}, passing = {}, nested = kept.nested, condensed = kept }
  for i = 1, #(kept.passing or {}), 2 do look.passing[kept.passing[i]] = kept.passing[i + 1] end
  for i = 1, #kept.files, 2 do look.files[kept.files[i]] = kept.files[i + 1] end
  for _, item in ipairs(kept.journals) do
    look.journals[item[1]] = { size = item[2], hash = item[3] ~= core.json.null and item[3] or nil,
      tail = item[4] }
  end
  return look
end

--- Returns the paths that differ between two snapshots, relative to the top and sorted.
--- A run that was active in between may change its files, so only the old part of its journal is
--- compared. The files of this run's completed steps are always compared.
function M.between(before, after)
  local paths, files = {}, before.condensed and condensed(after.files) or after.files
  local known, steps = {}, set_of(after.steps)
  for path in pairs(before.files) do known[owner(path) or ""] = true end
  local function add(path)
    local own = owner(path)
    if own and (before.live[own] or after.live[own]) and not steps[step_of(path)] then return end
    if own and not known[own] then return end
    paths[#paths + 1] = path
  end
  for path, state in pairs(before.files) do
    if files[path] ~= state then add(path) end
  end
  for path in pairs(files) do
    if before.files[path] == nil then add(path) end
  end
  for path, seen in pairs(before.journals) do
    local now = after.journals[path]
    local own = owner(".agent/" .. path)
    local intact = now and now.hash == seen.hash and now.tail == seen.tail
    if (before.live[own] or after.live[own]) and not intact then
      paths[#paths + 1] = ".agent/" .. path
    end
  end
  for path, state in pairs(before.passing) do
    if after.passing[path] and after.passing[path] ~= state then paths[#paths + 1] = path end
  end
  for name in pairs(after.names) do
    if not before.names[name] then paths[#paths + 1] = name end
  end
  for name in pairs(before.names) do
    if not after.names[name] then paths[#paths + 1] = name end
  end
  table.sort(paths)
  return paths
end

--- Returns the error of a step that changed protected paths.
function M.error(paths)
  local shown = {}
  for i = 1, math.min(#paths, 8) do shown[i] = core.text.printable(paths[i], 120) end
  if #paths > 8 then shown[9] = ("and %d more"):format(#paths - 8) end
  return { kind = "failed", class = "outside",
    message = "the agent wrote what no agent may write: " .. table.concat(shown, ", "),
    hint = "check them before you run anything here (a hook or a setting of git starts "
      .. "programs); the agent's "
      .. "changes in "
      .. "the work tree are kept. If you or another command wrote them, start the step again" }
end

return M
