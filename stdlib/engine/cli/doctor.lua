--- `moonlet doctor` checks whether presets can run on this machine and in this repository, and suggests
--- remedies.
local circuit_breaker = require "moonlet.engine.agent.circuit_breaker"
local config_module = require "moonlet.engine.load.config"
local duration = require "moonlet.duration"
local repository = require "moonlet.engine.run.repository"
local options = require "moonlet.engine.cli.options"
local runner_names = require "moonlet.engine.runner.names"
local shared = require "moonlet.engine.runner.shared"
local runners = require "moonlet.engine.load.runners"
local loader = require "moonlet.engine.load.loader"
local worktree = require "moonlet.engine.workspace.worktree"
local verbs = require "moonlet.engine.cli.verbs"
local page = require "moonlet.engine.base.page"
local consent = require "moonlet.engine.effects.consent"

local M = {}

M.known = options.with_common {
  repo = { value = "DIR", help = "the repository or folder to check (default: here)" },
  on = { value = "MACHINE", help = "check a machine of the config: ssh:NAME or slurm" },
}

local function collect()
  local checks = { healthy = true, agents = {}, offline = {} }
  function checks.add(name, state, text, hint)
    checks[#checks + 1] = { name = name, state = state, text = text, hint = hint }
    if state == "bad" then checks.healthy = false end
  end
  return checks
end

local function check_home(checks, folder)
  local ok, home = pcall(core.run.home, folder)
  if not ok then
    checks.add("repository", "bad", home.message, home.hint)
    return nil
  end
  checks.add("repository", "ok",
    home.git and "git work tree " .. home.top or home.top .. " (not a git repository)")
  local writable, why = core.system.is_writable(home.agent_path)
  checks.add("artifacts", writable and "ok" or "bad", writable and home.agent_path or why,
    not writable and "name a writable place with --repo" or nil)
  return home
end

-- Lists what a Landlock sandbox confines, by the Landlock version that added it.
local enforced = { "writes", "moves", "truncation", "TCP", "devices", "signals" }

local function check_confinement(checks)
  local support, why = core.process.confinement()
  if support then
    local parts = table.move(enforced, 1, math.min(support.abi, #enforced), 1, {})
    checks.add("sandbox", "ok", ("Landlock %d: %s"):format(support.abi, table.concat(parts, ", ")))
  else
    checks.add("sandbox", "none", why,
      "agents without a sandbox of their own cannot be confined here")
  end
end

local function check_processes(checks)
  if core.process.sees_processes() then
    checks.add("processes", "ok", "every process that an agent starts can be found and ended")
  else
    checks.add("processes", "bad",
      "/proc cannot be read: a process that leaves the session of its agent outlives it",
      "mount /proc")
  end
end

--- Finds the version of a program without starting it, from its package or its folder's name.
local function version_of(name, path)
  local real = core.system.real_path(path) or path
  local folder = shared.parent(real)
  for _ = 1, 5 do
    local root = folder and core.file.root(folder)
    local text = root and core.file.read(root, "package.json", 1 << 16)
    local ok, package = pcall(core.json.decode, text or "")
    local brings = ok and type(package) == "table" and type(package.version) == "string"
      and package.bin
    if type(brings) == "string" or type(brings) == "table" and brings[name] then
      return core.text.printable(package.version, 40)
    end
    folder = folder and shared.parent(folder)
  end
  return real:match("%f[%d]%d+%.%d+%.%d+%f[^%w.]") or "version unknown"
end

--- Returns the name of the variable or the path of the file with an agent's credential, or nil.
local function login_of(runner, config)
  for _, name in ipairs(shared.secret_names(runner.secrets or {}, config.env)) do
    if shared.has(config, name) then return name end
  end
  for _, path in ipairs(runner.login_files(config)) do
    if core.system.real_path(path) then return path end
  end
end

local function check_agent(checks, name, path, config)
  local runner, entry = runners.get(name, config)
  table.insert(checks.agents, name)
  if not runner.login_files then return checks.add(name, "ok", path) end
  local login = login_of(runner, entry)
  checks.add(name, "ok", ("%s at %s, %s"):format(version_of(name, path), path,
    login and "logs in with " .. login or "no login was found"),
    not login and ("log in with %s itself, or set its key"):format(name) or nil)
end

--- Checks the built-in agent: its program, its server, and its login on the server.
local function check_executor(checks, config)
  local runner, entry = runners.get("executor", config)
  local found, why = runner.detect(entry)
  if not found then
    return checks.add("executor", "none", why, "install moonlet-executor beside moonlet")
  end
  local server, login = runner.server()
  if login then table.insert(checks.agents, "executor") end
  checks.add("executor", login and "ok" or "none", ("%s asks %s, %s"):format(found.path,
    core.text.printable(server, 200), login or "but OPENAI_API_KEY is not set"), not login
    and 'export OPENAI_API_KEY="sk-...", or set OPENAI_BASE_URL to a server on this machine' or nil)
end

--- Reports provider accounts whose circuit breaker is open, in any run.
local function check_accounts(checks)
  for _, closed in ipairs(circuit_breaker.closed()) do
    local left = math.max(1000, closed.until_ms - core.clock.wall())
    checks.add("account", "shut", ("%s is not asked until %s (in %s), %s: %s"):format(
      core.text.printable(closed.runner, 40), core.clock.iso(closed.until_ms),
      duration.text(left // 1000 * 1000), closed.class, core.text.printable(closed.message, 200)),
      closed.class == "auth" and "another login or key is tried at once"
        or "moonlet resume asks again at once")
  end
end

local function check_programs(checks)
  local git = core.system.find_program "git"
  checks.add("git", git and "ok" or "bad", git or "not in PATH", not git and "install git" or nil)
  local read, config = pcall(config_module.current)
  config = read and config or { runners = {} }
  local found = runners.installed(config)
  for _, name in ipairs(runner_names.agents) do
    if found[name] then
      check_agent(checks, name, found[name], config)
    else
      checks.add(name, "none", "not in PATH")
    end
  end
  for _, name in ipairs(runners.own_names(config)) do
    local located, why = pcall(runners.locate, name, config)
    if located then
      table.insert(checks.agents, name)
      checks.add(name, "ok", why.path)
    else
      checks.add(name, "bad", why.message, why.hint)
    end
  end
  check_executor(checks, config)
  check_accounts(checks)
end

local function check_config(checks)
  local ok, read = pcall(config_module.current)
  if ok then
    checks.add("config", read.path and "ok" or "none", read.path or "no config.lua")
    return
  end
  local at = type(read) == "table" and read.at
  checks.add("config", "bad", (at and at .. ": " or "") .. (type(read) == "table" and read.message
    or tostring(read)),
    type(read) == "table" and read.hint or nil)
end

local function check_presets(checks, home)
  local found, names = loader.all(home)
  local good = {}
  for _, name in ipairs(names) do
    local ok, err = loader.try(found[name])
    if ok then good[#good + 1] = name end
    if ok and err.offline then table.insert(checks.offline, name) end
    if not ok then
      checks.add("preset " .. name, "bad", type(err) == "table" and err.message or tostring(err),
        found[name].origin)
    elseif not consent.is_given(found[name], err) then
      checks.add("preset " .. name, "ask",
        "its rights are not accepted for this version of its text, so a run "
        .. "asks for them",
        ("read it, then moonlet run %s --allow needs"):format(name))
    end
  end
  checks.add("presets", "ok", table.concat(good, ", "))
end

local function check_leftovers(checks, home)
  local swept = core.runs.sweep(home.handle)
  local killed = 0
  for _, item in ipairs(swept) do killed = killed + item.killed end
  if killed > 0 then
    checks.add("leftovers", "ok", killed == 1 and "1 process of a dead host was ended"
      or ("%d processes of dead hosts were ended"):format(killed))
  end
end

local function check_worktrees(checks, home)
  local count, bytes = worktree.waiting(home)
  if count == 0 then return end
  local text = "%d %s for the next agent that writes (%d MB); moonlet run prune --worktrees "
    .. "removes %s"
  checks.add("worktrees", "ok", text:format(count, count == 1 and "waits" or "wait",
    (bytes + (1 << 19)) >> 20, count == 1 and "it" or "them"))
end

local function listed(names, last)
  if #names < 2 then return names[1] or "" end
  return ("%s %s %s"):format(table.concat(names, ", ", 1, #names - 1), last, names[#names])
end

--- Formats a line that names the presets and runners that can be used on this machine now.
local function ready_text(checks)
  if not checks.healthy then
    return "Correct what is bad above, then check again: moonlet doctor"
  end
  local without = #checks.offline > 0 and listed(checks.offline, "and")
    .. " without an agent, and " or ""
  local runners_here = table.move(checks.agents, 1, #checks.agents, 1, {})
  runners_here[#runners_here + 1] = "mock"
  return ("You can run %severy preset with --runner %s%s"):format(without,
    listed(runners_here, "or"), #checks.agents == 0 and " (made-up answers); for an agent install "
      .. listed(runner_names.agents, "or") or "")
end

--- Reports the state of another machine: its system, free space, programs and old attempts.
local function check_machine(checks, on)
  local machine = require("moonlet.engine.remote.machines").of(config_module.current(), on)
  local answer, err = require("moonlet.engine.remote.probe").of(machine)
  if not answer then
    checks.add(on, "bad", err.message, err.hint)
    return
  end
  if not answer.version then
    checks.add(on, "ok", "it answers; the first step copies the keeper to " .. machine.dir)
    return
  end
  checks.add(on, "ok", ("%s: %s %s, %d processors"):format(answer.machine, answer.system,
    answer.arch, answer.processors))
  if answer.free_bytes then
    checks.add("space", "ok", ("%d MB free in %s"):format(answer.free_bytes >> 20, answer.root))
  end
  for _, name in ipairs { "git", "codex", "claude", "gemini", "opencode" } do
    local path = answer.programs[name]
    if path or name == "git" then
      checks.add(name, path and "ok" or "bad", path or "not found",
        not path and "worktrees need git there" or nil)
    end
  end
  for _, left in ipairs(answer.attempts) do
    checks.add("attempt", left.state or "left",
      ("%s/attempts/%s %s"):format(machine.dir, left.nonce, left.step or ""))
  end
end

function M.main(words)
  local found, rest = verbs.read("doctor", words, M.known)
  options.no_more(rest, 0, "doctor")
  local folder = repository.folder(found.repo)
  local checks = collect()
  checks.add("moonlet", "ok", core.system.version)
  local keeper, why = core.system.keeper_program()
  checks.add("keeper", keeper and "ok" or "bad", keeper or why)
  if found.on then check_machine(checks, found.on) end
  check_confinement(checks)
  check_processes(checks)
  check_programs(checks)
  check_config(checks)
  local home = check_home(checks, folder)
  if home then
    check_presets(checks, home)
    check_leftovers(checks, home)
    check_worktrees(checks, home)
  end
  local lines, rows, out = {}, {}, page.out()
  for i, check in ipairs(checks) do
    if out.terminal then
      page.row(lines, out, 0, ("%-5s %-12s"):format(check.state, check.name), 20, check.text)
      if check.hint then page.row(lines, out, 6, "", 8, check.hint) end
    else
      lines[#lines + 1] = ("%-5s %-12s %s"):format(check.state, check.name, check.text)
      if check.hint then lines[#lines + 1] = "      " .. check.hint end
    end
    rows[i] = check
  end
  page.row(lines, out.terminal and out or { columns = 1000 }, 0, "", 0, ready_text(checks))
  local envelope = options.envelope { healthy = checks.healthy, checks = core.json.array(rows) }
  envelope.ok = checks.healthy
  return envelope, checks.healthy and 0 or 1, table.concat(lines, "\n") .. "\n"
end

return M
