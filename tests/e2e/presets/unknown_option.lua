local m = require "moonlet"

return m.preset {
  name = "unknown-option",
  summary = "Misspells an option of ctx:agent.",
  needs = { agents = true },
  run = function(ctx)
    -- A tail call would drop this frame, and the error could name no line.
    local answer = ctx:agent { name = "one", promt = "Say hello." }
    return answer.text
  end,
}
