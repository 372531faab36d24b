local m = require "moonlet"

return m.preset {
  name = "personalization-scanner",
  summary =
    "Finds standing preferences in the inputs that are listed, as candidates for memory, without anything private.",
  task_type = "personalization-scan",
  needs = { agents = true },
  private_inputs = true,
  budget = { tokens = 1000000, agents = 8, wall = "15m" },

  check = function(look)
    if #look.inputs == 0 then
      error({ kind = "invalid", message = "personalization-scanner reads only what is listed, and nothing is",
        hint = "list it: --input memory/current-status.md --input '.agent/sidecars/*/decision.md'" }, 0)
    end
  end,

  -- The words that a scan knows load when one begins.
  run = function(ctx) return require("scan").run(ctx) end,
  offline = function(ctx) return require("scan").run(ctx) end,
}
