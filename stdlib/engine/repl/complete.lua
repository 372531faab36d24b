--- Completes words at the prompt of `moonlet repl`: names, options, presets, run ids and paths.
local M = {}

local most = 400

local function matching(names, word)
  local found = {}
  for _, name in ipairs(names) do
    if name:sub(1, #word) == word then found[#found + 1] = name end
  end
  table.sort(found)
  return found
end

local keywords = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if",
  "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while" }

local function names_in(session, value, path, sign)
  local names, known = {}, session.known_names(path, sign)
  if known then return known end
  if type(value) == "string" and sign == ":" then value = string end
  if type(value) ~= "table" then return names end
  -- Use `next`, because pairs() and an index may call a metamethod of the value.
  for key, field in next, value do
    if sign == ":" and type(field) ~= "function" then goto continue end
    if type(key) == "string" and key:match("^[%a_][%w_]*$") then names[#names + 1] = key end
    if #names >= most then break end
    ::continue::
  end
  return names
end

--- Returns the value of a path such as a.b.c, without calling a metamethod.
local function value_at(session, path)
  local value
  for name in path:gmatch("[%a_][%w_]*") do
    if value == nil then
      value = rawget(session.environment, name)
    elseif type(value) == "table" then
      value = rawget(value, name)
    else
      return nil
    end
  end
  return value
end

local function in_text(session, before)
  local quote, word = before:match("([\"'])([^\"']*)$")
  local _, count = before:gsub("[\"']", "")
  if not quote or count % 2 == 0 then return nil end
  local folder, start = word:match("^(.*/)([^/]*)$")
  folder, start = folder or "", start or word
  local names = {}
  for _, entry in ipairs(core.file.list(session.run.home.root,
      folder == "" and "." or folder:sub(1, -2)) or {}) do
    names[#names + 1] = entry.name .. (entry.type == "directory" and "/" or "")
  end
  local found = matching(names, start)
  if folder == "" then
    for _, name in ipairs(matching(session.presets(), start)) do found[#found + 1] = name end
  end
  return #before - #start, found
end

--- Returns the options of the ctx call whose braces are open at the cursor.
local function options_at(session, before)
  local depth = 0
  for at = #before, 1, -1 do
    local char = before:sub(at, at)
    if char == "}" then depth = depth + 1 end
    if char == "{" then
      if depth == 0 then
        local verb = before:sub(1, at - 1):match("[:.]([%a_][%w_]*)%s*%(?%s*$")
        return verb and session.known_options(verb)
      end
      depth = depth - 1
    end
  end
end

---@param before string   the line up to the cursor
---@return integer from   offset of the completed word, counted from 0
function M.words(session, before)
  local command = before:match("^%s*(:%a*)$")
  if command then return #before - #command, matching(session.command_names(), command) end
  local run_word = before:match("^%s*:%a+%s+(%S*)$")
  if run_word then
    local names = session.argument_names(before:match("^%s*(:%a+)"), session.run)
    return #before - #run_word, matching(names, run_word)
  end
  local from, found = in_text(session, before)
  if from then return from, found end
  local path, sign, word = before:match("([%a_][%w_.]*)([.:])([%a_]?[%w_]*)$")
  if path then
    return #before - #word, matching(names_in(session, value_at(session, path), path, sign), word)
  end
  word = before:match("([%a_][%w_]*)$") or ""
  local options = options_at(session, before)
  if options and before:match("[{,]%s*[%w_]*$") then
    return #before - #word, matching(options, word)
  end
  if word == "" then return #before, {} end
  local names = { "ctx", "m", "print", table.unpack(keywords) }
  for name in pairs(session.environment) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  return #before - #word, matching(names, word)
end

return M
