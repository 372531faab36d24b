local C = require "moonlet.patterns.common"
local prompt = require "moonlet.prompt"
local s = require "moonlet.schema"

local M = {}

---@class moonlet.patterns.Research : moonlet.patterns.Common
---@field topic string            what is to be decided or understood
---@field questions string[]      one to six, one worker each
---@field need integer?           how many must be answered; 1
---@field scholarly boolean?      the sources are cited in APA 7

---@class moonlet.patterns.Source
---@field source string
---@field why string              why it matters

---@class moonlet.patterns.Brief
---@field summary string
---@field next_action string
---@field points string[]         the synthesis, 5 to 10
---@field sources moonlet.patterns.Source[]
---@field disagreements string[]  between sources, and what is uncertain
---@field actions string[]        the next actions, the first one first
---@field details string[]
---@field lost table[]

local source = s.object { source = s.string { min = 1, max = 2000 }, why = s.string { max = 2000 } }
local answer = s.object {
  points = s.list(s.string { min = 1, max = 2000 }, { min = 1, max = 10 }), sources = s.list(source, { max = 40 }),
  disagreements = s.list(s.string { max = 2000 }, { max = 20 }),
}
local brief = s.object {
  points = s.list(s.string { min = 1, max = 2000 }, { min = 1, max = 10 }), sources = s.list(source, { max = 40 }),
  disagreements = s.list(s.string { max = 2000 }, { max = 20 }),
  actions = s.list(s.string { min = 1, max = 1000 }, { min = 1, max = 10 }),
}

local form = [[
One JSON object and nothing else:
{"points": ["5 to 10 bullets"], "sources": [{"source": "title, author, year, address", "why": "why it matters"}],
"disagreements": ["what is uncertain, or where sources disagree"]%s}]]

-- The workers' findings, as material of the synthesis.
local function material(found, questions)
  local data = {}
  for i, one in ipairs(found) do
    data[i] = { label = "the answer to: " .. questions[i], text = core.json.encode(one), required = true }
  end
  return data
end

local function synthesise(ctx, opts, found, questions)
  local steps = { "Weigh the sources: primary ones first.", "Keep apart the points on which sources disagree." }
  if opts.scholarly then steps[3] = "Cite scholarly sources in APA 7." end
  return ctx:agent(C.call(opts, nil, { name = "synthesis", schema = brief, prompt = prompt.worker {
    task = ("Make one brief of the answers below, for this decision: %s"):format(opts.topic),
    goal = "A synthesis with the sources that support it, and the actions that follow from it.",
    non_goals = { "new research", "claims that no source below supports" }, steps = steps,
    inspect = "The answers below.", edits = false,
    output = form:format ',\n"actions": ["the next actions, the first one first"]',
    escalate = "the answers are not enough to decide: say what is missing as the first action", pack = opts.pack,
    data = material(found, questions) } })).data
end

--- Workers collect sources side by side, a question each; one synthesis makes a brief of them that ends in next
--- actions. The workers search the web where their runner has that. One call for each question, and one.
---
--- Errors: `invalid` no topic, or more than six questions; `quorum` too few were answered.
--- ```lua
--- local questions = { "what is lock-free?", "who uses it?" }
--- local brief = m.patterns.research(ctx, { topic = "which queue?", questions = questions })
--- brief.actions[1] --> "measure it"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.Research
---@return moonlet.patterns.Brief
function M.research(ctx, opts)
  local verb = "research"
  C.check(opts, { topic = "string", questions = "list", need = "integer", scholarly = "boolean" }, verb)
  C.text(opts.topic, verb, "topic")
  local questions = C.texts(opts.questions or {}, verb, "questions", 1, 6)
  local need = C.bounds(opts.need or 1, verb, "need", 1, #questions)
  ctx:plan { calls = #questions + 1 }
  ctx:phase("research", #questions)
  local answers, lost = ctx:parallel(questions, function(c, question, i)
    return c:agent(C.call(opts, nil, { name = "question " .. i, schema = answer, web_search = true,
      prompt = prompt.research(C.prompt(opts, { topic = question, output = form:format "",
        goal = ("The answer helps with this decision: %s"):format(opts.topic) })) })).data
  end, { need = need, name = "research" })
  local found, theirs = C.found(answers, questions)
  ctx:phase("synthesis", 1)
  local result = { points = core.json.array {}, sources = core.json.array {}, disagreements = core.json.array {},
    actions = core.json.array {}, details = core.json.array {}, lost = C.lost(lost) }
  local whole, gone = C.try("synthesis", function() return synthesise(ctx, opts, found, theirs) end)
  if whole then
    for _, name in ipairs { "points", "sources", "disagreements", "actions" } do result[name] = whole[name] end
  else
    table.insert(result.lost, gone)
    for _, one in ipairs(found) do
      for _, name in ipairs { "points", "sources", "disagreements" } do
        for _, item in ipairs(one[name]) do table.insert(result[name], item) end
      end
    end
  end
  for _, point in ipairs(result.points) do table.insert(result.details, point) end
  for _, point in ipairs(result.disagreements) do table.insert(result.details, "uncertain: " .. point) end
  for _, item in ipairs(result.sources) do
    table.insert(result.details, ("source: %s (%s)"):format(item.source, item.why))
  end
  result.summary = ("%d of %s answered, %s, %s"):format(#found, C.count(#questions, "question"),
    C.count(#result.sources, "source"), C.count(#result.disagreements, "disagreement"))
  result.next_action = result.actions[1] or "Read the points, and ask for the synthesis again: it was lost."
  return result
end

return M
