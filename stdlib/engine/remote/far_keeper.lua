--- Calls moonlet-keeper on another machine, and copies it to that machine if it is missing.
--- The name of the copy contains its hash, so that several versions can be installed.
local files = require "moonlet.engine.base.files"
local links = require "moonlet.engine.remote.link"

local M = {}

local program_cap = 64 << 20
local missing = { [126] = true, [127] = true }

local own

--- Returns the statically linked keeper program of this moonlet: its bytes and its hash.
local function program()
  if own then return own end
  local moonlet = core.system.keeper_program() or ""
  local path = (core.system.real_path(moonlet) or moonlet):match "^(.*)/[^/]+$" .. "/moonlet-keeper"
  local text = files.read_path(path, program_cap)
  if not text then
    error({ kind = "failed",
      message = ("there is no %s, which steps on other machines need"):format(path),
      hint = "build the target moonlet-keeper (Linux, with MOONLET_STATIC)" }, 0)
  end
  own = { text = text, hash = core.text.sha256(text):sub(1, 16) }
  return own
end

--- Returns the path of the keeper on the machine.
---@param machine moonlet.Machine
function M.path(machine) return machine.dir .. "/bin/moonlet-keeper-" .. program().hash end

---@class moonlet.FarKeeper
---@field link moonlet.Link
---@field dir string        moonlet's folder on the machine
---@field private path string  path of the keeper on the machine
---@field sent table<string, "files"|"start">   what this host may have sent of each attempt, by nonce
---@field private on string
---@field private was_checked boolean?
local FarKeeper = {}
FarKeeper.__index = FarKeeper

---@param link moonlet.Link
---@param machine moonlet.Machine
function M.new(link, machine)
  return setmetatable({ link = link, dir = machine.dir, on = machine.on,
    path = M.path(machine), sent = {} }, FarKeeper)
end

--- Returns the command line that prints the system's name and makes moonlet's folder on the machine.
--- With `tests`, the command also checks that a file of the keeper's size can be written.
---@param machine moonlet.Machine|moonlet.FarKeeper
---@return string[]
function M.place_words(machine, tests)
  local write = ' && head -c %d /dev/zero >"$2"; code=$?; rm -f "$2"; exit $code'
  local test = tests and write:format(#program().text) or ""
  return { "sh", "-c",
    'exec 2>&1; echo "moonlet $(uname -sm)" && umask 077 && mkdir -p "$1/bin"' .. test, "sh",
    machine.dir, machine.dir .. "/bin/test." .. core.clock.random_hex(4) }
end

--- Returns the reason why the machine cannot run the keeper, or nil if it can.
---@param out string  output of the command line that place_words returns
---@return moonlet.Error?
function M.refusal(machine, code, out)
  local noise, there, rest = out:match "^(.-)moonlet (%S+ %S+)\n(.*)$"
  local here = core.process.query { argv = { "uname", "-sm" }, env = { "PATH=/usr/bin:/bin" } }
  local wanted = (here and here.out or ""):match "^%S+ %S+"
  if there and noise ~= "" then
    return { kind = "failed", final = true,
      message = ("%s: its shell prints on standard output: %s"):format(machine.on,
        links.printed(noise, 60)),
      hint = "its .bashrc must print nothing by itself for a command" }
  end
  if there and there ~= wanted then
    return { kind = "denied", final = true,
      message = ("%s is %s, and this moonlet brings a keeper for %s"):format(
      machine.on, core.text.printable(there, 60), tostring(wanted)),
      hint = "name a machine of the same architecture" }
  end
  if there and code == 0 then return nil end
  return { kind = "failed", final = true,
    message = ("%s: the keeper cannot be copied to %s: %s"):format(machine.on,
    machine.dir, links.printed(rest or out, 300)),
    hint = "check dir of this machine in the config, and its free space" }
end

--- Copies the keeper to the machine. Raises an error if the machine cannot run it.
local function install(keeper)
  local place = keeper.link:exec(M.place_words(keeper))
  local why = M.refusal(keeper, place.code, place.stdout)
  if why then error(why, 0) end
  local draft = keeper.path .. "." .. core.clock.random_hex(4)
  -- Rename the complete copy, so that nobody can start a partial one.
  local exit = keeper.link:exec({ "sh", "-c", [[umask 077
    fail() { rm -f "$1"; echo "$2" >&2; exit 1; }
    if [ -d "$2" ]; then fail "$1" "$2 is a folder"; fi
    cat >"$1" || fail "$1" "there may be no space left"
    [ "$(wc -c <"$1")" -eq "$3" ] || fail "$1" "the copy is incomplete; its .bashrc must not read standard input"
    chmod 700 "$1" && mv "$1" "$2"]],
    "sh", draft, keeper.path, tostring(#program().text) }, program().text)
  if exit.code ~= 0 then error(M.refusal(keeper, exit.code, exit.stderr), 0) end
end

--- Reports whether the keeper's file is missing or has the wrong size. Checks the file only once in
--- a run, and returns false later.
local function is_damaged(keeper)
  if keeper.was_checked then return false end
  keeper.was_checked = true
  local exit = keeper.link:exec { "sh", "-c", 'wc -c <"$1"', "sh", keeper.path }
  return tonumber(exit.stdout) ~= #program().text
end

--- Reports whether a call failed because the keeper's file is missing or damaged.
local function needs_copy(keeper, ok, exit)
  if not ok then return exit.is_silent and is_damaged(keeper) end
  if missing[exit.code] then return true end
  if exit.code == 0 then return exit.stdout == "" and is_damaged(keeper) end
  return not exit.stderr:find("moonlet-keeper: ", 1, true) and is_damaged(keeper)
end

--- Runs one command of the keeper on the machine. Returns its output.
---@param command "probe"|"start"|"prepare"|"look"|"end"|"remove"
---@param request table
---@return string
function FarKeeper:call(command, request)
  local text = core.json.encode(request)
  local function run()
    return pcall(self.link.exec, self.link, { self.path, command, self.dir }, text)
  end
  local ok, exit = run()
  if type(exit) == "table" and needs_copy(self, ok, exit) then
    install(self)
    ok, exit = run()
  end
  local is_absent = ok and missing[exit.code]
  local may_have_arrived = not is_absent and not (type(exit) == "table" and exit.is_unsent)
  if may_have_arrived and (command == "start" or command == "prepare") then
    for _, attempt in ipairs(request.attempts) do
      self.sent[attempt.nonce] = command == "start" and "start" or "files"
    end
  end
  if not ok then error(exit, 0) end
  if exit.code == 0 then return exit.stdout end
  error({ kind = "failed", final = is_absent,
    message = ("%s: the keeper there failed (%d): %s"):format(self.on,
    exit.code, links.printed(exit.stderr, 400)) }, 0)
end

--- Decodes one line of JSON that a machine sent. Raises an error for anything else.
local function decoded(on, line)
  local ok, value = pcall(core.json.decode, line)
  if ok and type(value) == "table" then return value end
  error({ kind = "unreachable", message = ("%s gives an answer that cannot be read: %s")
    :format(on, core.text.printable(line, 120)) }, 0)
end

--- Runs a command that prints one line for each attempt in the request.
---@return table[]
function FarKeeper:lines(command, request)
  local list, most = {}, math.max(1, #(request.attempts or request.nonces or {}))
  for line in self:call(command, request):gmatch "[^\n]+" do
    if #list == most then
      error({ kind = "unreachable", message = self.on .. " answers more than it was asked" }, 0)
    end
    list[#list + 1] = decoded(self.on, line)
  end
  return list
end

--- Accepts only sizes up to 1 TiB, because sums of larger sizes could overflow.
local function is_count(value)
  return math.type(value) == "integer" and value >= 0 and value <= 1 << 40
end

--- Polls attempts. Calls fn(nonce, report, stdout, stderr) for each attempt in the answer.
function FarKeeper:look(request, fn)
  local text, at = self:call("look", request), 1
  while at <= #text do
    local stop = text:find("\n", at, true)
    local report = decoded(self.on, text:sub(at, (stop or #text + 1) - 1))
    if not stop or type(report.nonce) ~= "string" or not is_count(report.out)
        or not is_count(report.err)
      or stop + report.out + report.err > #text then
      error({ kind = "unreachable", message = ("%s: its answer is cut off"):format(self.on) }, 0)
    end
    local middle = stop + report.out
    at = middle + report.err + 1
    fn(report.nonce, report, text:sub(stop + 1, middle), text:sub(middle + 1, at - 1))
  end
end

return M
