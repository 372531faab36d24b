--- Has three agents with different roles answer one question, and a judge choose the best answer.
local m = require "moonlet"
local s = m.schema

local choice = s.object {
  best = s.enum { "advocate", "sceptic", "newcomer" },
  why = s.string { min = 1 },
}

return m.preset {
  name = "panel",
  summary = "Three roles answer one question; a judge names the best answer.",
  args = { question = m.arg.string { required = true, help = "the question" } },
  needs = { agents = true },

  run = function(ctx, args)
    local roles = { "advocate", "sceptic", "newcomer" }
    local answers, lost = ctx:parallel(roles, function(c, role)
      return c:agent { name = role,
        prompt = ("You are the %s. %s"):format(role, args.question) }.text
    end, { need = 2 })

    local found, theirs = m.found(answers, roles)
    local parts = {
      'Name the best of these answers, as JSON: {"best": "sceptic", "why": "…"}',
    }
    for i, role in ipairs(theirs) do
      parts[#parts + 1] = m.prompt.fence("the answer of the " .. role, found[i])
    end
    local judged = ctx:agent { name = "judge", prompt = table.concat(parts, "\n\n"),
      schema = choice }.data
    return { best = judged.best, why = judged.why, lost = lost }
  end,
}
