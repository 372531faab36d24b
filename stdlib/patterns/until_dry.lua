local C = require "moonlet.patterns.common"
local findings = require "moonlet.findings"
local merge = require "moonlet.merge"
local prompt = require "moonlet.prompt"

local M = {}

---@class moonlet.patterns.UntilDry : moonlet.patterns.Common
---@field artifact string         where it is looked, in words
---@field lenses string[]?        one for each round, in turn; correctness, risks, tests
---@field rounds integer?         two to twenty; 6
---@field dry integer?            so many rounds in a row without news end it; 2

---@class moonlet.patterns.Dry : moonlet.merge.Result
---@field summary string
---@field rounds integer
---@field dry boolean             it ended because nothing new came, and not because the rounds were over
---@field found_by_round integer[]  how many findings were new in each round

local function known(reviews)
  local list = merge.findings(reviews).findings
  local lines = {}
  for i, finding in ipairs(list) do
    if i > 200 then break end
    lines[i] = ("- %s: %s"):format(findings.place(finding), finding.claim)
  end
  return table.concat(lines, "\n"), #list
end

--- Rounds of reviewers look for what the earlier ones did not find, until some rounds in a row find nothing new. At
--- most one call for each round.
---
--- Errors: `invalid` fewer than two rounds, or more than twenty; `quorum` every round was lost.
--- ```lua
--- local hunt = m.patterns.until_dry(ctx, { artifact = "src/a.lua" })
--- hunt.rounds --> 3
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.UntilDry
---@return moonlet.patterns.Dry
function M.until_dry(ctx, opts)
  local verb = "until_dry"
  C.check(opts, { artifact = "string", lenses = "list", rounds = "integer", dry = "integer" }, verb)
  C.text(opts.artifact, verb, "artifact")
  local lenses = C.texts(opts.lenses or { "correctness", "risks", "tests" }, verb, "lenses", 1, 11)
  local rounds = C.bounds(opts.rounds or 6, verb, "rounds", 2, 20)
  local dry = C.bounds(opts.dry or 2, verb, "dry", 1, rounds)
  local reviews, lost, news, quiet, total = {}, {}, core.json.array {}, 0, 0
  ctx:plan { calls = rounds }
  while #news < rounds and quiet < dry do
    local round = #news + 1
    local lens = lenses[(round - 1) % #lenses + 1]
    local told = known(reviews)
    ctx:phase("round " .. round, 1)
    local data = { table.unpack(opts.data or {}) }
    if told ~= "" then data[#data + 1] = { label = "what was found already: report none of it again", text = told } end
    local answer, gone = C.try("round " .. round, function()
      return ctx:agent(C.call(opts, nil, { name = "round " .. round, schema = findings.schema,
        prompt = prompt.reviewer(C.prompt(opts, { lens = lens, artifact = opts.artifact, output = findings.form,
          data = data })) })).data
    end)
    if answer then
      reviews[#reviews + 1] = { lens = lens, runner = ctx.runner, findings = rawget(answer, "findings") or answer }
      local _, count = known(reviews)
      news[round] = count - total
      total, quiet = count, count > total and 0 or quiet + 1
    else
      -- A round that was lost has looked at nothing.
      news[round] = 0
      lost[#lost + 1] = gone
      if gone.kind == "budget" then break end
    end
  end
  if #reviews == 0 then
    error({ kind = "quorum", message = ("0 of %d rounds succeeded; the last failure: %s"):format(#news,
      lost[#lost].message) }, 0)
  end
  local result = merge.findings(reviews, { lost = lost, root = ctx.repo })
  result.rounds, result.found_by_round, result.dry = #news, news, quiet >= dry
  result.summary = ("%s in %s; %s"):format(C.count(#result.findings, "finding"), C.count(#news, "round"),
    result.dry and ("the last %d found nothing new"):format(dry) or "the rounds were over before nothing new came")
  return result
end

return M
