--- What an agent must leave alone that may write the whole work tree: the records of other runs, and what
--- of git's starts programs. The kernel's rules can only allow, and whoever may make a file at the top may
--- write beneath all of it: so this is looked at before and after, and a change is told by name.
local host_git = require "moonlet.internal.host_git"

local M = {}

local walk_cap = 200000
local pause_every = 200
local journal_cap = 64 << 20
--- What the host and other commands write in a run at any time.
local busy = { lock = true, ["keeper.log"] = true, ["keeper.sock"] = true, temporary = true, attempts = true }

--- Names in `.agent` that come and go.
local passing = { runs = true, sidecars = true, tasks = true, sessions = true, live = true }

local function join(folder, name) return folder == "" and name or folder .. "/" .. name end

local function fingerprint(root, path)
  local info = core.file.stat(root, path)
  if not info then return nil end
  return ("%s %d %d %d %d %o"):format(info.type, info.size, info.mtime_ns, info.ctime_ns, info.inode, info.mode)
end

--- Notes all files beneath `folder` as `prefix` names them.
local function note(look, root, folder, prefix)
  local info = core.file.stat(root, folder)
  if not info then return end
  if info.type ~= "directory" then
    look.files[prefix .. folder] = fingerprint(root, folder)
    return
  end
  local pending, folders = { folder }, 0
  while #pending > 0 do
    local at = table.remove(pending)
    folders = folders + 1
    if folders % pause_every == 0 then core.task.sleep(0) end
    for _, entry in ipairs(core.file.list(root, at) or {}) do
      local path = join(at, entry.name)
      if entry.type == "directory" then
        pending[#pending + 1] = path
      elseif look.left > 0 then
        look.left = look.left - 1
        look.files[prefix .. path] = fingerprint(root, path)
      end
    end
  end
end

--- What of a git folder names programs to start.
local function note_git_dir(look, root, folder, prefix)
  for _, name in ipairs { "hooks", "config", "config.worktree", "info/attributes" } do
    note(look, root, join(folder, name), prefix)
  end
  for _, group in ipairs { "modules", "worktrees" } do
    for _, entry in ipairs(core.file.list(root, join(folder, group)) or {}) do
      local path = join(folder, group) .. "/" .. entry.name
      if entry.type == "directory" then
        for _, name in ipairs { "hooks", "config", "config.worktree" } do
          note(look, root, path .. "/" .. name, prefix)
        end
      end
    end
  end
end

local function git_dirs(run)
  local _, _, path = host_git.dirs(run.top)
  if path then return path end
  local exit = core.process.run { step = "guarded", cwd = run.top, wall = 60000, cap = 1 << 16,
    env = host_git.environment(run),
    argv = host_git.command { "rev-parse", "--path-format=absolute", "--git-common-dir" } }
  if exit.why ~= "exited" or exit.code ~= 0 then return nil end
  return (exit.stdout:gsub("\n$", ""))
end

local function note_git(look, run)
  local top = core.file.root(run.top)
  if top and (core.file.stat(top, ".git") or {}).type ~= "directory" then note(look, top, ".git", "") end
  look.git = look.git or git_dirs(run)
  local root = look.git and core.file.root(look.git)
  if root then note_git_dir(look, root, "", ".git/") end
end

--- The beginning of a journal, which only grows: nil when it is too long to be looked at.
local function beginning(root, path, size)
  if size > journal_cap then return nil end
  local text = core.file.read(root, path, size)
  return text and core.text.sha256(text)
end

local function note_journal(look, root, id)
  local path = "runs/" .. id .. "/steps.jsonl"
  local known = look.before and look.before.journals[path]
  local info = core.file.stat(root, path)
  local size = known and known.size or info and info.size
  if info and size then look.journals[path] = { size = size, hash = beginning(root, path, size) } end
end

local function task_of(root, id)
  local text = core.file.read(root, "runs/" .. id .. "/run.json", 16 << 20)
  local ok, record = pcall(core.json.decode, text or "")
  return ok and type(record) == "table" and record.task_id or nil
end

--- The folders of this run's own steps that have ended: nobody writes them any more.
local function ended_steps(run)
  local list = {}
  for _, step in ipairs(run.steps) do
    if step.status ~= "running" and step.dir and step.dir ~= run.sidecar then list[#list + 1] = step.dir end
  end
  return list
end

local function note_agent(look, run)
  local root = core.file.root(run.home.agent_path)
  if not root then return end
  local before = look.before
  for _, entry in ipairs(core.file.list(root, "runs") or {}) do
    local id = entry.name
    if id == run.id or core.runs.holder(run.home.handle, id) then
      look.live[id] = true
      if id ~= run.id then look.live[task_of(root, id) or id] = true end
    end
    note_journal(look, root, id)
    if not look.live[id] then
      for _, file in ipairs(core.file.list(root, "runs/" .. id) or {}) do
        if not busy[file.name] then note(look, root, "runs/" .. id .. "/" .. file.name, ".agent/") end
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
    if not passing[name] and not name:find("^ledger%.") and not name:find("%.lock$") and name:sub(1, 1) ~= "." then
      look.names[".agent/" .. name] = true
    end
  end
end

--- Looks at all of it; with an earlier look, at what that one saw.
---@param run table
---@param before table?
---@return table look
function M.look(run, before)
  local look = { files = {}, journals = {}, live = {}, names = {}, left = walk_cap, before = before,
    git = before and before.git }
  if run.home.git then note_git(look, run) end
  note_agent(look, run)
  look.before = nil
  return look
end

--- The run, or the sidecar, that a path belongs to.
local function owner(path) return path:match("^%.agent/runs/([^/]+)/") or path:match("^%.agent/sidecars/([^/]+)/") end

--- The files by a short hash each, those of another run or sidecar by one for its folder.
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

--- A look as a JSON value, whose texts may be any bytes, for the journal: not larger than it must be. Of this run's own
--- steps it has none, for a host that goes on writes some of their files anew.
---@param look table
---@return table
function M.record(look)
  if look.condensed then return look.condensed end
  local files, own, journals = core.json.array {}, {}, core.json.array {}
  for path, state in pairs(look.files) do
    local is_own = false
    for _, dir in ipairs(look.steps) do is_own = is_own or path:sub(1, #dir + 8) == ".agent/" .. dir .. "/" end
    if not is_own then own[path] = state end
  end
  for path, state in pairs(condensed(own)) do
    files[#files + 1] = path
    files[#files + 1] = state
  end
  for path, seen in pairs(look.journals) do
    if look.live[owner(".agent/" .. path)] then journals[#journals + 1] = { path, seen.size, seen.hash } end
  end
  return { files = files, journals = journals, live = keys_of(look.live), names = keys_of(look.names), git = look.git }
end

---@param kept table  as record() gave it
---@return table look  to compare with
function M.of_record(kept)
  local look = { files = {}, journals = {}, live = set_of(kept.live), names = set_of(kept.names), git = kept.git,
    steps = {}, condensed = kept }
  for i = 1, #kept.files, 2 do look.files[kept.files[i]] = kept.files[i + 1] end
  for _, item in ipairs(kept.journals) do look.journals[item[1]] = { size = item[2], hash = item[3] } end
  return look
end

--- What differs between two looks: paths relative to the top, sorted. What began or went on meanwhile is
--- another command's, and is passed over, but for the part of a journal that was there before.
---@param before table
---@param after table
---@return string[]
function M.between(before, after)
  local paths, files = {}, before.condensed and condensed(after.files) or after.files
  local known = {}
  for path in pairs(before.files) do known[owner(path) or ""] = true end
  local function add(path)
    local own = owner(path)
    local step = path:find("^%.agent/sidecars/[^/]+/steps/") ~= nil
    if own and (before.live[own] or after.live[own]) and not step then return end
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
    if (before.live[own] or after.live[own]) and (not now or now.hash ~= seen.hash) then
      paths[#paths + 1] = ".agent/" .. path
    end
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

--- What was touched, as the error of the step.
---@param paths string[]
---@return table
function M.error(paths)
  local shown = {}
  for i = 1, math.min(#paths, 8) do shown[i] = core.text.printable(paths[i], 120) end
  if #paths > 8 then shown[9] = ("and %d more"):format(#paths - 8) end
  return { kind = "failed", class = "outside",
    message = "the agent wrote what no agent may write: " .. table.concat(shown, ", "),
    hint = "look at them before you run anything here (a hook or a setting of git starts programs); what it changed in "
      .. "the work tree is still there. If it was you, or another command meanwhile, start the step again" }
end

return M
