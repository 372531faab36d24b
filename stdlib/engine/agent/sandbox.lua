--- The sandbox of an agent: exactly one kernel sandbox a step, because they do not nest. It is the runner's own if
--- it brings one, else the host's. If there is neither, record, header and report say so, and a step that writes is
--- refused unless the user said --unconfined.
local temporary_dir = require "moonlet.engine.base.temporary_dir"
local record = require "moonlet.record"
local real_paths = require "moonlet.engine.workspace.real_paths"
local runners = require "moonlet.engine.load.runners"
local state_dir = require "moonlet.engine.base.state_dir"

local M = {}

---@class moonlet.Held
---@field rules table?    what core.process.run takes as `confine`
---@field text string      for people and model.json

local most_names = 8
--- Runners that start no process.
local without_process = { mock = true, cassette = true }

--- The folder for temporary files of an agent call. Its name is always the same, so that a host that adopts the
--- call finds it. It is recorded first, for a host that finds the run left by a dead one.
local function temporary_place(job)
  return temporary_dir.path(), "moonlet-" .. core.text.sha256(job.run.absolute(job.dir)):sub(1, 16)
end

local function record_of(job, name) return ("runs/%s/temporary/%s"):format(job.run.id, name) end

--- The folder of this name, wherever it may be, and its record. Whoever has taken the run over may have the agent
--- that works in it.
local function forget_one(job, name)
  if not core.run.is_ours() then return end
  local base = temporary_place(job)
  local recorded = job.run.read_artifact(record_of(job, name), 4096)
  local gone = true
  for _, folder in ipairs { base, recorded and recorded:match("^(/.*)/[^/]+%s*$") } do
    local parent = core.file.root(folder)
    if parent and not core.file.remove(parent, name) then gone = false end
  end
  -- A folder that could not be removed now is tried again at the end of the run.
  if recorded and gone then core.run.remove(record_of(job, name)) end
end

--- Removes what an attempt may have left, under this host or another one, whose TMPDIR may have been another.
---@param job moonlet.Execution
function M.forget(job)
  local _, name = temporary_place(job)
  forget_one(job, name)
end

--- The folder in it for an agent's own state.
---@param temporary string?
---@return string?
function M.scratch_of(temporary) return temporary and temporary .. "/state" end

--- The folder for temporary files of an attempt that another host has started.
---@param job moonlet.Execution
---@return string path
function M.find_temporary(job)
  local base, name = temporary_place(job)
  local recorded = job.run.read_artifact(record_of(job, name), 4096)
  return recorded and recorded:match("^(/.-)%s*$") or base .. "/" .. name
end

--- A folder for temporary files of the attempt's own: the common one may hold repositories.
---@param job moonlet.Execution
---@return string path, fun() release
function M.temporary_folder(job)
  local base, name = temporary_place(job)
  M.forget(job)
  core.run.make_dirs(("runs/%s/temporary"):format(job.run.id), true)
  for _ = 1, most_names do
    local path = base .. "/" .. name
    job.run.write_artifact(record_of(job, name), path .. "\n", true)
    local made, why = core.file.make_new(path)
    if made then return path, function() forget_one(job, name) end end
    if made == nil then error(why, 0) end
    -- Somebody else's: the name can be guessed, and what is found there would be read as the agent's settings.
    core.run.remove(record_of(job, name))
    name = "moonlet-" .. core.clock.random_hex(8)
  end
  error({ kind = "denied", message = ("no folder for temporary files can be made in %s: the names are taken"):format(
    core.text.printable(base, 200)), hint = "set TMPDIR to a folder of your own" }, 0)
end

local function existing(path)
  local folder, name = path:match("^(.*)/([^/]+)/?$")
  local root = folder and core.file.root(folder == "" and "/" or folder)
  return root ~= nil and core.file.stat(root, name) ~= nil
end

local function refuse(job, what, path, why)
  error(record.invalid(("runner %s: %s: %s %s"):format(job.runner.name, what, core.text.printable(path, 200), why),
    "a runner cannot widen what a step may write"), 0)
end

local function in_one_of(folders, path)
  for _, folder in ipairs(folders) do
    local real = real_paths.real(folder)
    if real and real_paths.holds(real, path) then return true end
  end
  return false
end

--- Checks that a runner asks for no path that the step may not write.
local function check_writable(job, made)
  local allowed = { job.run.absolute(job.dir .. "/out"), job.temporary }
  if job.sandbox == "workspace-write" then
    for _, path in ipairs(job.lease.place.writable or { job.lease.place.cwd }) do allowed[#allowed + 1] = path end
  end
  for _, path in ipairs(made.writable or {}) do
    local real = real_paths.real(path)
    if not real or not in_one_of(allowed, real) then
      refuse(job, "writable", path, job.sandbox == "read-only" and "is not for a read-only step to write"
        or "is none of the step's folders")
    end
  end
end

--- The places that no runner's own state may be, hold, or lie in.
local function kept_apart(job)
  local list = {}
  local function add(path)
    local real = path and real_paths.real(path)
    if real then list[#list + 1] = real end
  end
  add(job.run.top)
  add(job.run.home.agent_path:match("^(.+)/[^/]+$"))
  add(state_dir.path())
  local home = core.system.env "HOME"
  local config = core.system.env "XDG_CONFIG_HOME"
  if not config or config:sub(1, 1) ~= "/" then config = home and home .. "/.config" end
  add(config and config .. "/moonlet")
  return list
end

--- Raises for a folder of the runner's own state through which a step could write what it may not, also by a link.
--- `chosen`: the user may have named any path, so it may not lie in the repository or in moonlet's folders either.
local function check_state_dir(job, path, chosen)
  local real = real_paths.real(path)
  if not real then refuse(job, "state_dirs", path, "leads nowhere") end
  if in_one_of({ job.temporary, job.run.absolute(job.dir .. "/out") }, real) then return end
  local home = core.system.env "HOME"
  home = home and home:sub(1, 1) == "/" and real_paths.real(home)
  if home and real_paths.holds(real, home) then refuse(job, "state_dirs", path, "is, or holds, your home directory") end
  if chosen and not real:find("^/[^/]+/.") then
    refuse(job, "state_dirs", path, "is no folder of a program's own")
  end
  for _, apart in ipairs(kept_apart(job)) do
    if real_paths.holds(real, apart) then refuse(job, "state_dirs", path, "is, or holds, " .. apart) end
    if chosen and real_paths.holds(apart, real) then refuse(job, "state_dirs", path, "lies in " .. apart) end
  end
  local agent = real_paths.real(job.run.home.agent_path)
  if agent and real_paths.holds(agent, real) then refuse(job, "state_dirs", path, "lies in " .. agent) end
end

--- The paths of the runner's own state: its own, and those that the user's config adds.
local function state_of(job, made)
  local list = { table.unpack(made.state_dirs or {}) }
  for _, path in ipairs(list) do check_state_dir(job, path, job.runner.own) end
  for _, path in ipairs(job.config.state or {}) do
    check_state_dir(job, path, true)
    list[#list + 1] = path
  end
  return list
end

--- The paths that may be written, and those of them that are the runner's own state, which are made if they are
--- missing.
local function writable_of(job, made)
  check_writable(job, made)
  local list, state = { job.temporary }, {}
  for _, path in ipairs(made.writable or {}) do list[#list + 1] = path end
  for _, path in ipairs(state_of(job, made)) do
    local is_file = path:find("%.json$") ~= nil
    if existing(path) or not is_file and core.file.make_root(path) then
      list[#list + 1] = path
      if not real_paths.holds(job.temporary, path) then state[#state + 1] = core.text.printable(path, 200) end
    end
  end
  return list, state
end

--- True if the work tree itself can be written, and so all that lies in it.
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
  -- A runner that asks a provider of its own cannot be without: of those the runner warns.
  local offline = job.call.network == false and (job.runner.name == "command" or job.runner.own ~= nil)
  local rules = { writable = writable, network = not offline }
  if job.call.inputs then
    rules.restrict_reads = true
    rules.readable = { job.lease.place.cwd, job.run.absolute(job.dir) }
  end
  local whole = whole_tree(job, writable)
  local what = job.sandbox ~= "workspace-write" and "writes nothing but its answer"
    or whole and "writes the work tree" or "writes only to its own folders"
  if #state > 0 then what = ("%s and its own state in %s,"):format(what, table.concat(state, ", ")) end
  if offline then what = what .. ", without TCP," end
  return { rules = rules, text = ("%s: %s by the host (Landlock)%s"):format(job.sandbox, what,
    whole and "; records and git's settings are compared afterwards" or "") }
end

--- The reason why the host's sandbox confines no agent of a run; nil if it confines them.
---@param run moonlet.Run
---@return string?
function M.absence(run)
  if run.options.unconfined then return "--unconfined" end
  local support, why = core.process.confinement()
  return not support and why or nil
end

--- The same for the head of a run, before it is known which agents it asks: nil if its runner starts none, or brings
--- a sandbox of its own.
---@param run moonlet.Run
---@return string?
function M.absence_at_start(run)
  local spec = run.runner
  if without_process[spec.name] then return nil end
  local is_known, runner = pcall(runners.get, spec.name, run.config)
  return not (is_known and runner.own_sandbox) and M.absence(run) or nil
end

--- The sandbox of this attempt.
---@param job moonlet.Execution
---@param made moonlet.RunnerCommand
---@return moonlet.Held
function M.of(job, made)
  if made.sandbox == "runner" then
    return { text = ("%s: %s's own sandbox"):format(job.sandbox, job.runner.title) }
  end
  if job.confined then return host_rules(job, made) end
  if job.call.network == false then
    job.run.emit("warning", { step = job.key, text = "network = false does not hold: the agent is not confined" })
  end
  if job.confine == "none" then return { text = "none: the agent has your own rights (--unconfined)" } end
  local _, why = core.process.confinement()
  if job.sandbox == "workspace-write" then
    error({ kind = "denied", message = ("a step that writes cannot be confined here: %s"):format(why),
      hint = "say --unconfined to run it with your own rights" }, 0)
  end
  return { text = "none: the agent has your own rights: " .. why }
end

return M
