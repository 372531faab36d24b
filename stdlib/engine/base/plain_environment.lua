--- Lists the variables that every child of a run gets from the user's environment.
local M = {}

M.names = {
  "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM",
  "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
  "MOONLET_WORKER",  -- tells the commands of a worker that they may not start agents
  "GIT_INDEX_FILE",  -- in hooks of `git commit -a`, names the index that is committed
}

--- Lists further variables, which the user's own ssh and Slurm need.
local also = { "SSH_AUTH_SOCK", "SLURM_CONF" }

--- Returns the user's values of the variables in `names` and of all variables that start with LC_.
---@return table<string, string>
function M.map()
  local env = {}
  for name, value in pairs(core.system.env_matching "^LC_") do env[name] = value end
  for _, name in ipairs(M.names) do env[name] = core.system.env(name) end
  return env
end

--- Returns the environment of ssh, sbatch and similar programs as a list.
---@return string[]
function M.list()
  local list, env = {}, M.map()
  for _, name in ipairs(also) do env[name] = core.system.env(name) end
  for name, value in pairs(env) do list[#list + 1] = name .. "=" .. value end
  table.sort(list)
  return list
end

return M
