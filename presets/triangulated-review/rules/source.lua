--- Tells code, comments and strings apart, well enough for rules about lines: a small scanner for each family of
--- languages. Its result for a line has the line's own length, so that places agree.

local byte, find, match = string.byte, string.find, string.match
local rep, sub = string.rep, string.sub
local concat = table.concat

local M = {}

---@class rules.Line
---@field code string     the line with comments as spaces and the content of strings as \1
---@field comment string  the text of its comments
---@field inside string?  "string" or "comment", if the line begins in one

local function like(base, more)
  local copy = {}
  for key, value in pairs(base) do copy[key] = value end
  for key, value in pairs(more) do copy[key] = value end
  return copy
end

-- line, blocks: comments; quotes: strings that end on their line; multi: strings that run on, { open, close, true if
-- a backslash escapes }
local C = { line = { "//" }, blocks = { { "/*", "*/" } }, quotes = "\"'" }
local HASH = { line = { "#" }, quotes = "\"'" }
local TRIPLE = { { '"""', '"""', true }, { "'''", "'''", true } }
local JS = like(C, { template = true, regex = true })
local PHP = { line = { "//", "#" }, blocks = { { "/*", "*/" } }, quotes = "", attribute = true,
  multi = { { '"', '"', true }, { "'", "'", true } } }
local SHELL = { line = { "#" }, word = true, quotes = "", multi = { { '"', '"', true }, { "'", "'", false } },
  heredoc = true }
local YAML = { line = { "#" }, word = true, quotes = "\"'", quote_after = "[%s:,%[{(]" }

local LANGUAGES = {
  c = C, cpp = like(C, { raw = true, digits = true }), objc = C, proto = C, solidity = C, csharp = C, java = C,
  groovy = C, dart = C, zig = C, d = C, css = { blocks = { { "/*", "*/" } }, line = { "//" }, quotes = "\"'" },
  kotlin = like(C, { multi = { { '"""', '"""', false } } }), scala = like(C, { multi = { { '"""', '"""', false } } }),
  swift = like(C, { multi = { { '"""', '"""', true } } }), go = like(C, { multi = { { "`", "`", false } } }),
  rust = { line = { "//" }, blocks = { { "/*", "*/" } }, quotes = "", multi = { { '"', '"', true } }, chars = true },
  javascript = JS, typescript = JS, vue = like(JS, { blocks = { { "/*", "*/" }, { "<!--", "-->" } } }),
  php = PHP, python = like(HASH, { multi = TRIPLE }), ruby = HASH, perl = HASH, elixir = HASH, r = HASH,
  julia = HASH, nim = HASH, starlark = like(HASH, { multi = TRIPLE }), shell = SHELL, fish = SHELL, make = SHELL,
  docker = SHELL, just = SHELL, yaml = YAML, toml = like(HASH, { multi = TRIPLE }),
  ini = { line = { "#", ";" }, word = true, quotes = "" },
  terraform = { line = { "#", "//" }, blocks = { { "/*", "*/" } }, quotes = "\"" },
  lua = { line = { "--" }, blocks = { { "--[[", "]]" } }, quotes = "\"'", multi = { { "[[", "]]", false } } },
  sql = { line = { "--" }, blocks = { { "/*", "*/" } }, quotes = "'" },
  haskell = { line = { "--" }, blocks = { { "{-", "-}" } }, quotes = "\"" },
  html = { blocks = { { "<!--", "-->" } }, quotes = "" }, xml = { blocks = { { "<!--", "-->" } }, quotes = "" },
  cmake = { line = { "#" }, quotes = "", multi = { { '"', '"', true } } }, powershell = HASH,
}
LANGUAGES.svelte, LANGUAGES.astro = LANGUAGES.vue, LANGUAGES.vue

--- True if there is a scanner for a language.
---@param language string?
---@return boolean
function M.known(language) return LANGUAGES[language] ~= nil end

local PLAIN = { quotes = "" }

-- The characters at which something may begin, as a pattern.
local function special_of(lang)
  local chars = { ["\\"] = true }
  local function add(text) chars[sub(text, 1, 1)] = true end
  for _, text in ipairs(lang.line or {}) do add(text) end
  for _, pair in ipairs(lang.blocks or {}) do add(pair[1]) end
  for _, item in ipairs(lang.multi or {}) do add(item[1]) end
  for char in string.gmatch(lang.quotes, ".") do add(char) end
  if lang.template then
    add "`"
    add "{"
    add "}"
  end
  if lang.regex then add "/" end
  if lang.raw then add "R" end
  if lang.chars then
    add "'"
    add "r"
  end
  if lang.heredoc then add "<" end
  local list = {}
  for char in pairs(chars) do list[#list + 1] = (find(char, "%w") and "" or "%") .. char end
  return "[" .. concat(list) .. "]"
end

local function starts(line, pos, text) return sub(line, pos, pos + #text - 1) == text end

-- The end of an open string or comment; a backslash hides the next character if `escapes` says so.
local function closing(line, pos, close, escapes)
  if not escapes then
    local _, stop = find(line, close, pos, true)
    return stop
  end
  local first = sub(close, 1, 1)
  while true do
    local at = find(line, "[\\%" .. first .. "]", pos)
    if not at then return nil end
    if byte(line, at) == 92 then
      pos = at + 2
    elseif starts(line, at, close) then
      return at + #close - 1
    else
      pos = at + 1
    end
  end
end

local BEFORE_REGEX = "[%(,=:%[!&|?{};+%-*%%<>~^]%s*$"
local WORDS_BEFORE_REGEX = { ["return"] = true, typeof = true, case = true, ["in"] = true, of = true, delete = true,
  void = true, throw = true, ["else"] = true, ["do"] = true, await = true, yield = true }

local function regex_end(line, pos)
  local before = sub(line, math.max(1, pos - 40), pos - 1)
  local word = match(before, "([%a_]+)%s*$")
  if not (find(before, "^%s*$") or find(before, BEFORE_REGEX) or WORDS_BEFORE_REGEX[word or ""]) then return nil end
  local set, at = false, pos + 1
  while true do
    at = find(line, "[\\/%[%]]", at)
    if not at then return nil end
    local char = sub(line, at, at)
    if char == "\\" then
      at = at + 1
    elseif char == "[" then
      set = true
    elseif char == "]" then
      set = false
    elseif not set then
      return at
    end
    at = at + 1
  end
end

-- Collects a line's pieces.
local function writer(line)
  local parts, comments = {}, {}
  local w = { from = 1 }
  function w.code(to)
    if to >= w.from then parts[#parts + 1] = sub(line, w.from, to) end
    w.from = math.max(w.from, to + 1)
  end
  function w.mask(to, char)
    if to >= w.from then parts[#parts + 1] = rep(char, to - w.from + 1) end
    w.from = math.max(w.from, to + 1)
  end
  function w.comment(to)
    comments[#comments + 1] = sub(line, w.from, to)
    w.mask(to, " ")
  end
  function w.finish() return concat(parts), concat(comments, " ") end
  return w
end

local function open_state(state, close, kind, escapes) state.close, state.kind, state.escapes = close, kind, escapes end

local function inside_template(line, at, state, w)
  while true do
    at = find(line, "[\\`$]", at)
    if not at then
      w.mask(#line, "\1")
      return nil
    end
    local char, code = sub(line, at, at), starts(line, at, "${")
    if char == "`" or code then
      w.mask(at - 1, "\1")
      w.code(code and at + 1 or at)
      state.close, state.kind = nil, nil
      if code then state.braces[#state.braces + 1] = 0 end
      return at + (code and 2 or 1)
    end
    at = at + (char == "\\" and 2 or 1)
  end
end

-- Continues in an open string or comment; returns the position after it, or nil if it lasts beyond the line.
local function inside(line, pos, state, w)
  if state.kind == "template" then return inside_template(line, pos, state, w) end
  local stop = closing(line, pos, state.close, state.escapes)
  local last = stop or #line
  if state.kind == "comment" then
    w.comment(last)
  else
    w.mask(stop and stop - #state.close or last, "\1")
    w.code(last)
  end
  if not stop then return nil end
  state.close, state.kind = nil, nil
  return stop + 1
end

-- Functions for a character at which something may begin: each returns the next position, or nil if it does not begin
-- here.

-- A template of JavaScript, and the braces that hold code inside of one.
local function begin_template(_, at, _, state, w, char)
  local depth = #state.braces
  if char == "`" then
    w.code(at)
    open_state(state, "`", "template")
  elseif char == "{" then
    if depth > 0 then state.braces[depth] = state.braces[depth] + 1 end
  elseif char == "}" then
    if depth > 0 and state.braces[depth] == 0 then
      state.braces[depth] = nil
      w.code(at)
      open_state(state, "`", "template")
    elseif depth > 0 then
      state.braces[depth] = state.braces[depth] - 1
    end
  else
    return nil
  end
  return at + 1
end

local function begin_comment(line, at, lang, state, w)
  for _, pair in ipairs(lang.blocks or {}) do
    if starts(line, at, pair[1]) then
      w.code(at - 1)
      open_state(state, pair[2], "comment", false)
      return at + #pair[1]
    end
  end
  for _, mark in ipairs(lang.line or {}) do
    local alone = not lang.word or at == 1 or find(sub(line, at - 1, at - 1), "[%s;|&(]")
    if starts(line, at, mark) and alone and not (lang.attribute and starts(line, at, "#[")) then
      w.code(at - 1)
      w.comment(#line)
      return #line + 1
    end
  end
  return nil
end

-- R"x(…)x" of C++.
local function begin_raw(line, at, _, state, w, char)
  if char ~= "R" then return nil end
  local delimiter = match(line, '^R"([^%s()\\]*)%(', at)
  if not delimiter then return at + 1 end
  w.code(at + 1)
  open_state(state, ")" .. delimiter .. '"', "string", false)
  return at + 2 + #delimiter
end

local CHARACTERS = { "^'[^\\']'", "^'\\[^']+'", "^'[\xc2-\xf4][\x80-\xbf]+'" }

-- r#"…"# and 'c' of Rust, where a quote alone begins a lifetime.
local function begin_rust(line, at, _, state, w, char)
  if char == "r" then
    local hashes = match(line, '^r(#*)"', at)
    if not hashes or find(sub(line, at - 1, at - 1), "[%w_]") then return at + 1 end
    w.code(at + 1 + #hashes)
    open_state(state, '"' .. hashes, "string", false)
    return at + 2 + #hashes
  elseif char == "'" then
    local literal = match(line, CHARACTERS[1], at) or match(line, CHARACTERS[2], at) or match(line, CHARACTERS[3], at)
    if not literal then return at + 1 end
    w.code(at)
    w.mask(at + #literal - 2, "\1")
    return at + #literal
  end
  return nil
end

local function begin_heredoc(line, at, _, state, _, char)
  if char ~= "<" then return nil end
  local quote, word = match(line, "^<<%-?%s*([\"']?)([%a_][%w_]*)", at)
  if not word or sub(line, at - 1, at - 1) == "<" then return at + 1 end
  state.heredoc = word
  return at + 2 + #quote + #word
end

local function begin_long_string(line, at, lang, state, w)
  for _, item in ipairs(lang.multi or {}) do
    if starts(line, at, item[1]) then
      w.code(at + #item[1] - 1)
      open_state(state, item[2], "string", item[3])
      return at + #item[1]
    end
  end
  return nil
end

local function begin_regex(line, at, _, _, w, char)
  if char ~= "/" then return nil end
  local stop = regex_end(line, at)
  if not stop then return at + 1 end
  w.code(at)
  w.mask(stop - 1, "\1")
  return stop + 1
end

-- A quote between the digits of a number.
local function is_separator(line, at)
  return find(sub(line, at - 1, at + 1), "^%x'%x$") and find(sub(line, 1, at - 1), "%d[%x']*$")
end

local function begin_string(line, at, lang, _, w, char)
  if not find(lang.quotes, char, 1, true) then return nil end
  if lang.quote_after and at > 1 and not find(sub(line, at - 1, at - 1), lang.quote_after) then return at + 1 end
  if lang.digits and char == "'" and is_separator(line, at) then return at + 1 end
  local stop = closing(line, at + 1, char, true)
  w.code(at)
  w.mask((stop or #line + 1) - 1, "\1")
  return (stop or #line) + 1
end

-- Beginnings in the order of their tests, as far as the language has them.
local BEGINNINGS = {
  { "template", begin_template }, { nil, begin_comment }, { "raw", begin_raw }, { "chars", begin_rust },
  { "heredoc", begin_heredoc }, { nil, begin_long_string }, { "regex", begin_regex }, { nil, begin_string },
}

local function begin(line, at, lang, state, w)
  local char = sub(line, at, at)
  if char == "\\" then return at + 2 end
  for i = 1, #BEGINNINGS do
    local needs, try = BEGINNINGS[i][1], BEGINNINGS[i][2]
    local after = (not needs or lang[needs]) and try(line, at, lang, state, w, char)
    if after then return after end
  end
  return at + 1
end

local function scan(line, lang, special, state)
  local w, pos = writer(line), 1
  while pos <= #line do
    if state.close then
      local after = inside(line, pos, state, w)
      if not after then break end
      pos = after
    else
      local at = find(line, special, pos)
      if not at then break end
      pos = begin(line, at, lang, state, w)
    end
  end
  if state.close then
    if state.kind == "comment" then
      if w.from <= #line then w.comment(#line) end
    else
      w.mask(#line, "\1")
    end
  else
    w.code(#line)
  end
  return w.finish()
end

--- Reads lines that follow each other.
---@param lines string[]
---@param language string?
---@return rules.Line[]
function M.lex(lines, language)
  local lang = LANGUAGES[language] or PLAIN
  lang.special = lang.special or special_of(lang)
  local state, result = { braces = {} }, {}
  for i = 1, #lines do
    local line = lines[i]
    if state.heredoc and not state.close then
      if match(line, "^%s*(.-)%s*$") == state.heredoc then state.heredoc = nil end
      result[i] = { code = rep("\1", #line), comment = "", inside = "string" }
    else
      local kind = state.close and (state.kind == "comment" and "comment" or "string") or nil
      local code, comment = scan(line, lang, lang.special, state)
      result[i] = { code = code, comment = comment, inside = kind }
    end
  end
  return result
end

--- The text between the parenthesis at `pos` and the one that closes it on the same line.
---@param code string
---@param pos integer
---@return string? content
---@return integer? stop position of the closing one
function M.parens(code, pos)
  local depth, at = 0, pos
  while true do
    at = find(code, "[()]", at)
    if not at then return nil end
    if byte(code, at) == 40 then
      depth = depth + 1
    else
      depth = depth - 1
      if depth == 0 then return sub(code, pos + 1, at - 1), at end
    end
    at = at + 1
  end
end

--- True if every bracket that a line opens is closed on it.
---@param code string
---@return boolean
function M.balanced(code)
  local depth = 0
  for char in string.gmatch(code, "[%(%)%[%]{}]") do
    depth = depth + (find("([{", char, 1, true) and 1 or -1)
    if depth < 0 then return false end
  end
  return depth == 0
end

return M
