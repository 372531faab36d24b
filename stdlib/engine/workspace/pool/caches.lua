--- Keeps folders such as node_modules in pooled worktrees if the user's config names them.
--- If a worktree lacks these folders, a set-up program from the config fills them.
--- The host's list of a worktree's files omits the kept folders, so no merge contains them.
--- The kept folders are removed if a lock file such as package-lock.json changes.
local host_git = require "moonlet.engine.workspace.git"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local per_run = require "moonlet.engine.base.per_run"
local real_paths = require "moonlet.engine.workspace.real_paths"
local restore = require "moonlet.engine.workspace.pool.restore"
local scratch_index = require "moonlet.engine.workspace.scratch_index"

local M = {}

local setup_ms = 30 * 60 * 1000
local shown_bytes = 300

---@class moonlet.WorktreeConfig
---@field keep string[]?    folders that stay in a pooled worktree
---@field setup string[]?   program that fills the kept folders, with its arguments
---@field state string[]?   further folders that the program may write
---@field network boolean?  the program may use the network

local config_of = per_run(function() return { is_known = false, config = nil } end)

--- Returns the config's settings for worktrees of this run's repository, or nil.
--- The config file lists repositories by the path of their main work tree.
---@return moonlet.WorktreeConfig?
local function of(run)
  local cache = config_of(run)
  if cache.is_known then return cache.config end
  local common = select(3, host_git.dirs(run.top))
  local main = common and core.system.real_path((common:gsub("/%.git/?$", "")))
  for path, entry in pairs(run.config and run.config.repositories or {}) do
    if main and core.system.real_path(path) == main then cache.config = entry.worktree end
  end
  cache.is_known = true
  return cache.config
end

--- Returns the folders that the config says to keep. Leaves out a folder, with a warning, if the
--- worktree's initial files include it.
---@param run table
---@param key string
---@param tree moonlet.Worktree
---@param beginning moonlet.Beginning
---@return string[]
function M.wanted(run, key, tree, beginning)
  local config = of(run)
  local keep = config and config.keep or {}
  if #keep == 0 then return {} end
  local exit = scratch_index.git(run, key, run.top,
    { "ls-tree", "-z", "--name-only", beginning.tree, "--",
    table.unpack(keep) }, { env = { GIT_DIR = tree.raw.path, GIT_LITERAL_PATHSPECS = "1" } })
  local taken, list = {}, {}
  for path in exit.stdout:gmatch "([^%z]+)%z" do taken[path] = true end
  for _, path in ipairs(keep) do
    if taken[path] then
      run.emit("warning",
        { step = key, text = ("%s is not kept in the worktree: files in it are tracked, or "
        .. "not ignored"):format(core.text.printable(path, 100)) })
    else
      list[#list + 1] = path
    end
  end
  return list
end

--- Returns the folders that the set-up program may write.
--- Raises an error if one of them contains the repository, the home folder or moonlet's files.
local function writable_of(run, tree, temporary, config)
  local list, home = { tree.path, temporary }, core.system.env "HOME"
  for _, path in ipairs(config.state or {}) do
    local root, err = core.file.make_root(path)
    local real = root and real_paths.real(path)
    if not real then error(err, 0) end
    for _, apart in pairs { run.top, run.home.agent_path, core.system.state_dir(), home } do
      if real_paths.holds(real, real_paths.real(apart) or apart) then
        error({ kind = "invalid", message = ("state: %s is, or holds, %s"):format(path, apart) }, 0)
      end
    end
    for _, closed in pairs { run.home.agent_path, core.system.state_dir(), tree.common } do
      if real_paths.holds(real_paths.real(closed) or closed, real) then
        error({ kind = "invalid", message = ("state: %s lies in %s"):format(path, closed) }, 0)
      end
    end
    list[#list + 1] = real
  end
  return list
end

--- Runs the set-up program in the worktree, confined like an agent that may write.
local function run_setup(run, key, tree, config)
  -- If this host is killed, a later sweep removes the folder, because its name is `trash-…`.
  local temporary = ("%s/trash-%s"):format(tree.path:match "^(.*)/", core.clock.random_hex(6))
  core.file.make_root(temporary)
  local rules = not run.options.unconfined
    and { writable = writable_of(run, tree, temporary, config), network = config.network == true }
      or nil
  local exit = infrastructure_error.run_child { step = key .. "/setup", argv = config.setup,
    cwd = tree.path, env = run.child_environment { TMPDIR = temporary, GIT_INDEX_FILE = false },
    wall_ms = setup_ms, cap = 1 << 20, confine = rules }
  core.file.remove(core.file.root((tree.path:match "^(.*)/")), (temporary:match "[^/]+$"))
  if exit.why == "exited" and exit.code == 0 then return end
  if exit.error then error(exit.error, 0) end
  local said = (exit.stderr ~= "" and exit.stderr or exit.stdout):gsub("%s+$", "")
  error({ kind = "failed",
    message = ("%s (%s)"):format(core.text.printable(said:sub(-shown_bytes), shown_bytes),
    exit.why == "exited" and "exit code " .. exit.code or exit.why) }, 0)
end

--- Prepares the kept folders of a worktree for an agent, and lists them in `tree.kept`.
---@param run table
---@param key string
---@param dir string      folder of the step, below `.agent`
---@param tree moonlet.Worktree
function M.prepare(run, key, dir, tree)
  local config, keep = of(run), restore.kept(tree.raw)
  local root = core.file.root(tree.path)
  if config and config.setup and keep[1] and not restore.is_ready(tree.path, tree.raw,
      config.setup) then
    run.emit("log",
      { step = key, text = "sets the worktree up: " .. table.concat(config.setup, " ") })
    restore.drop_kept(tree.path, tree.raw)
    local ok, err = pcall(run_setup, run, key, tree, config)
    -- Remove the files that the set-up wrote outside of the kept folders. Otherwise they would
    -- count as changes of the agent.
    if ok then ok, err = pcall(restore.clean, run, key, dir, tree.path, tree.raw) end
    if ok then
      restore.set_ready(tree.path, tree.raw, config.setup)
    else
      local cancelled = core.task.pending_error()
      if cancelled then error(cancelled, 0) end
      restore.drop_kept(tree.path, tree.raw)
      run.emit("warning",
        { step = key, text = "the set-up of the worktree failed, and the agent begins without it: "
        .. tostring(type(err) == "table" and err.message or err) })
    end
  end
  tree.kept = {}
  for _, path in ipairs(keep) do
    if root and core.file.stat(root, path) then table.insert(tree.kept, path) end
  end
end

return M
