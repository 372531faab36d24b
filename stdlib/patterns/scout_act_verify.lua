local C = require "moonlet.patterns.common"
local findings = require "moonlet.findings"
local prompt = require "moonlet.prompt"
local s = require "moonlet.schema"
local verdict = require "moonlet.patterns.verdict"

local M = {}

---@class moonlet.patterns.ScoutActVerify : moonlet.patterns.Common
---@field goal string             what is to be made
---@field scope string|string[]   the files or folders that may change
---@field question string?        what the scout looks for; the goal
---@field success string?         how we know that it is done
---@field choose (fun(c: moonlet.Ctx, seen: moonlet.patterns.Seen): string)?  gives the approach; the scout's advice
---@field checks (string|table)[]?  commands that the host runs after the work, as for ctx:validate
---@field implementer moonlet.patterns.Worker?      fields of its call, and its name
---@field verifier moonlet.patterns.Worker?         another worker

---@class moonlet.patterns.Seen
---@field places {file: string, line: integer?, why: string}[]
---@field how string              how it works now
---@field constraints string[]
---@field missing string[]?
---@field advice string?          the approach that fits

---@class moonlet.patterns.Acted
---@field summary string
---@field next_action string
---@field seen moonlet.patterns.Seen  as the scout reports it
---@field approach string
---@field files_changed string[]
---@field answer string           the implementer's own words
---@field pass boolean            the checks passed, and the verifier agrees
---@field problems string[]
---@field details string[]
---@field lost table[]

local map = s.object {
  places = s.list(s.object { file = s.string { min = 1, max = 4096 }, line = s.optional(s.integer { min = 1 }),
    why = s.string { max = 2000 } }, { max = 100 }),
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

-- The scout's findings, condensed for the implementer.
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
    local at = findings.place { file = place.file, line = place.line }
    pointers[i] = ("%s (%s)"):format(at, findings.clip(place.why, 200))
  end
  add("pointers", pointers)
  add("constraints", seen.constraints)
  add("decisions", approach ~= "" and { "the approach: " .. approach } or {})
  if not pack.success and opts.success then pack.success = opts.success end
  return pack
end

--- A scout gathers the least context, the orchestrator condenses it and chooses the approach, an implementer does the
--- work, the host runs the checks, and a verifier who did not implement looks at it. Three calls.
---
--- Errors: `invalid` no goal or scope, or a verifier that is its own implementer.
--- ```lua
--- local done = m.patterns.scout_act_verify(ctx, { goal = "errors name their line", scope = "src" })
--- done.next_action:match "%w+" --> "Take"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.ScoutActVerify
---@return moonlet.patterns.Acted
function M.scout_act_verify(ctx, opts)
  local verb = "scout_act_verify"
  C.check(opts, { goal = "string", scope = "string|list", question = "string", success = "string", choose = "callable",
    checks = "list", implementer = "table", verifier = "table" }, verb)
  local goal, scope = C.text(opts.goal, verb, "goal"), C.scope(opts.scope, verb)
  C.check_verifier(opts, verb)
  local checks = C.checks(opts.checks)
  ctx:plan { calls = 3, checks = checks }
  ctx:phase("scout", 1)
  local seen = ctx:agent(C.call(opts, nil, { name = "scout", schema = map,
    prompt = prompt.scout(C.prompt(opts, { question = opts.question or goal, output = form })) })).data
  local approach = seen.advice or ""
  if opts.choose then approach = C.text(opts.choose(ctx, seen), verb, "the approach that choose gives") end
  ctx:phase("act", 1)
  local name, worker = C.worker(opts, "implementer")
  local made = ctx:agent(C.call(opts, worker, { name = name, sandbox = "workspace-write", edits = scope,
    prompt = prompt.implementer(C.prompt(opts, { scope = table.concat(scope, ", "),
      deliverable = "a change that reaches this goal: " .. goal, pack = brief(opts, seen, approach),
      data = { { label = "how it works now, by the scout", text = seen.how } } })) }))
  local result = { seen = seen, approach = approach, files_changed = made.files_changed, answer = made.text,
    pass = true, problems = core.json.array {},
    details = core.json.array { "approach: " .. approach }, lost = core.json.array {} }
  verdict.verify(ctx, opts, result, checks, { goal = goal, success = opts.success,
    data = { { label = "the implementer's own words", text = made.text, limit = 8000 } } })
  result.summary = ("%s, %s: %s"):format(C.count(#seen.places, "place"),
    C.count(#result.files_changed, "changed file"), verdict.told(result))
  result.next_action = verdict.next_action(result, "Take the change.")
  return result
end

return M
