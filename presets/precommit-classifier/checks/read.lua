--- Reads a repository's own declarations: scripts of manifests, targets of task runners, the run lines of its CI. All
--- of it is untrusted text, so only names from fixed lists and words that a shell line can show ever become part of a
--- command.

local git = require "moonlet.git"
local json = require("moonlet").json

local find, gmatch, gsub, lower, match, sub = string.find, string.gmatch, string.gsub, string.lower, string.match,
  string.sub

local M = {}

--- JSON, or nil for other text. Comments and trailing commas of the JSON dialects are passed over.
---@param text string?
---@return table?
function M.json(text)
  if not text then return nil end
  local ok, value = pcall(json.decode, text)
  if not ok then
    -- A comment that begins a line is the common case; text inside strings is left alone.
    local plain = gsub("\n" .. text, "\n[ \t]*//[^\n]*", "\n")
    plain = gsub(plain, ",(%s*[}%]])", "%1")
    ok, value = pcall(json.decode, plain)
  end
  if ok and type(value) == "table" then return value end
  return nil
end

--- Texts of a table by key, as in "scripts"; other values are left out.
---@param value any
---@return table<string, string>
function M.texts(value)
  local result = {}
  if type(value) ~= "table" then return result end
  for key, item in pairs(value) do
    if type(key) == "string" and type(item) == "string" then result[key] = item end
  end
  return result
end

-- The lines of a text that a person may have written; patterns would take too long over the others.
local function lines_of(text)
  local next_line = gmatch(text, "[^\n]+")
  return function()
    local line = next_line()
    while line and #line > 1000 do line = next_line() end
    return line
  end
end

--- Targets of a makefile by name.
---@param text string
---@return table<string, boolean>
function M.make_targets(text)
  local targets = {}
  for line in lines_of(text) do
    local names, after = match(line, "^([%w_./ -]+):(.?)")
    if names and after ~= "=" and sub(names, 1, 1) ~= "." then
      for name in gmatch(names, "%S+") do targets[name] = true end
    end
  end
  return targets
end

--- Recipes of a justfile that need no argument.
---@param text string
---@return table<string, boolean>
function M.just_recipes(text)
  local recipes = {}
  for line in lines_of(text) do
    local name, parameters, after = match(line, "^@?([%w][%w_-]*)([^:=\n]*):(.?)")
    if name and after ~= "=" and not find(parameters, "%w") then recipes[name] = true end
    name, parameters = match(line, "^@?([%w][%w_-]*)%s+([^\n]-):%s*$")
    if name and (find(parameters, "=", 1, true) or find(parameters, "^%*")) then recipes[name] = true end
  end
  return recipes
end

--- Tasks of a Taskfile.
---@param text string
---@return table<string, boolean>
function M.task_names(text)
  local names, inside = {}, false
  for line in lines_of(text) do
    if find(line, "^tasks:") then
      inside = true
    elseif find(line, "^%S") then
      inside = false
    elseif inside then
      local name = match(line, "^  [\"']?([%w][%w:_-]*)[\"']?:")
      if name then names[name] = true end
    end
  end
  return names
end

local RUNNERS = {}
for word in gmatch([[make npm pnpm yarn bun npx python python3 pytest tox nox cargo go cmake ctest ninja meson
  mvn gradle bash sh bundle rake rspec composer phpunit php deno just task dotnet mix swift zig stack cabal uv poetry
  pdm hatch
  luacheck busted shellcheck bats prove lua flutter dart sbt lein]], "%S+") do
  RUNNERS[word] = true
end

local REFUSED = { "install", "publish", "deploy", "push", "upload", "login", "docker", "sudo", "curl", "wget",
  "release", "secret", "token", "--fix", "apt", "clean", " rm ", "ssh", "tag" }

-- The kind of a CI command, or nil if it is no check that can be repeated by hand.
local function ci_kind(line)
  local first = match(line, "^(%S+)")
  if not first or #line > 120 or find(line, "[$`;|&<>\\{}\"']") or find(line, "%c") then return nil end
  if not (RUNNERS[first] or find(first, "^%./[%w_./-]+$")) then return nil end
  local low = lower(line)
  for i = 1, #REFUSED do
    if find(low, REFUSED[i], 1, true) then return nil end
  end
  if find(low, "lint", 1, true) or find(low, "clippy", 1, true) or find(low, "luacheck", 1, true)
    or find(low, "fmt", 1, true) or find(low, "format", 1, true) or find(low, "shellcheck", 1, true) then
    return "lint"
  end
  if find(low, "typecheck", 1, true) or find(low, "tsc", 1, true) or find(low, "mypy", 1, true) then
    return "typecheck"
  end
  if find(low, "test", 1, true) or find(low, "spec", 1, true) or find(low, "check", 1, true)
    or find(low, "prove", 1, true) or find(low, "bats", 1, true) or find(low, "tox", 1, true)
    or find(low, "nox", 1, true) then
    return "test"
  end
  if find(low, "build", 1, true) or find(low, "compile", 1, true) or low == "make" or low == "ninja" then
    return "build"
  end
  return nil
end

--- Commands that a CI file runs and a person could repeat, as { {kind, command} }.
---@param text string YAML
---@return table[]
function M.ci_commands(text)
  local found, block = {}, nil
  local function take(line)
    line = gsub(gsub(line, "^%s+", ""), "%s+$", "")
    local kind = ci_kind(line)
    if kind and git.shell_word(line) then found[#found + 1] = { kind = kind, command = line } end
  end
  for line in lines_of(text) do
    local indent = #match(line, "^ *")
    if block and indent > block then
      take(gsub(line, "^%s*%-%s+", ""))
    else
      block = nil
      local lead, key, value = match(line, "^( *%-? *)([%w_]+):%s*(.-)%s*$")
      if key == "run" or key == "script" or key == "before_script" then
        if value == "" or find(value, "^[|>]") then
          block = #lead
        else
          take(value)
        end
      end
    end
  end
  return found
end

return M
