--- Lists the available runners, parses --runner, and locates runners' programs.
---
--- A runner is a table:
---   name, title        name on the command line, and name in messages
---   program            program to find in PATH
---   role               "flag": command() passes call.role as an option
---                      "prompt": the caller prepends shared.role_line(role) to the prompt
---   detect(config)     -> { path, wrapper_of? } or nil, why; only searches, and starts nothing
---   command(call)      -> moonlet.RunnerCommand; raises `invalid` for a prompt it cannot pass
---   own_sandbox        true: the runner's program has its own kernel sandbox
---   reports_cost       true: answers report their cost, so a limit in USD needs no price
---   resumes            true: an attempt can continue the conversation of an earlier attempt
---   begin()            -> a new state for an attempt
---   parse(state, line) -> moonlet.RunnerEvent[]; never raises an error, even for invalid bytes
---   finish(state, exit, answers) -> moonlet.RunnerResult (engine/runner/outcome.lua)
---   normalise(data, returns)?    -> converts an answer if the CLI got another schema
local record = require "moonlet.record"
local command = require "moonlet.engine.runner.command"
local builtin = require "moonlet.engine.runner.names"

local M = {}

local function config_of(given) return given or require("moonlet.engine.load.config").current() end

local user_runners = setmetatable({}, { __mode = "k" })

local function load_builtin(name) return require("moonlet.engine.runner." .. name) end

function M.own_names(config)
  local ok, entries = pcall(function() return config_of(config).runners end)
  local names = {}
  for name, entry in pairs(ok and entries or {}) do
    if entry.file then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

function M.names(config)
  local names = { "route", table.unpack(builtin.internal) }
  table.move(builtin.programs, 1, #builtin.programs, #names + 1, names)
  local own = M.own_names(config)
  return table.move(own, 1, #own, #names + 1, names)
end

---@param config table?   user's config; default: the current config
---@return table runner, table entry  the runner, and its entry in the config or {}
function M.get(name, config)
  config = config_of(config)
  local entry = config.runners[name] or {}
  if not entry.file and builtin.has(builtin.programs, name) then
    return load_builtin(name), entry
  end
  if entry.file then
    local loaded = user_runners[config] or {}
    user_runners[config] = loaded
    loaded[name] = loaded[name] or require("moonlet.engine.load.user_runner").load(name, entry.file,
      load_builtin)
    return loaded[name], entry
  end
  local is_program = name:find("/", 1, true) or core.system.find_program(name)
  record.refuse(("there is no runner '%s'"):format(core.text.printable(name, 60)),
    is_program and "for a program: --runner command:" .. core.text.printable(name, 60)
      or record.suggest(name, M.names(config)))
end

--- M.parse() returns this value if no runner was chosen.
M.none = { none = true }

--- Parses a --runner or a runner of ctx:agent. routing.lua resolves "route".
---@param text string?  nil if no runner was chosen
---@return {name: string?, argv: string[]?, none: boolean?}
function M.parse(text, config)
  if text == nil then return M.none end
  local name, rest = text:match("^([^:]+):(.*)$")
  name = name or text
  if name == "mock" and not rest then return { name = name } end
  if name == "rules" then
    record.refuse("there is no runner 'rules': a run without an agent has no runner",
      "name an agent, or write --offline where the preset has an answer without one")
  end
  if name == "command" then
    local argv = rest and command.split(rest) or nil
    if rest and #argv == 0 then
      record.refuse("--runner command: names no program", "write --runner 'command:PROGRAM ARG…'")
    end
    return { name = "command", argv = argv }
  end
  if name == "cassette" then return require("moonlet.engine.runner.cassette").parse(rest) end
  if name == "route" and not rest then return { name = "route" } end
  if name ~= "route" then M.get(name, config) end
  if rest then
    record.refuse(("the runner '%s' takes nothing after a colon"):format(name),
      name == "route" and "the config sets what it chooses: routes"
        or "its arguments belong in the config: runners." .. name .. ".args")
  end
  return { name = name }
end

---@return {path: string, wrapper_of: string?}
function M.locate(name, config)
  local runner, entry = M.get(name, config)
  local found, why = runner.detect(entry)
  if found then return found end
  record.refuse(("the runner '%s' is not installed: %s"):format(name, why),
    ("install it, or set runners.%s.program in the config"):format(name))
end

function M.installed(config)
  local ok, entries = pcall(function() return config_of(config).runners end)
  local found = {}
  for _, name in ipairs(builtin.agents) do
    local place = load_builtin(name).detect(ok and entries[name] or nil)
    found[name] = place and place.path
  end
  for _, name in ipairs(M.own_names(config)) do
    local located, place = pcall(M.locate, name, config)
    found[name] = located and place.path or nil
  end
  return found
end

function M.installed_names(config)
  local names = {}
  for name in pairs(M.installed(config)) do names[#names + 1] = name end
  table.sort(names)
  return names
end

function M.no_runner(message, config)
  local name = M.installed_names(config)[1]
  local hint = name
    and ("%s is installed: --runner %s asks it, and moonlet init --runner %s makes it the "
      .. "default"):format(name, name,
      name)
    or "name an agent with --runner codex or --runner 'command:PROGRAM ARG…'; "
      .. "moonlet init --runner codex makes one the default"
  return { kind = "no-runner", message = message,
    hint = hint .. "; --runner mock makes answers up and costs nothing" }
end

return M
