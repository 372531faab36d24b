local m = require "moonlet"

-- What a prompt may hold of the thing under review; the reviewer can read the rest in the repository.
local material_bytes = 120000
local input_bytes = 20000

local function invalid(message, hint) error({ kind = "invalid", message = message, hint = hint }, 0) end

-- The lenses by their short names, each once.
local function read_lenses(names)
  local lenses, seen = {}, {}
  for _, name in ipairs(names) do
    local lens = m.rules.lens(name)
    if not lens then
      invalid(("--lenses: there is no lens '%s'"):format(m.findings.visible(m.findings.clip(name, 60))),
        "the lenses are " .. table.concat(m.rules.lenses, ", "))
    end
    if seen[lens] then
      invalid(("--lenses: '%s' stands there twice"):format(lens), "name two to four different ones")
    end
    seen[lens] = true
    lenses[#lenses + 1] = lens
  end
  return lenses
end

local function check(args, lenses)
  if args.need > #lenses then
    invalid(("--need is %d, but there are %d lenses"):format(args.need, #lenses), "need at most as many as there are")
  end
end

-- The material as fenced data: the diff, or the files themselves with their line numbers.
local function material(facts, ctx)
  local data = {}
  if facts.documents then
    local room = material_bytes
    for _, document in ipairs(facts.documents) do
      if room <= 0 then break end
      local lines, number = {}, 0
      for line in (document.text:gsub("\n$", "") .. "\n"):gmatch("([^\n]*)\n") do
        number = number + 1
        lines[number] = ("%5d  %s"):format(number, line)
      end
      local text = table.concat(lines, "\n")
      data[#data + 1] = { label = "the file " .. m.git.show_path(document.path) .. ", with line numbers", text = text,
        limit = room }
      room = room - #text
    end
  elseif facts.diff ~= "" then
    data[1] = { label = "the diff under review, with secrets taken out", text = facts.diff, limit = material_bytes }
  end
  for _, input in ipairs(ctx.inputs or {}) do
    if type(input.text) == "string" and not input.binary then
      data[#data + 1] = { label = "input " .. (input.path or input.spec or ""), text = input.text, limit = input_bytes }
    end
  end
  return data
end

local function artefact(facts)
  local target = facts.target
  local name = m.git.show_path(target.text ~= "" and target.text or "worktree", 120)
  if facts.whole_files then return ("the files of %s, as they are"):format(name) end
  if target.kind == "worktree" then return "what is not committed yet" end
  if target.kind == "staged" then return "what is staged for the next commit" end
  return ("the change %s"):format(name)
end

local function prompt_of(lens, facts, data, context)
  local text = m.prompt.sections(m.asset "prompt.md")
  local looks = m.prompt.sections(m.asset "lenses.md")
  return m.prompt.reviewer {
    lens = looks[lens], artefact = artefact(facts), facts = facts, data = data,
    goal = text.goal, non_goals = text["non-goals"], steps = text.how, inspect = text.inspect,
    escalate = text.escalate, output = m.findings.form,
    pack = context ~= "" and { constraints = context } or nil,
  }
end

-- The places that a finding can be about: every path of the tree, and those that went away.
local function places(facts)
  if not facts.tree then return nil, nil end
  local known, lengths = {}, {}
  local function add(path)
    known[path] = true
    for slash in path:gmatch("()/") do known[path:sub(1, slash - 1)] = true end
  end
  for _, path in ipairs(facts.tree) do add(path) end
  for _, file in ipairs(facts.files) do
    add(file.path)
    if file.old_path then add(file.old_path) end
  end
  for path, text in pairs(facts.texts or {}) do
    local _, lines = text:gsub("\n", "")
    lengths[path] = lines + (text:sub(-1) == "\n" and 0 or 1)
  end
  return known, lengths
end

local function write(ctx, result, facts, notes)
  local all = { ("reviewed: %s"):format(artefact(facts)), ("runner: %s"):format(ctx.runner) }
  for _, list in ipairs { facts.notes, notes } do
    for _, note in ipairs(list) do all[#all + 1] = note end
  end
  ctx:write("findings.md", m.findings.markdown(result, { title = "Review of " .. artefact(facts), notes = all }))
  ctx:write("findings.json", m.findings.json(result))
end

-- What a reviewer returned, with who that was.
local function review_of(lens, runner, data)
  return { lens = lens, runner = runner, findings = data.findings, notes = data.notes }
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

return m.preset {
  name = "triangulated-review",
  summary = "Reviewers with different lenses read the same thing; their findings become one ranked list.",
  args = {
    target = m.arg.string {
      default = "HEAD",
      help = "what to review: a commit, A..B, staged, worktree, or a path or glob (documents too)",
    },
    lenses = m.arg.list {
      default = { "correctness", "risks", "tests" }, min = 2, max = 4,
      help = "two to four of correctness, risks, tests, clarity, consistency, evidence, practicality, "
        .. "accessibility, security, performance, compatibility",
    },
    need = m.arg.integer { default = 2, min = 1, max = 4, help = "how many reviews must succeed" },
    context = m.arg.string {
      default = "", help = "what reviewers cannot infer: constraints, decisions, whom it is for",
    },
    rules = m.arg.boolean { default = false, help = "let the rules speak too, beside agents" },
  },
  needs = { programs = { "git" }, agents = true, read = { "." }, write = {} },
  budget = { tokens = 600000, usd = 4, wall = "20m" },

  run = function(ctx, args)
    local lenses = read_lenses(args.lenses)
    check(args, lenses)
    ctx:phase("facts", 1)
    local facts = m.rules.facts(ctx, args.target)
    local known, lengths = places(facts)
    local options = { root = ctx.repo, known = known, lengths = lengths }
    if #facts.files == 0 then
      local result = m.merge.findings({}, options)
      result.next_action = "Name something to review: " .. artefact(facts) .. " holds no change."
      write(ctx, result, facts, {})
      return result
    end

    ctx:phase("review", #lenses)
    local data = material(facts, ctx)
    -- At most four at once, and no more than the run's own --limit.
    local reviews, lost = ctx:parallel(lenses, function(c, lens)
      local answer = c:agent {
        name = lens,
        prompt = prompt_of(lens, facts, data, args.context),
        returns = m.findings.schema,
        rules = function() return m.rules.review(lens, facts) end,
      }
      return review_of(lens, ctx.runner, answer.data)
    end, { need = args.need, key = function(lens) return lens end })

    ctx:phase("merge", 1)
    if args.rules and ctx.runner ~= "rules" then
      for _, lens in ipairs(lenses) do
        reviews[#reviews + 1] = review_of(lens, "rules", m.rules.review(lens, facts))
      end
    end
    options.lost = lost
    local result = m.merge.findings(reviews, options)
    write(ctx, result, facts, notes_of(reviews))
    return result
  end,
}
