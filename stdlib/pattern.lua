--- Contains the code that all patterns share.
--- A pattern first checks its options. Then it adds the fields that the caller gave for a worker,
--- such as its model, to each call of that worker.
--- A pattern continues if some of its workers fail.
--- `moonlet preset new NAME --pattern P` copies a pattern for editing.
local m = require "moonlet"
local s = m.schema

---@class moonlet.pattern
local M = {}

---@class moonlet.patterns.Worker   fields of moonlet.AgentCall that the pattern does not set itself
---@field name string?     the verifier's name must differ from the implementer's
---@field runner string?
---@field model string?
---@field role string?
---@field timeout string|number|nil
---@field idle string|number|nil
---@field turns integer?
---@field prompt_tokens integer?
---@field base string?
---@field retry integer?
---@field env string[]?
---@field argv string[]?
---@field network boolean?
---@field web_search boolean?

---@class moonlet.patterns.Common
---@field agent moonlet.patterns.Worker?   fields for each agent call
---@field pack moonlet.Pack?
---@field data moonlet.prompt.Data[]?

---@class moonlet.patterns.Result   the common fields of all patterns' results
---@field summary string
---@field next_action string
---@field details string[]
---@field lost moonlet.LostBranch[]

---@class moonlet.pattern.Sheet
---@field scores number[]   one score for each candidate
---@field best integer[]    indexes of the best candidates; several mean a tie
---@field reason string

local own_fields = { name = true, prompt = true, schema = true, sandbox = true, writes = true,
  edits = true, continues = true }
local types = { text = "string", texts = "list", scope = "string|list", checks = "list",
  candidates = "list", worker = "table" }

local function refuse(message, hint) m.fail { kind = "invalid", message = message, hint = hint } end

local function shown(text) return core.text.printable(tostring(text), 60) end

-- Maps the kind of an option to the hint in the error if a required option is missing.
local needed = { text = "say it in a sentence", checks = 'such as { "test:make test" }',
  scope = 'the files or folders that may change, such as { "src" }' }

local function check_bounds(number, what, least, most)
  if number >= least and number <= most then return end
  refuse(("%s is %d, and must be from %d to %d"):format(what, number, least, most), number > most
    and "more of them cost more than they find; run the pattern on a part, or twice" or nil)
end

local function check_texts(list, verb, name)
  local seen = {}
  for i, text in ipairs(list) do
    if type(text) ~= "string" or not text:find "%S" then
      refuse(("%s: %s[%d] is not a text"):format(verb, name, i), "give each a name")
    end
    if seen[text] then
      refuse(("%s: %s has '%s' twice"):format(verb, name, shown(text)), "name each once")
    end
    seen[text] = true
  end
  return list
end

-- Contains a function for each kind of option, which checks a value and returns its normal form.
local read = {}

function read.texts(list, verb, name) return check_texts(list or {}, verb, name) end

function read.scope(scope, verb, name)
  return check_texts(type(scope) == "string" and { scope } or scope or {}, verb, name)
end

function read.checks(checks)
  local calls = {}
  for i, check in ipairs(checks or {}) do
    calls[i] = type(check) == "table" and #check == 0 and check or { command = check }
  end
  return calls
end

function read.candidates(list, verb, name)
  local names, all = {}, {}
  for i, item in ipairs(list or {}) do
    if type(item) == "string" then item = { name = tostring(i), text = item } end
    m.record.check(item, { name = "string!", text = "string!" },
      ("%s: %s[%d]"):format(verb, name, i))
    names[i], all[i] = item.name, item
  end
  check_texts(names, verb, name)
  return all
end

local function worker_of(opts, role) return opts[role] or {} end

-- Rejects a verifier that shares the implementer's name, session or options.
local function check_verifier(opts, verb)
  for _, role in ipairs { "implementer", "verifier" } do
    for name in pairs(worker_of(opts, role)) do
      if own_fields[name] and name ~= "name" and name ~= "continues" then
        refuse(("%s: %s.%s is set by the pattern itself"):format(verb, role, name),
          "a worker takes name, runner, model, …")
      end
    end
  end
  local doer, judge = worker_of(opts, "implementer"), worker_of(opts, "verifier")
  if rawequal(doer, judge) or (doer.name or "implementer") == (judge.name or "verifier")
    or judge.continues or doer.continues then
    refuse(("%s: the verifier is also the implementer"):format(verb),
      "a verifier is another worker, with a name and a fresh session of its own")
  end
end

--- Checks the options of a pattern before an agent starts, and fills in their defaults.
--- The kind of an option is `text`, `texts`, `scope`, `checks`, `candidates` or `worker`.
--- A type of m.record.check is also a kind. A `!` marks a required option.
--- Bounds follow the kind, as in "integer 1..9"; the upper bound may name another option.
--- All patterns also accept the options `agent`, `pack` and `data`.
--- Errors: `invalid` an unknown or missing option, a wrong type, or a value out of bounds;
--- `invalid` also means that the verifier is the implementer.
--- ```lua
--- local fields = { question = "text!", voters = "integer 2..9" }
--- local opts = m.pattern.options("ask", { question = "is it ready?" }, fields, { voters = 3 })
--- opts.voters --> 3
--- select(2, pcall(m.pattern.options, "ask", { question = " " }, fields)).message --> "ask needs 'question'"
--- ```
---@param name string     the pattern's name in messages
---@param opts moonlet.patterns.Common
---@param fields table<string, string>
---@param defaults table<string, any>?
---@return moonlet.patterns.Common
function M.options(name, opts, fields, defaults)
  local known, names, whole = { agent = "table", pack = "table", data = "list" }, {}, {}
  local function kind_of(field) return fields[field]:match "^[^%s!]+" end
  for field in pairs(fields) do
    names[#names + 1] = field
    known[field] = types[kind_of(field)] or kind_of(field)
  end
  table.sort(names)
  m.record.check(opts, known, name)
  for field in pairs(opts.agent or {}) do
    if own_fields[field] then
      refuse(("%s: agent.%s is set by the pattern itself"):format(name, shown(field)),
        "agent takes runner, model, timeout, idle, turns, retry, budget, env, inputs, web_search "
          .. "and the like")
    end
  end
  for _, given in ipairs { defaults or {}, opts } do
    for field, value in pairs(given) do whole[field] = value end
  end
  for _, field in ipairs(names) do
    local kind = kind_of(field)
    if read[kind] then whole[field] = read[kind](whole[field], name, field) end
    local value = whole[field] or ""
    if fields[field]:find "!"
      and (#value == 0 or type(value) == "string" and not value:find "%S") then
      refuse(("%s needs '%s'"):format(name, field), needed[kind])
    end
  end
  for _, field in ipairs(names) do
    local least, most = fields[field]:match "(%d+)%.%.(%w+)$"
    local value, limit = whole[field], tonumber(most) or whole[most]
    if least and value then
      check_bounds(type(value) == "table" and #value or value, ("%s: %s"):format(name, field),
        tonumber(least), type(limit) == "table" and #limit or limit)
    end
  end
  if fields.implementer and fields.verifier then check_verifier(whole, name) end
  return whole
end

--- Adds the fields of a worker to a call.
--- The call's own fields have priority, then those of its role (opts.judge), then opts.agent.
--- The worker reads the instruction files of the commit that the change in opts.facts is based on.
--- ```lua
--- local opts = { agent = { timeout = "5m" }, judge = { model = "large" } }
--- local call = m.pattern.call(opts, { prompt = "Which one is shorter?" }, "judge")
--- m.json.encode(call) --> '{"model":"large","name":"judge","prompt":"Which one is shorter?","timeout":"5m"}'
--- ```
---@param opts moonlet.patterns.Common
---@param call moonlet.AgentCall
---@param role string?   option with the worker's fields, and default of the worker's name
---@return moonlet.AgentCall
function M.call(opts, call, role)
  local whole, worker = {}, role and worker_of(opts, role) or {}
  for _, fields in ipairs { opts.agent or {}, worker, call } do
    for name, value in pairs(fields) do whole[name] = value end
  end
  whole.name = call.name or worker.name or role
  local target = type(opts.facts) == "table" and opts.facts.target
  whole.base = whole.base or target and target.base or nil
  return whole
end

--- Calls a function and tolerates its failure.
--- Returns the function's result, or nil and a description of the failure.
--- Catches only errors of the kinds `failed`, `timeout`, `lost` and `budget`, and raises all others
--- again.
--- ```lua
--- local answer, lost = m.pattern.try("judge", function() m.fail { message = "no answer" } end)
--- lost.branch --> "judge"
--- ```
---@generic T
---@param name string     name of the branch in the description of a failure
---@param fn fun(): T
---@return T? result
---@return moonlet.LostBranch? lost
function M.try(name, fn)
  local ok, value = pcall(fn)
  if ok then return value end
  local kind = type(value) == "table" and rawget(value, "kind")
  if kind ~= "failed" and kind ~= "timeout" and kind ~= "lost" and kind ~= "budget" then
    error(value, 0)
  end
  return nil, { branch = name, kind = kind, message = tostring(value.message) }
end

--- Joins a number and its noun, in the singular or plural.
--- ```lua
--- m.pattern.count(3, "match", "matches") --> "3 matches"
--- ```
---@param number integer
---@param one string
---@param many string?  the plural; default: `one` with an s
---@return string
function M.count(number, one, many)
  return ("%d %s"):format(number, number == 1 and one or many or one .. "s")
end

--- Formats findings as a numbered list for a prompt.
--- ```lua
--- local one = { severity = "high", file = "a.lua", line = 3, claim = "It leaks.", evidence = "x", fix = "y" }
--- m.pattern.numbered({ one }):match "[^\n]+" --> "1. [high] a.lua:3: It leaks."
--- ```
---@param findings moonlet.Finding[]
---@return string
function M.numbered(findings)
  local lines = {}
  for i, finding in ipairs(findings) do
    lines[i] = ("%d. [%s] %s: %s\n   evidence: %s\n   fix: %s"):format(i, finding.severity,
      m.findings.place(finding), finding.claim, finding.evidence, finding.fix)
  end
  return table.concat(lines, "\n")
end

--- Asks an agent to review `opts.artifact` or `opts.facts` through one lens.
--- Returns a review for m.merge.findings.
--- Errors: those of ctx:agent.
--- ```lua
--- local review = m.pattern.reviewer(ctx, { artifact = "src/a.lua" }, "risks")
--- review.findings[1].severity --> "high"
--- ```
---@param c moonlet.Ctx
---@param opts moonlet.patterns.Common
---@param lens string
---@param call {name: string?, prompt: string?, data: moonlet.prompt.Data[]?}?  overrides lens, prompt, opts.data
---@return {lens: string, runner: string, findings: table[], notes: any}
function M.reviewer(c, opts, lens, call)
  call = call or {}
  local data = c:agent(M.call(opts, { name = call.name or lens, schema = m.findings.schema,
    prompt = call.prompt or m.prompt.reviewer { lens = lens, artifact = opts.artifact,
      facts = opts.facts, output = m.findings.form, pack = opts.pack,
      data = call.data or opts.data } })).data
  return { lens = lens, runner = c.runner, findings = rawget(data, "findings") or data,
    notes = rawget(data, "notes") }
end

-- The schema requires every candidate, so an incomplete answer is repaired.
local function sheet_of(count)
  local scores = {}
  for i = 1, count do
    scores[tostring(i)] = s.object { score = s.number { min = 0, max = 10 },
      reason = s.string { max = 2000 } }
  end
  return s.object { scores = s.object(scores), reason = s.string { min = 1, max = 4000 } }
end

local sheet_form = [[
One JSON object and nothing else:
{"scores": {"1": {"score": 7.5, "reason": "by the criteria"}, "2": {"score": 4, "reason": "by the criteria"}},
"reason": "why the best one is the best"}
Give each candidate, by its number, a score from 0 to 10 over all criteria.]]

--- Asks a judge to score candidates by `opts.criteria`. The judge does not see the authors.
--- Errors: those of ctx:agent.
--- ```lua
--- local texts = { { name = "a", text = "a short text" }, { name = "b", text = "a long text" } }
--- local sheet = m.pattern.judge(ctx, { criteria = { "it is short" } }, "judge", texts, 1)
--- sheet.best --> { 1 }
--- ```
---@param c moonlet.Ctx
---@param opts moonlet.patterns.Common
---@param name string
---@param candidates {name: string, text: string}[]
---@param turn integer   index of the first candidate in the prompt, to vary the order per judge
---@return moonlet.pattern.Sheet
function M.judge(c, opts, name, candidates, turn)
  local data, place = {}, {}
  for i = 1, #candidates do
    place[i] = (i + turn - 2) % #candidates + 1
    data[i] = { label = "candidate " .. i, text = candidates[place[i]].text, required = true }
  end
  for _, item in ipairs(opts.data or {}) do data[#data + 1] = item end
  local prompt = m.prompt.judge { criteria = opts.criteria, goal = opts.goal, output = sheet_form,
    candidates = ("%d candidates"):format(#candidates), pack = opts.pack, data = data }
  local answer = c:agent(M.call(opts, { name = name, prompt = prompt,
    schema = sheet_of(#candidates) }, "judge")).data
  local scores, best = {}, { 1 }
  for number, item in pairs(answer.scores) do scores[place[tonumber(number)]] = item.score end
  for i = 2, #scores do
    local lead = scores[i] - scores[best[1]]
    if lead > 1e-9 then best = { i } elseif lead > -1e-9 then best[#best + 1] = i end
  end
  return { scores = scores, best = best, reason = answer.reason }
end

--- Runs each check once on the host, in order, and returns the failed checks and their output.
--- Errors: those of ctx:validate.
--- ```lua
--- local failed, printed = m.pattern.evidence(ctx, { { command = "test:false", required = false } })
--- #failed --> 1
--- printed[1].label --> "what 'false' printed (ended with exit code 1)"
--- ```
---@param ctx moonlet.Ctx
---@param checks moonlet.ValidateCall[]
---@return moonlet.Validation[] failed
---@return moonlet.prompt.Data[] printed  end of each failed check's output, for a prompt
function M.evidence(ctx, checks)
  local failed, printed = {}, {}
  for _, check in ipairs(checks) do
    local result = ctx:validate(check)
    if result.status ~= "passed" then
      failed[#failed + 1] = result
      local why = tostring(result.why or result.status)
      printed[#failed] = { label = ("what '%s' printed (%s)"):format(result.command, why),
        limit = 8000, priority = 2,
        text = (result.stdout or "") .. (result.stderr or "") }
    end
  end
  return failed, printed
end

local verified = s.object {
  pass = s.boolean(),
  summary = s.string { min = 1, max = 2000 },
  problems = s.list(s.object { problem = s.string { min = 1, max = 2000 },
    how = s.optional(s.string { max = 4000 }), fix = s.optional(s.string { max = 2000 }) }),
}

local verified_form = [[
One JSON object and nothing else:
{"pass": true | false, "summary": "in one line", "problems": [{"problem": "...", "how": "steps or an example that show
it", "fix": "..."}]}
pass is true only for what you saw to pass; with a problem it is false.]]

--- Verifies the work of an implementer.
--- The host runs `opts.checks`; then `opts.verifier` reads the work and the failed checks' output.
--- Sets `pass` and `problems` of the result.
--- A failed check, or a verifier that rejects the work, makes the verdict `blocked`.
--- Errors: those of ctx:validate.
--- ```lua
--- local result = { problems = {}, lost = {} }
--- m.pattern.verifier(ctx, { checks = {} }, result, { goal = "src/a.lua has no bug", data = {} }) --> "it passes"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.Common
---@param result {problems: string[], lost: moonlet.LostBranch[], pass: boolean?}
---@param about {goal: string, success: string?, data: moonlet.prompt.Data[]}
---@return string told    the verdict as text
---@return string? next_action  nil if the work passes
function M.verifier(ctx, opts, result, about)
  ctx:phase("verify", 1 + #opts.checks)
  local failed, printed = M.evidence(ctx, opts.checks)
  local data = table.move(printed, 1, #printed, #about.data + 1, { table.unpack(about.data) })
  local problems = result.problems
  for i, check in ipairs(failed) do
    problems[i] = ("'%s' failed: %s"):format(check.command, tostring(check.why))
  end
  local call = M.call(opts, { schema = verified, prompt = m.prompt.verifier { goal = about.goal,
    success = about.success, output = verified_form, pack = opts.pack, data = data } }, "verifier")
  local answer, lost = M.try(call.name, function() return ctx:agent(call) end)
  local seen = answer and answer.data
  for _, item in ipairs(seen and seen.problems or {}) do problems[#problems + 1] = item.problem end
  if seen then
    ctx:verdict { by = call.name, pass = seen.pass and #seen.problems == 0,
      why = seen.problems[1] and seen.problems[1].problem or seen.summary }
  else
    table.insert(result.lost, lost)
  end
  result.pass = seen ~= nil and seen.pass and #problems == 0
  if result.pass then return "it passes" end
  if problems[1] then
    return M.count(#problems, "problem") .. " left",
      "Fix this first: " .. m.findings.clip(problems[1], 300)
  end
  return #result.lost > 0 and "nobody verified it" or "the verifier does not pass it",
    "Verify the change: the verifier was lost."
end

return M
