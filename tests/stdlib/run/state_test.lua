local state = require "moonlet.engine.run.state"

test("the last line is a command that can be pasted", function()
  local function is_last(expected, ...) is(state.last_line("R-007", ...), expected, "the line") end
  is_last("Go on: moonlet resume R-007 --budget agents=8", "budget", { hint = "give more with --budget agents=8 and resume" })
  is_last("Go on: moonlet resume R-007", "budget", { hint = "raise this limit in the script and resume the run" })
  is_last("Go on: moonlet resume R-007", "failed", { kind = "failed", message = "x is nil" }, nil, {})
  is_last("Go on: moonlet resume R-007 --allow run=ls", "failed", { kind = "denied", hint = "add --allow run=ls" })
  is_last("Go on: moonlet resume R-007 --allow 'run=a b'", "failed", { kind = "denied",
    hint = "declare it: needs = { programs = { \"a b\" } }, or add --allow 'run=a b'" })
  is_last("Again: moonlet run replay R-007", "failed", { kind = "rejected" }, nil, {})
  is_last(nil, "ok")
  local function step(status) return { kind = "agent", runner = "codex", status = status } end
  is_last("Again: moonlet run replay R-007", "blocked", nil, nil, { step "ok", step "ok" })
  is_last("Go on: moonlet resume R-007", "blocked", nil, nil, { step "ok", { kind = "validate", status = "failed" } })
  local function asks(options) return nil, { { kind = "question", key = "q", text = "?", options = options } } end
  is_last("Go on: moonlet answer R-007 'TEXT'", "needs-human", asks())
  is_last("Go on: moonlet answer R-007 yes   # or no", "needs-human", asks { "yes", "no" })
  is_last("Go on: moonlet answer R-007 'not yet'   # or 2", "needs-human", asks { "not yet", "take it, and write a test" })
  is_last("Go on: moonlet answer R-007 approve   # or reject", "needs-human", nil, { { kind = "gate", key = "g" } })
end)

test("the last line after a mistake in the script names its place", function()
  local function is_last(expected, err, origin)
    is(state.last_line("R-007", "failed", err, nil, nil, origin or "presets/x.lua"), expected, "the line")
  end
  local edit = "Go on: edit presets/x.lua:2, then moonlet resume R-007"
  is_last(edit, "presets/x.lua:2: attempt to index a nil value (local 'a')")
  is_last(edit, { kind = "failed", at = "presets/x.lua:2", message = "bad argument #1 to 'ipairs' (table expected, got nil)" })
  is_last(edit, { kind = "invalid", at = "presets/x.lua:2", message = "ctx:agent has no option 'promt'" })
  is_last(edit, { kind = "limit", at = "presets/x.lua:2", message = "the script ran for 10 s without waiting" })
  local resume = "Go on: moonlet resume R-007"
  is_last(resume, "presets/x.lua:2: the tests fail")
  is_last(resume, { kind = "failed", at = "presets/x.lua:2", message = "the agent failed" })
  is_last(resume, { kind = "invalid", at = "presets/vote/init.lua:2", message = "no" }, "built in")
  is_last(resume, { kind = "invalid", at = "README.md", message = "no" })
end)
