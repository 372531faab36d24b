--- Makes requests. A request is a Lua table that states what to run.
--- The command line makes a request from its words, an embedding program from Lua values.
--- cli/run/plan.lua turns a request into a plan.
local options = require "moonlet.engine.cli.options"
local known = require "moonlet.engine.cli.run.known"

local M = {}

---@class moonlet.Request
---@field target string
---@field repo string?
---@field words string[]?               options and arguments as words
---@field options table<string, any>?   options by name, instead of `words`
---@field arguments table?              arguments by name, or a list for a script

function M.given_in(request, all)
  if request.words then return options.parse(request.words, all) end
  local found, listed = options.of_table(request.options, all), {}
  for i, word in ipairs(request.arguments) do
    if type(word) ~= "string" then
      options.refuse("the arguments of a script are a list of texts")
    end
    listed[i] = word
  end
  return found, listed
end

--- Returns the target, which is the first word that is neither an option nor an option's value, and the other words.
---@param first integer  index of the first word after the verb
---@return string? target, string[] others
function M.take_target(words, first)
  local rest, i = table.move(words, first, #words, 1, {}), 1
  while rest[i] do
    local word = rest[i]
    if word == "--" then return table.remove(rest, i + 1), rest end
    if word:sub(1, 1) ~= "-" or word == "-" then return table.remove(rest, i), rest end
    local name = word:match("^%-%-([^=]+)$")
    local takes = name and known.all[name] and known.all[name].value
      or word == "--help" and rest[i + 1] == "all"
    i = i + (takes and 2 or 1)
  end
  return nil, rest
end

--- Makes the request of a command line.
--- Without a target, returns nil and the help that was asked for.
function M.of_words(words)
  local target, rest = M.take_target(words, 2)
  if not target then
    local found = options.parse(words, known.all, 2)
    if found.help then return nil, known.help(nil, nil, found.help == "all") end
    options.refuse("run what?",
      "name a preset (moonlet preset list), a Lua file or a packet (moonlet task list)")
  end
  -- Read only --repo here. The repository decides which preset is meant, and the preset declares
  -- further options.
  return { target = target, words = rest, repo = options.value_in(rest, "repo") }
end

--- Returns the arguments of a request by name; nil without named arguments.
function M.named(request)
  local given = request.arguments
  if not given or given[1] ~= nil or next(given) == nil then return nil end
  return given
end

return M
