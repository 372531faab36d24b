--- `moonlet completion SHELL` prints a shell's completion. The shell asks moonlet itself for the words, so they come
--- from the table of verbs, the presets and the runs as they are then.
local repository = require "moonlet.engine.run.repository"
local options = require "moonlet.engine.cli.options"
local loader = require "moonlet.engine.load.loader"
local store = require "moonlet.engine.run.store"
local state = require "moonlet.engine.run.state"
local verbs = require "moonlet.engine.cli.verbs"
local runners = require "moonlet.engine.load.runners"

local M = {}

M.known = { help = { help = "this text" } }

local most_runs = 30

local scripts = {
  bash = [==[
_moonlet() {
  local IFS=$'\n'
  COMPREPLY=($(moonlet completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1))
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
  if (( ${#shown} )); then _describe moonlet shown; else _files; fi
}
if [ "$funcstack[1]" = _moonlet ]; then _moonlet "$@"; else compdef _moonlet moonlet; fi
]==],
  fish = [==[
function __moonlet_words
    set -l words (commandline -opc) (commandline -ct)
    moonlet completion words -- $words[2..-1] 2>/dev/null
end
complete -c moonlet -a '(__moonlet_words)'
]==],
}

--- Collects candidates that begin as the word does.
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
    local told, preset = pcall(loader.preset, found[name])
    add(name, told and preset.summary or "broken")
  end
end

local function add_runs(add, word)
  local ok, home = pcall(repository.open, nil)
  local root = ok and store.root(home)
  if not root then return end
  add("last", "the newest run")
  for i, id in ipairs(store.ids(root)) do
    if i > most_runs then return end
    local rec = store.look(root, id)
    local name = word and word:find "^[Rr]" and id or state.short(id)
    if rec then add(name, ("%s: %s"):format(rec.preset, state.of(home, id, rec))) end
  end
end

--- The arguments of the preset that the words name, as options.
local function preset_arguments(words)
  local name
  for i = 2, #words - 1 do
    if words[i]:sub(1, 1) ~= "-" then name = name or words[i] end
  end
  local ok, preset = pcall(function()
    return loader.preset(loader.find(core.run.home(repository.folder(nil)), name))
  end)
  return ok and preset and preset.args or {}
end

local function add_options(add, verb, words)
  for name, option in pairs(verbs.options(verb)) do
    if not option.hidden then add("--" .. name, option.help) end
  end
  if verb.name ~= "run" then return end
  for name, declared in pairs(preset_arguments(words)) do add("--" .. name:gsub("_", "-"), declared.help) end
end

--- The values of an option: those that its help lists, or the names that there are.
local function add_values(add, name, option)
  if name == "runner" then
    for _, known in ipairs(runners.names { runners = {} }) do add(known) end
  elseif name == "preset" or name == "pattern" then
    add_presets(add)
  elseif name == "before" or name == "run" or name == "resume" then
    add_runs(add)
  elseif option.value:find "^[%l-]+|" then
    for value in option.value:gmatch "[^|]+" do add(value) end
  end
end

--- True if no argument stands before the last word.
local function is_first(verb, words)
  for i = select(2, verb.name:gsub("%S+", "")) + 1, #words - 1 do
    if words[i]:sub(1, 1) ~= "-" then return false end
  end
  return true
end

--- Candidates for the last of the words.
---@param words string[]  without moonlet itself
---@return string[]  each with its explanation behind a tab
function M.candidates(words)
  local given = {}
  for _, word in ipairs(words) do
    if word ~= "=" then given[#given + 1] = word end -- bash takes --name=value apart
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
  local before = whole[#whole - 1]:match "^%-%-(.+)$"
  local option = before and verbs.options(verb)[before]
  local takes = verb.arguments or ""
  if option and option.value then
    add_values(add, before, option)
  elseif word:sub(1, 1) == "-" then
    add_options(add, verb, given)
  elseif takes:find "PRESET" or takes:find "^NAME" then
    if is_first(verb, whole) then add_presets(add) end
  elseif takes:find "RUN" then
    local place = #whole - select(2, verb.name:gsub("%S+", ""))
    if place == 1 or takes:find "…" then add_runs(add, word) end
    if place == 2 then
      for choice in (takes:match "%S+%s+%[?([%l|%s-]+)" or ""):gmatch "[%l-]+" do add(choice) end
    end
  elseif takes:find "|" then
    for choice in takes:gmatch "[%l-]+" do add(choice) end
  end
  table.sort(list)
  return list
end

---@param words string[]
---@return table? envelope, integer exit_code, string? text
function M.main(words)
  if words[2] == "words" then
    local list = M.candidates(table.move(words, words[3] == "--" and 4 or 3, #words, 1, {}))
    core.system.print(1, table.concat(list, "\n") .. (#list > 0 and "\n" or ""))
    return nil, 0
  end
  local found, rest = verbs.read("completion", words, M.known)
  if not found then return nil, 0 end
  local script = #rest == 1 and scripts[rest[1]]
  if not script then error(options.usage("completion for which shell?", "moonlet completion bash, zsh or fish"), 0) end
  core.system.print(1, script)
  return nil, 0
end

return M
