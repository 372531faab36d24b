--- `moonlet repl`: a prompt at which orchestrations are tried line by line.
local loader = require "moonlet.engine.load.loader"
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local session = require "moonlet.engine.repl.session"
local state_dir = require "moonlet.engine.base.state_dir"
local state_of = require "moonlet.engine.context.context"

local M = {}

local usage_text = [[
usage: moonlet repl [options of moonlet run]
       moonlet repl --resume RUN

A line is Lua with ctx and m; an expression prints its value. :help lists the commands of the prompt.

  --runner R, --model M, --budget …, --allow …, --sandbox …   as for moonlet run (moonlet run --help)
  --resume RUN   evaluates the lines of that run again on its record, and goes on
  --json         one envelope a line, for tools
]]

local function sorted(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- Words for completion, and what the commands of the prompt show.
local words = {}
local null = core.json.null

function words.known_names(path)
  if path == "ctx" then
    local names = {}
    for name in pairs(state_of.verbs) do names[name] = true end
    for name in pairs(state_of.getters) do names[name] = true end
    return sorted(names)
  end
  local value = require "moonlet.engine.load.library"
  if path == "m" then return sorted(value) end
  local field = path:match("^m%.([%a_]+)$")
  value = field and value[field]
  return type(value) == "table" and sorted(value) or nil
end

function words.presets()
  local _, names = loader.all(words.home)
  return names
end

function words.command_names()
  local names = {}
  for name in pairs(require("moonlet.engine.repl.commands").all) do names[#names + 1] = ":" .. name end
  return names
end

local function shown(command)
  local verb = require("moonlet.engine.cli." .. command[1])
  local ok, _, _, text = pcall(verb.main, table.move(command, 2, #command, 1, {}), {})
  return ok and text or ""
end

function words.runs_text() return (shown { "runs", "run", "list", "--limit", "20" }:gsub("\n$", "")) end

function words.argument_names(command)
  if command == ":doc" then return words.doc_names() end
  return {}
end

--- The source of a prompt.
---@param json boolean
---@return moonlet.Source
local function source_of(json)
  local state = state_dir.path()
  if state then core.file.make_root(state) end
  local source = { name = "repl", origin = "repl", text = "", builtin = false,
    display = "none", json = json, words = words,
    history = state and state .. "/repl_history" or "",
    read = function() return nil, record.invalid "there is no file" end,
    hash = function() return core.text.sha256 "" end }
  source.body = session.body(source)
  return source
end

loader.registered["repl"] = function() return source_of(M.json or false) end

--- moonlet repl
---@param given string[]
---@param output {json: boolean, events: boolean}
---@return table? envelope, integer exit_code, string? text
function M.main(given, output)
  local rest, resumed = { "run", "repl" }, nil
  local i = 2
  while i <= #given do
    local word = given[i]
    if word == "--help" then
      options.print_help(usage_text, output.json)
      return nil, 0
    elseif word == "--resume" or word:match("^%-%-resume=") then
      resumed = word:match("^%-%-resume=(.*)$") or given[i + 1]
      if word == "--resume" then i = i + 1 end
      if not resumed then error(options.usage("--resume needs a run", "moonlet repl --resume R-007"), 0) end
    else
      M.json = M.json or word == "--json"
      rest[#rest + 1] = word
    end
    i = i + 1
  end
  if resumed then
    rest[2] = "resume"
    table.insert(rest, 3, resumed)
  end
  local envelope, code = require("moonlet.engine.cli." .. (resumed and "resume" or "run")).main(rest, output)
  if output.json or not envelope then return envelope, code end
  -- Each line has printed its value, or its error.
  local id = envelope.run ~= null and envelope.run.id
  if id and core.terminal.can_ask() then
    core.system.print(1, ("%s is kept; moonlet repl --resume %s goes on\n"):format(id, id))
  end
  return nil, code
end

return M
