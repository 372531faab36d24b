local m = require "moonlet"
local classify = require "classify"
local commands = require "commands"

local inline = m.findings.inline

local s = m.schema
local schema = s.object {
  path = s.enum { "fast", "skill", "code", "risk" },
  reasons = s.list(s.string()),
  validation = s.list(s.object {
    kind = s.enum { "typecheck", "lint", "test", "build", "custom" }, command = s.string(),
  }),
  reinstall = s.object { needed = s.boolean(), skills = s.list(s.string()) },
}

-- Reads the facts of the change, and classifies the change by table.md, without an agent.
local function survey(ctx, args)
  ctx:phase("facts", 1)
  local facts = m.facts.git(ctx, args.target, { survey = commands.wanted })
  local verdict = classify.classify(ctx, facts, commands.files(facts))
  local checks = m.array {}
  for _, check in ipairs(commands.find(ctx, facts, verdict.skills.of)) do
    -- The Fast Path runs no code, so it needs no build and no tests.
    if verdict.path ~= "fast" or check.kind == "lint" or check.kind == "custom" then
      checks[#checks + 1] = check
    end
  end
  local found = verdict.skills
  return facts, verdict, { path = verdict.path, reasons = m.array(verdict.reasons),
    validation = checks, reinstall = { needed = found.needed, skills = m.array(found.names) } }
end

-- Reads the state that an agent must not change: HEAD, branch, index and references.
local function watched(ctx)
  local quiet = { cap = 8388608 }
  local results = m.git.run_all(ctx, {
    { { "rev-parse", "-q", "--verify", "HEAD^{commit}" } },
    { { "symbolic-ref", "-q", "HEAD" } },
    { m.git.diff_args({ "diff" }, { "--cached", "--raw", "-z", "--no-renames" }), quiet },
    { { "for-each-ref", "--format=%(objectname) %(refname)" }, quiet },
  })
  local state = {}
  for i, result in ipairs(results) do state[i] = result.stdout or "" end
  return state
end

local CHANGES = { "HEAD moved", "the branch changed", "what is staged changed",
  "a branch, tag or stash changed" }

local function warn_of_changes(result, before, after)
  for i = #CHANGES, 1, -1 do
    if before[i] ~= after[i] then
      table.insert(result.reasons, 1, "warning: while the agent ran, " .. CHANGES[i])
    end
  end
end

local function prompt_of(facts, verdict, ruled)
  local text = m.prompt.sections(m.asset "prompt.md")
  return m.prompt.worker {
    task = text.task, goal = text.goal, non_goals = text["non-goals"], steps = text.how,
    inspect = text.inspect, output = text.output, escalate = text.escalate,
    facts = m.facts.text(facts, { files = 400 }),
    data = {
      { label = "findings from names and patterns, which suggest the path " .. verdict.path,
        text = table.concat(verdict.reasons, "\n"), required = true },
      { label = "hard findings", text = verdict.hard[1] and table.concat(verdict.hard, "\n")
        or "none", required = true },
      { label = "the checks to choose from, as JSON", text = m.json.encode(ruled.validation),
        required = true },
      { label = "skills to install again, as JSON", text = m.json.encode(ruled.reinstall) },
      { label = "the diff, with secrets taken out", text = facts.diff, limit = 80000,
        priority = 2 },
    },
  }
end

-- Merges an agent's answer with that of the tables.
-- The agent may choose a more careful path or other known checks, and overrule soft findings.
-- An agent cannot overrule a hard finding, add a command or drop a skill.
local function merge(verdict, ruled, answer)
  local path = classify.more_careful(answer.path, verdict.floor)
  local reasons, list, wanted = m.array {}, m.array {}, {}
  if path ~= answer.path then
    reasons[1] = ("%s: kept by %s; the agent said %s"):format(path,
      verdict.hard[1] and "a hard finding" or "the skills that changed", answer.path)
    table.move(verdict.hard, 1, math.min(5, #verdict.hard), 2, reasons)
  end
  for i = 1, math.min(20, #answer.reasons) do
    reasons[#reasons + 1] = m.git.show_path((answer.reasons[i]:gsub("%s+", " ")), 400)
  end
  if #reasons == 0 then reasons[1] = path .. ": the agent gave no reason" end
  for _, check in ipairs(answer.validation) do wanted[check.command] = true end
  for _, check in ipairs(ruled.validation) do
    if wanted[check.command] then wanted[check.command], list[#list + 1] = nil, check end
  end
  if next(wanted) then
    reasons[#reasons + 1] = "note: left out are commands that the repository does not declare"
  end
  -- Except on the fast path, at least one check must run if the repository declares any.
  if #list == 0 and path ~= "fast" then list = ruled.validation end
  return { path = path, reasons = reasons, validation = list, reinstall = ruled.reinstall }
end

local PATHS = {
  fast = "Fast Path\n\nNothing here runs. Commit after a look at the diff.",
  skill = "Skill Path\n\nSkills changed. Check them, commit, then install them again.",
  code = "Code Path\n\nCode, build, tests or configuration changed. Run the checks first.",
  risk = "Risk Path\n\nA person or a strong reviewer should look at this before it is committed.",
}

local function report(ctx, result, facts)
  local lines = {}
  local function add(text, ...) lines[#lines + 1] = text:format(...) end
  add("# %s\n\n## Why", PATHS[result.path])
  for _, reason in ipairs(result.reasons) do add("- %s", inline(reason)) end
  add "\n## Checks"
  for _, check in ipairs(result.validation) do add("- %s: `%s`", check.kind, check.command) end
  if #result.validation == 0 then add "None: the repository declares none for this change." end
  local again = result.reinstall
  add("\n## Reinstall\n%s", again.needed
    and "Needed, for: " .. inline(table.concat(again.skills, ", ")) or "Not needed.")
  local t = facts.totals
  add("\n## Seen\n- branch %s\n- %s: %d staged, %d unstaged, %d untracked; +%d -%d lines",
    facts.branch and inline(m.git.show_path(facts.branch)) or "none (detached HEAD)",
    t.files == 1 and "1 file" or t.files .. " files", t.staged, t.unstaged, t.untracked,
    t.added, t.deleted)
  for _, note in ipairs(facts.notes) do add("- %s", inline(note)) end
  add "\nThe classifier itself stages, commits, pushes and installs nothing."
  ctx:write("findings.md", table.concat(lines, "\n") .. "\n")
  ctx:write("findings.json", m.findings.json(result))
  return result
end

--- Classifies the change by table.md, without an agent.
local function offline(ctx, args)
  local facts, _, ruled = survey(ctx, args)
  return report(ctx, ruled, facts)
end

return m.preset {
  name = "precommit-classifier",
  summary = "Says which path a change takes before a commit, with the fewest checks that fit it.",
  task_type = "path-classification",
  args = {
    target = m.arg.target {
      positional = true, default = "",
      help = "all that is not committed (default), staged, a commit, A..B, or a path",
    },
  },
  needs = { programs = { "git" }, repository = true, agents = true, read = { "." }, write = {} },
  budget = { tokens = 500000, agents = 8, wall = "10m" },

  run = function(ctx, args)
    local facts, verdict, ruled = survey(ctx, args)
    ctx:phase("classify", 1)
    local before = watched(ctx)
    local answer = ctx:agent { name = "classify", prompt = prompt_of(facts, verdict, ruled),
      schema = schema, base = facts.target.base }.data
    local result = merge(verdict, ruled, answer)
    warn_of_changes(result, before, watched(ctx))
    return report(ctx, result, facts)
  end,

  offline = offline,
}
