local m = require "moonlet"

local M = {}

---@class moonlet.patterns.ReviewFix : moonlet.patterns.Common
---@field artifact string         description of what is reviewed and fixed
---@field scope string|string[]   files or folders that may change
---@field lenses string[]?        one to four (default "correctness")
---@field top integer?            number of issues to fix, most severe first (default 3)
---@field least string?           least severity to fix (default "low")
---@field checks (string|table)[]?  commands that the host runs after the fix, as for ctx:validate
---@field implementer moonlet.patterns.Worker?  fields of the implementer's call, such as the name
---@field verifier moonlet.patterns.Worker?     fields of the verifier's call, such as the name

---@class moonlet.patterns.Fixed : moonlet.patterns.Result
---@field issues moonlet.Finding[]  ranked issues of the review
---@field fixed moonlet.Finding[]   issues that the implementer was asked to fix
---@field files_changed string[]
---@field pass boolean            true if the checks passed and the verifier agrees
---@field problems string[]       problems that the checks and the verifier reported

local function review(ctx, opts)
  ctx:phase("review", #opts.lenses)
  local answers, lost = ctx:parallel(opts.lenses, function(c, lens)
    return m.pattern.reviewer(c, opts, lens, { name = "review " .. lens })
  end, { need = 1, name = "review", key = function(lens) return lens end })
  return m.merge.findings(m.found(answers), { lost = lost, root = ctx.repo }), lost
end

local function most_important(issues, top, least)
  local list = m.array {}
  for _, issue in ipairs(issues) do
    if #list < top and m.findings.rank(issue.severity) >= m.findings.rank(least) then
      list[#list + 1] = issue
    end
  end
  return list
end

--- Asks reviewers to rank the issues of an artifact, and an implementer to fix the top issues.
--- The host runs the checks, and another worker verifies the result.
--- The pattern costs one call for each reviewer, one for the implementer and one for the verifier.
--- Errors: `invalid` a missing scope, or a number out of bounds;
--- `invalid` also means that the verifier is the implementer.
--- ```lua
--- local done = m.patterns.review_fix(ctx, { artifact = "src/a.lua", scope = "src", top = 1 })
--- #done.fixed --> 1
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.ReviewFix
---@return moonlet.patterns.Fixed
function M.review_fix(ctx, opts)
  opts = m.pattern.options("review_fix", opts, { artifact = "text!", scope = "scope! 1..50",
    lenses = "texts 1..4", top = "integer 1..10", least = "string", checks = "checks",
    implementer = "worker", verifier = "worker" },
    { lenses = { "correctness" }, top = 3, least = "low" })
  ctx:plan { calls = #opts.lenses + 2, checks = opts.checks }
  local merged, lost = review(ctx, opts)
  local chosen = most_important(merged.findings, opts.top, opts.least)
  local result = { issues = merged.findings, fixed = chosen, files_changed = m.array {},
    pass = true, problems = m.array {}, details = m.array {}, lost = lost }
  local found, next_issue = m.pattern.count(#merged.findings, "issue"), merged.findings[#chosen + 1]
  if #chosen == 0 then
    result.summary = found .. ", none of them worth a fix"
    result.next_action = #lost > 0 and merged.next_action or "Go on: there is nothing to fix."
    return result
  end
  local issues = { label = "the issues", text = m.pattern.numbered(chosen), required = true }
  ctx:phase("fix", 1)
  local made = ctx:agent(m.pattern.call(opts, { sandbox = "workspace-write", edits = opts.scope,
    prompt = m.prompt.implementer { scope = table.concat(opts.scope, ", "),
      deliverable = "fixes for the issues listed below, the first one first",
      pack = opts.pack, data = { issues } } }, "implementer"))
  result.files_changed = made.files_changed
  local told, problem = m.pattern.verifier(ctx, opts, result, {
    goal = ("The issues listed below are fixed in %s, and nothing else is broken."):format(
      opts.artifact),
    data = { issues, { label = "the implementer's own words", text = made.text, limit = 8000 } } })
  for i, issue in ipairs(chosen) do
    result.details[i] = ("fixed: %s: %s"):format(m.findings.place(issue), issue.claim)
  end
  result.summary = ("%s, %d fixed in %s: %s"):format(found, #chosen,
    m.pattern.count(#result.files_changed, "file"), told)
  result.next_action = problem or next_issue and ("Take the change, then fix the next issue at %s.")
    :format(m.findings.place(next_issue)) or "Take the change."
  return result
end

return M
