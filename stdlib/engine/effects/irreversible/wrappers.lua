--- Wrappers: programs that start another one, and its place on their command line.
local shell = require "moonlet.engine.effects.irreversible.shell"

local M = {}

--- values, long: options that take the next word. words: the number of words before the program besides options.
--- script: options whose word is a script. joined: the rest is joined and read by a shell. assigns: NAME=VALUE may
--- stand before the program.
local function wrapper(spec)
  local long, script = {}, {}
  for name in (spec.long or ""):gmatch("%S+") do long[#long + 1] = name end
  for name in (spec.script or ""):gmatch("%S+") do script[name] = true end
  spec.long, spec.script = long, script
  return spec
end

local switch_user = wrapper { values = "csgGwT",
  long = "command session-command shell group supp-group whitelist-environment",
  script = "c command session-command", words = 1 }
local plain = wrapper {}

M.known = {
  sudo = wrapper { values = "ughpCrtTURDa", assigns = true,
    long = "user group host prompt close-from role type command-timeout other-user chroot chdir auth-type" },
  doas = wrapper { values = "uCa" },
  su = switch_user, runuser = switch_user,
  nice = wrapper { values = "n", long = "adjustment" },
  ionice = wrapper { values = "cnpPu", long = "class classdata pid pgid uid" },
  chrt = wrapper { values = "TPD", long = "sched-runtime sched-period sched-deadline", words = 1 },
  taskset = wrapper { words = 1 },
  timeout = wrapper { values = "sk", long = "signal kill-after", words = 1 },
  stdbuf = wrapper { values = "ioe", long = "input output error" },
  time = wrapper { values = "fo", long = "format output" },
  nohup = plain, setsid = plain, builtin = plain, busybox = plain, toybox = plain, fakeroot = plain,
    eatmydata = plain,
  command = plain, ["dbus-run-session"] = plain, caffeinate = plain, noglob = plain, nocorrect = plain, ["-"] = plain,
  exec = wrapper { values = "a" },
  chroot = wrapper { long = "userspec groups", words = 1 },
  unshare = wrapper { values = "SGRw", long = "setuid setgid root wd map-user map-group propagation" },
  nsenter = wrapper { values = "tSG", long = "target setuid setgid" },
  setpriv = wrapper { long = "reuid regid groups inh-caps ambient-caps bounding-set securebits selinux-label" },
  strace = wrapper { values = "oepsaEOSuPIXbU",
    long = "output trace attach string-limit columns env user trace-path" },
  ltrace = wrapper { values = "oepsaunlxFADw" },
  flock = wrapper { values = "cwE", long = "command timeout wait conflict-exit-code", script = "c command",
    words = 1 },
  script = wrapper { values = "cIOBTEmo",
    long = "command log-in log-out log-io log-timing echo logging-format output-limit",
    script = "c command", words = 1 },
  watch = wrapper { values = "nq", long = "interval equexit", joined = true },
  ssh = wrapper { values = "BbcDEeFIiJLlmOopQRSWw", words = 1, joined = true },
  xargs = wrapper { values = "adEILnPs", long = "arg-file delimiter max-args max-procs max-chars process-slot-var" },
}

local function long_takes(spec, name)
  for _, known in ipairs(spec.long) do
    -- Programs take the beginning of a long option for all of it.
    if known:sub(1, #name) == name then return known end
  end
end

--- The place of the program in `argv` (nil: there is none), the scripts in options, and the values of NAME=VALUE.
---@param spec table
---@param argv string[]
---@return integer? first, string[] scripts, string[] assigned
function M.program(spec, argv)
  local scripts, assigned, i, skip = {}, {}, 2, spec.words or 0
  local function value(name, text)
    if spec.script[name] and text then scripts[#scripts + 1] = text end
  end
  while argv[i] do
    local word = argv[i]
    local name, text = word:match("^%-%-([^=]+)=?(.*)$")
    if word == "--" then
      i = i + 1 + skip
      return argv[i] and i or nil, scripts, assigned
    elseif name then
      local known = long_takes(spec, name)
      if known and not word:find("=", 1, true) then
        text, i = argv[i + 1], i + 1
      end
      if known then value(known, text) end
      i = i + 1
    elseif word:find("^%-.") then
      for at = 2, #word do
        local letter = word:sub(at, at)
        if spec.values and spec.values:find(letter, 1, true) then
          if at == #word then i = i + 1 end
          value(letter, at == #word and argv[i] or word:sub(at + 1))
          break
        end
      end
      i = i + 1
    elseif word == "-" then
      i = i + 1
    elseif spec.assigns and word:find("^[%a_][%w_]*=") then
      assigned[#assigned + 1], i = word, i + 1
    elseif skip > 0 then
      skip, i = skip - 1, i + 1
    else
      return i, scripts, assigned
    end
  end
  return nil, scripts, assigned
end

local function replaced(words, mark)
  local out = {}
  for i, word in ipairs(words) do
    out[i] = word:gsub(mark:gsub("%p", "%%%0"), shell.unknown)
  end
  return out
end

--- The word that xargs puts its input in the place of; nil when it appends it.
local function mark_of_xargs(argv, first)
  for i = 2, first - 1 do
    local word = argv[i]
    if word == "-I" then return argv[i + 1] end
    local mark = word:match("^%-I(.+)") or word:match("^%-%-replace=(.+)") or word:match("^%-i(.+)")
    if mark then return mark end
    if word == "-i" or word == "--replace" then return "{}" end
  end
end

--- The command that a wrapper starts, from `first` on.
---@param program string
---@param argv string[]
---@param first integer
---@return string[]
function M.started(program, argv, first)
  local words = { table.unpack(argv, first) }
  if program ~= "xargs" then return words end
  local mark = mark_of_xargs(argv, first)
  if mark and mark ~= "" then return replaced(words, mark) end
  words[#words + 1] = shell.unknown
  return words
end

local find_runs = { ["-exec"] = true, ["-execdir"] = true, ["-ok"] = true, ["-okdir"] = true }

--- The commands that find starts.
---@param argv string[]
---@return string[][]
function M.of_find(argv)
  local list, i = {}, 2
  while argv[i] do
    if find_runs[argv[i]] then
      local words = {}
      i = i + 1
      while argv[i] and argv[i] ~= ";" and not (argv[i] == "+" and words[#words] == "{}") do
        words[#words + 1], i = argv[i], i + 1
      end
      if words[1] then list[#list + 1] = replaced(words, "{}") end
    end
    i = i + 1
  end
  return list
end

--- The scripts that GNU parallel runs: its template, or else its input.
---@param argv string[]
---@param stdin string?
---@return string[]
function M.of_parallel(argv, stdin)
  local template, given, i = {}, {}, 2
  while argv[i] and argv[i]:sub(1, 1) == "-" do i = i + 1 end
  while argv[i] and not argv[i]:find("^:::") do
    template[#template + 1], i = argv[i], i + 1
  end
  for at = i, #argv do
    if not argv[at]:find("^:::") then given[#given + 1] = argv[at] end
  end
  if stdin then given[#given + 1] = stdin end
  if not template[1] then return given end
  return { table.concat(replaced(template, "{}"), " ") .. " " .. shell.unknown }
end

--- env: the command line that it starts, the variables that it sets, and a string still to be split.
---@param argv string[]
---@return string[] command, string[] assigned, string? split what is still to be split
function M.of_env(argv)
  local assigned, i = {}, 2
  while argv[i] do
    local word = argv[i]
    local cluster, text = word:match("^%-([iv0]*)S(.*)$"), nil
    if cluster then
      text = word:match("^%-[iv0]*S(.+)$")
    elseif word:find("^%-%-sp") then
      cluster, text = "", word:match("^%-%-sp%l*%-?%l*=(.*)$")
    end
    if cluster then
      local next_word = i + 1
      if not text then text, next_word = argv[i + 1] or "", i + 2 end
      return { table.unpack(argv, next_word) }, assigned, text
    elseif word == "--" then
      i = i + 1
      break
    elseif word:find("^%-%-[uca]%l*$") and (("unset"):find(word:sub(3), 1, true) == 1
      or ("chdir"):find(word:sub(3), 1, true) == 1 or ("argv0"):find(word:sub(3), 1, true) == 1) then
      i = i + 2
    elseif word:find("^%-[iv0]*[uCa]$") then
      i = i + 2
    elseif word:sub(1, 1) == "-" then
      i = i + 1
    else
      break
    end
  end
  while argv[i] and argv[i]:find("^[^=/]+=") do
    assigned[#assigned + 1], i = argv[i], i + 1
  end
  return { table.unpack(argv, i) }, assigned
end

return M
