--- Gives each file to one agent, checks the answers against a schema, and joins them into one list.
local m = require "moonlet"
local s = m.schema

local found_bug = s.object { line = s.integer { min = 1 }, claim = s.string { min = 1 } }
local bugs = s.object { bugs = s.list(found_bug) }

return m.preset {
  name = "map-files",
  summary = "One agent looks at each file; the bugs become one list.",
  args = { files = m.arg.list { required = true, min = 1, help = "the files" } },
  needs = { agents = true },

  run = function(ctx, args)
    local answers, lost = ctx:parallel(args.files, function(c, file)
      return c:agent {
        name = file,
        prompt = ("Read %s and list its bugs, as JSON: "):format(file)
          .. '{"bugs": [{"line": 1, "claim": "…"}]}',
        schema = bugs,
      }.data.bugs
    end, { need = 1, limit = 4, key = function(file) return file end })

    local all = m.array {}
    for i, file in ipairs(args.files) do
      if not m.is_lost(answers[i]) then
        for _, bug in ipairs(answers[i]) do
          all[#all + 1] = { file = file, line = bug.line, claim = bug.claim }
        end
      end
    end
    return { bugs = all, lost = lost }
  end,
}
