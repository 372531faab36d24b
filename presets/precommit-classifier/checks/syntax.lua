--- Checks that only need a language's own tool, or the tool of a configuration file. They are the last resort if no
--- check was declared; shell and Lua files are always worth it, for they take milliseconds.

local find, format, lower, match = string.find, string.format, string.lower, string.match

local M = {}

local PARSE_PYTHON = [==[python3 -c 'import ast,sys; [ast.parse(open(p,"rb").read(),p) for p in sys.argv[1:]]' %s]==]
local PARSE_JSON = [==[python3 -c 'import json,sys; [json.load(open(p,encoding="utf-8")) for p in sys.argv[1:]]' %s]==]

-- JSON in name only: these may hold comments.
local function commented_json(d)
  local low = lower(d.name)
  return d.ext ~= "json" or find(low, "^tsconfig") or find(low, "^%.eslintrc") or find(low, "^devcontainer")
    or find(low, "^jsconfig") or find(d.path, "%.vscode/") or find(low, "^%.swcrc")
end

local function interpreter(s, file)
  if file.d.ext == "bash" then return "bash" end
  if file.d.ext == "zsh" then return "zsh" end
  if file.d.ext == "ksh" then return "ksh" end
  local text = s.ctx:read(file.path, { cap = 160, missing = "nil" }) or ""
  local first = match(text, "^#!([^\n]*)") or ""
  if find(first, "zsh", 1, true) then return "zsh" end
  if find(first, "bash", 1, true) then return "bash" end
  if find(first, "sh%f[^%w]") or find(first, "dash", 1, true) then return "sh" end
  return file.d.language == "shell" and (first == "" and "bash" or nil) or nil
end

local function shell(s, checks, files)
  local by, order = {}, {}
  for i, file in ipairs(files) do
    if i > 20 then break end
    local program = interpreter(s, file)
    if program then
      if not by[program] then
        by[program] = {}
        order[#order + 1] = program
      end
      table.insert(by[program], file)
    end
  end
  for _, program in ipairs(order) do
    -- A shell parses one file at a time, however many it is given.
    for _, file in ipairs(by[program]) do
      local word = checks.file_words({ file }, "")
      if word and #by[program] <= 5 then s.emit("lint", format("%s -n %s", program, word), "shell syntax", "") end
    end
    local words = #by[program] > 5 and checks.file_words(by[program], "")
    if words then
      s.emit("lint", format('for f in %s; do %s -n "$f" || exit 1; done', words, program), "shell syntax", "")
    end
  end
end

-- language -> {always, command, why}; %s takes the files
local TOOLS = {
  python = { false, PARSE_PYTHON, "Python syntax" },
  json = { false, PARSE_JSON, "JSON syntax" },
  ruby = { false, "ruby -c %s", "Ruby syntax" },
  php = { false, "php -l %s", "PHP syntax" },
  javascript = { false, "node --check %s", "JavaScript syntax" },
  lua = { false, "luac -p %s", "Lua syntax" },
  terraform = { true, "terraform fmt -check %s", "Terraform syntax and form" },
}
local ONE_AT_A_TIME = { ruby = true, php = true, javascript = true, terraform = true }

---@param s checks.Survey
---@param checks table the module checks
---@param declared boolean true if the repository declared a check for this change
function M.run(s, checks, declared)
  local by, order = {}, {}
  for _, file in ipairs(s.files) do
    local language = file.d.language
    if file.d.kind == "unknown" and not file.deleted and not file.symlink and not file.nested
      and #order < 20 and not declared and interpreter(s, file) then
      language = "shell"
    end
    local known = language == "shell" or TOOLS[language]
    if known and not file.deleted and not file.submodule and not file.symlink and file.d.kind ~= "lock"
      and not file.d.fixture and not (language == "json" and commented_json(file.d)) then
      if not by[language] then
        by[language] = {}
        order[#order + 1] = language
      end
      table.insert(by[language], file)
    end
  end
  for _, language in ipairs(order) do
    local tool, files = TOOLS[language], by[language]
    if language == "shell" then
      if not s.shell_linted then shell(s, checks, files) end
    elseif (tool[1] or not declared) and not (language == "javascript" and files[1].d.ext == "jsx") then
      if not ONE_AT_A_TIME[language] then
        local words = checks.file_words(files, "")
        if words then s.emit("lint", format(tool[2], words), tool[3], "") end
      else
        for i = 1, math.min(#files, 3) do
          local word = checks.file_words({ files[i] }, "")
          if word then s.emit("lint", format(tool[2], word), tool[3], "") end
        end
      end
    end
  end
end

return M
