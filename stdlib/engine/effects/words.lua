--- Checks the arguments of ctx:exec, ctx:validate and ctx:require.
local record = require "moonlet.record"

local M = {}

local nil_hint = 'leave it out, or write "" for an empty text'

function M.check(word, index, verb)
  if type(word) ~= "string" then
    core.lost.refuse(word)
    local hint = math.type(word) and ('write "%s", or tostring(…)'):format(tostring(word))
      or type(word) == "table" and "give the words one by one" or nil_hint
    record.refuse(("%s: argument %d is a %s, not text"):format(verb, index, type(word)), hint)
  end
  if word:find("\0", 1, true) then
    record.refuse(("%s: argument %d contains a NUL byte"):format(verb, index),
      "pass such data by stdin or a file")
  end
end

--- Raises an error if the first word of a command contains more than a program's name.
local function check_program(argv, verb)
  local first = argv[1]
  if not first:find "%s" or core.system.find_program(first) then return end
  if first:find "[|&;<>`$]" then
    record.refuse(("%s: '%s' needs a shell, and none is involved"):format(verb,
      core.text.printable(first, 200)),
      ("say so: { \"sh\", \"-c\", %s }"):format(core.json.encode(first)))
  end
  local words = {}
  for word in first:gmatch "%S+" do words[#words + 1] = core.json.encode(word) end
  record.refuse(("%s: '%s' is not a program, and nothing splits it into words"):format(verb,
    core.text.printable(first, 200)),
    ("give the words one by one: { %s }"):format(table.concat(words, ", ")))
end

--- Returns the words of a command as a list. Raises an error if the command cannot be started.
---@param given any        a list; other keys are ignored
---@param verb string      caller's name in messages: "ctx:exec"
---@param example string   shows how to write a command
function M.of(given, verb, example)
  if type(given) ~= "table" then given = {} end
  local hole = record.hole(given)
  if hole then record.refuse(("%s: argument %d is nil"):format(verb, hole), nil_hint) end
  local argv = {}
  for i, word in ipairs(given) do
    M.check(word, i, verb)
    argv[i] = word
  end
  if not argv[1] or argv[1] == "" then record.refuse(verb .. " needs a program", example) end
  check_program(argv, verb)
  return argv
end

function M.shown(argv) return core.text.printable(table.concat(argv, " "), 200) end

return M
