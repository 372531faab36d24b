local m = require "moonlet"
local arguments = require "arguments"
local report = require "report"
local reviewers = require "reviewers"
local rules = require "rules"
local target = require "target"

local function by_rules(lenses, facts)
  local reviews = {}
  for i, lens in ipairs(lenses) do
    local data = rules.review(lens, facts)
    reviews[i] = { lens = lens, runner = "checks", findings = data.findings or data, notes = data.notes }
  end
  return reviews
end

return m.preset {
  name = "triangulated-review",
  summary = "Reviewers with different lenses read the same thing; their findings become one ranked list.",
  task_type = "first-pass-review",
  args = {
    target = m.arg.target {
      default = "",
      help = "what to review: a commit, A..B, staged, worktree, or a path or glob (documents too); "
        .. "without it what is not committed yet, or else the last commit",
    },
    lenses = m.arg.list {
      default = { "correctness", "risks", "tests" }, min = 2, max = 4, choices = rules.lens_names,
      help = "two to four lenses",
    },
    need = m.arg.integer { default = 2, min = 1, max = 4, help = "how many reviews must succeed" },
    context = m.arg.string {
      default = "", help = "what reviewers cannot infer: constraints, decisions, whom it is for",
    },
    rules = m.arg.boolean { default = false, help = "let the rules speak too, beside agents" },
  },
  needs = { programs = { "git" }, agents = true, read = { "." }, write = {} },
  budget = { tokens = 4000000, agents = 20, wall = "20m" },

  check = arguments.check,

  run = function(ctx, args)
    local lenses = arguments.lenses(args)
    ctx:phase("facts", 1)
    local facts = target.facts(ctx, args.target)
    if #facts.files == 0 then return report.nothing(ctx, facts, lenses) end
    local all
    local material = reviewers.material(facts, ctx.inputs)
    local result = m.patterns.triangulated_review(ctx, {
      lenses = lenses, need = 0, facts = facts,
      prompt = function(lens)
        return reviewers.prompt(lens, { artifact = report.artifact(facts), facts = facts, context = args.context,
          data = material })
      end,
      also = args.rules and by_rules(lenses, facts) or nil,
      merge = function(reviews)
        all = reviews
        return target.merge_options(ctx, facts, reviews)
      end,
    })
    result.checked = report.checked(facts, lenses, { runner = ctx.runner, rules = args.rules })
    report.write(ctx, result, report.notes(all))
    report.check_quorum(result, args.need, lenses)
    return result
  end,

  offline = function(ctx, args)
    local lenses = arguments.lenses(args)
    local facts = target.facts(ctx, args.target)
    if #facts.files == 0 then return report.nothing(ctx, facts, lenses) end
    local reviews = by_rules(lenses, facts)
    local result = m.merge.findings(reviews, target.merge_options(ctx, facts, reviews))
    result.disagreements = 0
    result.checked = report.checked(facts, lenses, { rules = true })
    report.say_what_rules_are(result)
    report.write(ctx, result, report.notes(reviews))
    return result
  end,
}
