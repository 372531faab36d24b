--- Reads the text of a shell script far enough to find its commands: quotes, expansions, redirections,
--- here-documents, substitutions, compound commands. A part that only the running shell knows (a variable, a pattern,
--- a command's output) stands in a word as `M.unknown`. No command is run, no expansion made.
local M = {}

--- Placeholder in a word for a part that is not known before the shell runs.
M.unknown = "\1"

local unknown = M.unknown
local deepest = 40
local most_open = 60
local longest_arithmetic = 4096

--- Words that stand before a command without being one.
local before_command = {
  ["if"] = true, ["then"] = true, ["elif"] = true, ["else"] = true, ["while"] = true, ["until"] = true,
  ["do"] = true, ["!"] = true, ["{"] = true, ["}"] = true, ["fi"] = true, ["done"] = true, ["esac"] = true,
  ["coproc"] = true,
}

local escapes = { n = "\n", t = "\t", r = "\r", a = "\a", b = "\b", e = "\27", E = "\27", f = "\f", v = "\v" }

local parse_list

local function fail() error("the text cannot be read", 0) end

local function new(text, shared, depth)
  if depth > deepest then fail() end
  return { s = text, i = 1, commands = shared.commands, shared = shared, depth = depth, waiting = {} }
end

--- The commands of a text inside the text.
local function nested(p, text) parse_list(new(text, p.shared, p.depth + 1), nil) end

--- $'…': `p.i` is behind the opening quote.
local function ansi_quote(p)
  local out = {}
  while true do
    local c = p.s:sub(p.i, p.i)
    if c == "" then fail() end
    p.i = p.i + 1
    if c == "'" then return table.concat(out) end
    if c ~= "\\" then
      out[#out + 1] = c
    else
      local octal = p.s:match("^[0-7][0-7]?[0-7]?", p.i)
      local hex = p.s:match("^x(%x%x?)", p.i)
      local wide = p.s:match("^u(%x%x?%x?%x?)", p.i) or p.s:match("^U(%x%x?%x?%x?%x?%x?%x?%x?)", p.i)
      if octal then
        out[#out + 1] = string.char(tonumber(octal, 8) & 255)
        p.i = p.i + #octal
      elseif hex then
        out[#out + 1] = string.char(tonumber(hex, 16))
        p.i = p.i + 1 + #hex
      elseif wide then
        local code = tonumber(wide, 16)
        out[#out + 1] = code <= 0x10FFFF and utf8.char(code) or unknown
        p.i = p.i + 1 + #wide
      else
        local e = p.s:sub(p.i, p.i)
        out[#out + 1] = escapes[e] or (e:match("[\\'\"?]") and e) or unknown
        p.i = p.i + 1
      end
    end
  end
end

--- `…`: `p.i` is behind the opening one.
local function backticks(p)
  local out = {}
  while true do
    local c = p.s:sub(p.i, p.i)
    if c == "" then fail() end
    p.i = p.i + 1
    if c == "`" then break end
    if c == "\\" then
      c = p.s:sub(p.i, p.i)
      p.i = p.i + 1
      if not c:match("[`\\$]") then c = "\\" .. c end
    end
    out[#out + 1] = c
  end
  nested(p, table.concat(out))
end

local dollar

--- The substitutions in a text that is otherwise no command: a here-document, an arithmetic expression.
local function substitutions(p, text)
  local inner = new(text, p.shared, p.depth + 1)
  while true do
    local at = text:find("[`$\\]", inner.i)
    if not at then return end
    inner.i = at + 1
    local c = text:sub(at, at)
    if c == "\\" then
      inner.i = at + 2
    elseif c == "`" then
      backticks(inner)
    else
      dollar(inner, true)
    end
  end
end

--- The end of an arithmetic expression whose text begins at `from`; nil when it is none.
local function arithmetic_end(s, from)
  local depth, i = 0, from
  while true do
    local at = s:find("[()]", i)
    if not at or at - from > longest_arithmetic then return nil end
    if s:sub(at, at) == "(" then
      depth = depth + 1
    elseif depth == 0 then
      return s:sub(at + 1, at + 1) == ")" and at or nil
    else
      depth = depth - 1
    end
    i = at + 1
  end
end

--- ${…}: `p.i` is behind the brace.
local function braces(p)
  local depth, i = 1, p.i
  while depth > 0 do
    local at = p.s:find("[{}\\]", i)
    if not at then fail() end
    local c = p.s:sub(at, at)
    depth = depth + (c == "{" and 1 or c == "}" and -1 or 0)
    i = at + (c == "\\" and 2 or 1)
  end
  local inner = p.s:sub(p.i, i - 2)
  p.i = i
  substitutions(p, inner)
end

--- Reads the text after a `$`, at `p.i`; returns its addition to the word.
function dollar(p, quoted)
  local s = p.s
  local c = s:sub(p.i, p.i)
  if c == "(" then
    local last = s:sub(p.i + 1, p.i + 1) == "(" and arithmetic_end(s, p.i + 2)
    if last then
      local inner = s:sub(p.i + 2, last - 1)
      p.i = last + 2
      substitutions(p, inner)
    else
      p.i = p.i + 1
      parse_list(p, ")")
    end
    return unknown
  end
  if c == "{" then
    p.i = p.i + 1
    braces(p)
    return unknown
  end
  if c == "'" and not quoted then
    p.i = p.i + 1
    return ansi_quote(p)
  end
  if c == '"' and not quoted then return "" end
  local name = s:match("^[%a_][%w_]*", p.i) or s:match("^[%d@*#?$!-]", p.i)
  if not name then return "$" end
  p.i = p.i + #name
  return unknown
end

--- "…": `p.i` is behind the opening quote.
local function double_quote(p)
  local out = {}
  while true do
    local at = p.s:find('["\\$`]', p.i)
    if not at then fail() end
    out[#out + 1] = p.s:sub(p.i, at - 1)
    local c = p.s:sub(at, at)
    p.i = at + 1
    if c == '"' then return table.concat(out) end
    if c == "\\" then
      local e = p.s:sub(p.i, p.i)
      p.i = p.i + 1
      if e ~= "\n" then out[#out + 1] = e:match('[$`"\\]') and e or "\\" .. e end
    elseif c == "$" then
      out[#out + 1] = dollar(p, true)
    else
      backticks(p)
      out[#out + 1] = unknown
    end
  end
end

--- A word at `p.i`; nil when none begins there. The second result says if a part of it was quoted.
local function read_word(p)
  local out, quoted, any = {}, false, false
  local s = p.s
  while true do
    local plain = s:match("^[^%s;&|()<>'\"\\$`*?%[{]+", p.i)
    if plain then
      out[#out + 1], any = plain, true
      p.i = p.i + #plain
    end
    local c = s:sub(p.i, p.i)
    if c == "" or c:find("^[%s;&|()]") then break end
    if c == "<" or c == ">" then
      if any or s:sub(p.i + 1, p.i + 1) ~= "(" then break end
      p.i = p.i + 2
      parse_list(p, ")")
      out[#out + 1], any = unknown, true
    else
      any = true
      p.i = p.i + 1
      if c == "'" then
        local close = s:find("'", p.i, true)
        if not close then fail() end
        out[#out + 1], quoted = s:sub(p.i, close - 1), true
        p.i = close + 1
      elseif c == '"' then
        out[#out + 1], quoted = double_quote(p), true
      elseif c == "\\" then
        local e = s:sub(p.i, p.i)
        p.i = p.i + 1
        if e ~= "\n" then out[#out + 1], quoted = e, true end
        -- A continued line is no part of a word by itself.
        if e == "\n" and #out == 0 then any = false end
      elseif c == "$" then
        out[#out + 1] = dollar(p, false)
      elseif c == "`" then
        backticks(p)
        out[#out + 1] = unknown
      elseif c == "{" then
        out[#out + 1] = s:find("^[^%s{}]*[,.]", p.i) and unknown or c
      elseif c == "[" and not s:find("^[^%s%[%]]+%]", p.i) then
        out[#out + 1] = c
      else
        out[#out + 1] = unknown
      end
    end
  end
  if not any then return nil end
  return table.concat(out), quoted
end

local function skip_blank(p)
  while true do
    local _, last = p.s:find("^[ \t\r\v\f]+", p.i)
    if last then
      p.i = last + 1
    elseif p.s:find("^\\\n", p.i) then
      p.i = p.i + 2
    else
      return
    end
  end
end

--- Takes the here-documents that wait for the end of the line; `p.i` is behind it.
local function here_documents(p)
  for _, wait in ipairs(p.waiting) do
    local body = {}
    while true do
      local line, next_line = p.s:match("^([^\n]*)()", p.i)
      local at_end = next_line > #p.s
      p.i = next_line + 1
      if wait.tabs then line = line:gsub("^\t+", "") end
      if line == wait.word then break end
      body[#body + 1] = line
      -- A shell takes the text up to there.
      if at_end then break end
    end
    local text = table.concat(body, "\n")
    wait.feeds[#wait.feeds + 1] = text
    if not wait.quoted then substitutions(p, text) end
  end
  p.waiting = {}
end

--- A redirection at `p.i`; false when there is none.
local function redirection(p, feeds)
  local s = p.s
  local from = s:match("^%d*()[<>]", p.i) or s:match("^{[%a_][%w_]*}()[<>]", p.i) or s:match("^&()>", p.i)
  if not from or s:find("^[<>]%(", from) then return false end
  local operator = s:match("^<<<", from) or s:match("^<<%-", from) or s:match("^[<>][<>&|]?", from)
  p.i = from + #operator
  skip_blank(p)
  local word, quoted = read_word(p)
  if not word then fail() end
  if operator == "<<<" then
    feeds[#feeds + 1] = word
  elseif operator == "<<" or operator == "<<-" then
    p.waiting[#p.waiting + 1] = { word = word, quoted = quoted, tabs = operator == "<<-", feeds = feeds }
  end
  return true
end

local function close(p, command)
  if #command.words > 0 or #command.assigned > 0 then p.commands[#p.commands + 1] = command end
  return { words = {}, assigned = {}, feeds = {} }
end

--- Adds a word to a command; returns its change to the number of open `case`.
local function join(command, word, quoted)
  local words = command.words
  if command.names then -- the name of a function
    command.names = nil
    return 0
  end
  if #words == 0 and not quoted then
    if before_command[word] then return word == "esac" and -1 or 0 end
    if word == "function" then
      command.names = true
      return 0
    end
  end
  if #words == 0 and word:find("^[%a_][%w_]*%+?=") then
    command.assigned[#command.assigned + 1] = word
    return 0
  end
  words[#words + 1] = word
  return #words == 1 and word == "case" and 1 or 0
end

--- Commands up to `stop`, which is a closing parenthesis, or the end of the text.
function parse_list(p, stop)
  local s = p.s
  p.depth = p.depth + 1
  if p.depth > deepest then fail() end
  local command, cases, open = close(p, { words = {}, assigned = {} }), 0, 0
  while true do
    skip_blank(p)
    local c = s:sub(p.i, p.i)
    if c == "" then
      if stop then fail() end
      break
    elseif c == "\n" then
      p.i = p.i + 1
      command = close(p, command)
      here_documents(p)
    elseif c == "#" then
      p.i = s:find("\n", p.i, true) or #s + 1
    elseif c == ")" then
      p.i = p.i + 1
      command = close(p, command)
      if open > 0 then
        open = open - 1
      elseif stop and cases == 0 then
        break
      elseif cases == 0 then
        fail()
      end
    elseif c == "(" then
      local last = s:sub(p.i + 1, p.i + 1) == "(" and #command.words == 0 and arithmetic_end(s, p.i + 2)
      command = close(p, command)
      if last then
        -- Arithmetic for some shells, commands for others.
        nested(p, s:sub(p.i + 2, last - 1))
        p.i = last + 2
      else
        p.i, open = p.i + 1, open + 1
        if open > most_open then fail() end
      end
    elseif c == ";" or c == "|" or c == "&" and s:sub(p.i + 1, p.i + 1) ~= ">" then
      p.i = p.i + 1
      command = close(p, command)
    elseif not redirection(p, command.feeds) then
      local from = p.i
      local word, quoted = read_word(p)
      if word then
        cases = math.max(0, cases + join(command, word, quoted))
      elseif p.i == from then
        fail()
      end
    end
  end
  close(p, command)
  p.depth = p.depth - 1
end

--- The simple commands of a text, those inside others too: { words, assigned (NAME=VALUE), feeds (texts on its
--- standard input) }. Nil when the text cannot be read.
---@param text string
---@return {words: string[], assigned: string[], feeds: string[]}[]?
function M.commands(text)
  local shared = { commands = {} }
  -- A script that the parser cannot read, for whatever reason, counts as unread.
  local ok = pcall(function() parse_list(new(text, shared, 0), nil) end)
  return ok and shared.commands or nil
end

--- The words of a text, without quotes and in any order, as a set; parts of longer words too.
---@param text string
---@return table<string, boolean>
function M.mentioned(text)
  local found = {}
  for word in text:gsub("\\\n", ""):gsub("[\\'\"]", ""):gmatch("[%w_-]+") do found[word] = true end
  -- A list of words in another language: ["git", "push"].
  for word in text:gmatch("[%w_-]+") do found[word] = true end
  return found
end

return M
