--- Which kind of work may go to a fast sidecar model, and which must not. The names are those that
--- --task-type takes.
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

return M
