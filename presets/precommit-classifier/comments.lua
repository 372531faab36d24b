--- Proves that a change touches nothing but comments and blank lines, by reading the new file with a small scanner.
--- It errs on one side: whatever it cannot prove is code. Comments that tools obey are code too.

local git = require "moonlet.git"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

local function like(base, more)
  local copy = {}
  for key, value in pairs(base) do copy[key] = value end
  for key, value in pairs(more) do copy[key] = value end
  return copy
end

-- line, block: how comments begin (and end); quotes: text that ends on its line; multi: text that may run on; refuse:
-- marks anywhere in a file that so simple a scanner cannot handle
local C = { line = { "//" }, block = { "/*", "*/" }, quotes = "\"'" }
local HASH = { line = { "#" }, quotes = "\"'" }
local TRIPLE = { '"""', "'''" }
-- nests: signs that a text holds code which holds such text again, or runs on; this takes a parser
local BACKTICK = { multi = { "`" }, nests = { "%${[^}]*`", "%${[^}]*$" } }
local NESTED_TRIPLE = { "%${[^}]*\"", "%${[^}]*$" }

-- Languages whose plain quotes run over lines in ways that take a parser are left out on purpose.
local LANGUAGES = {
  c = C, cpp = like(C, { refuse = { 'R"' } }), objc = C, proto = C, solidity = C, prisma = C,
  csharp = like(C, { refuse = { '@"', '"""' } }), java = like(C, { multi = { '"""' } }),
  kotlin = like(C, { multi = { '"""' }, nests = NESTED_TRIPLE }),
  scala = like(C, { multi = { '"""' }, nests = NESTED_TRIPLE }),
  swift = like(C, { multi = { '"""' }, nests = { "\\%([^)]*\"", "\\%([^)]*$" } }),
  dart = like(C, { multi = TRIPLE, nests = { "%${[^}]*['\"]", "%${[^}]*$" } }),
  go = like(C, { multi = { "`" } }), javascript = like(C, BACKTICK), typescript = like(C, BACKTICK),
  rust = like(C, { quotes = "", multi = { '"' }, refuse = { 'r#"', 'r"', "'\"'", "///", "//!" } }),
  css = { block = { "/*", "*/" }, quotes = "\"'" },
  html = { block = { "<!--", "-->" }, quotes = "", refuse = { "<!--[if", "<script", "<style" } },
  python = like(HASH, { multi = TRIPLE }),
  shell = like(HASH, { quotes = "", multi = { '"', "'" }, refuse = { "<<" } }),
  terraform = like(HASH, { line = { "#", "//" }, block = { "/*", "*/" }, refuse = { "<<" } }),
  yaml = { line = { "#" }, quotes = "", yaml = true }, toml = like(HASH, { multi = TRIPLE }),
  ini = { line = { "#", ";" }, quotes = "", only_start = true },
  make = { line = { "#" }, quotes = "", only_start = true },
  cmake = { line = { "#" }, quotes = "", multi = { '"' }, refuse = { "[[", "[=" } },
  docker = { line = { "#" }, quotes = "", refuse = { "<<" }, only_start = true },
  lua = { line = { "--" }, block = { "--[[", "]]" }, quotes = "\"'", pair = { "[[", "]]" }, refuse = { "[=" } },
  sql = { line = { "--" }, block = { "/*", "*/" }, quotes = "", multi = { "'", '"' }, refuse = { "$$" } },
  haskell = { line = { "--" }, block = { "{-", "-}" }, quotes = '"' },
}

-- Comments that tools and compilers obey.
local OBEYED = { "#!", "go:", "+build", "nolint", "noqa", "type:", "pylint", "pragma", "eslint", "@ts-", "lint",
  "istanbul", "prettier", "shellcheck", "rubocop", "frozen_string", "coding", "mappingurl", "syntax=", "escape=",
  "check=", "tools-version", "nosec", "noinspection", "#include", "//export", "@jsx", "@flow", "webpack", "clang-",
  "nosonar", "mypy", "isort", "fmt:", "fmt off", "yapf", "coverage", "pyright", "luacheck", "stylua", "@generated",
  "doctest", ">>>", "@vite", "c8 ", "biome", "deno-", "v8 ", "sourcery", "codeql", "checkov", "trivy", "tfsec",
  "@type", "@import", "dependabot", "renovate", "$schema", "yaml-language", "/*!", "/*+", "license", "copyright",
  "spdx" }

local function obeyed(text)
  local low = lower(text)
  for i = 1, #OBEYED do
    if find(low, OBEYED[i], 1, true) then return true end
  end
  return false
end

local function starts(text, pos, list)
  for i = 1, #(list or {}) do
    if sub(text, pos, pos + #list[i] - 1) == list[i] then return list[i] end
  end
end

-- The end of the text that `close` ends; a backslash hides a double quote.
local function closing(line, close, pos)
  if close == '"' then line = gsub(line, "\\.", "..") end
  local _, stop = find(line, close, pos, true)
  return stop
end

local function skip_quoted(line, pos, quote)
  while pos <= #line do
    local char = sub(line, pos, pos)
    pos = char == "\\" and pos + 2 or pos + 1
    if char == quote then break end
  end
  return pos
end

-- Scans from a place in plain code: the next position, the state, and true if it is code.
local function scan_plain(line, at, lang, code)
  local char = sub(line, at, at)
  local multi = starts(line, at, lang.multi)
  if lang.block and starts(line, at, { lang.block[1] }) then
    return at + #lang.block[1], "b:" .. lang.block[2], code
  end
  if starts(line, at, lang.line) and not (lang.only_start and code) then return #line + 1, "", code end
  if multi then return at + #multi, "s:" .. multi, true end
  if lang.pair and starts(line, at, { lang.pair[1] }) then return at + 2, "s:" .. lang.pair[2], true end
  if lang.quotes ~= "" and find(lang.quotes, char, 1, true) then return skip_quoted(line, at + 1, char), "", true end
  if char == "\\" then return at + 2, "", true end
  return find(line, "[^%w_%s.,;()}%]=+>&|!?:@]", at + 1) or #line + 1, "", true
end

-- Reads one line from a state: "" is plain, else "b:" or "s:" and the text that closes the comment or string. Returns
-- the state after it and true if anything in it is code.
local function scan_line(line, state, lang)
  local pos, code = 1, sub(state, 1, 1) == "s"
  while pos <= #line do
    if state ~= "" then
      if sub(state, 1, 1) == "s" then code = true end
      local stop = closing(line, sub(state, 3), pos)
      if not stop then return state, code end
      pos, state = stop + 1, ""
    else
      local at = find(line, "%S", pos)
      if not at then break end
      pos, state, code = scan_plain(line, at, lang, code)
    end
  end
  return state, code
end

local function split_lines(text)
  local lines = {}
  for line in string.gmatch(text, "([^\n]*)\n?") do lines[#lines + 1] = line end
  return lines
end

-- The state before each line of a file and the lines that are code, or nil if the file does not end as it should.
local function states_of(lines, lang)
  local before, code, state = {}, {}, ""
  for i, line in ipairs(lines) do
    -- Lines of such length hold no comments, and patterns would take too long over them.
    if #line > 4000 then return nil end
    before[i] = state
    state, code[i] = scan_line(line, state, lang)
    for _, pattern in ipairs(lang.nests or {}) do
      if find(line, pattern) then return nil end
    end
  end
  before[#lines + 1] = state
  if state ~= "" then return nil end
  return before, code
end

local function refused(text, lang)
  for _, word in ipairs(lang.refuse or {}) do
    if find(text, word, 1, true) then return true end
  end
  if not lang.yaml then return false end
  -- In YAML a block of text, and a quoted one that runs on, may hold lines that look like comments.
  if find(text, "[|>][%d+-]*[ \t]*\n") then return true end
  for line in string.gmatch(text, "[^\n]+") do
    local _, double = gsub(line, '"', "")
    local _, single = gsub(line, "'", "")
    if double % 2 == 1 or single % 2 == 1 then return true end
  end
  return false
end

-- A run of changed lines: the new ones are comments, the old ones were, and both leave the same state behind.
local function run_is_comment(run, line, lines, before, code, lang)
  -- A comment after a continued line ends it, or is part of it.
  if sub(lines[line - 1] or "", -1) == "\\" then return false end
  for i = line, line + run.added - 1 do
    if code[i] then return false end
  end
  local state = before[line]
  if not state then return false end
  for _, text in ipairs(run.removed) do
    local was_code
    state, was_code = scan_line(text, state, lang)
    if was_code then return false end
  end
  return state == before[line + run.added]
end

local function hunk_is_comment(hunk, lines, before, code, lang)
  local line = hunk.new_count == 0 and hunk.new_start + 1 or hunk.new_start
  local run = { added = 0, removed = {} }
  local function close()
    if run.added == 0 and #run.removed == 0 then return true end
    local ok = run_is_comment(run, line, lines, before, code, lang)
    line = line + run.added
    run = { added = 0, removed = {} }
    return ok
  end
  for _, text in ipairs(hunk.lines) do
    local mark = sub(text, 1, 1)
    if mark == "+" then
      run.added = run.added + 1
    elseif mark == "-" then
      run.removed[#run.removed + 1] = sub(text, 2)
    elseif mark ~= "\\" then
      if not close() then return false end
      line = line + 1
    end
  end
  return close()
end

-- Most changes are seen to be code without opening the file.
local function maybe_comment(part, lang)
  for _, _, text in git.changed_lines(part) do
    local body = match(text, "^%s*(.*)$")
    if body ~= "" then
      -- A backslash at the end would swallow the next line.
      if obeyed(body) or sub(body, -1) == "\\" then return false end
      local lead = starts(body, 1, lang.line) or (lang.block and starts(body, 1, { lang.block[1], "*" }))
      if not lead and not (lang.block and not find(body, "[;{}=(]")) then return false end
    end
  end
  return true
end

--- True if all changes in a file are in comments and blank lines.
---@param ctx table
---@param file moonlet.facts.File with `d`
---@param budget table {reads = how many files may still be opened}
---@return boolean
function M.only(ctx, file, budget)
  local lang, part = LANGUAGES[file.d.language or ""], file.parts[1]
  if not lang or #file.parts ~= 1 or file.status ~= "modified" or file.untracked or file.binary
    or file.mode_change or file.symlink or file.submodule then
    return false
  end
  if part.cut or #part.hunks == 0 or part.section == "range" or file.added + file.deleted > 400 then return false end
  if budget.reads <= 0 or not maybe_comment(part, lang) then return false end
  budget.reads = budget.reads - 1
  local text, _, cut = ctx:read(file.path, { cap = 131072, missing = "nil" })
  if not text or cut then return false end
  if refused(text, lang) then return false end
  local lines = split_lines(text)
  local before, code = states_of(lines, lang)
  if not before then return false end
  for _, hunk in ipairs(part.hunks) do
    if not hunk_is_comment(hunk, lines, before, code, lang) then return false end
  end
  return true
end

return M
