--- How patterns judge candidates: each by each criterion, without the names of their makers.
local C = require "moonlet.patterns.common"
local prompt = require "moonlet.prompt"
local s = require "moonlet.schema"

local J = {}

--- The schema for so many candidates. Its example has a score for each of them, which the rest cannot ask for.
local function scores_of(count)
  local each = {}
  for i = 1, count do each[i] = { candidate = i, score = i % 10, reason = "mock reason" } end
  local schema = s.object {
    scores = s.list(s.object { candidate = s.integer { min = 1 }, score = s.number { min = 0, max = 10 },
      reason = s.string { max = 2000 } }),
    reason = s.string { min = 1, max = 4000 },
  }
  schema.examples = { { scores = each, reason = "mock reason" } }
  return schema
end

local form = [[
One JSON object and nothing else:
{"scores": [{"candidate": 1, "score": 7.5, "reason": "by the criteria"}], "reason": "why the best one is the best"}
A score from 0 to 10 for each candidate, over all criteria.]]

--- Checks a list of candidates: { name, text }, or texts.
function J.candidates(list, verb, least, most)
  local names, all = {}, {}
  for i, item in ipairs(list or {}) do
    if type(item) == "string" then item = { name = tostring(i), text = item } end
    require("moonlet.record").check(item, { name = "string!", text = "string!" },
      ("%s: candidates[%d]"):format(verb, i))
    names[i], all[i] = item.name, { name = item.name, text = item.text }
  end
  C.texts(names, verb, "candidates", least, most)
  return all
end

--- The criteria: a choice without any is a matter of taste.
function J.criteria(opts, verb)
  return C.texts(opts.criteria or {}, verb, "criteria", 1, 12)
end

--- Asks a judge for the scores of candidates, by their places in `candidates`. `turn` is the candidate that is shown
--- first, so that several judges do not see the same order.
---@param c moonlet.Ctx
---@param opts table
---@param name string
---@param candidates {name: string, text: string}[]
---@param turn integer
---@return {scores: number[], reason: string}
function J.ask(c, opts, name, candidates, turn)
  local data, place = {}, {}
  for i = 1, #candidates do
    place[i] = (i + turn - 2) % #candidates + 1
    data[i] = { label = "candidate " .. i, text = candidates[place[i]].text }
  end
  for _, item in ipairs(opts.data or {}) do data[#data + 1] = item end
  local answer = c:agent(C.call(opts, opts.judge, { name = name, schema = scores_of(#candidates),
    prompt = prompt.judge { criteria = opts.criteria, candidates = ("%d candidates"):format(#candidates),
      pack = opts.pack, goal = opts.goal, output = form, data = data } })).data
  local given = {}
  for _, item in ipairs(answer.scores) do
    if place[item.candidate] and not given[place[item.candidate]] then given[place[item.candidate]] = item.score end
  end
  for i = 1, #candidates do
    if not given[i] then
      error({ kind = "failed", message = ("the judge gave no score for candidate %d"):format(i),
        hint = "it may be asked again" }, 0)
    end
  end
  return { scores = core.json.array(given), reason = answer.reason }
end

--- The places of the best scores: more than one is a tie.
---@param values number[]
---@return integer[]
function J.best(values)
  local best, places = -math.huge, {}
  for i, value in ipairs(values) do
    if value > best + 1e-9 then best, places = value, { i } elseif value > best - 1e-9 then places[#places + 1] = i end
  end
  return places
end

return J
