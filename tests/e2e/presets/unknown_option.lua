local m = require "moonlet"

return m.preset {
  name = "unknown-option",
  summary = "Misspells an option of ctx:agent.",
  needs = { agents = true },
  run = function(ctx)
    -- No tail call: it would leave no line to name.
    local answer = ctx:agent { name = "one", promt = "Say hello." }
    return answer.text
  end,
}
