--- `moonlet preset test NAME` runs the tests in the preset's `tests/` folder.
--- A test is a Lua file that returns data: files, arguments, a runner and the expected result.
---
---   return {
---     summary = "one reviewer of three is lost",
---     files = { ["a.py"] = "x = 1\n" },        -- committed
---     change = { ["a.py"] = "x = eval(y)\n" },  -- not committed; false removes a file
---     args = { "--lenses", "risks,tests" },
---     runner = "cassette:reviews,fault=crash@tests",   -- the folder is one of tests/
---     record = "command:reviewer",   -- the runner that records the cassette for --record
---     expect = { verdict = "degraded", exit_code = 4, result = { lost = { { key = "tests" } } },
---       findings = "eval", error = "part of the message", files = { ["report.md"] = "part of it" } },
---     answers = { "approve" },       -- for the gates and questions, in order
---   }
---
--- An expected object may omit fields of the actual object, but {} matches only an empty value.
--- An expected list must be as long as the actual list.
---
--- A test may come from an untrusted repository, like its preset.
--- Without consent, a test starts no program and gets only the rights that its preset declares.
--- A test uses only the runners of the user's config, so that results are reproducible.
local counted = require "moonlet.engine.base.counted"
local record = require "moonlet.record"
local acceptance = require "moonlet.engine.effects.consent"
local cases = require "moonlet.engine.cli.preset.case"
local cassette = require "moonlet.engine.runner.cassette"
local config = require "moonlet.engine.load.config"
local grants = require "moonlet.engine.context.grants"
local nested = require "moonlet.engine.load.nested"
local loader = require "moonlet.engine.load.loader"
local context = require "moonlet.engine.context.context"
local limits = require "moonlet.engine.cli.task.limits"
local manifest = require "moonlet.engine.run.manifest"
local temporary = require "moonlet.engine.cli.temporary"

local M = {}

local source_cap = 1 << 20

--- Rejects paths below .git, because git would start programs that a test's settings name.
local function check_path(path)
  if type(path) ~= "string" or path:sub(1, 1) == "/" or ("/" .. path .. "/"):find("/%.%.?/")
    or ("/" .. path:lower() .. "/"):find("/%.git/") then
    record.refuse(("a test cannot write '%s'"):format(core.text.printable(tostring(path), 200)),
      "name files beneath the test's own folder, and none of .git")
  end
end

local function write_all(root, place, files)
  for path, text in pairs(files or {}) do
    check_path(path)
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

--- Use fixed names and dates, because prompts contain the commit's hash.
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

--- Runs a command line in this process. Returns its JSON output as a table, and its exit code.
local function run(words, consent)
  local output = {}
  local ok, envelope, code = pcall(require("moonlet.engine.cli." .. words[1]).main, words,
    output, consent)
  if ok then return envelope, code end
  local err = manifest.error(envelope)
  return { ok = false, run = core.json.null, result = core.json.null, error = err }, 2
end

local function words_of_error(err)
  local hint = err.hint ~= core.json.null and err.hint
  local at = err.at ~= core.json.null and err.at
  local text = hint and ("%s (%s)"):format(err.message, hint) or err.message
  return at and not text:find(at, 1, true) and ("%s: %s"):format(at, text) or text
end

--- Answers the run's gates and questions, one after another, with the answers that the test lists.
--- Returns the last envelope and exit code, the number of unused answers, and an error if an answer
--- was refused.
local function answer_all(case, place, envelope, code)
  local given = 0
  for _, text in ipairs(case.answers or {}) do
    local told = envelope.run
    if told == core.json.null or told.verdict ~= "needs-human" then break end
    local answered, answered_code = run { "answer", told.id, tostring(text), "--repo",
      place, "--json" }
    if answered.run == core.json.null then
      return envelope, code, 0, words_of_error(answered.error)
    end
    envelope, code = answered, answered_code
    given = given + 1
  end
  return envelope, code, #(case.answers or {}) - given
end

--- Formats the errors of failed steps, because they may explain why the test failed.
--- Merges and counts errors whose texts are equal up to the step's name.
--- Leaves out errors that the run's own error already contains.
local function step_errors(told, of_run)
  local list, count = {}, {}
  for _, step in ipairs(type(told.steps) == "table" and told.steps or {}) do
    local message = step.status ~= "cancelled" and step.error ~= core.json.null
      and step.error.message
    local key = context.plain(step.key)
    local at = (message or ""):find(key, 1, true)
    local same = at and message:sub(1, at - 1) or message
    local is_known = message and (of_run:find(same, 1, true) or count[same])
    if is_known then count[same] = (count[same] or 0) + 1 end
    if message and not is_known and #list < 5 then
      count[same] = 0
      list[#list + 1] = { same = same,
        text = ("the step '%s' failed: %s"):format(core.text.printable(key, 100),
        core.text.printable(message, 600)) }
    end
  end
  for i, item in ipairs(list) do
    local more = count[item.same]
    list[i] = item.text .. (more > 0 and (" (and so did %d more)"):format(more) or "")
  end
  return list
end

--- Returns the first difference between an expected value and the actual value `seen`, as a text.
--- Returns nil if there is none.
local function differs(wanted, seen, place)
  if type(wanted) ~= "table" or wanted == core.json.null then
    if wanted ~= seen then
      return ("%s is %s, not %s"):format(place, core.text.printable(tostring(seen), 200),
        tostring(wanted))
    end
    return nil
  end
  if type(seen) ~= "table" or seen == core.json.null then return place .. " is not there" end
  if next(wanted) == nil and next(seen) ~= nil then return place .. " is not empty" end
  if #wanted > 0 and #wanted ~= #seen then
    return ("%s has %s, not %d"):format(place, counted(#seen, "item"), #wanted)
  end
  for key, value in pairs(wanted) do
    local why = differs(value, seen[key], place .. "." .. tostring(key))
    if why then return why end
  end
end

--- Formats the error of the run. If a cassette is missing or outdated, adds how to record it again.
local function error_of_run(case, err)
  if err.message:find("the cassette ", 1, true) then
    local has = tostring(err.hint):match "^it has: .*"
    err.hint = (has and has .. "; " or "") .. case.again
  end
  return core.text.printable(words_of_error(err), 900)
end

--- Returns the parsed cassette of a test, or nil for a test with another runner.
local function cassette_of(case, tests_path)
  local spec = (case.runner or ""):match("^cassette:(.*)$")
  return spec and cassette.parse(spec, tests_path)
end

local function problems_of(case, envelope, code, unasked)
  local expect, list = case.expect, {}
  if envelope.run == core.json.null and envelope.error ~= core.json.null and expect.verdict
      and not expect.error then
    return { "the run was not started: " .. error_of_run(case, envelope.error) }
  end
  local function add(why) if why then list[#list + 1] = why end end
  if unasked > 0 then
    add(("the run did not wait for %d of %s"):format(unasked, counted(#case.answers, "answer")))
  end
  local told, tape = envelope.run ~= core.json.null and envelope.run or {}, cassette_of(case)
  for _, why in ipairs(tape and type(told.steps) == "table"
      and cassette.idle_faults(tape, told.steps) or {}) do
    add(why)
  end
  if envelope.run == core.json.null and expect.verdict then
    add "the run was not started"
  elseif expect.verdict then
    add(differs(expect.verdict, told.verdict, "the verdict"))
  end
  if expect.exit_code then add(differs(expect.exit_code, code, "the exit code")) end
  if expect.result ~= nil then add(differs(expect.result, envelope.result, "result")) end
  local message = envelope.error ~= core.json.null and envelope.error.message or ""
  if expect.error and not message:find(expect.error, 1, true) then
    add(("the error is '%s', without '%s'"):format(core.text.printable(message, 300), expect.error))
  end
  if #list > 0 then
    if message ~= "" then
      add("the error of the run: " .. error_of_run(case, envelope.error))
    end
    for _, why in ipairs(step_errors(told, message)) do add(why) end
  end
  if expect.findings then
    local root = told.dir and core.file.root(told.dir)
    local text = root and core.file.read(root, "findings.md", 1 << 20) or ""
    if not text:find(expect.findings, 1, true) then
      add(("findings.md has no '%s'"):format(expect.findings))
    end
  end
  for name, part in pairs(expect.files or {}) do
    local root = told.dir and core.file.root(told.dir)
    local text = root and core.file.read(root, tostring(name), 1 << 20)
    if not text then
      add(("the run wrote no file %s"):format(core.text.printable(tostring(name), 200)))
    elseif not text:find(tostring(part), 1, true) then
      add(("%s has no '%s'"):format(core.text.printable(tostring(name), 200), tostring(part)))
    end
  end
  return list
end

local function not_allowed(what, grant)
  error({ kind = "denied",
    message = ("the test %s, which was not allowed: read it, then pass --allow %s"):format(what,
      grant) }, 0)
end

--- Lists the options that a test may not set, because they choose runners, places or rights.
local refused_options = { "allow", "background", "detached", "events", "prepared", "record",
  "repo", "runner", "unconfined" }

--- Raises an error if a test needs more than its preset declares and the user allowed.
local function check_case(case, allowed, again)
  local asked = again and case.record or case.runner or "mock"
  local word = asked:match("^[^:]*")
  require("moonlet.engine.load.runners").parse(asked, config.current())
  if word ~= "mock" and word ~= "cassette" and not allowed.agents and not allowed.all then
    not_allowed(("starts '%s'"):format(core.text.printable(asked, 200)), "agents")
  end
  for i, text in ipairs(case.args or {}) do
    local name, value = tostring(text):match("^%-%-([^=]+)=?(.*)$")
    for _, refused in ipairs(refused_options) do
      if name == refused and not allowed.all then
        not_allowed("gives --" .. refused .. " to its run", "all")
      end
    end
    if name == "input" then
      if value == "" then value = tostring(case.args[i + 1] or "") end
      -- Accept only inputs that run/inputs.lua never runs as a command.
      local is_plain = value:find("^file:") or value:find("^glob:") or value:find("^diff:")
        or case.files and case.files[value] or case.change and case.change[value]
      if not is_plain and not allowed.agents and not allowed.all then
        not_allowed(("reads '%s'"):format(core.text.printable(value, 200)), "agents")
      end
    end
  end
end

local function recorder(spec, tests_path)
  local command = spec:match("^command:(.*)$")
  local program = command and require("moonlet.engine.runner.command").split(command)[1]
  if not program or program:sub(1, 1) == "/" then return spec end
  local root = core.file.root(tests_path)
  if root and core.file.stat(root, program) then
    return "command:" .. tests_path .. "/" .. command:gsub("^%s+", "")
  end
  if core.system.find_program(program) then return spec end
  record.refuse(("record names the program '%s', which is neither in %s nor in PATH"):format(
    core.text.printable(program, 100), tests_path),
    "put it into that folder, and make it executable")
end

--- Returns the command line of a test's run.
--- With `again` the run records a cassette into `fresh`; otherwise it plays `fresh`, if given.
local function words_of(tests, case, place, fresh, again)
  local words = { "run", tests.target, "--repo", place, "--json" }
  local runner, tape = case.runner, cassette_of(case, tests.path)
  if again then
    runner = recorder(case.record, tests.path)
    words[#words + 1] = "--record=" .. fresh
  elseif tape then
    runner = fresh and "cassette:" .. fresh .. tape.text:sub(#"cassette:" + #tape.dir + 1)
      or tape.text
  end
  words[#words + 1] = runner and "--runner=" .. runner or tests.without_runner
  for _, word in ipairs(case.args or {}) do words[#words + 1] = word end
  return words
end

---@class moonlet.PresetTests
---@field target string     preset to run
---@field path string       folder of the tests
---@field shown string      name of the tests' folder in messages
---@field source moonlet.Source
---@field consent string    consent.mark() of the preset if its needs are accepted, else ""
---@field allowed moonlet.Grants
---@field without_runner string?  the option for a test that names no runner

local function run_case(tests, name, case, fresh, again)
  local place, root, remove = temporary.folder("test-" .. name)
  local ok, list = pcall(function()
    write_all(root, place, case.files)
    if case.git ~= false then
      local setup = place .. "/.git-setup.lua"
      write_all(root, place, { [".git-setup.lua"] = commit_script })
      local envelope = run { "run", setup, "--repo", place, "--json", "--allow", "all" }
      core.file.remove(root, ".git-setup.lua")
      core.file.remove(root, ".agent")
      if not envelope.ok then
        return { "the repository could not be made: " .. envelope.error.message }
      end
    end
    write_all(root, place, case.change)
    local envelope, code = run(words_of(tests, case, place, fresh, again), tests.consent)
    local unasked, refused
    envelope, code, unasked, refused = answer_all(case, place, envelope, code)
    if refused then return { refused } end
    if not again then return problems_of(case, envelope, code, unasked) end
    if envelope.run ~= core.json.null then return {} end
    return { "the cassette could not be made: " .. words_of_error(envelope.error) }
  end)
  remove()
  if not ok then list = { words_of_error(manifest.error(list)) } end
  return list
end

local function tape_of(case, tests_path)
  local tape = cassette_of(case, tests_path)
  return tape and not tape.run and tape.dir or nil
end

--- Reports whether another test plays this cassette. An unreadable test is assumed to play it.
local function is_shared(tests, name, dir)
  local root = core.file.root(tests.path)
  for _, entry in ipairs(core.file.list(root, ".") or {}) do
    local other = entry.name:match("^(.+)%.lua$")
    if other and other ~= name then
      local text = core.file.read(root, entry.name, source_cap)
      local ok, same = pcall(function()
        return tape_of(cases.load(tests.shown .. "/" .. entry.name, text or "", tests.source),
          tests.path) == dir
      end)
      if same or not ok then return true end
    end
  end
  return false
end

--- Replaces the recordings of the steps that were recorded again.
--- Recordings of other steps are removed only if no other test plays the cassette.
local function put_in_place(root, own, fresh, is_alone)
  local names = {}
  for _, entry in ipairs(core.file.list(root, fresh) or {}) do names[entry.name] = true end
  for _, entry in ipairs(is_alone and core.file.list(root, own) or {}) do
    if not names[entry.name] then core.file.remove(root, own .. "/" .. entry.name) end
  end
  for name in pairs(names) do
    core.file.remove(root, own .. "/" .. name)
    local moved, err = core.file.rename(root, fresh .. "/" .. name, own .. "/" .. name)
    if not moved then error(err, 0) end
  end
end

--- Reports whether an agent was started for a recorded attempt, so that the recording may have cost
--- money.
local function has_answers(root, tape)
  for _, step in ipairs(core.file.list(root, tape) or {}) do
    for _, attempt in ipairs(core.file.list(root, ("%s/%s"):format(tape, step.name)) or {}) do
      local text = core.file.read(root,
        ("%s/%s/%s/exit.json"):format(tape, step.name, attempt.name), source_cap)
      local ok, exit = pcall(core.json.decode, text or "")
      if ok and type(exit) == "table" and exit.why ~= "not_started" then return true end
    end
  end
  return false
end

--- Records a test's cassette again, into a new folder beside the old one, and runs the test with it.
--- If the test fails, the paid recording is kept, but does not replace the earlier cassette.
local function record_case(tests, name, case)
  local dir = tape_of(case, tests.path)
  if not dir then
    record.refuse("the test has a record and no cassette", 'give it runner = "cassette:FOLDER"')
  end
  local parent, own = dir:match "^(.*)/([^/]+)/?$"
  local root, err = core.file.make_root(parent)
  if not root then error(err, 0) end
  local fresh = own .. ".new"
  core.file.remove(root, fresh)
  local problems = run_case(tests, name, case, parent .. "/" .. fresh, true)
  if #problems == 0 then problems = run_case(tests, name, case, parent .. "/" .. fresh) end
  local was_there, ok, why = core.file.stat(root, own) ~= nil, true, nil
  local is_paid = #problems > 0 and has_answers(root, fresh)
  if is_paid and was_there then
    problems[#problems + 1] =
      ("the recording is kept in %s/%s, and the cassette stays as it was: correct expect, or "
      .. "put the recording in its place"):format(parent, fresh)
    return problems
  elseif is_paid or #problems == 0 then
    core.file.make_root(dir)
    ok, why = pcall(put_in_place, root, own, fresh, not is_shared(tests, name, dir))
  elseif was_there then
    problems[#problems + 1] = "the cassette stays as it was"
  end
  if is_paid then
    problems[#problems + 1] =
      ("the recording is kept in %s: correct expect, and test again without --record"):format(
      dir)
  end
  core.file.remove(root, fresh)
  if not ok then error(why, 0) end
  return problems
end

--- Unpacks the tests of a built-in preset into a temporary folder. Returns nil without tests.
local function unpack_tests(name)
  local files, found = {}, false
  for path, text in pairs(core.script.tests()) do
    local file = path:match("^([^/]+)/tests/.") == name and path:sub(#name + 8)
    if file then files[file], found = text, true end
  end
  if not found then return nil end
  local place, root, remove = temporary.folder("test-" .. name)
  local ok, err = pcall(write_all, root, place, files)
  if ok then return root, place, remove end
  remove()
  error(err, 0)
end

--- Finds a preset's tests: beside its init.lua, in presets/NAME/tests, or built in.
--- The last result of tests_of() is a function that removes unpacked files.
local function tests_of(home, source)
  local folder = source.folder or source.path and source.path:match("^(.*)/init%.lua$")
  for _, path in ipairs { folder and folder .. "/tests" or "",
      home.top .. "/presets/" .. source.name .. "/tests" } do
    local root = path ~= "" and core.file.root(path)
    if root then return root, path, function() end end
  end
  if source.builtin then return unpack_tests(source.name) end
end

local function problems_of_file(tests, root, entry, case_name, again)
  local ok, problems = pcall(function()
    local text, err = core.file.read(root, entry.name, source_cap)
    if not text then error(err, 0) end
    local case = cases.load(tests.shown .. "/" .. entry.name, text, tests.source)
    local first = case.record and "record it: " or 'give the test record = "command:agent", then: '
    case.again = ("%smoonlet preset test %s %s --record --allow needs --allow agents"):format(first,
      tests.source.name, case_name)
    check_case(case, tests.allowed, again)
    if again and not case.record and (case.runner or ""):find "^cassette:" then
      return { 'the test does not say how its cassette is made: give it record = "command:agent"' }
    end
    return again and case.record and record_case(tests, case_name, case)
      or run_case(tests, case_name, case)
  end)
  return ok and problems or { words_of_error(manifest.error(problems)) }
end

--- Returns the rights of --allow, a fingerprint of the consent to the preset's needs, and the
--- preset.
--- Raises an error if the user has not accepted these needs.
local function consent_of(home, source, allow)
  local allowed = grants.empty()
  local accepted = limits.allow(allowed, allow)
  -- If the preset does not load, each of its tests reports the error.
  local ok, preset = pcall(function()
    local opened = loader.preset(source)
    nested.resolve(home, source, opened)
    return opened
  end)
  if not ok then return allowed, "" end
  local wanted = grants.from_needs(preset.needs)
  -- This consent does not include agents, because each test that starts agents asks for it
  -- separately.
  local asked = grants.without_agents(wanted)
  local lines = grants.describe(asked)
  if #lines > 0 and not (accepted or allowed.all
      or acceptance.given_to_tests(source, preset, asked)) then
    error({ kind = "denied", usage = true,
      message = ("the tests of preset %s need rights that were not given: %s"):format(preset.name,
        table.concat(lines, "; ")),
      hint = "read it and its tests, then pass --allow needs: it applies only to these tests" }, 0)
  end
  return allowed, acceptance.mark(source, wanted), preset
end

--- Runs the tests of one preset. With `filter`, runs only tests whose name contains it.
---@param again boolean?  first record again the cassettes of tests that have a `record`
---@param allow string[]?  values of --allow: needs, agents, all
---@param tell fun(line: string)  called after each test, because a later test may hang
function M.test(home, name, filter, again, allow, tell)
  local source = loader.find(home, name)
  local allowed, consent, preset = consent_of(home, source, allow)
  local root, path, remove = tests_of(home, source)
  if not root then
    local first = not source.builtin and not source.folder
      and ("move it to presets/%s/init.lua first; then "):format(source.name) or ""
    local err = record.invalid(("preset %s has no tests"):format(source.name),
      first .. "put Lua files into its folder tests/, each returning { files, args, runner, "
        .. "expect }")
    err.has_no_tests = true
    error(err, 0)
  end
  if again and source.builtin then
    remove()
    record.refuse(("the cassettes of %s are built in: they cannot be recorded again"):format(
      source.name),
      "copy the preset's folder into presets/, and record there")
  end
  local within = path:sub(1, #home.top + 1) == home.top .. "/"
  local tests = { target = source.path or source.folder and source.folder .. "/init.lua"
    or source.name, path = path,
    shown = within and path:sub(#home.top + 2) or path, source = source, allowed = allowed,
    consent = consent, without_runner = preset and (preset.offline and "--offline"
      or preset.needs.agents and "--runner=mock") or nil }
  local rows, failed = {}, 0
  local ok, err = pcall(config.with_runners_alone, function()
    for _, entry in ipairs(core.file.list(root, ".") or {}) do
      local case_name = entry.name:match("^(.+)%.lua$")
      if case_name and (not filter or case_name:find(filter, 1, true)) then
        local problems = problems_of_file(tests, root, entry, case_name, again)
        rows[#rows + 1] = { name = case_name, passed = #problems == 0,
          problems = core.json.array(problems) }
        tell((#problems == 0 and "ok      " or "FAILED  ") .. case_name)
        for _, why in ipairs(problems) do tell("        " .. why) end
        if #problems > 0 then failed = failed + 1 end
      end
    end
  end)
  remove()
  if not ok then error(err, 0) end
  if #rows == 0 then
    record.refuse(("no test of preset %s matches"):format(source.name), nil, path)
  end
  return { tests = core.json.array(rows), passed = #rows - failed, failed = failed },
    ("%d passed, %d failed\n"):format(#rows - failed, failed), failed == 0
end

return M
