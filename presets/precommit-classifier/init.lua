local m = require "moonlet"
local checks = require "checks"
local classify = require "classify"
local report = require "report"

local KINDS = { "typecheck", "lint", "test", "build", "custom" }

local s = m.schema
local schema = s.object {
  path = s.enum { "fast", "skill", "code", "risk" },
  reasons = s.list(s.string()),
  validation = s.list(s.object { kind = s.enum(KINDS), command = s.string() }),
  reinstall = s.object { needed = s.boolean(), skills = s.list(s.string()) },
}

local function validation_of(found, path)
  local list = {}
  for _, check in ipairs(found) do
    -- The Fast Path runs no code, so it needs no build or tests.
    if path ~= "fast" or check.kind == "lint" or check.kind == "custom" or check.why == "mkdocs.yml" then
      list[#list + 1] = { kind = check.kind, command = check.line }
    end
  end
  return m.array(list)
end

local function result_of(verdict, found)
  return {
    path = verdict.path,
    reasons = m.array(verdict.reasons),
    validation = validation_of(found, verdict.path),
    reinstall = { needed = verdict.skills.needed, skills = m.array(verdict.skills.names) },
  }
end

-- State that an agent must leave alone: HEAD, the other references, and the index.
local function watched(ctx)
  local quiet = { cap = 8388608 }
  local results = m.git.run_all(ctx, {
    { { "symbolic-ref", "-q", "HEAD" } },
    { { "rev-parse", "-q", "--verify", "HEAD^{commit}" } },
    { m.git.diff_args({ "diff" }, { "--cached", "--raw", "-z", "--no-renames" }), quiet },
    { { "for-each-ref", "--format=%(objectname) %(refname)" }, quiet },
  })
  local function text(i) return results[i].stdout or "" end
  return { branch = text(1):match "^[^\n]*", head = text(2):match "^%x*", index = text(3), refs = text(4) }
end

-- Changes that were made while an agent was at work, as warnings for people.
local function meddling(before, after)
  local warnings = {}
  local function warn(text, ...) warnings[#warnings + 1] = "warning: while the agent ran, " .. text:format(...) end
  local function commit(id) return id ~= "" and id:sub(1, 12) or "no commit" end
  local function branch(name) return name ~= "" and m.git.show_path(name, 120) or "no branch" end
  if before.head ~= after.head then
    warn("HEAD moved from %s to %s: something was committed, reset or checked out", commit(before.head),
      commit(after.head))
  end
  if before.branch ~= after.branch then
    warn("the branch changed from %s to %s", branch(before.branch), branch(after.branch))
  end
  if before.index ~= after.index then warn "what is staged changed" end
  if before.refs ~= after.refs and before.head == after.head then warn "a branch, tag or stash changed" end
  return warnings
end

local function findings_text(verdict)
  local lines = {}
  for _, reason in ipairs(verdict.reasons) do lines[#lines + 1] = reason end
  for i, finding in ipairs(verdict.findings) do
    if finding.hard and i <= 100 then
      lines[#lines + 1] = ("hard: %s: %s"):format(finding.why, m.git.show_path(finding.path or "", 120))
    end
  end
  return table.concat(lines, "\n")
end

local function prompt_of(facts, verdict, result)
  local text = m.prompt.sections(m.asset "prompt.md")
  return m.prompt.worker {
    task = text.task, goal = text.goal, non_goals = text["non-goals"], steps = text.how, inspect = text.inspect,
    edits = false, output = text.output, escalate = text.escalate,
    facts = m.facts.text(facts, { files = 400 }),
    data = {
      { label = "what the rules found; their answer would be " .. verdict.path, text = findings_text(verdict),
        required = true },
      { label = "the checks to choose from, as JSON", text = m.json.encode(result.validation), required = true },
      { label = "skills to install again by the rules, as JSON", text = m.json.encode(result.reinstall) },
      { label = "the diff, with secrets taken out", text = facts.diff, limit = 80000, priority = 2 },
    },
  }
end

local function clean_reason(text)
  return m.git.show_path((text:gsub("%s+", " ")), 400)
end

-- Merges an agent's answer: it may be more careful than the rules, choose among the checks that were found, and lower
-- matters of judgement. It never lowers a hard finding, invents a command, or forgets a skill that is stale.
local function merge(verdict, ruled, answer, found)
  local path = classify.more_careful(answer.path, verdict.floor)
  local reasons = {}
  if path ~= answer.path then
    reasons[1] = ("%s: kept by a hard finding; the agent said %s"):format(path, answer.path)
    for _, finding in ipairs(verdict.findings) do
      if finding.hard and #reasons < 6 then
        reasons[#reasons + 1] = ("%s: %s: %s"):format(path, finding.why, m.git.show_path(finding.path or "", 120))
      end
    end
  end
  for i, reason in ipairs(answer.reasons) do
    if i <= 20 then reasons[#reasons + 1] = clean_reason(reason) end
  end
  if #reasons == 0 then reasons[1] = path .. ": the agent gave no reason" end
  local wanted, known = {}, {}
  for _, check in ipairs(answer.validation) do wanted[check.command] = true end
  local list = {}
  for _, check in ipairs(found) do
    known[check.line] = true
    if wanted[check.line] then list[#list + 1] = { kind = check.kind, command = check.line } end
  end
  local invented = 0
  for _, check in ipairs(answer.validation) do
    if not known[check.command] then invented = invented + 1 end
  end
  if invented > 0 then
    reasons[#reasons + 1] = ("note: commands left out that the repository does not declare: %d"):format(invented)
  end
  -- A careful path without a single check is an oversight if there are checks.
  if #list == 0 and path ~= "fast" then list = validation_of(found, path) end
  return { path = path, reasons = m.array(reasons), validation = m.array(list), reinstall = ruled.reinstall }
end

-- The facts of the change, and what they say by themselves.
local function facts_of(ctx, args)
  ctx:phase("facts", 1)
  local facts = m.facts.git(ctx, args.target, { survey = checks.wanted })
  local verdict = classify.classify(ctx, facts)
  local found = checks.find(ctx, facts)
  for _, check in ipairs(found) do check.line = checks.line(check) end
  return facts, verdict, found, result_of(verdict, found)
end

return m.preset {
  name = "precommit-classifier",
  summary = "Says which path a change should take before it is committed, with the fewest checks that fit it.",
  task_type = "path-classification",
  args = {
    target = m.arg.target {
      default = "",
      help = "what to classify: all that is not committed (default), staged, a commit, A..B, or a path",
    },
  },
  needs = { programs = { "git" }, repository = true, agents = true, read = { "." }, write = {} },
  budget = { tokens = 500000, agents = 8, wall = "10m" },

  run = function(ctx, args)
    local facts, verdict, found, ruled = facts_of(ctx, args)
    ctx:phase("classify", 1)
    local before = watched(ctx)
    local answer = ctx:agent {
      name = "classify",
      prompt = prompt_of(facts, verdict, ruled),
      schema = schema, base = facts.target.base,
    }.data
    local result = merge(verdict, ruled, answer, found)
    local warnings = meddling(before, watched(ctx))
    for i = #warnings, 1, -1 do table.insert(result.reasons, 1, warnings[i]) end
    ctx:write("findings.md", report.markdown(result, facts, found, ctx.runner))
    return result
  end,

  offline = function(ctx, args)
    local facts, _, found, ruled = facts_of(ctx, args)
    ctx:write("findings.md", report.markdown(ruled, facts, found))
    return ruled
  end,
}
