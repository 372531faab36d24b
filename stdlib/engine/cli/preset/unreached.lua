--- Finds calls of ctx in a preset that a dry run did not reach. Their needs are not checked.
local sorted_keys = require "moonlet.engine.base.sorted_keys"

local M = {}

--- Lists the methods of ctx that start work, ask a person or write files.
local verbs = { agent = true, exec = true, validate = true, require = true, gate = true,
  question = true, preset = true, session = true, parallel = true, pipeline = true, any = true,
  step = true, scope = true, spawn = true, write = true }

--- Returns the end of a comment or string that starts at `at`; nil if neither starts there.
local function end_of_quote(text, at)
  local level = text:match("^%-%-%[(=*)%[", at) or text:match("^%[(=*)%[", at)
  if level then return select(2, text:find("]" .. level .. "]", at, true)) or #text end
  if text:find("^%-%-", at) then return (text:find("\n", at, true) or #text + 1) - 1 end
  local quote = text:match("^[\"']", at)
  local stop = at
  while quote do
    stop = text:find("[\\\n" .. quote .. "]", stop + 1)
    if not stop or text:sub(stop, stop) ~= "\\" then return stop or #text end
    stop = stop + 1
  end
end

--- Returns the text without comments and strings. Its lines keep their numbers.
local function code_of(text)
  local parts, from = {}, 1
  while true do
    local at = text:find("[%-%[\"']", from)
    local stop = at and end_of_quote(text, at)
    parts[#parts + 1] = text:sub(from, at and (stop and at - 1 or at) or #text)
    if not at then return table.concat(parts) end
    if stop then parts[#parts + 1] = "_" .. text:sub(at, stop):gsub("[^\n]", "") end
    from = (stop or at) + 1
  end
end

local function add(list, name, text, reached)
  local number = 0
  for line in (code_of(text) .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    for verb in line:gmatch "[%w_]%s*:%s*([%a_]+)%s*[({_]" do
      local place = ("%s:%d"):format(name, number)
      if verbs[verb] and not reached[place] then
        list[#list + 1] = ("%s (ctx:%s)"):format(place, verb)
      end
    end
  end
end

--- Returns the calls in the preset's own files, each as "FILE:LINE (ctx:VERB)".
---@param reached table<string, boolean>  places that the dry run reached
function M.calls(source, reached)
  local list = {}
  if source.builtin or not source.text then return list end
  add(list, source.origin, source.text, reached)
  for _, file in ipairs(sorted_keys(source.used or {}, function(_, file)
    return file:find "%.lua$" ~= nil
  end)) do
    add(list, source.origin:gsub("[^/]*$", "") .. file, source.read(file) or "", reached)
  end
  return list
end

return M
