--- Starts a session: creates its folder, its record and its keeper.
local redact_argv = require "moonlet.engine.agent.redact_argv"
local lock_file = require "moonlet.engine.base.lock_file"
local grammars = require "moonlet.engine.session.grammars"
local record = require "moonlet.record"
local removed = require "moonlet.engine.base.removed"
local store = require "moonlet.engine.session.store"

local M = {}

local default_rows, default_cols = 40, 120
local default_grace_ms, label_cap = 5000, 200

---@class moonlet.SessionStart
---@field argv string[]
---@field name string?
---@field cwd string?
---@field agent string?
---@field rows integer?
---@field cols integer?
---@field limit integer?     ms
---@field idle integer?      ms
---@field grace integer?     ms
---@field log_cap integer?   bytes
---@field env string[]?      NAME=value; default: the user's environment
---@field confine (fun(temporary: string): table?)?  returns sandbox rules for a temporary folder
---@field parent string?
---@field run string?
---@field step string?

local function environment(id)
  local list = {}
  for name, value in pairs(core.system.env_matching "") do
    if name ~= "COLUMNS" and name ~= "LINES" and name ~= "TERM" and name ~= "MOONLET_SESSION" then
      list[#list + 1] = name .. "=" .. value
    end
  end
  list[#list + 1] = "TERM=xterm-256color"
  list[#list + 1] = "MOONLET_SESSION=" .. id
  table.sort(list)
  return list
end

local function check_name(home, name)
  core.run.check_id(name, "the name of the session")
  if name:find "^S%-%d+$" or name:find "^%d+$" or name == "last" then
    record.refuse(("'%s' has the form of a session's id"):format(name), "choose another name")
  end
  for _, id in ipairs(core.session.list(home.handle)) do
    if store.read(home, id).name == name and core.session.status(home.handle, id) == "running" then
      record.refuse(("the session %s has the name '%s' already"):format(id, name),
        "choose another name")
    end
  end
end

local function folder_of(cwd)
  local here = core.system.cwd()
  if cwd == "" then record.refuse("--cwd is empty", "name a folder, or leave it out") end
  return not cwd and here or cwd:sub(1, 1) == "/" and cwd or here .. "/" .. cwd
end

local function start(home, wanted)
  if wanted.argv[1] == "" then record.refuse("the command is empty", "name a program to run") end
  if wanted.name then check_name(home, wanted.name) end
  if wanted.agent and not grammars.named(wanted.agent) then
    record.refuse(("there is no agent '%s'"):format(core.text.printable(wanted.agent, 40)),
      record.suggest(wanted.agent, grammars.names()))
  end
  local id = core.session.make(home.handle)
  local rows, cols = wanted.rows or default_rows, wanted.cols or default_cols
  local rec = {
    v = 1, id = id, name = wanted.name, argv = core.json.array(redact_argv.masked(wanted.argv)),
    cwd = folder_of(wanted.cwd),
    agent = wanted.agent or grammars.of(wanted.argv),
    started_at = core.clock.iso(core.clock.wall()), rows = rows,
    cols = cols, limit_ms = wanted.limit, idle_ms = wanted.idle, parent = wanted.parent,
    run = wanted.run, step = wanted.step,
  }
  store.write(home, rec)
  local env, rules = wanted.env or environment(id), nil
  if wanted.confine then
    local temporary = home.agent_path .. "/" .. store.path(id, "tmp")
    assert(core.file.make_root(temporary))
    rules = wanted.confine(temporary)
    env[#env + 1] = "TMPDIR=" .. temporary
  end
  local warning = removed.warning()
  if warning then
    core.system.print(2, ("moonlet: %s\n"):format(core.text.printable(warning, 400)))
  end
  local pid, err = core.session.start(home.handle, id, {
    label = core.text.printable(table.concat(rec.argv, " "), label_cap),
    argv = wanted.argv, env = env, cwd = rec.cwd, rows = rows, cols = cols, redact = true,
    wall_ms = wanted.limit, idle_ms = wanted.idle, grace_ms = wanted.grace or default_grace_ms,
    log_cap = wanted.log_cap, confine = rules,
  })
  if not pid then
    -- No program has run, so delete the folder. Its number can then be used again.
    core.file.remove(store.root(home), store.path(id))
    error(err, 0)
  end
  store.note(home, id, { type = "started", pid = pid })
  rec.pid = pid
  return rec
end

--- Starts the program and returns the record. A failure leaves no folder.
function M.start(home, wanted)
  if not wanted.name then return start(home, wanted) end
  core.run.make_home(home.handle)
  return lock_file.during(store.root(home), "sessions.lock", function()
    return start(home, wanted)
  end)
end

return M
