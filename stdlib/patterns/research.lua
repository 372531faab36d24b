local m = require "moonlet"
local s = m.schema

local M = {}

---@class moonlet.patterns.Research : moonlet.patterns.Common
---@field topic string            subject to decide or understand
---@field questions string[]      one to six, one worker each
---@field need integer?           number of questions that must be answered (default 1)
---@field scholarly boolean?      true: sources are cited in APA 7

---@class moonlet.patterns.Source
---@field source string
---@field why string              relevance of the source

---@class moonlet.patterns.Brief : moonlet.patterns.Result
---@field points string[]         the synthesis, in 5 to 10 points
---@field sources moonlet.patterns.Source[]
---@field disagreements string[]  contradictions between sources, and open questions
---@field actions string[]        next actions, most urgent first

local points = s.list(s.string { min = 1, max = 2000 }, { min = 1, max = 10 })
local sources = s.list(s.object { source = s.string { min = 1, max = 2000 },
  why = s.string { max = 2000 } }, { max = 40 })
local disagreements = s.list(s.string { max = 2000 }, { max = 20 })
local answer = s.object { points = points, sources = sources, disagreements = disagreements }
local brief = s.object { points = points, sources = sources, disagreements = disagreements,
  actions = s.list(s.string { min = 1, max = 1000 }, { min = 1, max = 10 }) }

local form = [[
One JSON object and nothing else:
{"points": ["5 to 10 bullets"], "sources": [{"source": "title, author, year, address", "why": "why it matters"}],
"disagreements": ["what is uncertain, or where sources disagree"]%s}]]

local function synthesise(ctx, opts, found, questions)
  local steps = { "Weigh the sources: primary ones first.",
    "Keep apart the points on which sources disagree." }
  if opts.scholarly then steps[3] = "Cite scholarly sources in APA 7." end
  local data = {}
  for i, one in ipairs(found) do
    data[i] = { label = "the answer to: " .. questions[i], text = m.json.encode(one),
      required = true }
  end
  local prompt = m.prompt.worker {
    task = ("Make one brief of the answers below, for this decision: %s"):format(opts.topic),
    goal = "A synthesis with the sources that support it, and the actions that follow from it.",
    non_goals = { "new research", "claims that no source below supports" }, steps = steps,
    inspect = "The answers below.", edits = false,
    output = form:format ',\n"actions": ["the next actions, the first one first"]',
    escalate = "the answers are not enough to decide: say what is missing as the first action",
    pack = opts.pack, data = data }
  local call = m.pattern.call(opts, { name = "synthesis", schema = brief, prompt = prompt })
  return ctx:agent(call).data
end

--- Asks one worker per question to collect sources. The workers run in parallel.
--- Then one agent turns the sources into a brief that ends in next actions.
--- Workers search the web if their runner can.
--- The pattern costs one call for each question, and one more.
--- Errors: `invalid` a missing topic, or more than six questions;
--- `quorum` means that too few questions were answered.
--- ```lua
--- local questions = { "what is lock-free?", "who uses it?" }
--- local brief = m.patterns.research(ctx, { topic = "which queue?", questions = questions })
--- brief.actions[1] --> "measure it"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.Research
---@return moonlet.patterns.Brief
function M.research(ctx, opts)
  opts = m.pattern.options("research", opts, { topic = "text!", questions = "texts 1..6",
    need = "integer 1..questions", scholarly = "boolean" }, { need = 1 })
  ctx:plan { calls = #opts.questions + 1 }
  ctx:phase("research", #opts.questions)
  local answers, lost = ctx:parallel(opts.questions, function(c, question, i)
    local prompt = m.prompt.research { topic = question, output = form:format "",
      goal = ("The answer helps with this decision: %s"):format(opts.topic),
      pack = opts.pack, data = opts.data }
    return c:agent(m.pattern.call(opts, { name = "question " .. i, prompt = prompt, schema = answer,
      web_search = true })).data
  end, { need = opts.need, name = "research" })
  local found, theirs = m.found(answers, opts.questions)
  ctx:phase("synthesis", 1)
  local result = { points = m.array {}, sources = m.array {}, disagreements = m.array {},
    actions = m.array {}, details = m.array {}, lost = lost }
  local whole, gone = m.pattern.try("synthesis", function()
    return synthesise(ctx, opts, found, theirs)
  end)
  if gone then table.insert(lost, gone) end
  for _, one in ipairs(whole and { whole } or found) do
    for _, name in ipairs { "points", "sources", "disagreements" } do
      table.move(one[name], 1, #one[name], #result[name] + 1, result[name])
    end
  end
  if whole then result.actions = whole.actions end
  table.move(result.points, 1, #result.points, 1, result.details)
  for _, point in ipairs(result.disagreements) do
    table.insert(result.details, "uncertain: " .. point)
  end
  for _, item in ipairs(result.sources) do
    table.insert(result.details, ("source: %s (%s)"):format(item.source, item.why))
  end
  result.summary = ("%d of %s answered, %s, %s"):format(#found,
    m.pattern.count(#opts.questions, "question"), m.pattern.count(#result.sources, "source"),
    m.pattern.count(#result.disagreements, "disagreement"))
  result.next_action = result.actions[1]
    or "Read the points, and ask for the synthesis again: it was lost."
  return result
end

return M
