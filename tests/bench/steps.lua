-- Runs steps in parallel, to measure the journal. A last step fails unless the run has `--done`, so that the
-- run can be resumed.
local m = require "moonlet"

local kinds = {}

-- A command without a journal entry, to measure everything but the journal.
function kinds.plain(c, args) c:exec { argv = args.argv, journal = false } end
function kinds.exec(c, args) c:exec { argv = args.argv } end
function kinds.step(c, _, i)
  c:step("work", { input = i }, function() return { i = i, text = "what it came to" } end)
end
-- The step of an agent waits until its records are durable, before its start and after its end.
function kinds.agent(c, _, i) c:agent { name = "work", prompt = "Piece " .. i, timeout = "120s" } end

return m.preset {
  name = "bench-steps",
  summary = "Does many steps, several at a time.",
  args = {
    kind = m.arg.string { default = "exec", help = "plain, exec, step or agent" },
    count = m.arg.integer { default = 2000, min = 1, help = "how many in all" },
    width = m.arg.integer { default = 64, min = 1, help = "how many at once" },
    argv = m.arg.list { default = { "/bin/true" }, help = "the command of exec and plain" },
    unfinished = m.arg.boolean { default = false, help = "end with a step that fails" },
  },
  needs = { programs = { "/bin/true", "sleep" }, agents = { "command" } },
  run = function(ctx, args)
    local items = {}
    for i = 1, args.count do items[i] = i end
    ctx:parallel(items, function(c, i) kinds[args.kind](c, args, i) end, { limit = args.width })
    ctx:step("last", {}, function()
      ctx:log "the first new step"
      if args.unfinished then error { kind = "failed", message = "not yet" } end
      return true
    end)
    return { done = args.count }
  end,
}
