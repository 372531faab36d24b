--- Command lines: named options, each known beforehand; a wrong name suggests the near one.
local record = require "moonlet.record"

local M = {}

---@class moonlet.Option
---@field value string?   the value's name in help; nil for a switch
---@field many boolean?   may be given again and again
---@field help string
---@field hidden boolean?

local function usage(message, hint)
  local err = record.invalid(message, hint)
  err.usage = true
  return err
end
M.usage = usage

local function set(found, name, option, value)
  if option.many then
    found[name] = found[name] or {}
    table.insert(found[name], value)
  elseif found[name] ~= nil and option.value then
    error(usage(("--%s is given twice"):format(name)), 0)
  else
    found[name] = value
  end
end

local function lookup(known, name, list)
  local option = known[name]
  if option then return option, name end
  local positive = name:match("^no%-(.+)$")
  if positive and known[positive] and not known[positive].value then
    return known[positive], positive, true
  end
  error(usage(("there is no option --%s"):format(core.text.printable(name, 60)),
    record.suggest(name, list)), 0)
end

--- Parses words into options and the rest. Everything after "--" is rest.
---@param words string[]
---@param known table<string, moonlet.Option>
---@param start integer?
---@return table<string, any> options, string[] rest
function M.parse(words, known, start)
  local found, rest, names = {}, {}, {}
  for name, option in pairs(known) do
    if not option.hidden then names[#names + 1] = name end
  end
  local i = start or 1
  while i <= #words do
    local word = words[i]
    if word == "--" then
      table.move(words, i + 1, #words, #rest + 1, rest)
      break
    end
    local name, value = word:match("^%-%-([^=]+)=(.*)$")
    name = name or word:match("^%-%-(.+)$") or (word == "-h" and "help") or nil
    if not name then
      if #word > 1 and word:sub(1, 1) == "-" then
        error(usage(("'%s' is no option"):format(core.text.printable(word, 60)),
          "options begin with two dashes; after -- everything is an argument"), 0)
      end
      rest[#rest + 1] = word
    else
      local option, canonical, negated = lookup(known, name, names)
      if not option.value then
        if value then error(usage(("--%s takes no value"):format(name)), 0) end
        set(found, canonical, option, not negated)
      else
        if not value then
          i = i + 1
          value = words[i]
          if value == nil then
            error(usage(("--%s needs a value"):format(name), ("--%s %s"):format(name, option.value)), 0)
          end
        end
        set(found, canonical, option, value)
      end
    end
    i = i + 1
  end
  return found, rest
end

--- The help lines of options, sorted by name.
---@param known table<string, moonlet.Option>
---@return string
function M.help(known)
  local names, width = {}, 0
  for name, option in pairs(known) do
    if not option.hidden then
      names[#names + 1] = name
      width = math.max(width, #name + 2 + (option.value and #option.value + 1 or 0))
    end
  end
  table.sort(names)
  local lines = {}
  for _, name in ipairs(names) do
    local option = known[name]
    local left = "--" .. name .. (option.value and " " .. option.value or "")
    lines[#lines + 1] = ("  %s%s  %s"):format(left, (" "):rep(width - #left), option.help)
  end
  return table.concat(lines, "\n")
end

--- Prints a help text, or an envelope that holds it.
---@param text string
---@param json boolean?
function M.print_help(text, json)
  local null = core.json.null
  core.system.print(1, not json and text or core.json.encode { ok = true, command = "help", run = null,
    result = { text = text }, error = null } .. "\n")
end

return M
