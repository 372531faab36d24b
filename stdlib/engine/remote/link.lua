--- Runs programs on another machine through one shared ssh connection, or on this machine.
--- Each run has its own connection.
--- If ssh fails, raises an error of the kind "unreachable".
local environment = require "moonlet.engine.base.plain_environment"
local temporary_dir = require "moonlet.engine.base.temporary_dir"

local M = {}

local answer_cap = 16 << 20
local call_ms = 90 * 1000
local persist_s = 15
local connect_pause_ms = 10
local socket_limit = 80

---@class moonlet.Link
---@field private run table
---@field private machine moonlet.Machine
---@field private folder string?   holds the socket of the shared connection
---@field private connecting boolean?   true while a task opens the connection
---@field private generation integer    counts the connections
---@field is_reached boolean?   true once a connection was made
local Link = {}
Link.__index = Link

function M.new(run, machine)
  return setmetatable({ run = run, machine = machine, generation = 0 }, Link)
end

local function options_of(socket, master)
  local words = { "ssh", "-T", "-S", socket, "-o", "ControlMaster=" .. (master and "yes" or "no"),
    "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5", "-o",
    "ServerAliveCountMax=3", "-o", "ForwardAgent=no", "-o", "ForwardX11=no", "-o",
    "PermitLocalCommand=no" }
  return words
end

--- Quotes a word for the shell on the machine. A leading `~/` becomes `"$HOME"/`.
function M.quote(word)
  local home, rest = "", word
  if word:sub(1, 2) == "~/" then home, rest = '"$HOME"/', word:sub(3) end
  return home .. "'" .. rest:gsub("'", "'\\''") .. "'"
end

--- Formats the output of a program as one line for a message.
function M.printed(text, most)
  return core.text.printable((text:gsub("%s+$", ""):gsub("%s*\n%s*", "; ")), most)
end

--- Builds the error for a failure of ssh.
local function unreachable(machine, text)
  local why = M.printed(text, 600)
  local changed = text:find("HOST IDENTIFICATION HAS CHANGED", 1, true)
    or text:find("Host key verification failed", 1, true)
  local locked = text:find("Permission denied", 1, true)
  return { kind = "unreachable", message = ("%s cannot be reached: %s"):format(machine.on,
    why ~= "" and why
    or "ssh ended without a message"), final = (changed or locked) and true or nil,
    is_silent = why == "" or nil,
    hint = changed and (
      "check the machine's key; when it is right: ssh-keygen -R %s, then connect once by hand")
      :format(machine.host) or locked
        and "add a key that needs no password: ssh-copy-id; moonlet types no password"
      or ("try: ssh %s"):format(machine.host) }
end

M.unreachable = unreachable

--- Returns the command line that runs a program once without a shared connection.
--- Also returns a function that returns ssh's log.
---@return string[], fun(): string
function M.query_words(machine, argv)
  if not machine.host then
    local words = { table.unpack(argv) }
    for i, word in ipairs(words) do
      words[i] = word:sub(1, 2) == "~/" and (core.system.env "HOME" or "") .. word:sub(2) or word
    end
    return words, function() return "its keeper failed" end
  end
  local base, name = temporary_dir.path(), "moonlet-" .. core.clock.random_hex(8)
  local words, parts = options_of("none", false), {}
  for i, word in ipairs(argv) do parts[i] = M.quote(word) end
  for _, word in ipairs { "-n", "-E", base .. "/" .. name, "--", machine.host,
      "exec " .. table.concat(parts, " ") } do
    words[#words + 1] = word
  end
  return words, function()
    local root = core.file.root(base)
    local text = root and core.file.read(root, name, 1 << 16) or ""
    if root then core.file.remove(root, name) end
    return text
  end
end

--- Makes the socket's private folder. Its name is recorded, so that a later host can remove it.
local function folder_of(link)
  if link.folder then return link.folder end
  local run, name = link.run, "moonlet-" .. core.clock.random_hex(8)
  local base = temporary_dir.path()
  if #base + #name > socket_limit then base = "/tmp" end
  core.run.make_dirs(("runs/%s/temporary"):format(run.id), true)
  run.write_artifact(("runs/%s/temporary/%s"):format(run.id, name),
    base .. "/" .. name .. "\n", true)
  local made, err = core.file.make_new(base .. "/" .. name)
  if not made then
    error(err or { kind = "failed", message = "cannot make " .. base .. "/" .. name }, 0)
  end
  link.folder = base .. "/" .. name
  return link.folder
end

--- Waits while another task opens the shared connection. If two ssh masters used one socket, one of
--- them could not be ended any more.
local function wait_for_other(link)
  while link.connecting do core.task.sleep(connect_pause_ms) end
end

--- Opens the shared connection if it is not open. An unused connection closes by itself.
local function connect(link)
  wait_for_other(link)
  local folder, machine = folder_of(link), link.machine
  local root = core.file.root(folder)
  if root and core.file.stat(root, "s") then return folder .. "/s" end
  link.connecting, link.generation = true, link.generation + 1
  local words = options_of(folder .. "/s", true)
  -- Run `true` on the machine instead of using -N, so that ssh exits even if it cannot become the
  -- master connection.
  for _, word in ipairs { "-n", "-o", "ControlPersist=" .. persist_s, "-E", folder .. "/log", "--",
      machine.host,
    "true" } do
    words[#words + 1] = word
  end
  local ok, answer, err = pcall(core.process.query,
    { argv = words, env = environment.list(), cap = 1 << 16 })
  link.connecting = false
  if not ok then error(answer, 0) end
  if not answer or answer.code ~= 0 then
    local log = root and core.file.read(root, "log", 1 << 16)
    if root then
      core.file.remove(root, "log")
      core.file.remove(root, "s")
    end
    local failure = unreachable(machine, log or err and err.message or "")
    failure.is_unsent, failure.is_silent = true, nil
    error(failure, 0)
  end
  return folder .. "/s"
end

--- Forgets a connection that failed, unless another task has replaced it meanwhile.
local function disconnect(link, generation)
  local root = link.generation == generation and core.file.root(link.folder)
  if not root or not core.file.stat(root, "s") then return end
  core.process.query { argv = { "ssh", "-S", link.folder .. "/s", "-O", "exit", "--",
    link.machine.host }, env = environment.list(), cap = 4096 }
  core.file.remove(root, "s")
end

local function exec_over_ssh(link, argv, stdin, options)
  local socket = connect(link)
  link.is_reached = true
  local generation = link.generation
  local words, parts = options_of(socket), {}
  for i, word in ipairs(argv) do parts[i] = M.quote(word) end
  words[#words + 1] = "--"
  words[#words + 1] = link.machine.host
  words[#words + 1] = "exec " .. table.concat(parts, " ")
  local exit = core.process.run { step = "remote/" .. link.machine.name, argv = words,
    env = environment.list(), stdin = stdin, stdin_file = options.stdin_file,
    stdout_file = options.stdout_file, cap = options.cap or answer_cap,
    wall_ms = options.wall_ms or call_ms }
  -- ssh itself ends with 255 if it fails. The programs that moonlet runs through ssh never use this
  -- code.
  if exit.why ~= "exited" or exit.code == 255 then
    disconnect(link, generation)
    error(unreachable(link.machine, exit.why == "exited" and exit.stderr or "no answer in time"), 0)
  end
  return exit
end

--- Runs a program on the machine and returns its exit: code, stdout, stderr.
--- A killed program counts as unreachable, because its effects are unknown.
---@param argv string[]
---@param stdin string?
---@param options {stdin_file: string?, stdout_file: string?, cap: integer?, wall_ms: integer?}?
function Link:exec(argv, stdin, options)
  options = options or {}
  if self.machine.host then return exec_over_ssh(self, argv, stdin, options) end
  self.is_reached = true
  local words = {}
  for i, word in ipairs(argv) do
    words[i] = word:sub(1, 2) == "~/" and (core.system.env "HOME" or "") .. word:sub(2) or word
  end
  local exit = core.process.run { step = "remote/" .. self.machine.name, argv = words,
    env = environment.list(), stdin = stdin, stdin_file = options.stdin_file,
    stdout_file = options.stdout_file, cap = options.cap or answer_cap,
    wall_ms = options.wall_ms or call_ms }
  if exit.why == "not_started" then
    return { code = 127, stdout = "",
      stderr = exit.error and exit.error.message or "it cannot be started" }
  end
  if exit.why ~= "exited" then
    local why = exit.error and exit.error.message or exit.why
    error({ kind = "unreachable", is_silent = exit.why == "signalled" or nil,
      message = ("%s: '%s' did not answer: %s"):format(self.machine.on, argv[1], why) }, 0)
  end
  return exit
end

--- Closes the shared connection.
function Link:close()
  if not self.folder then return end
  disconnect(self, self.generation)
  local parent, name = self.folder:match "^(.*)/([^/]+)$"
  local above = core.file.root(parent)
  if above and core.file.remove(above, name) then
    core.run.remove(("runs/%s/temporary/%s"):format(self.run.id, name))
  end
  self.folder = nil
end

return M
