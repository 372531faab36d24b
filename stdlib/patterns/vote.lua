local C = require "moonlet.patterns.common"
local prompt = require "moonlet.prompt"
local s = require "moonlet.schema"

local M = {}

---@class moonlet.patterns.Vote : moonlet.patterns.Common
---@field question string
---@field choices string[]        two to ten
---@field voters integer?         two to nine; 3
---@field need integer?           how many votes a choice must have; more than half of the voters

---@class moonlet.patterns.Voted
---@field summary string
---@field next_action string
---@field winner string?          nil: no choice has enough votes
---@field tied string[]           the choices with the most votes, if there are several
---@field tally table<string, integer>
---@field votes {voter: string, choice: string, reason: string}[]
---@field need integer
---@field details string[]
---@field lost table[]

local function count(votes, choices)
  local tally, most, leaders = {}, 0, core.json.array {}
  for _, choice in ipairs(choices) do tally[choice] = 0 end
  for _, vote in ipairs(votes) do tally[vote.choice] = tally[vote.choice] + 1 end
  for _, choice in ipairs(choices) do
    if tally[choice] > most then most, leaders = tally[choice], core.json.array {} end
    if tally[choice] == most and most > 0 then leaders[#leaders + 1] = choice end
  end
  return tally, most, leaders
end

--- Voters answer a question independently; a choice wins with enough votes, and a tie is reported. One call for each
--- voter.
---
--- Errors: `invalid` one choice, or more voters than nine; `quorum` nobody voted.
--- ```lua
--- local voted = m.patterns.vote(ctx, { question = "keep it?", choices = { "yes", "no" } })
--- voted.winner --> "yes"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.Vote
---@return moonlet.patterns.Voted
function M.vote(ctx, opts)
  local verb = "vote"
  C.check(opts, { question = "string", choices = "list", voters = "integer", need = "integer" }, verb)
  C.text(opts.question, verb, "question")
  local choices = C.texts(opts.choices or {}, verb, "choices", 2, 10)
  local number = C.bounds(opts.voters or 3, verb, "voters", 2, 9)
  local need = C.bounds(opts.need or number // 2 + 1, verb, "need", 1, number)
  local schema = s.object { choice = s.enum(choices), reason = s.string { min = 1, max = 2000 } }
  local voters = {}
  for i = 1, number do voters[i] = "voter " .. i end
  ctx:plan { calls = number }
  ctx:phase("vote", number)
  local answers, lost = ctx:parallel(voters, function(c, voter)
    local data = c:agent(C.call(opts, nil, { name = voter, schema = schema, prompt = prompt.worker(C.prompt(opts, {
      task = opts.question, goal = "One choice that you would defend with what you saw yourself.",
      non_goals = "Choices other than the given ones.", inspect = "The material below, and files of this repository.",
      edits = false, escalate = "none of the choices can be right: choose the least wrong one, and say so",
      output = "One JSON object and nothing else: {\"choice\": one of " .. core.json.encode(core.json.array(choices))
        .. ", \"reason\": \"what you saw\"}" })) })).data
    return { voter = voter, choice = data.choice, reason = data.reason }
  end, { need = 1, name = "vote" })
  local votes = C.found(answers)
  local tally, most, leaders = count(votes, choices)
  local wins = #leaders == 1 and most >= need
  local result = { winner = wins and leaders[1] or nil, tied = #leaders > 1 and leaders or core.json.array {},
    tally = tally, votes = votes, need = need, details = core.json.array {}, lost = C.lost(lost) }
  for i, vote in ipairs(votes) do result.details[i] = ("%s: %s (%s)"):format(vote.voter, vote.choice, vote.reason) end
  if wins then
    result.summary = ("%s: %d of %s"):format(leaders[1], most, C.count(#votes, "vote"))
    result.next_action = ("Go on with '%s'."):format(leaders[1])
  elseif #leaders > 1 then
    result.summary = ("a tie between %s, with %s each"):format(table.concat(leaders, " and "), C.count(most, "vote"))
    result.next_action = "Decide yourself: the vote is tied."
  else
    result.summary = ("%s leads with %d of %s, and %d are needed"):format(leaders[1], most, C.count(#votes, "vote"),
      need)
    result.next_action = "Decide yourself, or ask more voters: no choice has enough votes."
  end
  return result
end

return M
