local m = require "moonlet"
local s = m.schema

local M = {}

---@class moonlet.patterns.TriangulatedReview : moonlet.patterns.Common
---@field artifact string?        description of what is reviewed
---@field lenses string[]?        two to four
---@field need integer?           number of reviews that must succeed (default 2)
---@field facts string|moonlet.facts.Git|nil
---@field prompt (fun(lens: string): string)?     replaces m.prompt.reviewer
---@field also table[]?           other reviews to merge, such as those of linters
---@field merge moonlet.merge.Options|(fun(reviews: table[]): moonlet.merge.Options)|nil
---@field verify boolean?         let a verifier settle disputed findings (default true)
---@field verifier moonlet.patterns.Worker?         fields of the verifier's call: runner, model, …

---@class moonlet.patterns.Review : moonlet.merge.Result
---@field summary string
---@field disagreements integer   number of disputed findings

-- The schema requires a verdict on every disputed finding, so an incomplete answer is repaired.
local function judgements_of(count)
  local judgements = {}
  for i = 1, count do
    judgements[tostring(i)] = s.object { verdict = s.enum { "confirmed", "refuted", "unclear" },
      reason = s.string { min = 1, max = 2000 } }
  end
  return s.object { judgements = s.object(judgements) }
end

local form = [[
One JSON object and nothing else:
{"judgements": {"1": {"verdict": "confirmed" | "refuted" | "unclear", "reason": "what you saw, and where"}}}
Give one for each number of the list.]]

-- Reports whether reviewers gave a finding severities that are at least two ranks apart.
local function is_split(finding)
  for _, other in ipairs(finding.merged_from) do
    local apart = m.findings.rank(other.severity) - m.findings.rank(finding.severity)
    if math.abs(apart) >= 2 then return true end
  end
  return false
end

local function disagreements(result)
  local list = {}
  for _, finding in ipairs(result.findings) do
    if finding.disputed_by or is_split(finding) then list[#list + 1] = finding end
  end
  return list
end

-- Moves each judged finding to the list of its verdict and adds the reason.
local function settle(result, disputed, judgements)
  local verdicts = {}
  for number, item in pairs(judgements) do verdicts[disputed[tonumber(number)]] = item end
  local open = m.array {}
  for _, finding in ipairs(result.findings) do
    local item = verdicts[finding]
    finding.verified = item and item.verdict
    if not item or item.verdict == "confirmed" then
      open[#open + 1] = finding
    else
      local status = item.verdict == "refuted" and "refuted" or "unverified"
      finding.status, finding.reason = status, m.findings.visible(m.findings.clip(item.reason, 400))
      table.insert(result[status], finding)
    end
  end
  result.findings = open
end

local function verify(ctx, opts, result, disputed)
  ctx:phase("verify", 1)
  local answer, lost = m.pattern.try("verify", function()
    local prompt = m.prompt.verifier {
      goal = "Each finding that the reviewers disagree about is settled by what the artifact says.",
      steps = { "Open the place of each finding, and decide whether it holds." },
      output = form, pack = opts.pack,
      data = { { label = "the findings that reviewers disagree about",
        text = m.pattern.numbered(disputed), required = true } } }
    return ctx:agent(m.pattern.call(opts, { name = "verify", prompt = prompt,
      schema = judgements_of(#disputed) }, "verifier"))
  end)
  if answer then
    settle(result, disputed, answer.data.judgements)
  else
    table.insert(result.lost, m.merge.lost(lost))
  end
end

--- Asks reviewers with different lenses to read one artifact in parallel.
--- The reviewers' findings become one ranked list, and a verifier settles disputed findings.
--- The pattern costs at most one call more than there are lenses.
--- Errors: `invalid` fewer than two or more than four lenses, or a repeated lens;
--- `quorum` means that too few reviews succeeded.
--- ```lua
--- local review = m.patterns.triangulated_review(ctx, { artifact = "src/a.lua", lenses = { "correctness", "risks" } })
--- #review.findings[1].corroborated_by --> 1
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.TriangulatedReview
---@return moonlet.patterns.Review
function M.triangulated_review(ctx, opts)
  opts = m.pattern.options("triangulated_review", opts, { artifact = "string",
    lenses = "texts 2..4", need = "integer 0..lenses", facts = "string|table", prompt = "callable",
    also = "list", merge = "table|function", verify = "boolean", verifier = "worker" },
    { lenses = { "correctness", "risks", "tests" }, need = 2, verify = true })
  ctx:plan { calls = #opts.lenses + (opts.verify and 1 or 0) }
  ctx:phase("review", #opts.lenses)
  local answers, lost = ctx:parallel(opts.lenses, function(c, lens)
    return m.pattern.reviewer(c, opts, lens, { prompt = opts.prompt and opts.prompt(lens) })
  end, { need = opts.need, key = function(lens) return lens end })
  ctx:phase("merge", 1)
  local reviews = m.found(answers)
  local own = #reviews
  for _, review in ipairs(opts.also or {}) do reviews[#reviews + 1] = review end
  local merge, options = opts.merge or {}, { lost = lost }
  if type(merge) == "function" then merge = merge(reviews) end
  for name, value in pairs(merge) do options[name] = options[name] or value end
  local result = m.merge.findings(reviews, options)
  local disputed = disagreements(result)
  result.disagreements = #disputed
  if #disputed > 0 and opts.verify then verify(ctx, opts, result, disputed) end
  result.next_action = m.merge.next_action(result, own)
  result.summary = ("%s of %s; %s, %s"):format(m.pattern.count(#result.findings, "finding"),
    m.pattern.count(own, "review"), m.pattern.count(#disputed, "disagreement"),
    m.pattern.count(#result.lost, "loss", "losses"))
  return result
end

return M
