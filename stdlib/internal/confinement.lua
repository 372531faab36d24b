--- What holds an agent: exactly one kernel sandbox a step, because they do not nest. The runner's own
--- where it brings one, else the host's; where there is neither, the record says so, and a step that
--- writes is refused unless the user said --unconfined.
local M = {}

---@class moonlet.Held
---@field rules table?    what core.process.run takes as `confine`
---@field text string      for people and model.json

--- Where the temporary files of an agent call go: its name is always the same, so that whoever takes
--- the call over finds it.
local function temporary_place(job)
  local base = core.system.env "TMPDIR" or ""
  if base:sub(1, 1) ~= "/" then base = "/tmp" end
  return base, "moonlet-" .. core.text.sha256(job.run.absolute(job.dir)):sub(1, 16)
end

--- Removes what an attempt under another host may have left.
---@param job moonlet.Job
function M.forget(job)
  local base, name = temporary_place(job)
  local parent = core.file.root(base)
  if parent then core.file.remove(parent, name) end
end

--- A folder for temporary files of the attempt's own: the common one may hold repositories.
---@param job moonlet.Job
---@return string path, fun() release
function M.temporary_folder(job)
  local base, name = temporary_place(job)
  local parent, err = core.file.make_root(base)
  if not parent then error(err, 0) end
  core.file.remove(parent, name)
  local made, why = core.file.make_root(base .. "/" .. name)
  if not made then error(why, 0) end
  return base .. "/" .. name, function() core.file.remove(parent, name) end
end

local function existing(path)
  local folder, name = path:match("^(.*)/([^/]+)/?$")
  local root = folder and core.file.root(folder == "" and "/" or folder)
  return root ~= nil and core.file.stat(root, name) ~= nil
end

--- What may be written: the runner's own state is made where it is not there yet.
local function writable_of(made, temporary)
  local list = { temporary }
  for _, path in ipairs(made.writable or {}) do list[#list + 1] = path end
  for _, path in ipairs(made.state_dirs or {}) do
    local is_file = path:find("%.json$") ~= nil
    if existing(path) or not is_file and core.file.make_root(path) then list[#list + 1] = path end
  end
  return list
end

local function host_rules(job, made)
  local rules = { writable = writable_of(made, job.temporary), network = true }
  if job.call.inputs then
    rules.restrict_reads = true
    rules.readable = { job.cwd, job.run.absolute(job.dir) }
  end
  local what = job.sandbox == "workspace-write" and "writes only to its own folders" or "writes nothing but its answer"
  return { rules = rules,
    text = ("%s: %s by the host (Landlock)"):format(job.sandbox, what) }
end

--- What holds this attempt.
---@param job moonlet.Job
---@param made moonlet.RunnerCommand
---@return moonlet.Held
function M.of(job, made)
  if made.sandbox == "runner" then
    return { text = ("%s: %s's own sandbox"):format(job.sandbox, job.runner.title) }
  end
  if job.confine == "none" then
    return { text = "none: the program has the rights of the user" }
  end
  local support, why = core.process.confinement()
  if support then return host_rules(job, made) end
  if job.sandbox == "workspace-write" and not job.run.options.unconfined then
    error({ kind = "denied", message = ("a step that writes cannot be confined here: %s"):format(why),
      hint = "say --unconfined to run it with your own rights" }, 0)
  end
  job.run.emit("warning", { step = job.step.key, text = "the agent is not confined: " .. why })
  return { text = "none: " .. why }
end

return M
