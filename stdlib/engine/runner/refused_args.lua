--- Detects arguments that a user's config must not pass to an agent's program.
--- Each runner lists its refused arguments in `refused_args`.
--- A refused argument would continue a session, or change the sandbox or the output format.
local names = require "moonlet.engine.runner.names"

local M = {}

--- Reports whether a word is one of the options, with or without a value (-sX, --name=X).
function M.listed(list, word)
  for _, refused in ipairs(list) do
    local long = refused:sub(1, 2) == "--"
    if word == refused or long and word:sub(1, #refused + 1) == refused .. "="
      or not long and word:sub(1, #refused) == refused and word:sub(1, 2) ~= "--" then
      return true
    end
  end
  return false
end

-- Some programs use the option parser yargs, which also accepts --outputFormat for --output-format.
local function without_camel_case(word)
  if word:sub(1, 2) ~= "--" then return word end
  local option, rest = word:match("^([^=]*)(.*)$")
  return option:gsub("%u", function(letter) return "-" .. letter:lower() end) .. rest
end

--- Reports whether a runner refuses an argument.
function M.holds(name, word)
  if not names.has(names.programs, name) then return false end
  local runner = require("moonlet.engine.runner." .. name)
  if runner.refuses_word and runner.refuses_word(word) then return true end
  return M.listed(runner.refused_args, runner.takes_camel_case and without_camel_case(word) or word)
end

return M
