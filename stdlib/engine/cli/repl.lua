--- `moonlet repl` is a prompt for trying orchestrations line by line.
local loader = require "moonlet.engine.load.loader"
local options = require "moonlet.engine.cli.options"
local reference = require "moonlet.engine.cli.doc.reference"
local repository = require "moonlet.engine.run.repository"
local session = require "moonlet.engine.repl.session"
local sorted_keys = require "moonlet.engine.base.sorted_keys"
local store = require "moonlet.engine.run.store"
local verbs = require "moonlet.engine.cli.verbs"
local context = require "moonlet.engine.context.context"

local M = {}

M.known = {
  resume = { value = "RUN", help = "replay the lines of that run, and continue" },
  json = { help = "print one JSON envelope a line, for tools" },
  help = { help = "this text" },
}

--- Contains functions that the REPL calls: some return words for completion, some the output of its
--- commands.
local words = {}
local null = core.json.null

function words.known_names(path, sign)
  if path == "ctx" then return sorted_keys(sign == ":" and context.verbs or context.getters) end
  local value = require "moonlet.engine.load.author_table"
  if path == "m" then return sorted_keys(value) end
  local field = path:match("^m%.([%a_]+)$")
  value = field and value[field]
  return type(value) == "table" and sorted_keys(value) or nil
end

--- Lists the options of a ctx verb, from the verb's annotations.
function words.known_options(verb)
  local entry = reference.read().named["ctx:" .. verb]
  local names = {}
  for _, taken in ipairs(entry and reference.records(entry) or {}) do
    for _, field in ipairs(taken.is_taken and taken.fields or {}) do
      names[#names + 1] = field.name .. " = "
    end
  end
  return names
end

function words.presets()
  local _, names = loader.all(words.home)
  return names
end

function words.command_names()
  local names = {}
  for name in pairs(require("moonlet.engine.repl.commands").all) do
    names[#names + 1] = ":" .. name
  end
  return names
end

local function printed(module, given)
  local ok, envelope, _, text = pcall(require("moonlet.engine.cli." .. module).main, given, {})
  if not ok then
    return core.text.printable(type(envelope) == "table" and envelope.message
      or tostring(envelope), 400)
  end
  return ((text or ""):gsub("\n$", ""))
end

function words.runs_text() return printed("runs", { "run", "list", "--limit", "20" }) end

function words.doc_text(name) return printed("doc", { "doc", name ~= "" and name or nil }) end

--- Returns the answer of an agent step, or the report of another run if `name` is a run's id.
function words.step_text(run, name)
  if name:match("^R?%-?%d+$") then return printed("show", { "run", "show", name }) end
  local found
  for _, step in ipairs(run.steps) do
    if step.key == name or step.key:match("[^/]+$") == name then found = step end
  end
  return found and found.dir and run.read_artifact(found.dir .. "/output.md", 64 << 10) or nil
end

function words.argument_names(command, run)
  local names = command == ":show" and store.ids(store.root(run.home)) or {}
  for _, step in ipairs(command == ":show" and run.steps or {}) do names[#names + 1] = step.key end
  for _, entry in ipairs(command == ":doc" and reference.read().entries or {}) do
    names[#names + 1] = entry.name
  end
  return names
end

--- Builds the source of an interactive run, which has no file.
local function source_of(json)
  local state = core.system.state_dir()
  if state then core.file.make_root(state) end
  local source = { name = "repl", origin = "repl", text = "", builtin = false,
    display = "none", json = json, words = words,
    history = state and state .. "/repl_history" or "",
    read = function(file) return core.file.read(words.home.root, file, 1 << 20) end,
    hash = function() return core.text.sha256 "" end }
  source.body = session.body(source)
  return source
end

loader.registered["repl"] = function() return source_of(M.json or false) end

local function check_resume(given, wanted)
  local resume = require "moonlet.engine.cli.resume"
  for _, word in ipairs(given) do
    local name = word:match("^%-%-([%w-]+)")
    if name and not resume.known[name] then
      options.refuse(("--%s is for a new prompt: %s keeps what it was started with"):format(name,
        wanted), "moonlet repl --resume " .. wanted)
    end
  end
  local id, rec = store.find(repository.open(options.value_in(given, "repo")), wanted)
  if store.is_prompt(rec) then return end
  options.refuse(("%s is a run of %s, not of the prompt"):format(id,
    core.text.printable(tostring(rec.preset), 80)),
    ("moonlet resume %s continues it; moonlet list --preset repl shows interactive runs"):format(
      id))
end

function M.main(given, output)
  M.json = output.json
  local own, rest = options.separate(given, { resume = "value", help = "flag" })
  table.insert(own, 1, "repl")
  if output.json then table.insert(own, "--json") end
  local resumed = verbs.read("repl", own, M.known).resume
  if resumed then check_resume(rest, resumed) end
  rest[1] = resumed and "resume" or "repl"
  table.insert(rest, 1, "run")
  if resumed then table.insert(rest, 3, resumed) end
  local envelope, code = require("moonlet.engine.cli."
    .. (resumed and "resume" or "run")).main(rest, output)
  if output.json or not envelope then return envelope, code end
  -- The REPL has already printed the value or error of each line that the user typed.
  local id = envelope.run ~= null and envelope.run.id
  if id and envelope.run.verdict == "needs-human" then
    core.system.print(2,
      ("moonlet answer %s approve, then moonlet repl --resume %s\n"):format(id, id))
  elseif id and core.terminal.can_ask() then
    core.system.print(1, ("%s is kept; moonlet repl --resume %s continues it\n"):format(id, id))
  end
  return nil, code
end

return M
