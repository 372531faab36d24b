-- Tests moonlet.findings and moonlet.merge, as a script for `moonlet run FILE`. It raises a list of
-- faults, or returns the number of checks.
local m = require "moonlet"

local looked, wrong = 0, {}

local function is(given, wanted, what)
  looked = looked + 1
  if given ~= wanted then wrong[#wrong + 1] = ("%s: %s, wanted %s"):format(what, tostring(given), tostring(wanted)) end
end

local function has(text, part, what)
  looked = looked + 1
  if not text:find(part, 1, true) then wrong[#wrong + 1] = ("%s: no '%s' in %s"):format(what, part, text) end
end

local function hasnt(text, part, what)
  looked = looked + 1
  if text:find(part, 1, true) then wrong[#wrong + 1] = ("%s: '%s' in %s"):format(what, part, text) end
end

local function finding(fields)
  local result = { file = "src/a.c", line = 10, severity = "medium", claim = "the buffer overflows on long names" }
  for key, value in pairs(fields or {}) do result[key] = value end
  return result
end

local function review(lens, ...) return { lens = lens, findings = { ... } } end

local function merge(...) return m.merge.findings({ ... }) end

-- Counts all findings of a result, including those merged into others.
local function count(result)
  local sum = 0
  for _, name in ipairs { "findings", "unverified", "refuted" } do
    for _, item in ipairs(result[name]) do sum = sum + 1 + #item.merged_from end
  end
  return sum
end

-- Words and odd numbers become severities, confidences, lines and paths.
for word, wanted in pairs { blocker = "critical", P1 = "high", Major = "high", warn = "medium", nit = "low",
  ["Severity: HIGH"] = "high", unheard = "medium", info = "info" } do
  is(m.findings.severity(word), wanted, "severity " .. word)
end
is(m.findings.severity(0), "critical", "severity 0")
is(m.findings.severity(99), "info", "severity 99")
is(m.findings.severity({}), "medium", "severity of a table")

local function normal(fields, opts) return m.findings.normalise(fields, opts or { id = "x#1", lens = "risks" }) end
is(normal(finding { confidence = "85%" }).confidence, 0.85, "confidence in percent")
is(normal(finding { confidence = 85 }).confidence, 0.85, "confidence of a hundred")
is(normal(finding { confidence = "high" }).confidence, 0.85, "confidence in words")
is(normal(finding { confidence = -3, evidence = "" }).confidence, 0.3, "a confidence that is none")
is(normal(finding { confidence = 0 / 0, evidence = "" }).confidence, 0.3, "a confidence that is no number")
is(normal(finding { line = "12-14" }).line, 12, "a range of lines")
is(normal(finding { line = "L12" }).line, 12, "a line with a letter")
is(normal(finding { line = 0 }).line, nil, "line 0")
is(normal(finding { line = 1e300 }).line, nil, "a line beyond counting")
is(normal(finding { line = 3.5 }).line, nil, "half a line")
is(normal(finding { file = "b/src/a.c" }, { id = "1", known = { ["src/a.c"] = true } }).file, "src/a.c", "a diff's path")
is(normal(finding { file = "/w/src/a.c" }, { id = "1", root = "/w" }).file, "src/a.c", "an absolute path")
is(normal(finding { file = "src/a.c:33" , line = m.null }).line, 33, "a line in the path")
is(normal(finding { file = "`src/a.c`" }).file, "src/a.c", "a path in backticks")
is(normal(finding { file = "src/./b/../a.c" }).file, "src/a.c", "a path with dots")
is(normal(finding { file = "../../etc/passwd" }).file, "../../etc/passwd", "a path that leaves the tree")
is(normal(finding { status = "False Positive" }).status, "refuted", "refuted in other words")
is(normal(finding { status = {} }).status, "open", "a status that is none")
is(normal("only words").claim, "only words", "a bare text")
is(normal({}).claim, "(no claim was given)", "nothing")
is(#normal(finding { claim = ("x"):rep(100000) }).claim <= 2000, true, "a long claim")
is(utf8.len(normal(finding { claim = "a\255b\27[31m" }).claim) ~= nil, true, "bytes that are no text")
hasnt(normal(finding { claim = "a\27[31mb" }).claim, "\27", "an escape")
hasnt(normal(finding { claim = "a\u{202e}b" }).claim, "\u{202e}", "a character that turns the text around")
is(normal(finding { claim = "a\r\nb" }).claim, "a b", "line breaks in a claim")

-- Reports of one problem by several reviewers become one finding.
local two = merge(review("correctness", finding()), review("risks", finding { line = 11,
  claim = "a long name overflows the buffer", severity = "high", confidence = 0.6 }))
is(#two.findings, 1, "the same thing twice")
is(two.findings[1].severity, "high", "the gravest speaks")
is(two.findings[1].corroborated_by[1], "correctness", "who corroborates")
is(count(two), 2, "nothing vanishes")
is(two.findings[1].confidence > 0.6, true, "two are surer than one")

is(#merge(review("risks", finding(), finding { line = 50 })).findings, 2, "two places in one review")
is(#merge(review("risks", finding()), review("tests", finding { claim = "no test covers this branch" })).findings, 2,
  "two things in one place")
is(#merge(review("risks", finding()), review("tests", finding { file = "src/b.c" })).findings, 2, "two files")
is(#merge(review("risks", finding()), review("tests", finding { line = 14 })).findings, 2, "too far apart")
is(#merge(review("risks", finding { file = m.null, line = m.null }), review("tests", finding { file = m.null,
  line = m.null })).findings, 1, "the change as a whole")
is(#merge(review("risks", finding { claim = "Der Puffer läuft bei langen Namen über" }),
  review("tests", finding { claim = "Bei langen Namen läuft der Puffer über" })).findings, 1, "another language")
is(#merge(review("risks", finding { claim = "長い名前でバッファがあふれる" }),
  review("tests", finding { claim = "長い名前だとバッファがあふれる" })).findings, 1, "without spaces")
local lenses = m.merge.findings { { lens = "risks", runner = "codex", findings = { finding() } },
  { lens = "risks", runner = "claude", findings = { finding() } } }
is(#lenses.findings[1].corroborated_by, 1, "across runners")
local rules = m.merge.findings { { lens = "risks", findings = { finding { rule = "r" } } },
  { lens = "tests", findings = { finding { rule = "r" } } } }
is(#rules.findings[1].corroborated_by, 0, "a rule does not corroborate itself")

-- The findings determine their order in the list; the order of the input does not matter.
local mixed = { finding { severity = "low", line = 1, claim = "alpha" }, finding { severity = "high", line = 20, claim = "beta" },
  finding { severity = "high", line = 40, claim = "gamma", confidence = 0.9 },
  finding { severity = "critical", line = 60, claim = "delta", confidence = 0.1 } }
local ranked = merge(review("risks", table.unpack(mixed)))
local function order(result)
  local claims = {}
  for i, item in ipairs(result.findings) do claims[i] = item.claim end
  return table.concat(claims, " ")
end
is(order(ranked), "delta gamma beta alpha", "severity, then confidence")
is(order(merge(review("risks", mixed[4], mixed[2], mixed[1], mixed[3]))), order(ranked), "whoever came first")
local seen = merge(review("a", finding { severity = "high", line = 1, claim = "seen by one alone", confidence = 0.9 }),
  review("b", finding { severity = "high", line = 90, claim = "seen twice by two", confidence = 0.4 }),
  review("c", finding { severity = "high", line = 90, claim = "seen twice by two", confidence = 0.4 }))
is(seen.findings[1].claim, "seen twice by two", "corroboration counts before confidence")
is(m.findings.json(merge(review("a", finding()), review("b", finding { line = 12 }))):gsub("[ab]#1", ""),
  m.findings.json(merge(review("a", finding()), review("b", finding { line = 12 }))):gsub("[ab]#1", ""), "the same again")

-- Refuted and unverified findings are in lists of their own.
local apart = merge(review("a", finding()), review("b", finding { status = "refuted" }),
  review("c", finding { status = "unverified", line = 80, claim = "perhaps a race" }))
is(#apart.findings, 1, "open")
is(#apart.refuted, 1, "refuted")
is(#apart.unverified, 1, "unverified")
is(apart.findings[1].disputed_by[1], "b", "disputed")
is(count(apart), 3, "all three are there")
local placed = m.merge.findings({ review("a", finding { file = "gone.c" }, finding { line = 99 }) },
  { known = { ["src/a.c"] = true }, lengths = { ["src/a.c"] = 20 } })
is(#placed.unverified, 2, "places that are not there")
has(placed.unverified[1].reason .. placed.unverified[2].reason, "no such file", "why")

-- Each result recommends one next action.
local function next_of(reviews, lost) return m.merge.findings(reviews, { lost = lost }).next_action end
has(next_of({ review("a", finding { severity = "critical" }) }), "Fix the critical finding at src/a.c:10 first", "grave")
has(next_of({ review("a", finding { severity = "low" }) }), "Nothing here has to stop", "small")
has(next_of({ review("a"), review("b") }), "Go on: 2 reviews found nothing", "nothing")
has(next_of({ review("a") }, { { branch = "b", kind = "timeout", message = "it took too long" } }),
  "Run the lost review again (b: it took too long)", "lost")
has(next_of({}, { { branch = "b", kind = "failed", message = "boom" } }), "Run the review again: all of it was lost", "all lost")
has(next_of({ review("a", finding { status = "unverified" }) }), "Check 1 unverified finding by hand", "unverified")
for _, reviews in ipairs { {}, { review("a") }, { review("a", finding()) } } do
  hasnt(next_of(reviews), "\n", "one line")
end

-- Malformed reviews do not raise.
local odd = m.merge.findings { m.null, 5, "text", {}, { findings = 7 }, { findings = { 1, "two", {}, m.null, { claim = {} } } },
  { { claim = "a bare list" } } }
is(count(odd), 5, "what can be read is read")

-- Many findings are merged fast, and none is dropped.
local many = {}
for i = 1, 10000 do many[i] = finding { line = i % 100 + 1, claim = ("kind %d of trouble with part %d"):format(i % 7, i) } end
local started = ctx:now()
is(count(merge(review("a", table.unpack(many, 1, 5000)), review("b", table.unpack(many, 5001)))), 10000, "ten thousand")
is(ctx:now() - started < 20000, true, "in seconds")

-- Hostile text does not become Markdown on the page.
local function page(result, opts) return m.findings.markdown(result, opts) end
local hostile = page(merge(review("a", finding {
  claim = "![x](http://evil.example/p.png) [link](javascript:1) <img src=x> *bold* @team a_b_c `code` # 1\n# heading",
  evidence = "```\n# not a heading\n```\n\27[31m", fix = "see https://evil.example/x and | a | table |", file = "a`b|c.md",
})), { title = "T\n# two", notes = { "a note\nof two lines" } })
has(hostile, "````text", "a fence that cannot be closed from inside")
-- Remove escaped characters and code spans, which are not markup.
hostile = hostile:gsub("\\.", ""):gsub("``.-``", "``"):gsub("%f[`]`[^`\n]+`%f[^`]", "``")
for _, bad in ipairs { "](http", "](java", " <img", "\27", "\n# heading", " @team", "\n# two", "\nof two" } do
  hasnt(hostile, bad, "the page")
end
has(hostile, "a_b_c", "a name stays as it is")
has(page(merge(review("a", finding { claim = "src/__init__.py and lib/_a.py. are _not_ read" }))),
  "`src/__init__.py` and `lib/_a.py`. are \\_not\\_ read", "paths can be copied")
local lines = select(2, page(merge(review("a", finding()))):gsub("\n", ""))
is(lines <= 14, true, "a page for one finding is short")
has(page(merge(review("a"))), "no findings", "nothing found")
local long = {}
for i = 1, 500 do long[i] = finding { line = i * 10, claim = "trouble " .. i } end
local list = page(merge(review("a", table.unpack(long))))
has(list, "500 findings", "how many")
has(list, "500. ", "the last one")
is(select(2, list:gsub("\n", "")) < 900, true, "the rest have a line each")

if #wrong > 0 then error({ kind = "failed", message = table.concat(wrong, "\n") }, 0) end
return { looked = looked }
