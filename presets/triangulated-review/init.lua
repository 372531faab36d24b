local m = require "moonlet"
local arguments = require "arguments"
local baseline = require "baseline"
local change_of = require "change"
local checks = require "checks"
local linters = require "linters.run"
local report = require "report"
local reviewers = require "reviewers"
local settings = require "linters.settings"
local target = require "target"

-- Collects the parts of a review that need no agent: the change, and the findings of linters and
-- of diff checks.
local function look(ctx, args)
  ctx:phase("facts", 1)
  local facts = target.facts(ctx, args.target)
  if #facts.files == 0 then return { facts = facts } end
  ctx:phase "linters"
  local change = change_of.of(facts)
  local linted = linters.run(ctx, change, args)
  for _, path in ipairs(args.findings) do
    linted[#linted + 1] = linters.from_file(ctx, path, change, args.whole)
  end
  local found, failures = checks.run(ctx, change, args.diff_checks)
  return report.known(ctx, args, { facts = facts, linted = linted, found = found,
    failures = failures,
    silenced = settings.added(change), old = baseline.read(ctx, args.baseline) })
end

-- Wraps the findings of each linter and of the diff checks in a review, so that they can
-- corroborate agents' findings.
local function reviews_of(known)
  local reviews = { { lens = "diff checks", findings = known.found } }
  for _, linted in ipairs(known.linted) do
    if #linted.findings > 0 then
      reviews[#reviews + 1] = { lens = linted.name, findings = linted.findings }
    end
  end
  return reviews
end

local function offline(ctx, args)
  if arguments.lists_checks(args) then return report.checks(ctx) end
  local known, lenses = look(ctx, args), arguments.lenses(args)
  if #known.facts.files == 0 then return report.nothing(ctx, known, lenses) end
  local reviews = reviews_of(known)
  ctx:phase("merge", 1)
  local result = m.merge.findings(reviews, target.merge_options(ctx, known.facts, reviews))
  result.next_action = m.merge.next_action(result, #reviews)
  return report.finish(ctx, result, known, lenses)
end

local function review(ctx, args)
  if arguments.lists_checks(args) then return report.checks(ctx) end
  local known, lenses = look(ctx, args), arguments.lenses(args)
  if #known.facts.files == 0 then return report.nothing(ctx, known, lenses) end
  local material = reviewers.material(known, ctx.inputs)
  local result = m.patterns.triangulated_review(ctx, {
    lenses = lenses, need = 0, facts = known.facts, also = reviews_of(known),
    prompt = function(lens)
      return reviewers.prompt(lens, { artifact = report.artifact(known.facts), facts = known.facts,
        context = args.context, data = material })
    end,
    merge = function(reviews)
      known.reviews = reviews
      return target.merge_options(ctx, known.facts, reviews)
    end,
  })
  report.finish(ctx, result, known, lenses)
  report.check_quorum(result, args.need, lenses)
  return result
end

return m.preset {
  name = "triangulated-review",
  summary =
    "Reviewers with different lenses read the same thing; their findings become one ranked list.",
  task_type = "first-pass-review",
  args = arguments.declared,
  needs = { programs = { "git", "sh", "tee" }, optional = linters.programs, agents = true,
    read = { "." },
    write = {} },
  budget = { tokens = 4000000, agents = 20, wall = "20m" },
  check = arguments.check,
  run = review,
  offline = offline,
}
