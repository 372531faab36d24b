--- The locks that all runs of a repository share: of whoever writes the work tree, an agent in place, for as long
--- as it works, or a merge; and of whoever makes or removes a worktree, at which git itself looks at all the others.
local M = {}

local short_ms, long_ms = 20, 200
local told_after = 50 -- tries: a merge is soon over

local id_cap = 100
--- The holds that this process works within, outermost first: those of the agents in place that have started it.
local variable = "MOONLET_WRITER"

local function around() return core.system.env(variable) or "" end

local function is_around(id) return id ~= "" and (":" .. around() .. ":"):find(":" .. id .. ":", 1, true) ~= nil end

local function take(root, name, id)
  local held, err = core.file.lock(root, name, 0, id)
  if held then return function() core.file.unlock(held) end end
  -- An agent that has the work tree may let others write there, whom it starts: one at a time again.
  local outer = core.file.read(root, name, id_cap)
  if not outer or not is_around(outer) then return nil, err end
  return take(root, ("writer-%s.lock"):format(outer), id)
end

local function hold(run, key, name, what, id)
  local root, err = core.file.root(run.home.agent_path)
  if not root then error(err, 0) end
  local tries = 0
  while true do
    local release = take(root, name, id)
    if release then return release, root end
    tries = tries + 1
    if tries == told_after then
      run.emit("log", { step = key, text = what })
    end
    core.task.sleep(tries < told_after and short_ms or long_ms)
  end
end

local waits = "waits for another agent that writes in place"

--- Takes the work tree; waits while another has it. Gives the function that lets go of it.
---@param run table
---@param key string
---@return fun()
function M.hold(run, key) return (hold(run, key, "writer.lock", waits, "")) end

--- Takes it for an agent that works in place. What that agent starts finds by the environment that this gives too
--- that it need not wait for it.
---@param run table
---@param key string
---@return fun() release, table<string, string> env
function M.hold_for_agent(run, key)
  -- The same for a host that goes on: the agent may have outlived the one that started it.
  local id = core.text.sha256(run.home.agent_path .. "\0" .. run.id .. "\0" .. key):sub(1, 16)
  local release, root = hold(run, key, "writer.lock", waits, id)
  local outer = around()
  return function()
    core.file.remove(root, ("writer-%s.lock"):format(id))
    release()
  end, { [variable] = outer == "" and id or outer .. ":" .. id }
end

--- Calls fn(…) while nobody else makes or removes a worktree.
---@param run table
---@param key string
---@param fn function
function M.with_worktrees(run, key, fn, ...)
  local release = hold(run, key, "worktrees.lock", "waits for another run that makes a worktree", "")
  local ok, err = pcall(fn, ...)
  release()
  if not ok then error(err, 0) end
end

return M
