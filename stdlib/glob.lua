--- Matches globs: * and ? within a name, ** across folders, [a-z] and {a,b}.
---@class moonlet.glob
local M = {}

local specials = "[%^%$%(%)%%%.%[%]%*%+%-%?]"

--- Expands {a,b} into at most 64 alternatives.
local function alternatives(pattern, list)
  local before, body, after = pattern:match("^(.-){([^{}]*)}(.*)$")
  if not before or #list > 64 then
    list[#list + 1] = pattern
    return list
  end
  for item in (body .. ","):gmatch("([^,]*),") do alternatives(before .. item .. after, list) end
  return list
end

local function bracket(glob, i)
  local close = glob:find("]", i + 2, true)
  if not close then return nil end
  local body = glob:sub(i + 1, close - 1):gsub("%%", "%%%%"):gsub("^!", "^")
  return "[" .. body:gsub("%[", "%%[") .. "]", close
end

--- Translates one name of a glob (without "/") into a Lua pattern.
local function segment_pattern(glob)
  local parts, i = { "^" }, 1
  while i <= #glob do
    local c = glob:sub(i, i)
    local class, close
    if c == "[" then class, close = bracket(glob, i) end
    if c == "*" then
      if parts[#parts] ~= ".*" then parts[#parts + 1] = ".*" end
    elseif c == "?" then
      parts[#parts + 1] = "."
    elseif class then
      parts[#parts + 1] = class
      i = close
    else
      parts[#parts + 1] = c:gsub(specials, "%%%0")
    end
    i = i + 1
  end
  parts[#parts + 1] = "$"
  return table.concat(parts)
end

local function match_name(pattern, name)
  if not name:find(pattern) then return false end
  return name:sub(1, 1) ~= "." or pattern:sub(1, 3) ~= "^.*"
end

--- Backtracks only to the last **, which can match everything that an earlier ** could.
local function match_segments(patterns, names)
  local p, n, star, from = 1, 1, nil, nil
  while n <= #names do
    local pattern = patterns[p]
    if pattern == "**" then
      star, from, p = p, n, p + 1
    elseif pattern and match_name(pattern, names[n]) then
      p, n = p + 1, n + 1
    elseif star then
      from = from + 1
      p, n = star + 1, from
    else
      return false
    end
  end
  while patterns[p] == "**" do p = p + 1 end
  return p > #patterns
end

local function segments(text)
  local list = {}
  for name in text:gmatch("[^/]+") do list[#list + 1] = name end
  return list
end

--- Compiles a glob into a function that returns true for a matching relative path.
--- Errors: `invalid` a glob with too many alternatives.
--- ```lua
--- local fits = m.glob.compile "src/**/*.{c,h}"
--- fits "src/io/read.c" --> true
--- fits "read.c" --> false
--- ```
---@param glob string
---@return fun(path: string): boolean
function M.compile(glob)
  local all = {}
  for _, one in ipairs(alternatives(glob:gsub("^%./", ""), {})) do
    local patterns = segments(one)
    for i, name in ipairs(patterns) do
      if name ~= "**" then patterns[i] = segment_pattern(name) end
    end
    all[#all + 1] = patterns
  end
  return function(path)
    local names = segments(path)
    for _, patterns in ipairs(all) do
      if match_segments(patterns, names) then return true end
    end
    return false
  end
end

--- Reports whether a text contains a character that only globs use.
--- ```lua
--- m.glob.is_glob "src/*.c" --> true
--- ```
---@param text string
---@return boolean
function M.is_glob(text)
  return text:find("[%*%?%[{]") ~= nil
end

--- Returns the folder that contains every match: the names before the first special character.
--- ```lua
--- m.glob.root "src/io/*.c" --> "src/io"
--- ```
---@param glob string
---@return string
function M.root(glob)
  local root = {}
  for name in glob:gsub("^%./", ""):gmatch("([^/]+)/") do
    if M.is_glob(name) then break end
    root[#root + 1] = name
  end
  return table.concat(root, "/")
end

return M
