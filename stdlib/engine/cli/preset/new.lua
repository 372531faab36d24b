--- `moonlet preset new NAME` writes a preset that runs with --runner mock, and a test for it.
--- With --pattern P the preset is a copy of the built-in preset P, and the test has the files and
--- arguments of one of P's tests.
--- If P is a pattern, the preset also gets a copy of the pattern and its prompts.
local record = require "moonlet.record"
local command_line = require "moonlet.engine.base.command_line"
local cases = require "moonlet.engine.cli.preset.case"
local grants = require "moonlet.engine.context.grants"
local loader = require "moonlet.engine.load.loader"
local sorted_keys = require "moonlet.engine.base.sorted_keys"
local templates = require "moonlet.prompt.templates"

local M = {}

local init_text = [=[
--- NAME: agents read files in parallel, and their findings become one list.
---   moonlet run NAME --runner mock      runs it without an agent; --runner codex uses Codex
---   moonlet preset check NAME           finds mistakes without starting anything
---   moonlet preset test NAME            runs the tests in tests/
local m = require "moonlet"
local s = m.schema

local answer = s.object {
  bugs = s.list(s.object { claim = s.string { min = 1 }, line = s.optional(s.integer { min = 1 }) }),
}

return m.preset {
  name = "NAME",
  summary = "Agents look at files side by side; what they find becomes one list.",
  args = {
    files = m.arg.paths { default = { "README.md" }, exists = true, help = "the files to look at" },
  },
  needs = { agents = true }, -- rights to accept once: programs, agents, read, write, env
  budget = { agents = 50, wall = "20m" },

  run = function(ctx, args)
    ctx:phase("look", #args.files)
    local answers, lost = ctx:parallel(args.files, function(c, file)
      return c:agent {
        name = file, -- a resumed run finds its steps by their names
        prompt = ("Read %s and list its bugs, as JSON: {\"bugs\": [{\"claim\": \"…\", \"line\": 1}]}"):format(file),
        schema = answer, -- the answer is checked, and an invalid one is repaired once
      }.data
    end, { need = 1 }) -- the run succeeds if one agent answers
    ctx:phase "merge"
    local bugs = m.array {}
    local found, files = m.found(answers, args.files)
    for i, one in ipairs(found) do
      for _, bug in ipairs(one.bugs) do
        bugs[#bugs + 1] = { file = files[i], line = bug.line, claim = bug.claim }
      end
    end
    return { bugs = bugs, lost = lost }
  end,
}
]=]

local test_text = [=[
-- `moonlet preset test NAME` runs this test in a temporary folder. Only `expect` is required.
return {
  summary = "it runs to its end, without an agent",
  files = FILES, -- these files are committed to a temporary repository
  CHANGE, -- uncommitted changes; the value false removes a file
  -- git = false, -- do not make the folder a repository
  args = ARGS,
  -- Without a runner the preset answers without an agent. The runner `mock` makes answers up.
  -- "cassette:FOLDER" replays answers and changes from a folder of tests/ that --record made.
  -- "cassette:FOLDER,fault=429@a.py" injects a fault.
  runner = "mock",
  -- record = "codex", -- the runner for `moonlet preset test NAME --record --allow agents`
  -- answers = { "approve" }, -- to gates and questions, in order; without them the run parks
  expect = {
    verdict = "degraded", -- a run with made-up answers never has the verdict `ok`
    -- exit_code = 4, error = "part of the message", findings = "part of findings.md",
    -- files = { ["notes.md"] = "part of an artifact" },RESULT
  },
}
]=]

local function written(texts)
  local function quoted(text) return (("%q"):format(text):gsub("\\\n", "\\n")) end
  local parts = {}
  for i, text in ipairs(texts) do parts[i] = quoted(text) end
  for i, path in ipairs(#parts == 0 and sorted_keys(texts) or {}) do
    parts[i] = ("[%s] = %s"):format(quoted(path), texts[path] and quoted(texts[path]) or "false")
  end
  return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
end

local own_example = { files = { ["a.py"] = "x = 1\n", ["b.py"] = "y = 2\n" },
  args = { "--files", "a.py,b.py" },
  result = "\n    result = { lost = {} }, -- only the fields to compare; lists need all items" }

--- Returns the test case in tests/mock.lua of a built-in preset. Without that file, returns the
--- passing cassette test with the shortest arguments.
local function example_of(pattern)
  local best, least
  for path, text in pairs(core.script.tests()) do
    local preset, file = path:match("^([^/]+)/tests/([^/]+)%.lua$")
    if preset == pattern then
      local case = cases.load(path, text, loader.built_in(pattern))
      local is_whole = (case.runner or ""):find "^cassette:[^,]*$" and case.expect.verdict == "ok"
      local length = file == "mock" and 0 or #table.concat(case.args or {}, " ")
      if (is_whole or file == "mock") and (not least or length < least) then
        best, least = case, length
      end
    end
  end
  return best
end

local function test_of(name, example)
  local values = { NAME = name, FILES = written(example.files or {}),
    ARGS = written(example.args or {}),
    CHANGE = example.change and "change = " .. written(example.change)
      or '-- change = { ["a.py"] = "x = 2\\n", ["b.py"] = false }',
    RESULT = example.result or "" }
  return (test_text:gsub("%u+", values))
end

local roles = {}
for _, role in ipairs(templates.roles) do roles[role] = true end

local function replaced(text, from, to)
  return (text:gsub(from:gsub("%p", "%%%0"), (to:gsub("%%", "%%%%"))))
end

--- Adds a copy of the pattern and its prompts, and makes init.lua call the copy. Renames the types that
--- the copy declares.
local function add_pattern(files, name, pattern, text)
  files["pattern.lua"] = replaced(text, "m.patterns." .. pattern, "pattern." .. pattern)
  for class in text:gmatch "%-%-%-@class (moonlet%.patterns%.%w+)" do
    local own = class:gsub("^moonlet%.patterns", (name:gsub("-", "_")))
    files["pattern.lua"] = files["pattern.lua"]:gsub(class:gsub("%p", "%%%0") .. "%f[%W]", own)
  end
  local first = 'local m = require "moonlet"\n'
  files["init.lua"] = replaced(replaced(files["init.lua"], "m.patterns." .. pattern,
    "pattern." .. pattern), first, first .. 'local pattern = require "pattern"\n')
  -- For a role such as "judge" the pattern's code has m.prompt.judge, which builds the prompt, or
  -- m.pattern.judge, which starts the agent. Copy the prompts of all these roles.
  for part in text:gmatch "%f[%w]m%.p%l+%.(%l+)" do
    if roles[part] then files["prompts/" .. part .. ".md"] = templates.text(part) end
  end
end

--- Returns the files of a new preset by path, and the example that the user can try.
local function files_of(name, pattern)
  if not pattern then
    return { ["init.lua"] = init_text:gsub("NAME", name),
      ["tests/mock.lua"] = test_of(name, own_example) }, {}
  end
  local from, files, names, seen = pattern:gsub("_", "-"), {}, {}, {}
  for _, path in ipairs(core.script.presets()) do
    local preset, file = path:match "^([^/]+)/(.+)$"
    if not seen[preset] and example_of(preset) then names[#names + 1] = preset end
    seen[preset] = true
    if preset == from then files[file] = core.script.preset_file(path) end
  end
  local example = example_of(from)
  if not example then
    record.refuse(("there is no pattern '%s'"):format(core.text.printable(pattern, 60)),
      record.suggest(from, names))
  end
  local own = from:gsub("-", "_")
  local text = core.script.notes()["patterns/" .. own .. ".lua"]
  if text then
    -- Some presets have a copy.lua, a simpler form of init.lua that is made to be copied.
    files = { ["init.lua"] = files["copy.lua"] or files["init.lua"] }
    add_pattern(files, name, own, text)
  end
  local quoted = from:gsub("%p", "%%%0")
  files["init.lua"] = files["init.lua"]
    :gsub('name = "' .. quoted .. '"', ('name = "%s"'):format(name), 1)
    :gsub("moonlet run " .. quoted .. "%f[^%w-]", "moonlet run " .. name)
  files["tests/mock.lua"] = test_of(name, example)
  return files, example
end

--- Formats an example's arguments for the command line. Replaces the names of the example's files
--- by `paths`, which are files of this repository.
local function words_here(example, paths)
  local words, names = {}, sorted_keys(example.files or {})
  for i, word in ipairs(example.args or {}) do
    for n, path in ipairs(names) do
      word = word:gsub("%f[%w]" .. path:gsub("%p", "%%%0") .. "%f[^%w]", paths[n] or paths[1])
    end
    words[i] = " " .. command_line.quoted(word)
  end
  return table.concat(words)
end

local function commands(home, name, example, paths)
  local source = loader.find(home, name)
  local asked = grants.without_agents(grants.from_needs(loader.preset(source).needs))
  local allow = #grants.describe(asked) > 0 and " --allow needs" or ""
  return ("  moonlet run %s --runner mock%s%s\n  moonlet preset check %s\n  moonlet preset "
    .. "test %s%s\n")
    :format(name, allow, words_here(example, paths), name, name, allow)
end

function M.new(home, name, pattern)
  -- Raises an error for an invalid name.
  require("moonlet.preset").preset { name = name, summary = "new", run = function() end }
  local folder = home.top .. "/presets"
  local place = folder .. "/" .. name
  for _, path in ipairs { name, name .. ".lua" } do
    local root = core.file.root(folder)
    if root and core.file.stat(root, path) then
      record.refuse(("%s/%s is there already"):format(folder, path), "choose another name")
    end
  end
  local files, example = files_of(name, pattern)
  local paths = core.json.array {}
  for path, text in pairs(files) do
    local inside, file = path:match "^(.-)/?([^/]+)$"
    local root, err = core.file.make_root(inside == "" and place or place .. "/" .. inside)
    local is_written
    if root then is_written, err = core.file.write(root, file, text) end
    if not is_written then error(err, 0) end
    paths[#paths + 1] = ("presets/%s/%s"):format(name, path)
  end
  table.sort(paths)
  local text = ("made %s\n\n%s"):format(table.concat(paths, ", "),
    commands(home, name, example, paths))
  if not loader.built_in(name) then return { name = name, files = paths }, text end
  return { name = name, files = paths },
    ("%s\nnote: in this repository it takes the place of the built-in preset %s\n")
      :format(text, name)
end

return M
