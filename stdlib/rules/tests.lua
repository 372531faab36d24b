--- Rules about tests: focus and skips that were left in, assertions that say nothing, waiting by the clock, tests that
--- went away.

local V = require "moonlet.rules.view"

local find, format, match = string.find, string.format, string.match

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

local JS = { javascript = true, typescript = true, vue = true, svelte = true }

local FOCUS = { "^%s*f?describe%.only%s*%(", "^%s*it%.only%s*%(", "^%s*test%.only%s*%(", "^%s*context%.only%s*%(", "^%s*fdescribe%s*%(",
  "^%s*fit%s*%(", "^%s*suite%.only%s*%(", "^%s*bench%.only%s*%(", "^%s*test%.describe%.only%s*%(", "^%s*specify%.only%s*%(" }

local SKIPS = {
  { "javascript", "^%s*x?describe%.skip%s*%(" }, { "javascript", "^%s*x?it%.skip%s*%(" }, { "javascript", "^%s*test%.skip%s*%(%s*[\"'`]" },
  { "javascript", "^%s*xit%s*%(" }, { "javascript", "^%s*xdescribe%s*%(" }, { "javascript", "^%s*xtest%s*%(" },
  { "python", "^%s*@pytest%.mark%.skip%s*$" }, { "python", "^%s*@pytest%.mark%.skip%(%s*%)" }, { "python", "^%s*@unittest%.skip%s*$" },
  { "go", "^%s*t%.SkipNow%(" }, { "go", "^%s*t%.Skip%(%s*%)" }, { "java", "^%s*@Disabled%s*$" }, { "java", "^%s*@Ignore%s*$" },
  { "rust", "^%s*#%[ignore%]%s*$" }, { "ruby", "^%s*xit%s+[\"']" }, { "csharp", "^%s*%[Ignore%]" },
}

local NOTHING = {
  { "python", "^%s*assert%s+True%s*$" }, { "python", "^%s*self%.assertTrue%(%s*True%s*%)" }, { "python", "^%s*assert%s+1%s*==%s*1%s*$" },
  { "javascript", "expect%(%s*true%s*%)%.toBe%(%s*true%s*%)" }, { "javascript", "expect%(%s*true%s*%)%.toBeTruthy%(%s*%)" },
  { "javascript", "expect%(%s*1%s*%)%.toBe%(%s*1%s*%)" }, { "javascript", "^%s*assert%(%s*true%s*%)" },
  { "javascript", "expect%(%s*true%s*%)%.toEqual%(%s*true%s*%)" }, { "javascript", "assert%.ok%(%s*true%s*%)" },
  { "java", "^%s*assertTrue%(%s*true%s*%)" }, { "go", "^%s*assert%.True%(%s*t%s*,%s*true%s*[,)]" }, { "rust", "^%s*assert!%(%s*true%s*%)" },
  { "cpp", "^%s*REQUIRE%(%s*true%s*%)" }, { "cpp", "^%s*EXPECT_TRUE%(%s*true%s*%)" }, { "csharp", "^%s*Assert%.True%(%s*true%s*%)" },
}

local SLEEPS = {
  { "python", "^%s*time%.sleep%(%s*([%d.]+)%s*%)", 1 }, { "java", "^%s*Thread%.sleep%(%s*(%d+)", 1000 },
  { "go", "^%s*time%.Sleep%(%s*(%d*)%s*%*?%s*time%.Second", 1 }, { "ruby", "^%s*sleep%s+([%d.]+)%s*$", 1 },
  { "javascript", "setTimeout%(%s*%w+%s*,%s*(%d+)%s*%)%s*%)", 1000 }, { "rust", "thread::sleep%(Duration::from_secs%((%d+)", 1 },
  { "javascript", "waitForTimeout%(%s*(%d+)", 1000 },
}

local function of(view, name)
  if name == "javascript" then return JS[view.language] end
  if name == "cpp" then return view.language == "cpp" or view.language == "c" end
  if name == "java" then return view.language == "java" or view.language == "kotlin" end
  return view.language == name
end

-- What begins a test, by language.
local DEFINES = {
  python = "^%s*a?s?y?n?c?%s*def%s+(test[%w_]*)", go = "^func%s+(Test[%w_]+)%s*%(", java = "^%s*@Test%f[^%w]()",
  javascript = "^%s*[it][te]s?t?%s*%(%s*[\"'`]([^\"'`]*)", rust = "^%s*#%[%w*:?:?test%]()", cpp = "^%s*TEST[%w_]*%s*%(([^)]*)",
}

local function defined(view, text)
  local pattern = JS[view.language] and DEFINES.javascript or DEFINES[view.language]
  return pattern and match(text, pattern)
end

local function removed_tests(change, report)
  local gone, came, first = 0, 0, nil
  local names = {}
  for _, view in ipairs(change.views) do
    if view.d.test and view.d.kind == "code" and not view.generated then
      for _, line in ipairs(view.removed) do
        if defined(view, line.text) then
          gone = gone + 1
          first = first or view
          names[#names + 1] = match(line.text, "^%s*(.-)%s*$"):sub(1, 100)
        end
      end
      for _, n in ipairs(view.added) do
        if defined(view, view.lines[n].text) then came = came + 1 end
      end
    end
  end
  if gone > came and first then
    -- A test that goes with what it tested is no loss; then code goes too.
    local code_gone = 0
    for _, view in ipairs(change.views) do
      if view.production then code_gone = code_gone + #view.removed - #view.added end
    end
    if code_gone > 10 * (gone - came) then return end
    report("removed-tests", first, nil, format("%d tests were removed and %d added: less is checked than before.", gone, came),
      { evidence = table.concat(names, "\n", 1, math.min(#names, 5)) })
  end
end

---@param view moonlet.rules.View
function M.file(view, report)
  if view.generated or not view.test or view.d.kind ~= "code" then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local code, text = line.code, line.text
    if find(code, "%S") and line.inside ~= "string" and not line.moved and #text < 1000 then
      if JS[view.language] then
        for _, pattern in ipairs(FOCUS) do
          if find(code, pattern) then
            report("focused-test", view, n, "Only this test runs: the focus leaves all others of the file out.")
            break
          end
        end
      elseif view.language == "ruby" and (find(code, "^%s*fit%s") or find(code, "^%s*fdescribe%s") or find(text, "focus:%s*true")) then
        report("focused-test", view, n, "Only this test runs: the focus leaves all others out.")
      end
      for _, item in ipairs(SKIPS) do
        if of(view, item[1]) and find(code, item[2]) and line.comment == "" then
          local before = view.lines[n - 1]
          if not (before and before.comment ~= "") then
            report("skipped-test", view, n, "A test is switched off, and nothing says why.")
          end
          break
        end
      end
      for _, item in ipairs(NOTHING) do
        if of(view, item[1]) and find(code, item[2]) then
          report("empty-assertion", view, n, "The assertion holds whatever the code does.")
          break
        end
      end
      for _, item in ipairs(SLEEPS) do
        local time = of(view, item[1]) and match(code, item[2])
        if time and (tonumber(time) or 1) / item[3] >= 1 then
          local before = V.previous_code(view, n, 2)
          -- A pause in a loop that asks again is waiting for a condition.
          if not (before and find(before.code, "%f[%w]while%f[^%w]")) then
            report("sleeping-test", view, n, "The test waits by the clock: it is slow, and fails where the machine is slower.")
          end
          break
        end
      end
    end
  end
end

function M.change(change, report)
  if not change.whole_files then removed_tests(change, report) end
end

return M
