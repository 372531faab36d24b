--- `moonlet preset new NAME`: a preset that runs at once with --runner mock, and a test beside it. With --pattern P it
--- begins as the built-in preset P.
local record = require "moonlet.record"

local M = {}

local init_text = [=[
--- NAME: agents look at files side by side, and what they find becomes one list.
---   moonlet run NAME --runner mock      without an agent; --runner codex, or another, asks one
---   moonlet preset check NAME           mistakes, before anything is started
---   moonlet preset test NAME            the tests in tests/
local m = require "moonlet"
local s = m.schema

local answer = s.object {
  bugs = s.list(s.object { claim = s.string { min = 1 }, line = s.optional(s.integer { min = 1 }) }),
}

return m.preset {
  name = "NAME",
  summary = "Agents look at files side by side; what they find becomes one list.",
  args = {
    files = m.arg.list { default = { "README.md" }, help = "the files to look at" },
  },
  needs = { agents = true }, -- what it may do: programs, agents, read, write, env; you accept it once
  budget = { agents = 50, wall = "20m" },

  run = function(ctx, args)
    ctx:phase("look", #args.files)
    local answers, lost = ctx:parallel(args.files, function(c, file)
      return c:agent {
        name = file, -- steps are known by their names when a run is resumed
        prompt = ("Read %s and list its bugs, as JSON: {\"bugs\": [{\"claim\": \"…\", \"line\": 1}]}"):format(file),
        schema = answer, -- the answer is checked, and asked for once more if it does not fit
      }.data
    end, { need = 1 }) -- one lost answer does not lose the others
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
-- A test of NAME: `moonlet preset test NAME` runs it in a folder of its own. All fields but `expect` may be left out.
return {
  summary = "two files are looked at, without an agent",
  files = { ["a.py"] = "x = 1\n", ["b.py"] = "y = 2\n" }, -- committed to a repository that is made for the test
  -- change = { ["a.py"] = "x = 2\n", ["b.py"] = false }, -- not committed; false removes a file
  -- git = false,                                         -- the folder is no repository
  args = { "--files", "a.py,b.py" },
  -- rules (the default), mock, or what agents said once: "cassette:FOLDER" plays a folder of tests/ that --record made,
  -- "cassette:FOLDER,fault=429@a.py" with a fault. A cassette also holds the files that agents changed.
  runner = "mock",
  -- record = "codex", -- `moonlet preset test NAME --record --allow agents` makes that cassette anew with this runner
  -- answers = { "approve" }, -- of the gates and questions, in their order; without them the run waits
  expect = {
    verdict = "degraded", -- made-up answers are never `ok`
    -- exit_code = 4, error = "a part of the message", findings = "a part of findings.md",
    -- files = { ["notes.md"] = "a part of an artifact" },
    result = { lost = {} }, -- the fields that matter; a list has its full length
  },
}
]=]

--- The files of a new preset by their path, without a pattern or from the built-in preset of that name.
local function files_of(name, pattern)
  if not pattern then
    return { ["init.lua"] = init_text:gsub("NAME", name), ["tests/mock.lua"] = test_text:gsub("NAME", name) }
  end
  local from, files, names, seen = pattern:gsub("_", "-"), {}, {}, {}
  for _, path in ipairs(core.script.presets()) do
    local preset, file = path:match "^([^/]+)/(.+)$"
    if not seen[preset] then names[#names + 1] = preset end
    seen[preset] = true
    if preset == from then files[file] = core.script.preset_file(path) end
  end
  if not files["init.lua"] then
    error(record.invalid(("there is no pattern '%s'"):format(core.text.printable(pattern, 60)),
      record.suggest(from, names)), 0)
  end
  local quoted = from:gsub("%p", "%%%0")
  files["init.lua"] = files["init.lua"]:gsub('name = "' .. quoted .. '"', ('name = "%s"'):format(name), 1)
  files["tests/mock.lua"] = test_text:gsub("NAME", name):gsub("two files are looked at", "it runs to its end")
    :gsub('  args = [^\n]*\n', '  -- args = { "--name", "value" },\n')
    :gsub(" %-%- exit_code.-\n    result = [^\n]*\n", "\n")
  return files
end

--- Makes presets/NAME.
---@param home table
---@param name string
---@param pattern string?
---@return table result, string text
function M.new(home, name, pattern)
  -- It refuses what no preset may be called.
  require("moonlet.preset").preset { name = name, summary = "new", run = function() end }
  local folder = home.top .. "/presets"
  local place = folder .. "/" .. name
  for _, path in ipairs { name, name .. ".lua" } do
    local root = core.file.root(folder)
    if root and core.file.stat(root, path) then
      error(record.invalid(("%s/%s is there already"):format(folder, path), "choose another name"), 0)
    end
  end
  local files, paths = files_of(name, pattern), core.json.array {}
  for path, text in pairs(files) do
    local inside, file = path:match "^(.-)/?([^/]+)$"
    local root, err = core.file.make_root(inside == "" and place or place .. "/" .. inside)
    local written
    if root then written, err = core.file.write(root, file, text) end
    if not written then error(err, 0) end
    paths[#paths + 1] = ("presets/%s/%s"):format(name, path)
  end
  table.sort(paths)
  return { name = name, files = paths }, ("made %s\n\n  moonlet run %s --runner mock\n  moonlet preset check %s\n"
    .. "  moonlet preset test %s\n"):format(table.concat(paths, ", "), name, name, name)
end

return M
