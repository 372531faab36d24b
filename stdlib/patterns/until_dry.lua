local m = require "moonlet"

local M = {}

---@class moonlet.patterns.UntilDry : moonlet.patterns.Common
---@field artifact string         description of what is searched
---@field lenses string[]?        used in turn, one per round (default: correctness, risks, tests)
---@field rounds integer?         two to twenty (default 6)
---@field dry integer?            rounds without a new finding that end the search (default 2)

---@class moonlet.patterns.Dry : moonlet.merge.Result
---@field summary string
---@field rounds integer
---@field dry boolean             true if the search ended because nothing new was found
---@field found_by_round integer[]  number of new findings in each round

local function known(reviews)
  local list = m.merge.findings(reviews).findings
  local lines = {}
  for i, finding in ipairs(list) do
    if i > 200 then break end
    lines[i] = ("- %s: %s"):format(m.findings.place(finding), finding.claim)
  end
  return table.concat(lines, "\n"), #list
end

--- Asks reviewers, round by round, for problems that earlier rounds missed.
--- The search ends after some consecutive rounds without a new finding.
--- The pattern costs at most one call for each round.
--- Errors: `invalid` fewer than two rounds, or more than twenty;
--- `quorum` means that every round failed.
--- ```lua
--- local hunt = m.patterns.until_dry(ctx, { artifact = "src/a.lua" })
--- hunt.rounds --> 3
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.UntilDry
---@return moonlet.patterns.Dry
function M.until_dry(ctx, opts)
  opts = m.pattern.options("until_dry", opts, { artifact = "text!", lenses = "texts 1..11",
    rounds = "integer 2..20", dry = "integer 1..rounds" },
    { lenses = { "correctness", "risks", "tests" }, rounds = 6, dry = 2 })
  local reviews, lost, news, quiet, total = {}, {}, m.array {}, 0, 0
  ctx:plan { calls = opts.rounds }
  while #news < opts.rounds and quiet < opts.dry do
    local round = #news + 1
    local lens = opts.lenses[(round - 1) % #opts.lenses + 1]
    local told = known(reviews)
    ctx:phase("round " .. round, 1)
    local data = { table.unpack(opts.data or {}) }
    if told ~= "" then
      data[#data + 1] = { label = "what was found already: report none of it again", text = told }
    end
    local review, gone = m.pattern.try("round " .. round, function()
      return m.pattern.reviewer(ctx, opts, lens, { name = "round " .. round, data = data })
    end)
    if review then
      reviews[#reviews + 1] = review
      local _, count = known(reviews)
      news[round] = count - total
      total, quiet = count, count > total and 0 or quiet + 1
    else
      -- Do not count a failed round as a round without a new finding.
      news[round] = 0
      lost[#lost + 1] = gone
      if gone.kind == "budget" then break end
    end
  end
  if #reviews == 0 then
    error({ kind = "quorum", message = ("0 of %d rounds succeeded; the last failure: %s")
      :format(#news, lost[#lost].message) }, 0)
  end
  local result = m.merge.findings(reviews, { lost = lost, root = ctx.repo })
  result.rounds, result.found_by_round, result.dry = #news, news, quiet >= opts.dry
  result.summary = ("%s in %s; %s"):format(m.pattern.count(#result.findings, "finding"),
    m.pattern.count(#news, "round"), result.dry
      and ("the last %d found nothing new"):format(opts.dry)
      or "the rounds were over before nothing new came")
  return result
end

return M
