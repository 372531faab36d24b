--- How patterns judge candidates: each by each criterion, without the names of their makers.
local C = require "moonlet.patterns.common"
local prompt = require "moonlet.prompt"
local s = require "moonlet.schema"

local J = {}

-- A field for each candidate: an answer that leaves one out does not fit, and is asked for again.
local function sheet_of(count)
  local scores = {}
  for i = 1, count do
    scores[tostring(i)] = s.object { score = s.number { min = 0, max = 10 }, reason = s.string { max = 2000 } }
  end
  return s.object { scores = s.object(scores), reason = s.string { min = 1, max = 4000 } }
end

local form = [[
One JSON object and nothing else:
{"scores": {"1": {"score": 7.5, "reason": "by the criteria"}, "2": {"score": 4, "reason": "by the criteria"}},
"reason": "why the best one is the best"}
Give each candidate, by its number, a score from 0 to 10 over all criteria.]]

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
    data[i] = { label = "candidate " .. i, text = candidates[place[i]].text, required = true }
  end
  for _, item in ipairs(opts.data or {}) do data[#data + 1] = item end
  local answer = c:agent(C.call(opts, opts.judge, { name = name, schema = sheet_of(#candidates),
    prompt = prompt.judge { criteria = opts.criteria, candidates = ("%d candidates"):format(#candidates),
      pack = opts.pack, goal = opts.goal, output = form, data = data } })).data
  local scores = {}
  for number, item in pairs(answer.scores) do scores[place[tonumber(number)]] = item.score end
  return { scores = scores, reason = answer.reason }
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
