--- Which kind of work may go to a fast sidecar model, and which must not. The names are those that
--- --task-type takes.
local record = require "moonlet.record"

local M = {}

--- The model for quick, bounded work of low and medium risk.
M.sidecar = { runner = "codex", model = "gpt-5.3-codex-spark" }

--- Work that a sidecar does well.
M.good = {
  ["first-pass-review"] = "a first look at code before a strong review",
  ["path-classification"] = "which path a commit takes: fast, skill, code or risk",
  ["personalization-scan"] = "preferences that artifacts and memory show",
  ["milestone-proposal"] = "a milestone out of recent commits and documents",
  ["document-consistency"] = "README, AGENTS and CLAUDE files that contradict each other",
  ["test-gaps"] = "what a focused change left untested",
  ["experiment-logs"] = "triage of experiment logs",
  ["config-mismatch"] = "configurations that do not fit together",
  ["evidence-inventory"] = "what tables, reports and figures hold",
  ["reviewer-comments"] = "reviewers' comments, grouped, with what is to be done",
  ["citation-scan"] = "placeholders where a citation belongs",
  ["todo-scan"] = "what is marked as still to be done",
}

--- Work that needs the main agent, or a stronger and fresh reviewer.
M.escalate = {
  ["algorithm-design"] = "core algorithm design is decided by the main agent",
  ["final-approval"] = "the final approval of high-risk code needs a strong, fresh reviewer",
  ["security"] = "security is decided by the main agent",
  ["privacy"] = "privacy is decided by the main agent",
  ["data-governance"] = "the governance of data is decided by the main agent",
  ["large-refactor"] = "a large refactor of unclear reach needs the main agent",
  ["paper-positioning"] = "how a paper is positioned is decided by the main agent",
  ["rebuttal"] = "the strategy of a rebuttal is decided by the main agent",
  ["submission"] = "whether to submit is decided by the main agent",
}

--- Other names that people use.
M.aliases = {
  ["review"] = "first-pass-review", ["pre-review"] = "first-pass-review", ["code-review"] = "first-pass-review",
  ["precommit"] = "path-classification", ["precommit-classification"] = "path-classification",
  ["personalization"] = "personalization-scan", ["milestone"] = "milestone-proposal",
  ["consistency"] = "document-consistency", ["consistency-scan"] = "document-consistency",
  ["doc-consistency"] = "document-consistency", ["test-gap"] = "test-gaps", ["test-gap-scan"] = "test-gaps",
  ["experiment-log-triage"] = "experiment-logs", ["experiment-triage"] = "experiment-logs",
  ["config-mismatch-inventory"] = "config-mismatch", ["evidence"] = "evidence-inventory",
  ["reviewer-comment-clustering"] = "reviewer-comments", ["citation-scans"] = "citation-scan",
  ["citations"] = "citation-scan", ["todo"] = "todo-scan", ["todos"] = "todo-scan",
  ["core-algorithm-design"] = "algorithm-design", ["core-algorithm"] = "algorithm-design",
  ["final-code-approval"] = "final-approval", ["merge-approval"] = "final-approval",
  ["security-review"] = "security", ["privacy-review"] = "privacy", ["refactor"] = "large-refactor",
  ["refactoring"] = "large-refactor", ["large-refactoring"] = "large-refactor",
  ["positioning"] = "paper-positioning", ["rebuttal-strategy"] = "rebuttal", ["submission-judgment"] = "submission",
  ["submission-judgement"] = "submission",
}

--- "First pass review" and "first_pass_review" are one.
---@param name string
---@return string
function M.normal(name)
  name = name:lower():gsub("[%s_/]+", "-"):gsub("^%-+", ""):gsub("%-+$", "")
  return M.aliases[name] or name
end

local risks = { low = true, medium = true, high = true }

--- Raises for a risk that is none.
---@param risk string?
---@param what string  how messages call it
function M.check_risk(risk, what)
  if risk and not risks[risk] then
    error(record.invalid(("%s cannot be '%s'"):format(what, core.text.printable(risk, 40)),
      "it is low, medium or high"), 0)
  end
end

--- How many slips of the pen are forgiven in a word of a name: few, because "code-scan" is no slip of
--- "todo-scan". Of two the first letter is none.
local function is_slip(word, known)
  if word == known then return true end
  if #word < 4 then return false end
  local most = #word >= 8 and word:sub(1, 1) == known:sub(1, 1) and 2 or 1
  return record.distance(word, known, most) <= most
end

local function words_of(name)
  local list = {}
  for word in name:gmatch("[^-]+") do list[#list + 1] = word end
  return list
end

local function is_near(name, known)
  local joined, other = name:gsub("%-", ""), known:gsub("%-", "")
  if #joined >= 6 and record.distance(joined, other, 1) <= 1 then return true end
  local mine, theirs = words_of(name), words_of(known)
  if #mine ~= #theirs then return false end
  for i, word in ipairs(mine) do
    if not is_slip(word, theirs[i]) then return false end
  end
  return true
end

--- Raises for a name that has no rule and looks like a misspelt one that has: what must not go to a
--- sidecar would go there for a slip of the pen. Names that are merely unknown are fine.
---@param name string   see normal()
---@param own table     the routes of the user's config
function M.check_name(name, own)
  if M.good[name] or M.escalate[name] or #name > 64 then return end
  local known = {}
  for key in pairs(own) do
    if type(key) == "string" then known[#known + 1] = M.normal(key) end
  end
  for _, mine in ipairs(known) do
    if mine == name then return end
  end
  -- Those that are refused come first, then what they are called first of all.
  for _, names in ipairs { M.escalate, M.good, M.aliases } do
    local sorted = {}
    for key in pairs(names) do sorted[#sorted + 1] = key end
    table.sort(sorted)
    table.move(sorted, 1, #sorted, #known + 1, known)
  end
  for _, candidate in ipairs(known) do
    if is_near(name, candidate) then
      error(record.invalid(("there is no task type '%s'"):format(core.text.printable(name, 60)),
        ("did you mean '%s'? a type of your own needs a route in the config"):format(candidate)), 0)
    end
  end
end

return M
