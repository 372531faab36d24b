-- Does the same work as bare_loop through ctx:exec.
local m = require "moonlet"

return m.preset {
  name = "bench-spawn",
  summary = "Starts a command again and again, several at a time.",
  args = {
    count = m.arg.integer { default = 2000, min = 1, help = "how many in all" },
    width = m.arg.integer { default = 64, min = 1, help = "how many at once" },
    argv = m.arg.list { default = { "/bin/true" }, help = "the command" },
  },
  needs = { programs = { "/bin/true", "sleep" } },
  run = function(ctx, args)
    local items = {}
    for i = 1, args.count do items[i] = i end
    local done = 0
    ctx:parallel(items, function(c)
      local result = c:exec { argv = args.argv, journal = false }
      if result.code == 0 then done = done + 1 end
    end, { limit = args.width })
    assert(done == args.count, "not every command succeeded")
    return { done = done }
  end,
}
