local C = require "moonlet.patterns.common"
local findings = require "moonlet.findings"
local merge = require "moonlet.merge"
local prompt = require "moonlet.prompt"
local verdict = require "moonlet.patterns.verdict"

local M = {}

---@class moonlet.patterns.ReviewFix : moonlet.patterns.Common
---@field artifact string         what is reviewed and fixed, in words
---@field scope string|string[]   the files or folders that may change
---@field lenses string[]?        one to four; correctness
---@field top integer?            how many issues are fixed, the gravest first; 3
---@field least string?           the least severity that is worth a fix; "low"
---@field checks (string|table)[]?  commands that the host runs after the fix, as for ctx:validate
---@field implementer moonlet.patterns.Worker?      fields of its call, and its name
---@field verifier moonlet.patterns.Worker?         another worker

---@class moonlet.patterns.Fixed
---@field summary string
---@field next_action string
---@field issues moonlet.Finding[]  what the review found, ranked
---@field fixed moonlet.Finding[]   what the implementer was given
---@field files_changed string[]
---@field pass boolean            the checks passed, and the verifier agrees
---@field problems string[]       what the verifier found
---@field details string[]
---@field lost table[]

local function review(ctx, opts, lenses)
  ctx:phase("review", #lenses)
  local answers, lost = ctx:parallel(lenses, function(c, lens)
    local data = c:agent(C.call(opts, nil, { name = "review " .. lens, schema = findings.schema,
      prompt = prompt.reviewer(C.prompt(opts, { lens = lens, artifact = opts.artifact, output = findings.form })),
    })).data
    return { lens = lens, runner = ctx.runner, findings = rawget(data, "findings") or data }
  end, { need = 1, name = "review", key = function(lens) return lens end })
  return merge.findings(C.found(answers), { lost = lost, root = ctx.repo }), lost
end

local function most_important(issues, top, least)
  local list = core.json.array {}
  for _, issue in ipairs(issues) do
    if #list < top and findings.rank(issue.severity) >= findings.rank(least) then list[#list + 1] = issue end
  end
  return list
end

--- A reviewer ranks the issues by their impact, an implementer fixes the top ones, the host runs the checks, and a
--- verifier who did not implement checks the result. One call for each lens, and two.
---
--- Errors: `invalid` no scope, more than its bounds, or a verifier that is its own implementer.
--- ```lua
--- local done = m.patterns.review_fix(ctx, { artifact = "src/a.lua", scope = "src", top = 1 })
--- #done.fixed --> 1
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.ReviewFix
---@return moonlet.patterns.Fixed
function M.review_fix(ctx, opts)
  local verb = "review_fix"
  C.check(opts, { artifact = "string", scope = "string|list", lenses = "list", top = "integer", least = "string",
    checks = "list", implementer = "table", verifier = "table" }, verb)
  C.text(opts.artifact, verb, "artifact")
  local scope, top = C.scope(opts.scope, verb), C.bounds(opts.top or 3, verb, "top", 1, 10)
  local lenses = C.texts(opts.lenses or { "correctness" }, verb, "lenses", 1, 4)
  C.check_verifier(opts, verb)
  local checks = C.checks(opts.checks)
  ctx:plan { calls = #lenses + 2, checks = checks }
  local merged, lost = review(ctx, opts, lenses)
  local chosen = most_important(merged.findings, top, opts.least or "low")
  local result = { issues = merged.findings, fixed = chosen, files_changed = core.json.array {}, pass = true,
    problems = core.json.array {}, details = core.json.array {}, lost = C.lost(lost) }
  if #chosen == 0 then
    result.summary = ("%s, none of them worth a fix"):format(C.count(#merged.findings, "issue"))
    result.next_action = #lost > 0 and merged.next_action or "Go on: there is nothing to fix."
    return result
  end
  ctx:phase("fix", 1)
  local name, worker = C.worker(opts, "implementer")
  local made = ctx:agent(C.call(opts, worker, { name = name, sandbox = "workspace-write", edits = scope,
    prompt = prompt.implementer(C.prompt(opts, { deliverable = "fixes for the issues listed below, the first one first",
      scope = table.concat(scope, ", "),
      data = { { label = "the issues", text = C.numbered(chosen), required = true } } })) }))
  result.files_changed = made.files_changed
  verdict.verify(ctx, opts, result, checks, {
    goal = ("The issues listed below are fixed in %s, and nothing else is broken."):format(opts.artifact),
    data = { { label = "the issues", text = C.numbered(chosen), required = true },
      { label = "the implementer's own words", text = made.text, limit = 8000 } },
  })
  for i, issue in ipairs(chosen) do
    result.details[i] = ("fixed: %s: %s"):format(findings.place(issue), issue.claim)
  end
  result.summary = ("%s, %d fixed in %s: %s"):format(C.count(#merged.findings, "issue"), #chosen,
    C.count(#result.files_changed, "file"), verdict.told(result))
  result.next_action = verdict.next_action(result, #merged.findings > #chosen
    and ("Take the change, then fix the next issue at %s."):format(findings.place(merged.findings[#chosen + 1]))
    or "Take the change.")
  return result
end

return M
