--- Rules about tests: focus and skips that were left in, assertions that say nothing, waiting by the clock, tests that
--- went away.

local shape = require "moonlet.text"
local V = require "rules.view"

local find, format, match, sub = string.find, string.format, string.match, string.sub

local M = {}

M.rules = {
  ["focused-test"] = { lenses = { "tests", "risks", "correctness" }, severity = "high", confidence = 0.95,
    fix = "Take the focus out, so that the others run again." },
  ["skipped-test"] = { lenses = { "tests", "risks" }, severity = "medium", confidence = 0.8,
    fix = "Repair it, or say why it is skipped and until when." },
  ["empty-assertion"] = { lenses = { "tests", "evidence" }, severity = "medium", confidence = 0.9,
    fix = "Assert what the code under test did." },
  ["sleeping-test"] = { lenses = { "tests", "performance" }, severity = "low", confidence = 0.75,
    fix = "Wait for the condition, with a deadline, or use a clock that the test controls." },
  ["removed-tests"] = { lenses = { "tests", "risks" }, severity = "medium", confidence = 0.8,
    fix = "Keep them, or say what checks the same now." },
}

local FOCUS = {
  javascript = { "^%s*f?describe%.only%s*%(", "^%s*it%.only%s*%(", "^%s*test%.only%s*%(", "^%s*context%.only%s*%(",
    "^%s*fdescribe%s*%(", "^%s*fit%s*%(", "^%s*suite%.only%s*%(", "^%s*bench%.only%s*%(",
    "^%s*test%.describe%.only%s*%(", "^%s*specify%.only%s*%(" },
  ruby = { "^%s*fit%s", "^%s*fdescribe%s", "^%s*fcontext%s", "[%s,]focus:%s*true" },
}

local SKIPS = {
  javascript = { "^%s*x?describe%.skip%s*%(", "^%s*x?it%.skip%s*%(", "^%s*test%.skip%s*%(%s*[\"'`]", "^%s*xit%s*%(",
    "^%s*xdescribe%s*%(", "^%s*xtest%s*%(" },
  python = { "^%s*@pytest%.mark%.skip%s*$", "^%s*@pytest%.mark%.skip%(%s*%)", "^%s*@unittest%.skip%s*$" },
  go = { "^%s*t%.SkipNow%(", "^%s*t%.Skip%(%s*%)" },
  java = { "^%s*@Disabled%s*$", "^%s*@Ignore%s*$" },
  rust = { "^%s*#%[ignore%]%s*$" },
  ruby = { "^%s*xit%s+[\"']", "^%s*xdescribe%s", "^%s*skip%s*$" },
  csharp = { "^%s*%[Ignore%]" },
  cpp = { "^%s*GTEST_SKIP%(%)%s*;", "^%s*TEST[_FP]*%([%w_]+%s*,%s*DISABLED_" },
}

local NOTHING = {
  python = { "^%s*assert%s+True%s*$", "^%s*self%.assertTrue%(%s*True%s*%)", "^%s*assert%s+1%s*==%s*1%s*$",
    "^%s*assert%s+1%s*$" },
  javascript = { "expect%(%s*true%s*%)%.toBe%(%s*true%s*%)", "expect%(%s*true%s*%)%.toBeTruthy%(%s*%)",
    "expect%(%s*1%s*%)%.toBe%(%s*1%s*%)", "^%s*assert%(%s*true%s*%)", "expect%(%s*true%s*%)%.toEqual%(%s*true%s*%)",
    "assert%.ok%(%s*true%s*%)", "expect%(%s*true%s*%)%.to%.be%.true", "expect%(%s*true%s*%)%.to%.equal%(%s*true%s*%)" },
  java = { "^%s*assertTrue%(%s*true%s*%)", "^%s*Assertions%.assertTrue%(%s*true%s*%)",
    "^%s*assertEquals%(%s*1%s*,%s*1%s*%)" },
  go = { "^%s*assert%.True%(%s*t%s*,%s*true%s*[,)]", "^%s*require%.True%(%s*t%s*,%s*true%s*[,)]" },
  rust = { "^%s*assert!%(%s*true%s*%)", "^%s*assert_eq!%(%s*1%s*,%s*1%s*%)" },
  cpp = { "^%s*REQUIRE%(%s*true%s*%)", "^%s*EXPECT_TRUE%(%s*true%s*%)", "^%s*ASSERT_TRUE%(%s*true%s*%)",
    "^%s*CHECK%(%s*true%s*%)" },
  csharp = { "^%s*Assert%.True%(%s*true%s*%)" },
  ruby = { "^%s*assert%s+true%s*$", "expect%(%s*true%s*%)%.to%s+be%s+true", "expect%(%s*true%s*%)%.to%s+eq%(?%s*true" },
}

-- Pauses: the shape, and the number of its units in a second.
local SLEEPS = {
  python = { { "^%s*time%.sleep%(%s*([%d.]+)%s*%)", 1 } },
  java = { { "^%s*Thread%.sleep%(%s*(%d+)", 1000 } },
  go = { { "^%s*time%.Sleep%(%s*(%d*)%s*%*?%s*time%.Second", 1 } },
  ruby = { { "^%s*sleep%s+([%d.]+)%s*$", 1 } },
  rust = { { "thread::sleep%(Duration::from_secs%((%d+)", 1 } },
  javascript = { { "setTimeout%(%s*%w+%s*,%s*(%d+)%s*%)%s*%)", 1000 }, { "waitForTimeout%(%s*(%d+)", 1000 } },
}

-- Beginnings of a test; the capture is its name.
local QUOTED = "%s*%(?%s*[\"'`](.-)[\"'`]"
local DEFINES = {
  python = { "^%s*def%s+(test[%w_]*)", "^%s*async%s+def%s+(test[%w_]*)" }, go = { "^func%s+(Test[%w_]+)%s*%(" },
  java = { "^%s*[%w%s]*void%s+(test[%w_]*)%s*%(", "^%s*[%w%s]*void%s+(should[%w_]*)%s*%(",
    "^%s*fun%s+(test[%w_]*)%s*%(", "^%s*fun%s+`(.-)`" },
  javascript = { "^%s*it" .. QUOTED, "^%s*test" .. QUOTED }, rust = { "^%s*fn%s+(test[%w_]*)%s*%(" },
  cpp = { "^%s*TEST[%w_]*%s*%(%s*([^)]-)%s*%)" },
  ruby = { "^%s*it" .. QUOTED, "^%s*test" .. QUOTED, "^%s*def%s+(test_[%w_]*)" },
}

local function test_name(view, text)
  return #text < 1000 and shape.first(text, DEFINES[view.family] or {}) or nil
end

-- True if a text stands in a line that was added to any test, in whatever form.
local function added_to_tests(change, name)
  for _, view in ipairs(change.views) do
    for _, n in ipairs(view.test and view.added or {}) do
      if find(view.lines[n].text, name, 1, true) then return true end
    end
  end
  return false
end

-- The tests that a change took away and that have no such name any more; how many it brought, and the file.
local function balance(change)
  local gone, came, first = {}, 0, nil
  for _, view in ipairs(change.views) do
    if view.d.test and view.d.kind == "code" and not view.generated then
      for i, line in ipairs(view.removed) do
        local name, body = test_name(view, line.text), view.removed[i + 1]
        local skipped = body and find(body.text, "skip")
        if name and not skipped and not added_to_tests(change, name) then
          gone[#gone + 1], first = sub(shape.trim(line.text), 1, 100), first or view
        end
      end
      for _, n in ipairs(view.added) do
        if test_name(view, view.lines[n].text) then came = came + 1 end
      end
    end
  end
  return gone, came, first
end

-- The number of lines that the change added, and that it took away: of production code, or of tests.
local function line_changes(change, of)
  local added, removed = 0, 0
  for _, view in ipairs(change.views) do
    if view[of] and not view.generated then added, removed = added + #view.added, removed + #view.removed end
  end
  return added, removed
end

local ANNOUNCED = { "remov", "delet", "drop", "duplicat", "unused", "obsolete", "deprecat", "revert" }

local function announced(change)
  for _, subject in ipairs(change.facts.subjects or {}) do
    if shape.word(subject, ANNOUNCED) then return true end
  end
  return false
end

-- Removed tests. One that goes with the tested code, or whose removal the commit announces, is no loss; neither are
-- tests that were written anew.
local function removed_tests(change, report)
  local gone, came, first = balance(change)
  if #gone <= came or announced(change) then return end
  local added, removed = line_changes(change, "production")
  local test_added, test_removed = line_changes(change, "test")
  if removed > added or test_added * 2 > test_removed then return end
  report("removed-tests", first, nil,
    format("%d %s removed and %d added: less is checked than before.", #gone,
      #gone == 1 and "test was" or "tests were", came), {
      evidence = table.concat(gone, "\n", 1, math.min(#gone, 5)),
      question = added == 0 and "no code changed with it" or nil,
    })
end

local function explained(view, n, line)
  local before = view.lines[n - 1]
  return line.comment ~= "" or before and before.comment ~= ""
end

local function sleeps(view, n, line, report)
  for _, item in ipairs(SLEEPS[view.family] or {}) do
    local time = match(line.code, item[1])
    if time and (tonumber(time) or 1) / item[2] >= 1 then
      -- A pause in a loop that asks again is waiting for a condition.
      local before = V.previous_code(view, n, 2)
      if not (before and find(before.code, "%f[%w]while%f[^%w]")) then
        report("sleeping-test", view, n,
          "The test waits by the clock: it is slow, and fails where the machine is slower.")
      end
      return
    end
  end
end

local function check(view, n, line, report)
  local family = view.family
  if shape.any(line.code, FOCUS[family] or {}) then
    report("focused-test", view, n, "Only this test runs: the focus leaves all others of the file out.")
  end
  if shape.any(line.code, SKIPS[family] or {}) and not explained(view, n, line) then
    report("skipped-test", view, n, "A test is switched off, and nothing says why.")
  end
  if shape.any(line.code, NOTHING[family] or {}) then
    report("empty-assertion", view, n, "The assertion holds whatever the code does.")
  end
  sleeps(view, n, line, report)
end

---@param view rules.View
function M.file(view, report)
  if view.generated or not view.test or view.d.kind ~= "code" then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if find(line.code, "%S") and line.inside ~= "string" and not line.moved and #line.text < 1000 then
      check(view, n, line, report)
    end
  end
end

function M.change(change, report)
  if not change.whole_files then removed_tests(change, report) end
end

return M
