local m = require "moonlet"
local s = m.schema

local M = {}

---@class moonlet.patterns.ScoutActVerify : moonlet.patterns.Common
---@field goal string             result to reach
---@field scope string|string[]   files or folders that may change
---@field question string?        question for the scout (default: the goal)
---@field success string?         how to check that the work is done
---@field choose (fun(c: moonlet.Ctx, seen: moonlet.patterns.Seen): string)?  returns the approach
---@field checks (string|table)[]?  commands that the host runs after the work, as for ctx:validate
---@field implementer moonlet.patterns.Worker?  fields of the implementer's call, such as the name
---@field verifier moonlet.patterns.Worker?     fields of the verifier's call, such as the name

---@class moonlet.patterns.Seen
---@field places {file: string, line: integer?, why: string}[]
---@field how string              description of how the code works now
---@field constraints string[]
---@field missing string[]?
---@field advice string?          approach that the scout suggests

---@class moonlet.patterns.Acted : moonlet.patterns.Result
---@field seen moonlet.patterns.Seen  report of the scout
---@field approach string
---@field files_changed string[]
---@field answer string           text of the implementer
---@field pass boolean            true if the checks passed and the verifier agrees
---@field problems string[]

local map = s.object {
  places = s.list(s.object { file = s.string { min = 1, max = 4096 },
    line = s.optional(s.integer { min = 1 }), why = s.string { max = 2000 } }, { max = 100 }),
  how = s.string { max = 8000 },
  constraints = s.list(s.string { max = 2000 }, { max = 50 }),
  missing = s.optional(s.list(s.string { max = 2000 })),
  advice = s.optional(s.string { max = 4000 }),
}

local form = [[
One JSON object and nothing else:
{"places": [{"file": "path", "line": 12, "why": "..."}], "how": "how it works now, in a few sentences",
"constraints": ["..."], "missing": ["what you looked for and did not find"],
"advice": "the approach that fits, in a line"}]]

-- Condenses the scout's report into a context pack for the implementer.
local function brief(opts, seen, approach)
  local pack = {}
  for name, value in pairs(opts.pack or {}) do pack[name] = value end
  local function add(name, items)
    local own = type(pack[name]) == "table" and { table.unpack(pack[name]) } or { pack[name] }
    table.move(items, 1, #items, #own + 1, own)
    pack[name] = #own > 0 and own or nil
  end
  local pointers = {}
  for i, place in ipairs(seen.places) do
    local at = m.findings.place { file = place.file, line = place.line }
    pointers[i] = ("%s (%s)"):format(at, m.findings.clip(place.why, 200))
  end
  add("pointers", pointers)
  add("constraints", seen.constraints)
  add("decisions", approach ~= "" and { "the approach: " .. approach } or {})
  if not pack.success and opts.success then pack.success = opts.success end
  return pack
end

--- Asks a scout to gather only the context that the work needs.
--- Then the orchestrator chooses the approach.
--- An implementer does the work, the host runs the checks, and another worker verifies the result.
--- The pattern costs three agent calls.
--- Errors: `invalid` a missing goal or scope, or a verifier that is also the implementer.
--- ```lua
--- local done = m.patterns.scout_act_verify(ctx, { goal = "errors name their line", scope = "src" })
--- done.next_action:match "%w+" --> "Take"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.ScoutActVerify
---@return moonlet.patterns.Acted
function M.scout_act_verify(ctx, opts)
  opts = m.pattern.options("scout_act_verify", opts, { goal = "text!", scope = "scope! 1..50",
    question = "string", success = "string", choose = "callable", checks = "checks",
    implementer = "worker", verifier = "worker" })
  ctx:plan { calls = 3, checks = opts.checks }
  ctx:phase("scout", 1)
  local seen = ctx:agent(m.pattern.call(opts, { name = "scout", schema = map,
    prompt = m.prompt.scout { question = opts.question or opts.goal, output = form,
      pack = opts.pack, data = opts.data } })).data
  local approach = seen.advice or ""
  if opts.choose then
    approach = opts.choose(ctx, seen)
    m.pattern.options("scout_act_verify: choose", { approach = approach }, { approach = "text!" })
  end
  ctx:phase("act", 1)
  local made = ctx:agent(m.pattern.call(opts, { sandbox = "workspace-write", edits = opts.scope,
    prompt = m.prompt.implementer { scope = table.concat(opts.scope, ", "),
      deliverable = "a change that reaches this goal: " .. opts.goal,
      pack = brief(opts, seen, approach),
      data = { { label = "how it works now, by the scout", text = seen.how } } } }, "implementer"))
  local result = { seen = seen, approach = approach, files_changed = made.files_changed,
    answer = made.text, pass = true, problems = m.array {},
    details = m.array { "approach: " .. approach }, lost = m.array {} }
  local told, problem = m.pattern.verifier(ctx, opts, result, {
    goal = opts.goal, success = opts.success,
    data = { { label = "the implementer's own words", text = made.text, limit = 8000 } } })
  result.summary = ("%s, %s: %s"):format(m.pattern.count(#seen.places, "place"),
    m.pattern.count(#result.files_changed, "changed file"), told)
  result.next_action = problem or "Take the change."
  return result
end

return M
