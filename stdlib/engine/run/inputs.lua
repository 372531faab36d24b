--- Reads the values of --input for agents: files, outputs of commands, or standard input.
local given_paths = require "moonlet.engine.run.given_paths"
local glob = require "moonlet.glob"
local command = require "moonlet.engine.runner.command"
local exit_text = require "moonlet.engine.base.exit_text"
local record = require "moonlet.record"

local M = {}

local text_cap = 128 * 1024
local match_limit = 500
local stdin_cap, stdin_ms = 8 << 20, 600000

local function refuse(spec, message, hint)
  record.refuse(("--input %s: %s"):format(spec, message), hint, spec)
end

local function read_file(home, spec, path, strict)
  local info = core.file.stat(home.root, path)
  if info and info.type ~= "file" and info.type ~= "link" then
    refuse(spec, ("%s is a %s, not a file"):format(path, info.type),
      "name a file, or a glob such as " .. path .. "/**")
  end
  -- load() follows a link inside the repository; stat() does not follow links.
  local input, why = core.file.load(home.root, path, text_cap)
  if not input then
    refuse(spec, why, "name a text file of the repository, as it is spelled there")
  end
  if input.binary and strict then
    refuse(spec, path .. " is binary; agents are given text",
      "convert it first, by cmd: for instance")
  end
  input.spec, input.kind, input.path = spec, "file", path
  return input
end

local function expand_glob(home, spec, pattern)
  if pattern:sub(1, 1) == "/" or pattern:find("%.%.") then
    refuse(spec, "a glob must stay inside the repository", "write it relative to the top")
  end
  local found, is_whole = given_paths.matches(home, pattern)
  if not is_whole then
    refuse(spec, "the glob walks through too many files", "begin it with a folder")
  end
  if #found > match_limit then
    refuse(spec, ("%d files match; at most %d are allowed"):format(#found, match_limit),
      "write a narrower glob")
  end
  return found
end

local standard_input  -- cached, because standard input can be read only once

local function read_standard_input(spec)
  if not standard_input then
    local text, why = core.terminal.read(stdin_cap, stdin_ms)
    if not text then
      refuse(spec, why == "limit" and ("standard input has more than %d MB"):format(stdin_cap >> 20)
        or "standard input did not end within 10 minutes",
        "write it to a file, and give --input file:NAME")
    end
    standard_input = text
  end
  local input = core.file.take(standard_input, text_cap)
  if input.binary or input.bytes == 0 then
    refuse(spec, "standard input is " .. (input.binary and "binary; agents are given text"
      or "empty"),
      "pipe a text into it: git diff | moonlet run … --input -")
  end
  input.spec, input.kind, input.path = spec, "stdin", "standard input"
  return input
end

local function classify(home, spec)
  local kind, rest = spec:match("^(%l+):(.*)$")
  if kind == "file" or kind == "glob" or kind == "cmd" or kind == "diff" then
    if rest == "" and kind ~= "diff" then refuse(spec, "nothing follows the prefix") end
    return kind, rest
  end
  if spec == "" then refuse(spec, "an input cannot be empty") end
  local is_there = core.file.stat(home.root, spec) or core.file.load(home.root, spec, 0)
  if spec:sub(1, 1) ~= "-" and is_there then return "file", spec end
  if glob.is_glob(spec) and not spec:find("%s") then
    local found = expand_glob(home, spec, spec)
    if #found > 0 then return "glob", spec, found end
  end
  if spec:sub(1, 1) == "/" or spec:sub(1, 3) == "../" then
    refuse(spec, "an input must lie inside the repository",
      "write its path relative to " .. home.top .. ", or copy it there")
  end
  local words = command.split(spec)
  if #words == 1 or not core.system.find_program(words[1]) then
    refuse(spec, "no such file, no glob that matches, and no program",
      "check the spelling, or say which is meant with file:, glob:, cmd: or diff:")
  end
  return "cmd", spec
end

--- Reads files and standard input. Only checks the commands of inputs, which run later.
---@return table[] inputs  inputs of the kinds cmd and diff have no text yet
function M.prepare(home, specs)
  local inputs = {}
  for _, spec in ipairs(specs) do
    local kind, rest, found
    if spec == "-" then kind = "stdin" else kind, rest, found = classify(home, spec) end
    if kind == "stdin" then
      inputs[#inputs + 1] = read_standard_input(spec)
    elseif kind == "file" then
      inputs[#inputs + 1] = read_file(home, spec, rest, true)
    elseif kind == "glob" then
      found = found or expand_glob(home, spec, rest)
      if #found == 0 then refuse(spec, "no file matches", "check the spelling of the glob") end
      for _, path in ipairs(found) do inputs[#inputs + 1] = read_file(home, spec, path, false) end
    else
      local argv = command.split(rest)
      if kind == "diff" then
        for _, word in ipairs(argv) do
          if word:sub(1, 1) == "-" and word ~= "--" and word ~= "--staged"
              and word ~= "--cached" then
            refuse(spec, ("diff: takes revisions and paths, not the option %s"):format(word))
          end
        end
        local full = { "git", "-c", "core.fsmonitor=false", "--no-pager", "diff", "--no-ext-diff",
          "--no-textconv", "--no-color" }
        argv = table.move(argv, 1, #argv, #full + 1, full)
      end
      inputs[#inputs + 1] = { spec = spec, kind = kind, argv = argv }
    end
  end
  return inputs
end

function M.of_text(name, text)
  local input = core.file.take(text, text_cap)
  input.spec, input.kind, input.path = name, "text", name
  return input
end

function M.complete(run, inputs)
  for _, input in ipairs(inputs) do
    if input.argv then
      local exit = core.process.run {
        step = "input", argv = input.argv, env = run.child_environment(), cwd = run.top,
        cap = 8 << 20, wall_ms = 60000,
      }
      if exit.why ~= "exited" then
        error(exit.error or { kind = "failed",
          message = ("--input %s %s"):format(input.spec, exit_text.of(exit)) }, 0)
      end
      if exit.code ~= 0 then
        error({ kind = "failed", at = input.spec,
          message = ("--input %s ended with exit code %d: %s"):format(
          input.spec, exit.code, core.text.printable(exit.stderr, 300)) }, 0)
      end
      for key, value in pairs(core.file.take(exit.stdout, text_cap)) do input[key] = value end
      input.bytes, input.cut = exit.stdout_total, input.cut or exit.stdout_cut
      input.path = table.concat(input.argv, " ")
    end
  end
  return inputs
end

function M.without_text(inputs)
  local list = {}
  for i, input in ipairs(inputs) do
    local copy = {}
    for key, value in pairs(input) do copy[key] = value end
    copy.text = nil
    list[i] = copy
  end
  return list
end

function M.without_secrets(inputs)
  local list, changed = {}, false
  for i, input in ipairs(inputs) do
    local text = input.text and require("moonlet.facts").shown(input.text,
      input.kind == "file" and input.path or nil)
    list[i] = input
    if text ~= input.text then
      local copy = {}
      for key, value in pairs(input) do copy[key] = value end
      copy.text, copy.redacted = text, true
      list[i], changed = copy, true
    end
  end
  return changed and core.json.array(list) or inputs
end

function M.changed(recorded, now)
  local names = {}
  for i = 1, math.max(#recorded, #now) do
    local old, new = recorded[i] or {}, now[i] or {}
    if old.sha256 ~= new.sha256 or old.path ~= new.path then
      names[#names + 1] = new.path or old.path or new.spec or "?"
    end
  end
  return names
end

return M
