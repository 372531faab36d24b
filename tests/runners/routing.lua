local route = require "moonlet.route"
local routes = require "moonlet.internal.routes"
local function with(own) return { runners = {}, routes = own or {}, prices = {}, limits = {}, hooks = {} } end

for _, name in ipairs { "first-pass-review", "path-classification", "personalization-scan", "milestone-proposal",
  "document-consistency", "test-gaps", "experiment-logs", "config-mismatch", "evidence-inventory", "reviewer-comments",
  "citation-scan", "todo-scan" } do
  is(routes.good[name] ~= nil, true, name)
  local chosen = route { task_type = name, config = with() }
  is(chosen.runner .. " " .. chosen.model, "codex gpt-5.3-codex-spark", name)
  holds(chosen.why, name, "why " .. name)
  raises(function() route { task_type = name, risk = "high", config = with() } end, "escalate", name .. " at high risk")
end
for _, name in ipairs { "algorithm-design", "final-approval", "security", "privacy", "data-governance", "large-refactor",
  "paper-positioning", "rebuttal", "submission" } do
  local err = raises(function() route { task_type = name, config = with() } end, "escalate: ", name)
  is(type(err) == "table" and err.kind, "denied", "its kind")
  raises(function() route { task_type = name, force = true, config = with() } end, "give a reason", name .. " without a reason")
  raises(function() route { task_type = name, force = true, reason = "  ", config = with() } end, "give a reason", name .. " with none")
  local forced = route { task_type = name, force = true, reason = "a dry run", config = with() }
  is(forced.forced, true, name .. " forced")
  holds(forced.why, "a dry run", "its reason")
end
is(route({ task_type = "First pass_review", config = with() }).task_type, "first-pass-review", "the name as people write it")
is(route({ task_type = "TODO", config = with() }).task_type, "todo-scan", "another name")
is(route({ task_type = "audit", config = with() }).model, "gpt-5.3-codex-spark", "a type without a rule")
raises(function() route { risk = "high", config = with() } end, "escalate", "high risk alone")
raises(function() route { risk = "huge", config = with() } end, "low, medium or high", "a risk that is none")
raises(function() route { tasktype = "x" } end, "did you mean 'task_type'?", "a wrong key")

local own = with { ["test_gaps"] = { runner = "claude", high = { runner = "claude", model = "opus" } },
  ["security"] = { escalate = false, runner = "claude", model = "opus" }, ["todo-scan"] = { escalate = true, why = "not here" },
  ["citation-scan"] = { model = "m" } }
local chosen = route { task_type = "test-gaps", config = own }
is(chosen.runner .. " " .. tostring(chosen.model), "claude nil", "another runner does not get codex's model")
is(route({ task_type = "test-gaps", risk = "high", config = own }).model, "opus", "a route for high risk")
is(route({ task_type = "security", config = own }).model, "opus", "a route over a refusal")
raises(function() route { task_type = "todo", config = own } end, "not here", "a refusal of one's own")
is(route({ task_type = "citation-scan", config = own }).runner, "codex", "another model alone")
