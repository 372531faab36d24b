-- Runs agents that do nothing, in sequence. tests/bench/run.sh subtracts the time of those that only read.
local m = require "moonlet"

return m.preset {
  name = "writers",
  summary = "Runs agents that do nothing, in worktrees of their own or without.",
  args = {
    count = m.arg.integer { default = 1, min = 1, help = "how many agents run" },
  },
  needs = { agents = true, write = { "." } },
  run = function(ctx, args)
    for i = 1, args.count do
      ctx:agent { name = "agent" .. i, prompt = "nothing" }
    end
    return true
  end,
}
