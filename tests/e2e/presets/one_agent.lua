local m = require "moonlet"

return m.preset {
  name = "one-agent",
  summary = "Asks one agent and returns its text.",
  args = {
    prompt = m.arg.string { default = "Say hello.", help = "what to ask" },
    size = m.arg.integer { default = 0, min = 0, help = "pad the prompt with this many bytes" },
    timeout = m.arg.duration { default = "2s", help = "how long the agent may take" },
  },
  needs = { agents = true },
  run = function(ctx, args)
    local reply = ctx:agent {
      name = "one",
      prompt = args.prompt .. ("x"):rep(args.size),
      timeout = args.timeout,
    }
    return { text = reply.text }
  end,
}
