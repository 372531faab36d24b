--- Five agents vote on one question; the answer with the most votes wins, and a tie fails.
local m = require "moonlet"
local s = m.schema

return m.preset {
  name = "vote",
  summary = "Five agents vote yes or no.",
  args = {
    question = m.arg.string { positional = true, required = true, help = "a question for yes or no" },
    voters = m.arg.integer { default = 5, min = 1, max = 15, help = "how many" },
  },
  needs = { agents = true },
  budget = { agents = 20, tokens = 2000000 },

  run = function(ctx, args)
    local ballot = s.object { vote = s.enum { "yes", "no" }, why = s.string() }
    local voters = {}
    for i = 1, args.voters do voters[i] = "voter " .. i end
    local votes = ctx:parallel(voters, function(c, voter)
      return c:agent { name = voter, schema = ballot,
        prompt = ('%s. %s Answer as JSON: {"vote": "yes", "why": "…"}'):format(voter, args.question) }.data
    end, { need = args.voters // 2 + 1 })

    local count = { yes = 0, no = 0 }
    for _, one in ipairs((m.found(votes))) do count[one.vote] = count[one.vote] + 1 end
    if count.yes == count.no then m.fail { message = "it is a tie", hint = "ask an odd number of voters" } end
    return { answer = count.yes > count.no and "yes" or "no", yes = count.yes, no = count.no }
  end,
}
