local m = require "moonlet"
local s = m.schema

local M = {}

---@class moonlet.patterns.Vote : moonlet.patterns.Common
---@field question string
---@field choices string[]        two to ten
---@field voters integer?         two to nine (default 3)
---@field need integer?           votes that a choice needs (default: more than half)

---@class moonlet.patterns.Voted : moonlet.patterns.Result
---@field winner string?          nil if no choice has enough votes
---@field tied string[]           choices with the most votes, if there are several
---@field tally table<string, integer>
---@field votes {voter: string, choice: string, reason: string}[]
---@field need integer

local form = [[
One JSON object and nothing else: {"choice": one of %s, "reason": "what you saw"}]]

local function count(votes, choices)
  local tally, most, leaders = {}, 0, m.array {}
  for _, choice in ipairs(choices) do tally[choice] = 0 end
  for _, vote in ipairs(votes) do tally[vote.choice] = tally[vote.choice] + 1 end
  for _, choice in ipairs(choices) do
    if tally[choice] > most then most, leaders = tally[choice], m.array {} end
    if tally[choice] == most and most > 0 then leaders[#leaders + 1] = choice end
  end
  return tally, most, leaders
end

--- Asks several voters one question, which they answer independently.
--- A choice wins if it has enough votes, and a tie is reported.
--- A vote costs one call for each voter.
--- Errors: `invalid` one choice, or more than nine voters;
--- `quorum` means that every voter failed.
--- ```lua
--- local voted = m.patterns.vote(ctx, { question = "keep it?", choices = { "yes", "no" } })
--- voted.winner --> "yes"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.Vote
---@return moonlet.patterns.Voted
function M.vote(ctx, opts)
  opts = m.pattern.options("vote", opts, { question = "text!", choices = "texts 2..10",
    voters = "integer 2..9", need = "integer 1..voters" }, { voters = 3 })
  local need = opts.need or opts.voters // 2 + 1
  local schema = s.object { choice = s.enum(opts.choices),
    reason = s.string { min = 1, max = 2000 } }
  local voters = {}
  for i = 1, opts.voters do voters[i] = "voter " .. i end
  ctx:plan { calls = #voters }
  ctx:phase("vote", #voters)
  local answers, lost = ctx:parallel(voters, function(c, voter)
    local prompt = m.prompt.worker {
      task = opts.question, goal = "One choice that you would defend with what you saw yourself.",
      non_goals = "Choices other than the given ones.", edits = false,
      inspect = "The material below, and files of this repository.",
      escalate = "none of the choices can be right: choose the least wrong one, and say so",
      output = form:format(m.json.encode(m.array(opts.choices))),
      pack = opts.pack, data = opts.data }
    local call = m.pattern.call(opts, { name = voter, schema = schema, prompt = prompt })
    local data = c:agent(call).data
    return { voter = voter, choice = data.choice, reason = data.reason }
  end, { need = 1, name = "vote" })
  local votes = m.found(answers)
  local tally, most, leaders = count(votes, opts.choices)
  local wins = #leaders == 1 and most >= need
  local result = { winner = wins and leaders[1] or nil, tally = tally, votes = votes, need = need,
    tied = #leaders > 1 and leaders or m.array {}, details = m.array {}, lost = lost }
  for i, vote in ipairs(votes) do
    result.details[i] = ("%s: %s (%s)"):format(vote.voter, vote.choice, vote.reason)
  end
  local total = m.pattern.count(#votes, "vote")
  if wins then
    result.summary = ("%s: %d of %s"):format(leaders[1], most, total)
    result.next_action = ("Go on with '%s'."):format(leaders[1])
  elseif #leaders > 1 then
    result.summary = ("a tie between %s, with %s each"):format(table.concat(leaders, " and "),
      m.pattern.count(most, "vote"))
    result.next_action = "Decide yourself: the vote is tied."
  else
    result.summary = ("%s leads with %d of %s, and %d are needed"):format(leaders[1], most, total,
      need)
    result.next_action = "Decide yourself, or ask more voters: no choice has enough votes."
  end
  return result
end

return M
