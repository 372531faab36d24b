--- `moonlet completion SHELL` prints the completion script for a shell.
--- The script asks moonlet for candidates, so they match the present verbs, presets and runs.
local repository = require "moonlet.engine.run.repository"
local options = require "moonlet.engine.cli.options"
local loader = require "moonlet.engine.load.loader"
local packets = require "moonlet.engine.task.packets"
local run_options = require "moonlet.engine.cli.run.known"
local store = require "moonlet.engine.run.store"
local state = require "moonlet.engine.run.state"
local step_files = require "moonlet.engine.run.step_files"
local verbs = require "moonlet.engine.cli.verbs"
local runners = require "moonlet.engine.load.runners"

local M = {}

M.known = { help = { help = "this text" } }

local most_runs = 30

local scripts = {
  bash = [==[
_moonlet() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == *' '* ]]; then line=$(printf %q "$line"); fi
    COMPREPLY+=("$line")
  done < <(moonlet completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1)
}
complete -o default -F _moonlet moonlet
]==],
  zsh = [==[
#compdef moonlet
_moonlet() {
  local -a found shown
  local line
  found=("${(@f)$(moonlet completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for line in "${(@)found}"; do
    [[ -n $line ]] && shown+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  if (( ${#shown} )); then _describe moonlet shown; else compset -P '--*='; _files; fi
}
if [ "$funcstack[1]" = _moonlet ]; then _moonlet "$@"; else compdef _moonlet moonlet; fi
]==],
  fish = [==[
function __moonlet_words
    set -l words (commandline -opc) (commandline -ct)
    moonlet completion words -- $words[2..-1] 2>/dev/null
end
function __moonlet_has_none
    test (count (__moonlet_words)) -eq 0
end
complete -c moonlet -f -k -a '(__moonlet_words)'
complete -c moonlet -F -n __moonlet_has_none
]==],
}

--- Returns a list, and a function that adds the candidates that start with `word` to the list.
local function collector(word)
  local list, seen = {}, {}
  return list, function(candidate, about)
    if seen[candidate] or candidate:sub(1, #word) ~= word then return end
    seen[candidate] = true
    list[#list + 1] = candidate .. "\t" .. core.text.printable(about or "", 60)
  end
end

local function add_presets(add)
  local ok, home = pcall(function() return core.run.home(repository.folder(nil)) end)
  if not ok then return end
  local found, names = loader.all(home)
  for _, name in ipairs(names) do
    local told, preset = loader.try(found[name])
    add(name, told and preset.summary or "broken")
  end
end

--- Maps a verb to a function that accepts or rejects a run's state. Only runs with an
--- accepted state are offered. For a verb without an entry, all runs are offered.
local states_for = {
  answer = function(name) return name == "needs-human" end,
  ["run resume"] = function(name)
    return name ~= "ok" and name ~= "prepared" and name ~= "findings"
  end,
}

local function add_runs(add, word, verb)
  local is_wanted = states_for[verb]
  local ok, home = pcall(repository.open, nil)
  local root = ok and store.root(home)
  if not root then return end
  for i, id in ipairs(store.ids(root)) do
    if i > most_runs then return end
    local rec = store.look(root, id)
    local name = word and word:find "^%d" and id:match "^R%-0*(%d+)$" or id
    local now = rec and state.of(home, id, rec)
    if now and (not is_wanted or is_wanted(now)) then
      if i == 1 then add("last", "the newest run") end
      add(name, ("%s: %s"):format(rec.preset, now))
    end
  end
end

local function add_steps(add, run)
  pcall(function()
    local home = repository.open(nil)
    local _, rec = store.find(home, run)
    for _, step in ipairs(step_files.of(store.root(home), rec)) do
      add(step_files.name(step.key), step.status)
    end
  end)
end

local function add_packets(add)
  local ok, all = pcall(function() return packets.all(repository.open(nil)) end)
  for _, packet in ipairs(ok and all.list or {}) do add(packet.id, packet.title) end
end

local function add_sessions(add)
  local ok, ids = pcall(function() return core.session.list(repository.open(nil).handle) end)
  if not ok or #ids == 0 then return end
  add("last", "the newest session")
  for i = math.max(1, #ids - most_runs + 1), #ids do add(ids[i]) end
end

local function arguments(words, known)
  local list, i = {}, 1
  while i < #words do
    local option = known[words[i]:match "^%-%-([^=]+)$"]
    if words[i]:sub(1, 1) ~= "-" then list[#list + 1] = words[i] end
    i = i + (option and option.value and 2 or 1)
  end
  return list
end

local function options_of(verb, words)
  local known = verbs.options(verb)
  if verb.name ~= "run" then return known end
  local name = arguments(words, known)[2]
  local ok, all = pcall(function()
    local preset = loader.preset(loader.find(core.run.home(repository.folder(nil)), name))
    return run_options.of_preset(preset)
  end)
  return ok and all or known
end

local function add_options(add, known)
  for name, option in pairs(known) do
    if not option.hidden then add("--" .. name, option.help) end
  end
end

--- Passes the possible values of an option to `add`: the declared choices, the names of existing
--- things such as runs, or the alternatives in the option's help ("a|b").
local function add_values(add, name, option)
  if option.choices then
    for _, choice in ipairs(option.choices) do add(choice) end
  elseif name == "runner" then
    for _, known in ipairs(runners.names()) do add(known) end
  elseif name == "preset" or name == "pattern" then
    add_presets(add)
  elseif name == "before" or name == "run" or name == "resume" then
    add_runs(add)
  elseif option.value:find "^[%l-]+|" then
    for value in option.value:gmatch "[^|]+" do add(value) end
  end
end

--- Completes the last item of a comma-separated list.
--- Items that the list already has are not offered.
local function add_to_list(add, word, name, option)
  local before = option.many and word:match "^.*," or ""
  local there = {}
  for item in before:gmatch "[^,]+" do there[item] = true end
  add_values(function(value, about)
    if not there[value] then add(before .. value, about) end
  end, name, option)
end

--- Returns the completions of the last word.
---@param words string[]  words of the command line after `moonlet`
---@return string[]  completions, each with an explanation after a tab
function M.candidates(words)
  local given = {}
  for i, word in ipairs(words) do
    -- bash splits --name=value at "=".
    if word ~= "=" then given[#given + 1] = word elseif i == #words then given[#given + 1] = "" end
  end
  local word = given[#given] or ""
  local list, add = collector(word)
  if #given <= 1 then
    for _, name in ipairs(verbs.words()) do
      local verb = verbs.find { name }
      add(name, verb and verb.help or "")
    end
    return list
  end
  local verb, whole = verbs.find(given)
  if verbs.group(given[1]) and #given == 2 then
    for _, name in ipairs(verbs.words(given[1])) do
      local sub = verbs.find { given[1], name }
      add(name, sub and sub.help)
    end
  end
  if not verb then return list end
  local known, takes = options_of(verb, whole), verb.arguments or ""
  local joined, rest = word:match "^(%-%-[^=]+=)(.*)$"
  local before = joined and joined:sub(3, -2) or whole[#whole - 1]:match "^%-%-(.+)$"
  local option = before and known[before]
  local place = #arguments(whole, known) - select(2, verb.name:gsub("%S+", "")) + 1
  if before == "step" and verb.name == "run show" then
    add_steps(add, arguments(whole, known)[3])
  elseif option and option.value then
    local offer = joined and function(value, about) add(joined .. value, about) end or add
    add_to_list(offer, rest or word, before, option)
  elseif word:sub(1, 1) == "-" then
    add_options(add, known)
  elseif place == 1 or takes:find "…" or takes:find "RUN RUN" then
    if takes:find "PRESET" or takes:find "^NAME" then add_presets(add) end
    if takes:find "T%-001" then add_packets(add) end
    if takes:find "SESSION" then add_sessions(add) end
    if takes:find "RUN" then
      add_runs(add, word, verb.name)
      return list  -- newest first
    end
    for choice in (takes:match "^%l[%l|]+" or ""):gmatch "%l+" do add(choice) end
  elseif place == 2 and takes:find "STEP" then
    add_steps(add, arguments(whole, known)[3])
  elseif place == 2 then
    for choice in (takes:match "^RUN%s+%[?([%l|%s-]+)" or ""):gmatch "[%l-]+" do add(choice) end
  end
  table.sort(list)
  return list
end

function M.main(words)
  if words[2] == "words" then
    local list = M.candidates(table.move(words, words[3] == "--" and 4 or 3, #words, 1, {}))
    core.system.print(1, table.concat(list, "\n") .. (#list > 0 and "\n" or ""))
    return nil, 0
  end
  local _, rest = verbs.read("completion", words, M.known)
  local script = #rest == 1 and scripts[rest[1]]
  if not script then
    options.refuse("completion for which shell?", "moonlet completion bash, zsh or fish")
  end
  core.system.print(1, script)
  return nil, 0
end

return M
