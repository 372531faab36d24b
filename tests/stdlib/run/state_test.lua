local state = require "moonlet.engine.run.state"

test("the last line is a command that can be pasted", function()
  local function is_last(expected, ...) is(state.last_line("R-007", ...), expected, "the line") end
  is_last("Go on: moonlet run resume 7 --budget agents=8", "budget", { hint = "give more with --budget agents=8 and resume" })
  is_last("Go on: moonlet run resume 7", "budget", { hint = "raise this limit in the script and resume the run" })
  is_last("Go on: moonlet run resume 7", "failed", { kind = "failed", message = "x is nil" }, nil, {})
  is_last("Again: moonlet run replay 7", "failed", { kind = "rejected" }, nil, {})
  is_last(nil, "ok")
  local function asks(options) return nil, { { kind = "question", key = "q", text = "?", options = options } } end
  is_last("Go on: moonlet answer 7 'TEXT'", "needs-human", asks())
  is_last("Go on: moonlet answer 7 yes   # or no", "needs-human", asks { "yes", "no" })
  is_last("Go on: moonlet answer 7 'not yet'   # or 2", "needs-human", asks { "not yet", "take it, and write a test" })
  is_last("Go on: moonlet answer 7 approve   # or reject", "needs-human", nil, { { kind = "gate", key = "g" } })
end)
