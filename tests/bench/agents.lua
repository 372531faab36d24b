-- Runs agents in parallel, to measure the memory and CPU time of the host and its keeper.
local m = require "moonlet"

return m.preset {
  name = "bench-agents",
  summary = "Starts many agents at once.",
  args = { count = m.arg.integer { default = 64, min = 1, help = "how many agents" } },
  needs = { agents = true },
  run = function(ctx, args)
    local items = {}
    for i = 1, args.count do items[i] = i end
    ctx:parallel(items, function(c, i)
      return c:agent { name = "agent-" .. i, prompt = "Wait.", timeout = "60s" }.text
    end, { limit = args.count })
    return { done = args.count }
  end,
}
