local m = require "moonlet"

return m.preset {
  name = "three-agents",
  summary = "Three agents side by side, of which some must succeed.",
  args = {
    need = m.arg.integer { default = 3, min = 1, help = "how many must succeed" },
    timeout = m.arg.duration { default = "2s", help = "how long each may take" },
  },
  needs = { agents = true },
  run = function(ctx, args)
    local replies = ctx:parallel({ "a", "b", "c" }, function(c, name)
      return c:agent { name = name, prompt = "Agent " .. name, timeout = args.timeout }.text
    end, { need = args.need })
    return replies
  end,
}
