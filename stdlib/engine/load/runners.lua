--- The runners that exist, the meaning of --runner, and the places of their programs.
---
--- A runner is a table:
---   name, title        its name on the command line, and in messages
---   program            the program to find in PATH
---   role               "flag": command() passes call.role on; "prompt": the caller puts
---                      shared.role_line(role) in front of the prompt
---   detect(config)     -> { path, wrapper_of? } or nil, why: by path alone, nothing is started
---   command(call)      -> moonlet.RunnerCommand (engine/runner/shared.lua); raises `invalid` for a
---                      prompt that would not arrive as it is
---   own_sandbox        true: it brings a sandbox that the kernel enforces
---   reports_cost       true: its answers say what they cost, so a limit in USD needs no price
---   resumes            true: an attempt with the number of an earlier one goes on with its conversation
---   begin()            -> a state, one for each attempt
---   parse(state, line) -> moonlet.RunnerEvent[]; never raises, whatever the bytes
---   finish(state, exit, answers) -> moonlet.RunnerResult (engine/runner/outcome.lua)
---   normalise(data, returns)?    -> the data to validate, if the CLI was given another schema
local record = require "moonlet.record"
local command = require "moonlet.engine.runner.command"
local builtin = require "moonlet.engine.runner.names"

local M = {}

local function config_of(given) return given or require("moonlet.engine.load.config").current() end

local user_runners = setmetatable({}, { __mode = "k" })

local function load_builtin(name) return require("moonlet.engine.runner." .. name) end

--- The user's own runners, sorted by name; none if the config cannot be read.
---@param config table?
---@return string[]
function M.own_names(config)
  local ok, entries = pcall(function() return config_of(config).runners end)
  local names = {}
  for name, entry in pairs(ok and entries or {}) do
    if entry.file then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- The names that --runner may have.
---@param config table?
---@return string[]
function M.names(config)
  local names = { "route", table.unpack(builtin.internal) }
  table.move(builtin.programs, 1, #builtin.programs, #names + 1, names)
  local own = M.own_names(config)
  return table.move(own, 1, #own, #names + 1, names)
end

--- The runner of a name; raises `invalid` with the near name for one that is not there.
---@param name string
---@param config table?   the user's config; the current one without it
---@return table runner, table entry  the runner, and its entry of the config ({} without one)
function M.get(name, config)
  config = config_of(config)
  local entry = config.runners[name] or {}
  if not entry.file and builtin.has(builtin.programs, name) then return load_builtin(name), entry end
  if entry.file then
    local loaded = user_runners[config] or {}
    user_runners[config] = loaded
    loaded[name] = loaded[name] or require("moonlet.engine.load.user_runner").load(name, entry.file, load_builtin)
    return loaded[name], entry
  end
  local is_program = name:find("/", 1, true) or core.system.find_program(name)
  error(record.invalid(("there is no runner '%s'"):format(core.text.printable(name, 60)),
    is_program and "for a program: --runner command:" .. core.text.printable(name, 60)
      or record.suggest(name, M.names(config))), 0)
end

--- The runner of a run for which none was chosen.
M.none = { none = true }

--- Reads a --runner value (or ctx:agent's runner). Resolving "route" is left to engine/agent/routing.lua.
---@param text string?  nil if none was chosen
---@param config table?
---@return {name: string?, argv: string[]?, none: boolean?}
function M.parse(text, config)
  if text == nil then return M.none end
  local name, rest = text:match("^([^:]+):(.*)$")
  name = name or text
  if name == "mock" and not rest then return { name = name } end
  if name == "rules" then
    error(record.invalid("there is no runner 'rules': a run without an agent has no runner",
      "name an agent, or write --offline where the preset has an answer without one"), 0)
  end
  if name == "command" then
    local argv = rest and command.split(rest) or nil
    if rest and #argv == 0 then
      error(record.invalid("--runner command: names no program", "write --runner 'command:PROGRAM ARG…'"), 0)
    end
    return { name = "command", argv = argv }
  end
  if name == "cassette" then return require("moonlet.engine.runner.cassette").parse(rest) end
  if name == "route" and not rest then return { name = "route" } end
  if name ~= "route" then M.get(name, config) end
  if rest then
    error(record.invalid(("the runner '%s' takes nothing after a colon"):format(name),
      name == "route" and "the config sets what it chooses: routes"
        or "its arguments belong into the config: runners." .. name .. ".args"), 0)
  end
  return { name = name }
end

--- The place of a runner's program; raises `invalid` if it is not installed.
---@param name string
---@param config table?
---@return {path: string, wrapper_of: string?}
function M.locate(name, config)
  local runner, entry = M.get(name, config)
  local found, why = runner.detect(entry)
  if found then return found end
  error(record.invalid(("the runner '%s' is not installed: %s"):format(name, why),
    ("install it, or set runners.%s.program in the config"):format(name)), 0)
end

--- The installed agent programs, the user's own among them: name -> path of the program.
---@param config table?
---@return table<string, string>
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

--- The names of the installed agent programs, sorted.
---@param config table?
---@return string[]
function M.installed_names(config)
  local names = {}
  for name in pairs(M.installed(config)) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- The error of work that needs an agent, in a run for which no runner was chosen.
---@param message string
---@param config table?
---@return table
function M.no_runner(message, config)
  local name = M.installed_names(config)[1]
  local hint = name
    and ("%s is installed: --runner %s asks it, and moonlet init --runner %s makes it the default"):format(name, name,
      name)
    or "name an agent with --runner codex or --runner 'command:PROGRAM ARG…'; "
      .. "moonlet init --runner codex makes one the default"
  return { kind = "no-runner", message = message, hint = hint .. "; --runner mock makes answers up and costs nothing" }
end

return M
