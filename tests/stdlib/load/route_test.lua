local route = require "moonlet.engine.load.route"
local routes = require "moonlet.engine.load.route_table"
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

-- A misspelt type is refused, but an unknown one is accepted.
for slip, meant in pairs { securty = "security", sceurity = "security", secuirtys = "security", ["Final Aproval"] = "final-approval",
  testgaps = "test-gaps", ["first-pas-review"] = "first-pass-review", refactorng = "refactor", ["large refacter"] = "large-refactor",
  rebutal = "rebuttal", ["citation-scn"] = "citation-scan", ["test-gpas"] = "test-gaps" } do
  local err = raises(function() route { task_type = slip, config = with() } end, "there is no task type", slip)
  is(type(err) == "table" and err.kind, "invalid", "the kind of " .. slip)
  holds(type(err) == "table" and err.hint or "", ("did you mean '%s'?"):format(meant), slip)
end
for _, name in ipairs { "audit", "closeout", "docs", "documentation", "test", "code", "code-scan", "test-scan", "doc-review",
  "api-review", "data", "config", "design", "mutation-scan", "task", "planning", "release", "x", "日本", ("a"):rep(4000) } do
  is(route({ task_type = name, config = with() }).runner, "codex", name:sub(1, 20))
end
raises(function() route { task_type = "repo-audti", config = with { ["repo audit"] = { runner = "claude" } } } end,
  "there is no task type", "near a route of one's own")
is(route({ task_type = "securty", config = with { securty = { runner = "claude" } } }).runner, "claude", "a route of that name")
raises(function() route { task_type = "refactoring", config = with() } end, "escalate", "another word for it")
is(route({ task_type = "  ", config = with() }).task_type, nil, "a blank type")

-- A name that joins several task types is refused if one of them exists, whatever the separator.
for _, name in ipairs { "security,privacy", "security & privacy", "Security and privacy", "security/privacy", "todo-scan; security",
  "security+rebuttal", "code review, security", "securty, privacy", "security, privacy and data governance, large refactors",
  "large refactor | todo scan" } do
  local refusal = raises(function() route { task_type = name, config = with() } end, "several task types", name)
  is(type(refusal) == "table" and refusal.kind, "invalid", "the kind of " .. name)
end
is(route({ task_type = "security & privacy", config = with { ["Security & privacy"] = { runner = "claude" } } }).runner, "claude",
  "a route for both")
is(route({ task_type = "todo scan, citations", config = with() }).runner, "codex", "several that are fine")
raises(function() route { task_type = "security!", config = with() } end, "escalate", "a name with its punctuation")
raises(function() route { task_type = "&&", config = with() } end, "only punctuation", "no name")
is(route({ task_type = "todo-scan", config = {} }).runner, "codex", "a config that says nothing")
for _, wrong in ipairs { 1, { "x" }, { todos = "codex" }, { todos = { runer = "x" } }, { todos = { high = "x" } },
  { todos = { runner = {} } } } do
  local refusal = raises(function() route { task_type = "todos", config = { routes = wrong } } end, "m.route.config.routes", show(wrong))
  is(type(refusal) == "table" and refusal.kind, "invalid", "its kind")
end

-- These tests check the routes of a run and of its calls.
local routing = require "moonlet.engine.agent.routing"
local function plan(asked, options, routes_of, preset)
  local made = { runner = { name = asked }, options = options, config = with(routes_of), preset = preset }
  made.config.runners = { mine = { file = "mine.lua" } }
  return made
end
local function run(...)
  local made = plan(...)
  made.routed = routing.of_run(made)
  return made
end
local function shown(routed)
  local rec = routed.record
  return ("%s %s %s %s %s"):format(routed.runner.name, routed.model, routed.task_type,
    rec and (rec.forced and "forced" or rec.chosen and "chosen" or "held") or nil, rec and rec.risk)
end
is(shown(run("codex", {}).routed), "codex nil nil nil nil", "nothing said")
is(shown(run("route", {}).routed), "codex gpt-5.3-codex-spark nil chosen low", "route alone")
is(shown(run("claude", { task_type = "todo" }).routed), "claude nil todo held low", "a runner that was named")
is(shown(run("mock", { task_type = "security", risk = "high" }).routed), "mock nil security held high", "the runner mock is never refused")
is(shown(run("claude", { task_type = "security", reason = "so" }).routed), "claude nil security forced low", "forced")
is(shown(run("route", {}, nil, { task_type = "todo-scan" }).routed), "codex gpt-5.3-codex-spark todo-scan chosen low", "the preset's")
is(shown(run("route", { task_type = "audit" }, nil, { task_type = "todo-scan" }).routed),
  "codex gpt-5.3-codex-spark audit chosen low", "--task-type over the preset's")
local err = raises(function() run("claude", { task_type = "privacy", reason = " \n" }) end, "escalate", "a blank reason")
is(type(err) == "table" and err.usage, true, "which is the command line's fault")
raises(function() run("mock", { task_type = "securty" }) end, "no task type", "misspelt, for mock")
raises(function() run("mock", { risk = "huge" }) end, "--risk cannot be 'huge'", "an unknown risk, for mock")

local own_routes = { ["todo-scan"] = { runner = "claude", model = "opus" }, audit = { runner = "command:cat -n" },
  ["test-gaps"] = { runner = "mock" } }
local made = run("route", { task_type = "audit", reason = "the run's" }, own_routes)
is(table.concat(made.routed.runner.argv, " "), "cat -n", "a route to a command")
is(routing.of_call(made, {}, made.runner), made.routed, "a call that says nothing")
is(shown(routing.of_call(made, { task_type = "todo" }, made.runner)), "claude opus todo chosen low", "a call's own type")
is(shown(routing.of_call(made, { task_type = "test-gaps" }, made.runner)), "mock nil test-gaps chosen low", "a call for the runner mock")
is(shown(routing.of_call(made, { task_type = "todo" }, { name = "mine" })), "mine nil todo held low", "a call's own runner")
holds(routing.of_call(made, { task_type = "security", reason = "the call's" }, made.runner).record.why, "the call's", "its reason")
holds(routing.of_call(made, { task_type = "security", reason = " " }, made.runner).record.why, "the run's", "or the run's")
raises(function() routing.of_call(run("codex", {}), { risk = "high" }, { name = "codex" }) end, "escalate", "a call at high risk")

-- Without a task type, every routed program must be installed, because a call may ask for any.
local function asked(...)
  local names = {}
  pcall(routing.check_some, run(...), function(routed)
    names[#names + 1] = routed.runner.name
    error "go on"
  end)
  table.sort(names)
  return table.concat(names, " ")
end
is(asked("route", {}, own_routes), "claude codex command mock", "no type")
is(asked("route", { task_type = "todo" }, own_routes), "claude", "one type")
is(asked("codex", {}, own_routes), "codex", "no route")
