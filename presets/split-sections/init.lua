--- Gives each worker one section. A final worker merges the results. This command runs the preset:
---   moonlet run split-sections --task "shorten it by a third" --sections docs/a.md,docs/b.md --write
local m = require "moonlet"

return m.preset {
  name = "split-sections",
  summary =
    "Each worker owns a section of the work; a last one merges the sections for consistency.",
  args = m.pack.args {
    task = m.arg.string { required = true, help = "what is to be done with each section" },
    sections = m.arg.paths { positional = true, required = true, min = 2, max = 12,
      help = "their files or folders, one for each worker" },
    write = m.arg.boolean { default = false,
      help = "workers change their files; else they answer with texts" },
    consistency = m.arg.list { default = {},
      help = "what must agree between sections: terms, names, style" },
    need = m.arg.integer { min = 1,
      help = "how many sections must succeed (default: all but one)" },
  },
  needs = { programs = { "git" }, agents = true, read = { "." }, write = { "." } },
  budget = { tokens = 6000000, agents = 30, wall = "1h" },

  run = function(ctx, args)
    local sections = {}
    for i, path in ipairs(args.sections) do sections[i] = { name = path, paths = { path } } end
    local result = m.patterns.split_sections(ctx, {
      task = args.task, sections = sections, write = args.write, need = args.need,
      pack = m.pack.of(ctx, args),
      consistency = #args.consistency > 0 and args.consistency or nil,
    })
    if not args.write then ctx:write("whole.md", result.text .. "\n") end
    ctx:write("findings.md", m.patterns.page(result, args.task))
    return result
  end,
}
