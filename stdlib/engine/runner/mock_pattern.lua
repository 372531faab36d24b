--- Builds a text that matches a regular expression, for the runner `mock`.
--- Only common parts of RE2's syntax are supported, so the caller must check that the text matches.
local M = {}

local classes = { d = "017", w = "mo1", s = " ", D = "m", W = "-", S = "m", n = "\n",
  t = "\t", r = "\r", b = "", A = "", z = "" }
local longest = 200

--- Parses a character class "[…]". Returns some of its characters and the position after it.
local function read_class(text, at)
  local negated, body, stop = text:match("^%[(^?)(%]?[^%]\\]*)()", at)
  while text:sub(stop, stop) == "\\" do
    local escaped, rest, after = text:match("^\\(.)([^%]\\]*)()", stop)
    body, stop = body .. (classes[escaped] or escaped) .. rest, after
  end
  body = body:gsub("(.)%-(.)", function(low, high)
    return low .. string.char((low:byte() + high:byte()) // 2)
  end)
  if negated ~= "" then
    body = ("mock0-_ "):gsub(".", function(c) return body:find(c, 1, true) and "" or c end)
  end
  return body, stop + 1
end

--- Returns a text that usually matches `pattern`.
---@param pick fun(count: integer): integer  returns a number from 1 to count
function M.text(pattern, pick)
  local make_choice

  local function make_part(at)
    local char, after = pattern:sub(at, at), at + 1
    local members = (char == "^" or char == "$") and "" or char == "." and "mock" or char
    if char == "(" then
      local text, stop = make_choice(pattern:match("^%(%?[%w<>:]-[:>]()", at) or after)
      return text, stop + 1
    elseif char == "[" then
      members, after = read_class(pattern, at)
    elseif char == "\\" then
      local name = pattern:sub(at + 1, at + 1)
      members, after = classes[name] or name, at + 2
    end
    local which = #members > 0 and pick(#members) or 1
    return members:sub(which, which), after
  end

  local function make_sequence(at)
    local made = {}
    while at <= #pattern and not pattern:find("^[|)]", at) do
      local text, after = make_part(at)
      local least, stop = pattern:match("^{(%d+),?%d*}()", after)
      least = least and tonumber(least) or pattern:find("^%?", after) and 0 or 1
      stop = stop or pattern:match("^[*+?]()", after) or after
      for i = 1, math.min(least, longest) do
        made[#made + 1] = i == 1 and text or (make_part(at))
      end
      -- A lazy repeat matches the same texts as a greedy one.
      at = stop > after and pattern:match("^%??()", stop) or stop
    end
    return table.concat(made), at
  end

  function make_choice(at)
    local choices = {}
    repeat
      choices[#choices + 1], at = make_sequence(at)
      local more = pattern:sub(at, at) == "|"
      if more then at = at + 1 end
    until not more
    return choices[pick(#choices)], at
  end

  return (make_choice(1))
end

return M
