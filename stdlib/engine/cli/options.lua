--- Parses command lines. An unknown option is rejected, and the nearest name is suggested.
local page = require "moonlet.engine.base.page"
local record = require "moonlet.record"
local sorted_keys = require "moonlet.engine.base.sorted_keys"

local M = {}

---@class moonlet.Option
---@field value string?   the value's name in help; nil for a switch
---@field many boolean?   true: the option may be repeated
---@field help string
---@field hidden boolean?
---@field common boolean?  listed in the short help of a verb with many options
---@field group string?    heading in the help (default "options")
---@field letter string?   "f" allows -f
---@field positional boolean? true: words without an option are values of this option
---@field choices string[]? values for completion

local common = {
  repo = { value = "DIR", help = "the repository or folder (default: here)" },
  json = { help = "print one JSON envelope and nothing else" },
  help = { help = "this text" },
}

--- Reports whether `name` is an option that nearly all verbs have.
function M.is_common(name) return common[name] ~= nil end

--- Adds the options that all verbs about a repository have.
function M.with_common(own)
  local all = {}
  for name, option in pairs(common) do all[name] = option end
  for name, option in pairs(own or {}) do all[name] = option end
  return all
end

function M.usage(message, hint)
  local err = record.invalid(message, hint)
  err.usage = true
  return err
end

function M.refuse(message, hint) error(M.usage(message, hint), 0) end

--- Raises an error if there are more words than a command takes.
---@param command string  name of the command, such as "session log"
function M.no_more(rest, most, command, hint)
  if not rest[most + 1] then return end
  M.refuse(("moonlet %s takes no argument '%s'"):format(command,
    core.text.printable(rest[most + 1], 40)), hint)
end

--- Builds the envelope (the JSON output) of a command. main.lua sets its field `command`.
---@param run table?  from store.envelope()
---@param err table?
function M.envelope(result, run, err)
  return { ok = err == nil, command = "", run = run or core.json.null, result = result,
    error = err or core.json.null }
end

--- Raises an error if the value of an option is none of the choices.
function M.check_choice(name, word, choices)
  for _, choice in ipairs(choices) do
    if word == choice then return end
  end
  M.refuse(("--%s '%s' is not understood"):format(name, core.text.printable(word, 40)),
    record.suggest(word, choices))
end

--- Raises an error if an option is given and its value is neither `one` nor `other`.
---@param word string?  nil if the option was not given
function M.check_word(name, word, one, other)
  if word == nil or word == one or word == other then return end
  M.refuse(("--%s '%s' is not understood"):format(name, core.text.printable(word, 40)),
    ("write --%s %s or --%s %s"):format(name, one, name, other))
end

--- Converts an option's value to a positive integer, or raises an error.
function M.whole_number(text, name, most)
  local number = math.tointeger(tonumber(text))
  if number and number >= 1 and number <= most then return number end
  M.refuse(("--%s must be a whole number from 1 to %d, not '%s'"):format(name, most,
    core.text.printable(text, 40)))
end

local most_tokens = 1000000000

--- Converts an option's value to a number of tokens; nil if it was not given.
function M.tokens(text, name) return text and M.whole_number(text, name, most_tokens) end

--- Sets an option like `--NAME VALUE`. Raises an error if it is already set and cannot be repeated.
function M.set(found, name, option, value)
  if option.many then
    found[name] = found[name] or {}
    table.insert(found[name], value)
  elseif found[name] ~= nil and option.value then
    M.refuse(("--%s is given twice"):format(name))
  else
    found[name] = value
  end
end

local function is_public(option) return not option.hidden end

local function lookup(known, name)
  local option = known[name]
  if option then return option, name end
  local positive = name:match("^no%-(.+)$")
  if positive and known[positive] and not known[positive].value then
    return known[positive], positive, true
  end
  local names, dashed = sorted_keys(known, is_public), {}
  local near = record.nearest(name, names)
  for i, other in ipairs(names) do dashed[i] = "--" .. other end
  M.refuse(("unknown option --%s"):format(core.text.printable(name, 60)),
    near and ("did you mean '--%s'?"):format(near) or record.suggest("", dashed))
end

--- Parses words into options and positional words. All words after "--" are positional.
function M.parse(words, known, start)
  local found, rest, letters = {}, {}, { ["-h"] = "help" }
  for name, option in pairs(known) do
    if option.letter then letters["-" .. option.letter] = name end
  end
  local i = start or 1
  while i <= #words do
    local word = words[i]
    if word == "--" then
      table.move(words, i + 1, #words, #rest + 1, rest)
      break
    end
    local name, value = word:match("^%-%-([^=]+)=(.*)$")
    name = name or word:match("^%-%-(.+)$") or letters[word]
    if not name then
      if #word > 1 and word:sub(1, 1) == "-" then
        M.refuse(("unknown option '%s'"):format(core.text.printable(word, 60)),
          "options begin with two dashes; after -- everything is an argument")
      end
      rest[#rest + 1] = word
    else
      local option, canonical, negated = lookup(known, name)
      if not option.value then
        if value then M.refuse(("--%s takes no value"):format(name)) end
        local is_all = canonical == "help" and words[i + 1] == "all"
        if is_all then i = i + 1 end
        M.set(found, canonical, option, is_all and "all" or not negated)
      else
        if not value then
          i = i + 1
          value = words[i]
          if value == nil then
            M.refuse(("--%s needs a value"):format(name), ("--%s %s"):format(name, option.value))
          end
          if known[value:match "^%-%-([^=]+)" or ""] then
            M.refuse(("--%s needs a value, and '%s' looks like an option"):format(name, value),
              ("write --%s=%s if that is the value"):format(name, value))
          end
        end
        M.set(found, canonical, option, value)
      end
    end
    i = i + 1
  end
  return found, rest
end

--- Returns the value of an option in words that are not parsed yet, or nil.
function M.value_in(words, name)
  local value
  for i, word in ipairs(words) do
    if word == "--" then break end
    value = word:match("^%-%-" .. name .. "=(.*)$") or word == "--" .. name
      and words[i + 1] or value
  end
  return value
end

--- Separates some options, with their values, from all other words, before the words are parsed.
---@param kinds table<string, "flag"|"value">  the options to separate
---@return string[] separated, string[] others
function M.separate(words, kinds)
  local separated, others, i, is_over = {}, {}, 1, false
  while i <= #words do
    local word = words[i]
    is_over = is_over or word == "--"
    local kind = not is_over and kinds[word:match "^%-%-([^=]+)" or ""]
    local last = kind == "value" and not word:find("=", 1, true) and i + 1 or i
    local list = kind and separated or others
    table.move(words, i, last, #list + 1, list)
    i = last + 1
  end
  return separated, others
end

local function as_texts(value, name)
  if type(value) == "number" and math.type(value) == "float" and value == math.floor(value) then
    value = math.tointeger(value)
  end
  if type(value) == "string" or type(value) == "number" then return { tostring(value) } end
  for _, item in ipairs(type(value) == "table" and value or { false }) do
    if type(item) ~= "string" then
      M.refuse(("the option '%s' must be a text, a number or a list of texts"):format(name))
    end
  end
  return value
end

--- Reads options by name from a table such as {runner = "codex", json = true}. Rejects unknown options,
--- as `parse` does.
---@param given table<string, any>
---@param known table<string, moonlet.Option>
function M.of_table(given, known)
  local found = {}
  for _, key in ipairs(sorted_keys(given)) do
    local option, name = lookup(known, (key:gsub("_", "-")))
    local value = given[key]
    if not option.value then
      if type(value) ~= "boolean" then
        M.refuse(("the option '%s' must be true or false"):format(key))
      end
      found[name] = value or nil
    else
      for _, text in ipairs(as_texts(value, key)) do M.set(found, name, option, text) end
    end
  end
  return found
end

--- Converts a table of options to words of a command line, for a verb that parses such words.
function M.words_of(given)
  local words = {}
  for _, key in ipairs(sorted_keys(given)) do
    local value, name = given[key], "--" .. key:gsub("_", "-")
    if value == true then words[#words + 1] = name end
    for _, text in ipairs(type(value) ~= "boolean" and as_texts(value, key) or {}) do
      words[#words + 1] = name .. "=" .. text
    end
  end
  return words
end

local groups = { "arguments", "agents", "rights and limits", "output", "record", "options" }

--- Returns the first words of a text that fit into a number of columns.
local function beginning(text, columns)
  local line = page.wrap(text, columns)[1]
  if #line == #text then return text end
  return (page.wrap(text, math.max(columns - 2, 8))[1]:gsub("[ ,;:]+$", "")) .. " …"
end

--- Formats the help of options: grouped, sorted by name, wrapped to the page.
---@param is_brief boolean?  one line per option
function M.help(known, is_brief)
  local names, lefts, width = {}, {}, 0
  for name, option in pairs(known) do
    local group = option.group or "options"
    if not option.hidden then
      names[group] = names[group] or {}
      table.insert(names[group], name)
      lefts[name] = (option.letter and "-" .. option.letter .. ", " or "") .. "--" .. name
        .. (option.value and " " .. option.value or "")
      if #lefts[name] <= 19 then width = math.max(width, core.text.width(lefts[name])) end
    end
  end
  local lines, out = {}, page.out()
  for _, group in ipairs(groups) do
    if names[group] then
      table.sort(names[group])
      lines[#lines + 1] = group .. ":"
      for _, name in ipairs(names[group]) do
        local text, left = known[name].help, lefts[name]
        if is_brief then
          left = page.pad(left, math.max(width, core.text.width(left)))
          lines[#lines + 1] = ("  %s  %s"):format(left,
            beginning(text, out.columns - core.text.width(left) - 4))
        else
          page.row(lines, out, 2, left, width + 4, text)
        end
      end
    end
  end
  return table.concat(lines, "\n")
end

--- Raises an error if an option's value is not a date.
function M.day(text, name)
  if text and not core.clock.parse(text .. "T00:00:00.000Z") then
    M.refuse(("--%s '%s' is not a date"):format(name, core.text.printable(text, 40)),
      "write it as 2026-11-01")
  end
  return text
end

--- Returns the display mode for the events of a run: "events", "none", "plain" or "live".
---@param found table   options of the command line
function M.display(found, output)
  if output.events then return "events" end
  if output.json then return "none" end
  return (found.plain or found.verbose or found.detached) and "plain" or "live"
end

function M.print_help(text, json)
  local command = M.envelope { text = text }
  command.command = "help"
  core.system.print(1, not json and core.text.strip(text) or core.json.encode(command) .. "\n")
end

return M
