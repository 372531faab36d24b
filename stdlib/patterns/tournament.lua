local m = require "moonlet"

local M = {}

---@class moonlet.patterns.Tournament : moonlet.patterns.Common
---@field candidates (string|{name: string, text: string})[]  two to sixteen
---@field criteria string[]       criteria of the judges
---@field goal string?            purpose of the candidates
---@field judge moonlet.patterns.Worker?

---@class moonlet.patterns.Match
---@field round integer
---@field between string[]
---@field winner string
---@field why string

---@class moonlet.patterns.Champion : moonlet.patterns.Result
---@field winner string
---@field text string
---@field matches moonlet.patterns.Match[]

-- Pairs neighbours. The last of an odd number reaches the next round without a match.
local function pairs_of(field)
  local matches = {}
  for i = 1, #field - 1, 2 do matches[#matches + 1] = { field[i], field[i + 1] } end
  return matches, #field % 2 == 1 and field[#field] or nil
end

-- Returns the winner of a match. After a tie or without a verdict, the first candidate wins.
local function decide(pair, sheet)
  if m.is_lost(sheet) then return pair[1], "the judge was lost: the first one wins" end
  if #sheet.best > 1 then return pair[1], "equals: the first one wins" end
  return pair[sheet.best[1]], sheet.reason
end

--- Asks judges to compare candidates in pairs.
--- The better candidate of each pair reaches the next round.
--- A tournament costs one call for each match, one fewer than there are candidates.
--- Errors: `invalid` missing criteria, one candidate, or more than sixteen;
--- `quorum` means that every judge of a round failed.
--- ```lua
--- local texts = { "a short text", "a long text" }
--- local cup = m.patterns.tournament(ctx, { candidates = texts, criteria = { "it is short" } })
--- cup.text --> "a short text"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.Tournament
---@return moonlet.patterns.Champion
function M.tournament(ctx, opts)
  opts = m.pattern.options("tournament", opts, { candidates = "candidates 2..16",
    criteria = "texts 1..12", goal = "string", judge = "worker" })
  local field, round = opts.candidates, 0
  local result = { matches = m.array {}, details = m.array {}, lost = m.array {} }
  ctx:plan { calls = #field - 1 }
  while #field > 1 do
    round = round + 1
    local matches, bye = pairs_of(field)
    ctx:phase("round " .. round, #matches)
    local sheets, lost = ctx:parallel(matches, function(c, pair, i)
      return m.pattern.judge(c, opts, "match " .. i, pair, (round + i) % 2 + 1)
    end, { need = 1, name = "round " .. round })
    table.move(lost, 1, #lost, #result.lost + 1, result.lost)
    field = {}
    for i, pair in ipairs(matches) do
      local winner, why = decide(pair, sheets[i])
      local between = m.array { pair[1].name, pair[2].name }
      field[i] = winner
      table.insert(result.matches,
        { round = round, between = between, winner = winner.name, why = why })
      table.insert(result.details, ("round %d: %s against %s: %s"):format(round, between[1],
        between[2], winner.name))
    end
    field[#field + 1] = bye
  end
  result.winner, result.text = field[1].name, field[1].text
  result.summary = ("'%s' after %s"):format(result.winner,
    m.pattern.count(#result.matches, "match", "matches"))
  result.next_action = result.lost[1]
    and ("Look at the lost match again: %s."):format(result.lost[1].branch)
    or ("Take '%s'."):format(result.winner)
  return result
end

return M
