--- Selects the kernel sandbox of an agent: the runner's own, or else the host's.
--- Sandboxes cannot be nested, so a step uses only one.
--- Without a sandbox, the record and the report say so, and a writing step needs --unconfined.
local temporary_dir = require "moonlet.engine.base.temporary_dir"
local record = require "moonlet.record"
local config = require "moonlet.engine.load.config"
local real_paths = require "moonlet.engine.workspace.real_paths"
local runners = require "moonlet.engine.load.runners"

local M = {}

---@class moonlet.Held
---@field rules table?    value for `confine` of core.process.run
---@field text string      description for people and model.json

local most_names = 8
--- The runners `mock` and `cassette` start no process.
local without_process = { mock = true, cassette = true }

--- Returns the parent and the name of an agent's temporary folder. The name is deterministic, so
--- that a host that adopts the call finds the folder.
local function temporary_place(job)
  return temporary_dir.path(), "moonlet-" .. core.text.sha256(job.run.absolute(job.dir)):sub(1, 16)
end

local function record_of(job, name) return ("runs/%s/temporary/%s"):format(job.run.id, name) end

--- Removes the temporary folder of an earlier attempt, even if TMPDIR has changed since. Does nothing
--- if another host drives the run now.
---@param name string?  name of the folder, if it is not the usual one
function M.forget(job, name)
  if not core.run.is_ours() then return end
  local base, usual = temporary_place(job)
  name = name or usual
  local recorded = job.run.read_artifact(record_of(job, name), 4096)
  local gone = true
  for _, folder in ipairs { base, recorded and recorded:match("^(/.*)/[^/]+%s*$") } do
    local parent = core.file.root(folder)
    if parent and not core.file.remove(parent, name) then gone = false end
  end
  -- If the folder could not be removed, keep the record, so that the end of the run tries again.
  if recorded and gone then core.run.remove(record_of(job, name)) end
end

--- Returns the folder for the agent's own state, which is inside the agent's temporary folder.
function M.scratch_of(temporary) return temporary and temporary .. "/state" end

--- Returns the temporary folder of an attempt that an earlier host started.
function M.find_temporary(job)
  local base, name = temporary_place(job)
  local recorded = job.run.read_artifact(record_of(job, name), 4096)
  return recorded and recorded:match("^(/.-)%s*$") or base .. "/" .. name
end

--- Creates a private temporary folder, because the system's temporary folder may contain
--- repositories. Returns the folder's path and a function that removes the folder.
function M.temporary_folder(job)
  local base, name = temporary_place(job)
  M.forget(job)
  core.run.make_dirs(("runs/%s/temporary"):format(job.run.id), true)
  for _ = 1, most_names do
    local path = base .. "/" .. name
    job.run.write_artifact(record_of(job, name), path .. "\n", true)
    local made, why = core.file.make_new(path)
    if made then return path, function() M.forget(job, name) end end
    if made == nil then error(why, 0) end
    -- Another user's folder of this name could plant settings for the agent, so use a random name.
    core.run.remove(record_of(job, name))
    name = "moonlet-" .. core.clock.random_hex(8)
  end
  error({ kind = "denied",
    message = ("no folder for temporary files can be made in %s: the names are taken"):format(
    core.text.printable(base, 200)), hint = "set TMPDIR to a folder of your own" }, 0)
end

local function existing(path)
  local folder, name = path:match("^(.*)/([^/]+)/?$")
  local root = folder and core.file.root(folder == "" and "/" or folder)
  return root ~= nil and core.file.stat(root, name) ~= nil
end

local function refuse(job, what, path, why)
  record.refuse(("runner %s: %s: %s %s"):format(job.runner.name, what,
    core.text.printable(path, 200), why), "a runner cannot widen what a step may write")
end

local function in_one_of(folders, path)
  for _, folder in ipairs(folders) do
    local real = real_paths.real(folder)
    if real and real_paths.holds(real, path) then return true end
  end
  return false
end

--- Rejects a command of a runner that asks for writable paths outside of the step's folders.
local function check_writable(job, made)
  local allowed = { job.run.absolute(job.dir .. "/out"), job.temporary }
  if job.sandbox == "workspace-write" then
    for _, path in ipairs(job.lease.place.writable or { job.lease.place.cwd }) do
      allowed[#allowed + 1] = path
    end
  end
  for _, path in ipairs(made.writable or {}) do
    local real = real_paths.real(path)
    if not real or not in_one_of(allowed, real) then
      refuse(job, "writable", path,
        job.sandbox == "read-only" and "may not be written by a read-only step"
        or "is not one of the step's folders")
    end
  end
end

--- Returns the folders that a runner's own state must not overlap.
local function kept_apart(job)
  local list = {}
  local function add(path)
    local real = path and real_paths.real(path)
    if real then list[#list + 1] = real end
  end
  add(job.run.top)
  add(job.run.home.agent_path:match("^(.+)/[^/]+$"))
  add(core.system.state_dir())
  local user_config = config.user_path()
  add(user_config and user_config:match("^(.*)/[^/]+$"))
  return list
end

--- Rejects a runner's state folder if a step could write protected folders through it.
--- A path `chosen` by the user must be outside of the repository and of moonlet's folders.
local function check_state_dir(job, path, chosen)
  local real = real_paths.real(path)
  if not real then refuse(job, "state_dirs", path, "leads nowhere") end
  if in_one_of({ job.temporary, job.run.absolute(job.dir .. "/out") }, real) then return end
  local home = core.system.env "HOME"
  home = home and home:sub(1, 1) == "/" and real_paths.real(home)
  if home and real_paths.holds(real, home) then
    refuse(job, "state_dirs", path, "is, or holds, your home directory")
  end
  if chosen and not real:find("^/[^/]+/.") then
    refuse(job, "state_dirs", path, "is not a folder that belongs to the program")
  end
  for _, apart in ipairs(kept_apart(job)) do
    if real_paths.holds(real, apart) then
      refuse(job, "state_dirs", path, "is, or holds, " .. apart)
    end
    if chosen and real_paths.holds(apart, real) then
      refuse(job, "state_dirs", path, "lies in " .. apart)
    end
  end
  local agent = real_paths.real(job.run.home.agent_path)
  if agent and real_paths.holds(agent, real) then
    refuse(job, "state_dirs", path, "lies in " .. agent)
  end
end

--- Returns the paths of the runner's own state, including paths that the user's config adds.
local function state_of(job, made)
  local list = { table.unpack(made.state_dirs or {}) }
  for _, path in ipairs(list) do check_state_dir(job, path, job.runner.own) end
  for _, path in ipairs(job.config.state or {}) do
    check_state_dir(job, path, true)
    list[#list + 1] = path
  end
  return list
end

--- Creates missing state folders. Returns the writable paths. Also returns the state paths outside
--- of the temporary folder as printable texts, for the description of the sandbox.
local function writable_of(job, made)
  check_writable(job, made)
  local list, state = { job.temporary }, {}
  for _, path in ipairs(made.writable or {}) do list[#list + 1] = path end
  for _, path in ipairs(state_of(job, made)) do
    local is_file = path:find("%.json$") ~= nil
    if existing(path) or not is_file and core.file.make_root(path) then
      list[#list + 1] = path
      if not real_paths.holds(job.temporary, path) then
        state[#state + 1] = core.text.printable(path, 200)
      end
    end
  end
  return list, state
end

local function whole_tree(job, writable)
  local top = core.system.real_path(job.run.top)
  for _, path in ipairs(writable) do
    local real = real_paths.real(path)
    if top and real and real_paths.holds(real, top) then return true end
  end
  return false
end

local function host_rules(job, made)
  local writable, state = writable_of(job, made)
  -- A built-in runner needs the network to reach its provider.
  local offline = job.call.network == false
    and (job.runner.name == "command" or job.runner.own ~= nil)
  local rules = { writable = writable, network = not offline }
  if job.call.inputs then
    rules.restrict_reads = true
    rules.readable = { job.lease.place.cwd, job.run.absolute(job.dir) }
  end
  local whole = whole_tree(job, writable)
  local what = job.sandbox ~= "workspace-write" and "writes nothing but its answer"
    or whole and "writes the work tree" or "writes only to its own folders"
  if #state > 0 then
    what = ("%s and its own state in %s,"):format(what, table.concat(state, ", "))
  end
  if offline then what = what .. ", without TCP," end
  return { rules = rules, text = ("%s: %s by the host (Landlock)%s"):format(job.sandbox, what,
    whole and "; records and git's settings are compared afterwards" or "") }
end

--- Returns the reason why a run does not use the host's sandbox, or nil if it does.
function M.absence(run)
  if run.options.unconfined then return "--unconfined" end
  local support, why = core.process.confinement()
  return not support and why or nil
end

--- Returns the reason why a run has no sandbox, or nil if it has one or starts no process.
function M.absence_at_start(run)
  local spec = run.runner
  if without_process[spec.name] then return nil end
  local is_known, runner = pcall(runners.get, spec.name, run.config)
  return not (is_known and runner.own_sandbox) and M.absence(run) or nil
end

---@param made moonlet.RunnerCommand
---@return moonlet.Held
function M.of(job, made)
  if made.sandbox == "runner" then
    return { text = ("%s: %s's own sandbox"):format(job.sandbox, job.runner.title) }
  end
  if job.confined then return host_rules(job, made) end
  if job.call.network == false then
    job.run.emit("warning",
      { step = job.key, text = "network = false does not hold: the agent is not confined" })
  end
  if job.confine == "none" then
    return { text = "none: the agent has your own rights (--unconfined)" }
  end
  local _, why = core.process.confinement()
  if job.sandbox == "workspace-write" then
    error({ kind = "denied",
      message = ("a step that writes cannot be confined here: %s"):format(why),
      hint = "pass --unconfined to run it with your own rights" }, 0)
  end
  return { text = "none: the agent has your own rights: " .. why }
end

return M
