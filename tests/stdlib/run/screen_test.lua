local screen = require "moonlet.engine.run.screen"

local function text_of(facts, columns)
  for name, value in pairs { id = "R-007", name = "review", state = "ok", steps = {}, degraded = {}, parked = {},
    notes = {}, folder = function() end, tail = function() end } do
    if facts[name] == nil then facts[name] = value end
  end
  return screen.text(facts, { columns = columns or 80, colour = false, unicode = true, terminal = true })
end

test("the report contains findings.md without its lists by severity", function()
  local text = text_of {
    result = { findings = { { severity = "high", file = "a.lua", line = 1, claim = "It leaks." } } },
    findings = "# Review: 1 finding\n\n1 high.\n\n## Lost: 1 review\n\n- risks: gone\n\n## High\n\n1. `a.lua:1` It leaks.\n\n"
      .. "## And 3 more, a line each\n\n41. low\n\n## Unverified: 1\n\n1. high `b.lua:2` It loops.\n\n## Notes\n\n- read by none",
  }
  is(text, [[
✓ ok  review  R-007

Review: 1 finding

high      a.lua:1  It leaks.

1 high.

Lost: 1 review

• risks: gone

Unverified: 1

1. high b.lua:2 It loops.

Notes

• read by none
]], "the screen")
end)

test("two spaces follow the place of a finding, even if its claim is wrapped", function()
  local text = text_of({ result = { findings = {
    { severity = "low", file = "a.lua", line = 1, claim = "one two three four five" },
    { severity = "low", file = "a.lua", line = 2, claim = "one two three four seven" },
    { severity = "low", file = "a b/日本.lua", claim = "fourteen-columns" },
    { severity = "low", file = ("long/"):rep(8), claim = "it is long" },
    { severity = "low", claim = "no place" },
  } } }, 42)
  holds(text, [[

low       a.lua:1  one two three four five
low       a.lua:2  one two three four
          seven
low       a b/日本.lua  fourteen-columns
low       long/long/long/long/long/long/long/long/
          it is long
low       no place
]], "the list")
end)

local function failed(key, message, at) return { key = key, kind = "agent", status = "failed",
  error = { message = message, at = at } } end

test("a failure is reported once, with its step, its place, its stderr and its folder", function()
  local facts = { state = "failed", name = "fan", steps = { failed("parallel/b.lua/agent", "it ended: no key", "fan.lua:2") },
    error = { kind = "failed", message = "it ended: no key", at = "fan.lua:2", hint = "moonlet log R-007 " .. ("b"):rep(40) },
    tail = function() return { "first", "no key" } end, folder = function() return "/files/b" end }
  is(text_of(facts, 50), [[
✗ failed  fan  R-007

  b.lua   it ended: no key
    at fan.lua:2
    │ first
    /files/b
  moonlet log R-007 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
Go on: moonlet resume R-007
]], "on a narrow screen, where the command stays whole")
  is(screen.failures(facts), "  b.lua\n    │ first\n    /files/b\n", "in a pipe, below the error")
  facts.error = { kind = "quorum", message = "1 of 2 reviews; the first failure: it ended: no key" }
  is(text_of(facts), [[
✗ failed  fan  R-007

  1 of 2 reviews; the first failure: it ended: no key

  b.lua
    at fan.lua:2
    │ first
    /files/b
Go on: moonlet resume R-007
]], "as a part of the error of the run")
end)

test("steps with the same error are listed together", function()
  local facts = { state = "budget", tail = function() end, folder = function() end, steps = { failed("r1", "4 are allowed"), failed("r2", "4 are allowed"),
    failed("r3", "no key") }, error = core.json.null }
  is(screen.failures(facts), "  r1, r2\n    4 are allowed\n  r3   no key\n", "")
end)
