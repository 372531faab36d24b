local m = require "moonlet"

local M = {}

---@class moonlet.patterns.JudgePanel : moonlet.patterns.Common
---@field candidates (string|{name: string, text: string})[]  two to eight
---@field criteria string[]       criteria of the judges
---@field judges integer?         two to five (default 3)
---@field need integer?           number of judges that must succeed (default 2)
---@field goal string?            purpose of the candidates
---@field judge moonlet.patterns.Worker?

---@class moonlet.patterns.Ranked
---@field name string
---@field score number            mean of all judges' scores
---@field spread number           highest score minus lowest

---@class moonlet.patterns.Panel : moonlet.patterns.Result
---@field winner string?          nil if the best are tied
---@field tied string[]
---@field ranking moonlet.patterns.Ranked[]
---@field disagreements string[]  candidates whose scores differ widely between judges
---@field reasons string[]        reason of each judge

local far = 4

local function rank(candidates, sheets)
  local ranking = m.array {}
  for i, candidate in ipairs(candidates) do
    local sum, low, high = 0, math.huge, -math.huge
    for _, sheet in ipairs(sheets) do
      local score = sheet.scores[i]
      sum, low, high = sum + score, math.min(low, score), math.max(high, score)
    end
    ranking[i] = { name = candidate.name, score = sum / #sheets, spread = high - low }
  end
  table.sort(ranking, function(a, b)
    if math.abs(a.score - b.score) > 1e-9 then return a.score > b.score end
    return a.name < b.name
  end)
  return ranking
end

--- Asks judges to score candidates independently. Each judge sees the candidates in another order.
--- The mean scores rank the candidates, and disagreements are reported.
--- The pattern costs one call for each judge.
--- Errors: `invalid` missing criteria, one candidate, or a number out of bounds;
--- `quorum` means that too few judges succeeded.
--- ```lua
--- local texts = { "a short text", "a long text" }
--- local panel = m.patterns.judge_panel(ctx, { candidates = texts, criteria = { "it is short" } })
--- panel.winner --> "1"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.JudgePanel
---@return moonlet.patterns.Panel
function M.judge_panel(ctx, opts)
  opts = m.pattern.options("judge_panel", opts, { candidates = "candidates 2..8",
    criteria = "texts 1..12", judges = "integer 2..5", need = "integer 1..judges", goal = "string",
    judge = "worker" }, { judges = 3 })
  local judges = {}
  for i = 1, opts.judges do judges[i] = "judge " .. i end
  ctx:plan { calls = #judges }
  ctx:phase("judge", #judges)
  local answers, lost = ctx:parallel(judges, function(c, judge, i)
    return m.pattern.judge(c, opts, judge, opts.candidates, i)
  end, { need = opts.need or 2, name = "panel" })
  local sheets = m.found(answers)
  local ranking = rank(opts.candidates, sheets)
  local result = { ranking = ranking, tied = m.array {}, disagreements = m.array {},
    reasons = m.array {}, details = m.array {}, lost = lost }
  for i, item in ipairs(ranking) do
    if math.abs(item.score - ranking[1].score) < 1e-9 then table.insert(result.tied, item.name) end
    if item.spread >= far then table.insert(result.disagreements, item.name) end
    result.details[i] = ("%s: %.2f, spread %.1f"):format(item.name, item.score, item.spread)
  end
  for i, sheet in ipairs(sheets) do result.reasons[i] = sheet.reason end
  local by = m.pattern.count(#sheets, "judge")
  if #result.tied == 1 then
    result.winner, result.tied = result.tied[1], m.array {}
    result.summary = ("'%s' with %.2f, by %s"):format(result.winner, ranking[1].score, by)
    result.next_action = result.disagreements[1]
      and ("Look at '%s' yourself: the judges disagree about it."):format(result.disagreements[1])
      or ("Take '%s'."):format(result.winner)
  else
    result.summary = ("a tie between %s, by %s"):format(table.concat(result.tied, " and "), by)
    result.next_action = "Decide yourself: the best are tied."
  end
  return result
end

return M
