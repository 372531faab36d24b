local m = require "moonlet"
local report = require "report"
local reviewers = require "reviewers"
local rules = require "rules"

local function invalid(message, hint) error({ kind = "invalid", message = message, hint = hint }, 0) end

-- The lenses by their short names, each once.
local function read_lenses(names)
  local lenses, seen = {}, {}
  for i, name in ipairs(names) do
    local lens = rules.lens(name)
    if seen[lens] then
      invalid(("--lenses: '%s' stands there twice"):format(lens), "name two to four different ones")
    end
    seen[lens] = true
    lenses[i] = lens
  end
  return lenses
end

-- Targets that need git; a path or a glob is read as files.
local needs_git = { [""] = true, HEAD = true, staged = true, worktree = true }

-- Checks the arguments by themselves.
local function check_args(args)
  local lenses = read_lenses(args.lenses)
  if args.need > #lenses then
    invalid(("--need is %d, but there are %d lenses"):format(args.need, #lenses), "need at most as many as there are")
  end
  local problem = m.git.target_problem(args.target)
  if problem then invalid("--target: " .. problem, "name a commit, A..B, staged, worktree, or a path or glob") end
  return lenses
end

-- The facts about the target. Without one it is the uncommitted change, or else the last commit.
local function facts_of(ctx, target)
  if target ~= "" then return rules.facts(ctx, target) end
  local facts = rules.facts(ctx, "worktree")
  if #facts.files > 0 or not facts.head then return facts end
  return rules.facts(ctx, "HEAD")
end

-- The places that a finding can be about: every path of the tree, and those that went away.
local function known_places(facts)
  if not facts.tree then return nil end
  local known = {}
  local function add(path)
    known[path] = true
    -- Findings write a path that is no UTF-8 in this form.
    if not utf8.len(path) then known[m.git.show_path(path)] = true end
    for slash in path:gmatch("()/") do known[path:sub(1, slash - 1)] = true end
  end
  for _, path in ipairs(facts.tree) do add(path) end
  for _, file in ipairs(facts.files) do
    add(file.path)
    if file.old_path then add(file.old_path) end
  end
  return known
end

local most_files = 200

-- The line counts of the files that findings name, beside those that changed.
local function line_counts(ctx, facts, reviews, known)
  local texts, wanted, asked = facts.texts or {}, {}, {}
  for _, review in ipairs(reviews) do
    for _, path in ipairs(m.merge.paths(review, { root = ctx.repo, known = known })) do
      if known and known[path] and not texts[path] and not asked[path] and #wanted < most_files then
        asked[path] = true
        wanted[#wanted + 1] = path
      end
    end
  end
  local lengths = {}
  for _, some in ipairs { texts, #wanted > 0 and rules.texts(ctx, facts, wanted) or {} } do
    for path, text in pairs(some) do
      local _, lines = text:gsub("\n", "")
      lengths[path] = lines + ((text == "" or text:sub(-1) == "\n") and 0 or 1)
    end
  end
  return lengths
end

local function review_of(lens, runner, data)
  local list = data.findings or data
  return { lens = lens, runner = runner, findings = list, notes = data.notes }
end

local function notes_of(reviews)
  local notes, seen = {}, {}
  for _, review in ipairs(reviews) do
    for _, note in ipairs(type(review.notes) == "table" and review.notes or {}) do
      if type(note) == "string" and not seen[note] then
        seen[note] = true
        notes[#notes + 1] = note
      end
    end
  end
  return notes
end

-- Reads with every lens side by side; a lens that fails is reported and costs the others nothing.
local function read_all(ctx, lenses, facts, context)
  local review = { artefact = report.artefact(facts), facts = facts, context = context,
    data = reviewers.material(facts, ctx.inputs) }
  local reviews, lost = ctx:parallel(lenses, function(c, lens)
    local answer = c:agent {
      name = lens,
      prompt = reviewers.prompt(lens, review),
      schema = m.findings.schema,
      rules = function() return rules.review(lens, facts) end,
    }
    return review_of(lens, ctx.runner, answer.data)
  end, { need = 0, key = function(lens) return lens end })
  return m.found(reviews), lost
end

local function nothing_to_review(ctx, facts, lenses)
  local result = m.merge.findings {}
  result.checked = report.checked(facts, lenses, { runner = ctx.runner, rules = ctx.runner == "rules" })
  result.next_action = ("Name something to review: %s holds no change."):format(result.checked.what)
  report.write(ctx, result, {})
  return result
end

local function check_quorum(reviews, lost, args, lenses)
  if #reviews >= args.need then return end
  m.fail { message = ("%d of %d reviews succeeded, %d were needed; the first failure: %s"):format(
    #reviews, #lenses, args.need, m.merge.lost(lost[1]).message), hint = "what the others found is in findings.md" }
end

return m.preset {
  name = "triangulated-review",
  summary = "Reviewers with different lenses read the same thing; their findings become one ranked list.",
  task_type = "first-pass-review",
  args = {
    target = m.arg.string {
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
  budget = { tokens = 600000, usd = 4, wall = "20m" },

  check = function(look, args)
    check_args(args)
    if not look.git and needs_git[args.target] then
      invalid(("%s is not a git repository, and holds no change"):format(look.repo),
        "run it inside one, name one with --repo DIR, make one with: git init, or name files with --target")
    end
  end,

  run = function(ctx, args)
    local lenses = check_args(args)
    ctx:phase("facts", 1)
    local facts = facts_of(ctx, args.target)
    if #facts.files == 0 then return nothing_to_review(ctx, facts, lenses) end

    ctx:phase("review", #lenses)
    local reviews, lost = read_all(ctx, lenses, facts, args.context)

    ctx:phase("merge", 1)
    local all = { table.unpack(reviews) }
    local by_rules = ctx.runner == "rules" or args.rules
    for _, lens in ipairs(ctx.runner ~= "rules" and args.rules and lenses or {}) do
      all[#all + 1] = review_of(lens, "rules", rules.review(lens, facts))
    end
    local known = known_places(facts)
    local result = m.merge.findings(all, { root = ctx.repo, known = known, lost = lost,
      lengths = line_counts(ctx, facts, all, known) })
    result.checked = report.checked(facts, lenses, { runner = ctx.runner, rules = by_rules })
    report.write(ctx, result, notes_of(all))
    check_quorum(reviews, lost, args, lenses)
    return result
  end,
}
