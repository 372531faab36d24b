local C = require "moonlet.patterns.common"
local findings = require "moonlet.findings"
local merge = require "moonlet.merge"
local prompt = require "moonlet.prompt"
local s = require "moonlet.schema"

local M = {}

---@class moonlet.patterns.Worker   fields of moonlet.AgentCall that the pattern does not set itself
---@field name string?     its name; a verifier has another one than the implementer
---@field runner string?
---@field model string?
---@field role string?
---@field timeout string|number|nil
---@field idle string|number|nil
---@field turns integer?
---@field prompt_tokens integer?
---@field base string?
---@field retry integer?
---@field env string[]?
---@field argv string[]?
---@field network boolean?
---@field web_search boolean?

---@class moonlet.patterns.Common
---@field agent moonlet.patterns.Worker?   further fields of each agent call
---@field pack moonlet.Pack?
---@field data moonlet.prompt.Data[]?

---@class moonlet.patterns.TriangulatedReview : moonlet.patterns.Common
---@field artifact string?        what is reviewed, in words
---@field lenses string[]?        two to four
---@field need integer?           how many reviews must succeed; 2
---@field facts string|moonlet.facts.Git|nil
---@field prompt (fun(lens: string): string)?     in place of m.prompt.reviewer
---@field also table[]?           further reviews, such as those of linters
---@field merge moonlet.merge.Options|(fun(reviews: table[]): moonlet.merge.Options)|nil
---@field verify boolean?         let a verifier settle what the reviewers disagree about; true
---@field verifier moonlet.patterns.Worker?         fields of its call: runner, model, …

---@class moonlet.patterns.Review : moonlet.merge.Result
---@field summary string
---@field disagreements integer   how many findings the reviewers disagreed about

-- A field for each disputed finding: an answer that leaves one out does not fit, and is asked for again.
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

-- Two grades apart: one reviewer would stop the work, the other would not.
local function is_split(finding)
  for _, other in ipairs(finding.merged_from) do
    if math.abs(findings.rank(other.severity) - findings.rank(finding.severity)) >= 2 then return true end
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

-- Puts each judged finding where its verdict belongs, with the reason.
local function settle(result, disputed, judgements)
  local verdicts = {}
  for number, item in pairs(judgements) do verdicts[disputed[tonumber(number)]] = item end
  local open = core.json.array {}
  for _, finding in ipairs(result.findings) do
    local item = verdicts[finding]
    finding.verified = item and item.verdict
    if not item or item.verdict == "confirmed" then
      open[#open + 1] = finding
    else
      local list, status = "unverified", "unverified"
      if item.verdict == "refuted" then list, status = "refuted", "refuted" end
      finding.status, finding.reason = status, findings.visible(findings.clip(item.reason, 400))
      table.insert(result[list], finding)
    end
  end
  result.findings = open
end

local function verify(ctx, opts, result, disputed)
  ctx:phase("verify", 1)
  local answer, lost = C.try("verify", function()
    return ctx:agent(C.call(opts, opts.verifier, {
      name = "verify", schema = judgements_of(#disputed),
      prompt = prompt.verifier {
        goal = "Each finding that the reviewers disagree about is settled by what the artifact says.",
        steps = { "Open the place of each finding, and decide whether it holds." }, output = form, pack = opts.pack,
        data = { { label = "the findings that reviewers disagree about", text = C.numbered(disputed),
          required = true } },
      },
    }))
  end)
  if answer then settle(result, disputed, answer.data.judgements) else table.insert(result.lost, merge.lost(lost)) end
end

local function review_of(lens, runner, data)
  local list = type(data) == "table" and rawget(data, "findings") or data
  local notes = type(data) == "table" and rawget(data, "notes") or nil
  return { lens = lens, runner = runner, findings = list, notes = notes }
end

--- Reviewers with different lenses read the same thing, side by side; their findings become one ranked list, and a
--- verifier settles what they disagree about. At most one call more than there are lenses.
---
--- Errors: `invalid` fewer than two or more than four lenses, or one twice; `quorum` too few reviews succeeded.
--- ```lua
--- local review = m.patterns.triangulated_review(ctx, { artifact = "src/a.lua", lenses = { "correctness", "risks" } })
--- #review.findings[1].corroborated_by --> 1
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.TriangulatedReview
---@return moonlet.patterns.Review
function M.triangulated_review(ctx, opts)
  local verb = "triangulated_review"
  C.check(opts, { artifact = "string", lenses = "list", need = "integer", facts = "string|table", prompt = "callable",
    also = "list", merge = "table|function", verify = "boolean", verifier = "table" }, verb)
  local lenses = C.texts(opts.lenses or { "correctness", "risks", "tests" }, verb, "lenses", 2, 4)
  local need = opts.need or 2
  C.bounds(need, verb, "need", 0, #lenses)
  ctx:plan { calls = #lenses + (opts.verify == false and 0 or 1) }
  ctx:phase("review", #lenses)
  local answers, lost = ctx:parallel(lenses, function(c, lens)
    local answer = c:agent(C.call(opts, nil, {
      name = lens, schema = findings.schema,
      prompt = opts.prompt and opts.prompt(lens) or prompt.reviewer(C.prompt(opts, { lens = lens,
        artifact = opts.artifact, facts = opts.facts, output = findings.form })),
    }))
    return review_of(lens, ctx.runner, answer.data)
  end, { need = need, key = function(lens) return lens end })
  ctx:phase("merge", 1)
  local reviews = C.found(answers)
  local own = #reviews
  for _, review in ipairs(opts.also or {}) do reviews[#reviews + 1] = review end
  local options = {}
  for name, value in pairs(type(opts.merge) == "function" and opts.merge(reviews) or opts.merge or {}) do
    options[name] = value
  end
  options.lost = lost
  local result = merge.findings(reviews, options)
  local disputed = disagreements(result)
  result.disagreements = #disputed
  if #disputed > 0 and opts.verify ~= false then verify(ctx, opts, result, disputed) end
  result.next_action = merge.next_action(result, own)
  result.summary = ("%s of %s; %s, %s"):format(C.count(#result.findings, "finding"), C.count(own, "review"),
    C.count(#disputed, "disagreement"), C.count(#result.lost, "loss", "losses"))
  return result
end

return M
