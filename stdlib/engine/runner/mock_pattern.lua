--- Text that a regular expression fits, for the runner `mock`. It reads the common part of RE2's syntax; what it makes
--- is checked against the schema by its caller.
local M = {}

local classes = { d = { "0", "1", "7" }, w = { "m", "o", "1" }, s = { " " }, D = { "m" }, W = { "-" }, S = { "m" } }
local escapes = { n = "\n", t = "\t", r = "\r" }
local longest = 200

local read_choice

--- The members of "[…]", of which a few are enough. Returns a list of characters and the place behind it.
local function read_class(text, at)
  local negated = text:sub(at, at) == "^"
  if negated then at = at + 1 end
  local members, first = {}, true
  while at <= #text and (first or text:sub(at, at) ~= "]") do
    first = false
    local char = text:sub(at, at)
    if char == "\\" then
      local name = text:sub(at + 1, at + 1)
      table.move(classes[name] or { escapes[name] or name }, 1, #(classes[name] or { 1 }), #members + 1, members)
      at = at + 2
    elseif text:sub(at + 1, at + 1) == "-" and text:find("^[^%]]", at + 2) then
      local low, high = char:byte(), text:byte(at + 2)
      members[#members + 1], members[#members + 2] = char, string.char((low + high) // 2)
      at = at + 3
    else
      members[#members + 1] = char
      at = at + 1
    end
  end
  if not negated then return members, at + 1 end
  local banned, kept = {}, {}
  for _, member in ipairs(members) do banned[member] = true end
  for char in ("mock0-_ "):gmatch "." do
    if not banned[char] then kept[#kept + 1] = char end
  end
  return kept, at + 1
end

--- One part: a character, a class or a group. Returns a function that makes it, and the place behind it.
local function read_atom(text, at)
  local char = text:sub(at, at)
  if char == "^" or char == "$" then return function() return "" end, at + 1 end
  if char == "(" then
    local inner, after = read_choice(text, select(2, text:find("^%(%?[%w<>:]-[:>]", at)) and
      select(2, text:find("^%(%?[%w<>:]-[:>]", at)) + 1 or at + 1)
    return inner, after + 1
  end
  local members
  local after = at + 1
  if char == "[" then
    members, after = read_class(text, at + 1)
  elseif char == "\\" then
    local name = text:sub(at + 1, at + 1)
    if name == "b" or name == "A" or name == "z" then return function() return "" end, at + 2 end
    members, after = classes[name] or { escapes[name] or name }, at + 2
  elseif char == "." then
    members = { "m", "o", "c", "k" }
  else
    members = { char }
  end
  return function(pick) return members[pick(#members)] or "" end, after
end

local function read_count(text, at)
  local char = text:sub(at, at)
  if char == "*" or char == "+" then return 1, at + 1 end
  if char == "?" then return 0, at + 1 end
  local least, stop = text:match("^{(%d+),?%d*}()", at)
  if least then return tonumber(least), stop end
  return nil, at
end

local function read_sequence(text, at)
  local parts = {}
  while at <= #text and not text:find("^[|)]", at) do
    local make, after = read_atom(text, at)
    local count, behind = read_count(text, after)
    -- A lazy repeat makes the same.
    if count and text:sub(behind, behind) == "?" then behind = behind + 1 end
    parts[#parts + 1] = function(pick)
      local made = {}
      for i = 1, math.min(count or 1, longest) do made[i] = make(pick) end
      return table.concat(made)
    end
    at = behind
  end
  return function(pick)
    local made = {}
    for i, part in ipairs(parts) do made[i] = part(pick) end
    return table.concat(made)
  end, at
end

function read_choice(text, at)
  local choices = {}
  repeat
    local sequence
    sequence, at = read_sequence(text, at)
    choices[#choices + 1] = sequence
    local more = text:sub(at, at) == "|"
    if more then at = at + 1 end
  until not more
  return function(pick) return choices[pick(#choices)](pick) end, at
end

--- A text that `pattern` fits, mostly.
---@param pick fun(count: integer): integer  a number from 1 to count
function M.text(pattern, pick)
  local make = read_choice(pattern, 1)
  return make(pick)
end

return M
