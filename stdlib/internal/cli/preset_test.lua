--- `moonlet preset test NAME`: runs what lies in the preset's own `tests/` folder. A test is a Lua file
--- that returns data: files for a repository made for it alone, arguments, a runner (a cassette, mostly),
--- and what is expected.
---
---   return {
---     summary = "one reviewer of three is lost",
---     files = { ["a.py"] = "x = 1\n" },        -- committed
---     change = { ["a.py"] = "x = eval(y)\n" },  -- not committed; false removes a file
---     args = { "--lenses", "risks,tests" },
---     runner = "cassette:reviews,fault=crash@tests",   -- the folder is one of tests/
---     record = "command:reviewer",   -- makes that cassette anew with --record; the program is one of tests/
---     expect = { verdict = "degraded", exit_code = 4, result = { lost = { { key = "tests" } } },
---       findings = "eval", error = "part of the message" },
---   }
local record = require "moonlet.record"
local presets = require "moonlet.internal.presets"

local M = {}

local source_cap = 1 << 20
local fields = { summary = "string", files = "table", change = "table", args = "list", runner = "string",
  expect = "table!", git = "boolean", record = "string" }
local expect_fields = {
  verdict = "string", exit_code = "integer", result = "any", findings = "string", error = "string",
}

--- What a test file returns, checked.
local function load_case(origin, text)
  local chunk = presets.load(origin, text, { m = require "moonlet" })
  local ok, case = pcall(chunk)
  if not ok then error(case, 0) end
  record.check(case, fields, origin)
  record.check(case.expect, expect_fields, origin .. ": expect")
  return case
end

local function temporary_folder(name)
  local base = core.system.env "TMPDIR" or ""
  if base:sub(1, 1) ~= "/" then base = "/tmp" end
  local path = ("%s/moonlet-preset-test-%s-%s"):format(base, name, core.clock.random_hex(8))
  local root, err = core.file.make_root(path)
  if not root then error(err, 0) end
  return path, root, function()
    local parent = core.file.root(base)
    if parent then core.file.remove(parent, path:match("[^/]+$")) end
  end
end

local function write_all(root, place, files)
  for path, text in pairs(files or {}) do
    if text == false then
      core.file.remove(root, path)
    else
      local folder = path:match("^(.*)/[^/]*$")
      if folder then core.file.make_root(place .. "/" .. folder) end
      local written, err = core.file.write(root, path, text)
      if not written then error(err, 0) end
    end
  end
end

--- Names and dates are fixed, so that a commit has the same hash each time: prompts tell it.
local commit_script = [[
local dates = { GIT_AUTHOR_DATE = "2026-01-01T00:00:00Z", GIT_COMMITTER_DATE = "2026-01-01T00:00:00Z" }
local function git(...)
  local done = ctx:exec { argv = { "git", "-c", "user.name=test", "-c", "user.email=test@example.com",
    "-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null", "-c", "init.defaultBranch=main", ... },
    env = dates }
  if done.code ~= 0 then error(done.stderr) end
end
git "init"
git("add", "--all", "--", ".", ":(exclude).agent", ":(exclude).git-setup.lua")
git("commit", "--quiet", "--allow-empty", "-m", "begin")
]]

--- Runs one command line in this process and gives its envelope.
local function run(words)
  local output = {}
  local ok, envelope, code = pcall(require("moonlet.internal.cli.run").main, words, output)
  if ok then return envelope, code end
  local err = require("moonlet.internal.run_record").error(envelope)
  return { ok = false, run = core.json.null, result = core.json.null, error = err }, 2
end

--- Whether `seen` holds all that `wanted` says; tells the first place where it does not.
local function differs(wanted, seen, place)
  if type(wanted) ~= "table" or wanted == core.json.null then
    if wanted ~= seen then
      return ("%s is %s, not %s"):format(place, core.text.printable(tostring(seen), 200), tostring(wanted))
    end
    return nil
  end
  if type(seen) ~= "table" or seen == core.json.null then return place .. " is not there" end
  for key, value in pairs(wanted) do
    local why = differs(value, seen[key], place .. "." .. tostring(key))
    if why then return why end
  end
end

local function problems_of(case, envelope, code)
  local expect, list = case.expect, {}
  local function add(why) if why then list[#list + 1] = why end end
  local told = envelope.run ~= core.json.null and envelope.run or {}
  if expect.verdict then add(differs(expect.verdict, told.verdict, "the verdict")) end
  if expect.exit_code then add(differs(expect.exit_code, code, "the exit code")) end
  if expect.result ~= nil then add(differs(expect.result, envelope.result, "result")) end
  local message = envelope.error ~= core.json.null and envelope.error.message or ""
  if expect.error and not message:find(expect.error, 1, true) then
    add(("the error is '%s', without '%s'"):format(core.text.printable(message, 300), expect.error))
  end
  if #list > 0 and message ~= "" then add("the error told: " .. core.text.printable(message, 400)) end
  if expect.findings then
    local root = told.dir and core.file.root(told.dir)
    local text = root and core.file.read(root, "findings.md", 1 << 20) or ""
    if not text:find(expect.findings, 1, true) then add(("findings.md has no '%s'"):format(expect.findings)) end
  end
  return list
end

--- The words of the run that a case asks for.
local function words_of(target, case, tests_path, place, again)
  local words = { "run", target, "--repo", place, "--json", "--allow", "needs", "--runner" }
  local rest = (case.runner or "rules"):match("^cassette:(.*)$")
  if again then
    words[#words + 1] = (case.record:gsub("^command:", "command:" .. tests_path:gsub("%%", "%%%%") .. "/"))
    words[#words + 1] = "--record"
    words[#words + 1] = tests_path .. "/" .. rest:match("^[^,]*")
  else
    words[#words + 1] = rest and ("cassette:%s/%s"):format(tests_path, rest) or case.runner or "rules"
  end
  for _, word in ipairs(case.args or {}) do words[#words + 1] = word end
  return words
end

local function run_case(target, name, case, tests_path, again)
  local place, root, remove = temporary_folder(name)
  local ok, list = pcall(function()
    write_all(root, place, case.files)
    if case.git ~= false then
      local setup = place .. "/.git-setup.lua"
      write_all(root, place, { [".git-setup.lua"] = commit_script })
      local envelope = run { "run", setup, "--repo", place, "--json", "--allow", "all" }
      core.file.remove(root, ".git-setup.lua")
      core.file.remove(root, ".agent")
      if not envelope.ok then return { "the repository could not be made: " .. envelope.error.message } end
    end
    write_all(root, place, case.change)
    local envelope, code = run(words_of(target, case, tests_path, place, again))
    return again and {} or problems_of(case, envelope, code)
  end)
  remove()
  if not ok then list = { require("moonlet.internal.run_record").error(list).message } end
  return list
end

--- Where the tests of a preset are: beside its init.lua, or in presets/NAME/tests of this repository.
local function tests_of(home, source)
  local folder = source.folder or source.path and source.path:match("^(.*)/init%.lua$")
  for _, path in ipairs { folder and folder .. "/tests" or "", home.top .. "/presets/" .. source.name .. "/tests" } do
    local root = path ~= "" and core.file.root(path)
    if root then return root, path end
  end
end

--- Runs the tests of one preset, or those whose name holds `filter`.
---@param home table
---@param name string
---@param filter string?
---@param again boolean?  make the cassettes anew first, of the tests that say how
---@return table result, string text, boolean passed
function M.test(home, name, filter, again)
  local source = presets.find(home, name)
  local root, path = tests_of(home, source)
  if not root then
    error(record.invalid(("preset %s has no tests"):format(source.name),
      "put Lua files into its folder tests/, each returning { files, args, runner, expect }"), 0)
  end
  local target = source.path or source.folder and source.folder .. "/init.lua" or source.name
  local rows, lines, failed = {}, {}, 0
  for _, entry in ipairs(core.file.list(root, ".") or {}) do
    local case_name = entry.name:match("^(.+)%.lua$")
    if case_name and (not filter or case_name:find(filter, 1, true)) then
      local ok, problems = pcall(function()
        local text, err = core.file.read(root, entry.name, source_cap)
        if not text then error(err, 0) end
        local case = load_case(path .. "/" .. entry.name, text)
        if again and case.record then run_case(target, case_name, case, path, true) end
        return run_case(target, case_name, case, path)
      end)
      if not ok then problems = { require("moonlet.internal.run_record").error(problems).message } end
      rows[#rows + 1] = { name = case_name, passed = #problems == 0, problems = core.json.array(problems) }
      lines[#lines + 1] = (#problems == 0 and "ok      " or "FAILED  ") .. case_name
      for _, why in ipairs(problems) do lines[#lines + 1] = "        " .. why end
      if #problems > 0 then failed = failed + 1 end
    end
  end
  if #rows == 0 then error(record.invalid(("no test of preset %s matches"):format(source.name), nil, path), 0) end
  lines[#lines + 1] = ("%d passed, %d failed"):format(#rows - failed, failed)
  return { tests = core.json.array(rows), passed = #rows - failed, failed = failed }, table.concat(lines, "\n") .. "\n",
    failed == 0
end

return M
