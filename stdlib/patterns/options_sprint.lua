local C = require "moonlet.patterns.common"
local J = require "moonlet.patterns.judging"
local prompt = require "moonlet.prompt"

local M = {}

---@class moonlet.patterns.OptionsSprint : moonlet.patterns.Common
---@field goal string             what an option is for
---@field criteria string[]       what the choice goes by
---@field angles string[]?        two or three directions, one worker each; "the simplest", "the most thorough"
---@field judge moonlet.patterns.Worker?

---@class moonlet.patterns.Chosen
---@field summary string
---@field next_action string
---@field options {name: string, text: string, score: number?}[]
---@field choice string?          the name of the option that was refined; nil if nobody could choose
---@field tied string[]           the options with the same score, if there are several
---@field reason string
---@field text string             the refined option
---@field details string[]
---@field lost table[]

local function refine(ctx, opts, chosen, others, reason)
  local data = { { label = "the chosen option", text = chosen.text, required = true },
    { label = "the judge's reason", text = reason, required = true } }
  for _, other in ipairs(others) do data[#data + 1] = { label = "an option that was not chosen", text = other.text } end
  return ctx:agent(C.call(opts, nil, { name = "refine", prompt = prompt.implementer(C.prompt(opts, {
    deliverable = "a refined version of the chosen option below", goal = opts.goal,
    scope = "nothing", output = "The refined option and nothing else.",
    steps = { "Remove what the judge found lacking.", "Adopt from the others what makes it better by the criteria: "
      .. table.concat(opts.criteria, "; ") .. "." }, data = data })) })).text
end

--- Workers propose two or three alternatives, a judge chooses by stated criteria, and the choice is refined. One call
--- for each angle, and two.
---
--- Errors: `invalid` no criteria, or more than three angles; `quorum` fewer than two options came.
--- ```lua
--- local done = m.patterns.options_sprint(ctx, { goal = "an outline of the guide", criteria = { "it is short" } })
--- done.choice --> "the most thorough"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.OptionsSprint
---@return moonlet.patterns.Chosen
function M.options_sprint(ctx, opts)
  local verb = "options_sprint"
  C.check(opts, { goal = "string", criteria = "list", angles = "list", judge = "table" }, verb)
  C.text(opts.goal, verb, "goal")
  J.criteria(opts, verb)
  local angles = C.texts(opts.angles or { "the simplest", "the most thorough" }, verb, "angles", 2, 3)
  ctx:plan { calls = #angles + 2 }
  ctx:phase("options", #angles)
  local texts, lost = ctx:parallel(angles, function(c, angle)
    return c:agent(C.call(opts, nil, { name = angle, prompt = prompt.implementer(C.prompt(opts, {
      deliverable = ("one option for this, and make it %s: %s"):format(angle, opts.goal),
      scope = "nothing", output = "The option and nothing else.",
      steps = { "It will be judged by: " .. table.concat(opts.criteria, "; ") .. "." } })) })).text
  end, { need = 1, name = "options", key = function(angle) return angle end })
  local found, theirs = C.found(texts, angles)
  local options = core.json.array {}
  for i, text in ipairs(found) do options[i] = { name = theirs[i], text = text } end
  local result = { options = options, tied = core.json.array {}, reason = "", text = "", details = core.json.array {},
    lost = C.lost(lost) }
  ctx:phase("judge", 1)
  local judged, gone
  if #options > 1 then
    judged, gone = C.try("judge", function() return J.ask(ctx, opts, "judge", options, 1) end)
  else
    judged = { scores = { 0 }, reason = "the only option that came" }
  end
  if not judged then
    table.insert(result.lost, gone)
    result.summary = ("%s, and no judge"):format(C.count(#options, "option"))
    result.next_action = "Choose one of the options yourself: the judge was lost."
    return result
  end
  local best = J.best(judged.scores)
  local chosen, others = options[best[1]], {}
  for i, option in ipairs(options) do
    option.score = judged.scores[i]
    if i ~= best[1] then others[#others + 1] = option end
    result.details[i] = ("%s: %.1f"):format(option.name, option.score)
  end
  for i, place in ipairs(#best > 1 and best or {}) do result.tied[i] = options[place].name end
  result.choice, result.reason = chosen.name, judged.reason
  ctx:phase("refine", 1)
  local text, missing = C.try("refine", function() return refine(ctx, opts, chosen, others, judged.reason) end)
  if missing then table.insert(result.lost, missing) end
  result.text = text or chosen.text
  result.summary = ("%s; '%s' was chosen%s: %s"):format(C.count(#options, "option"), chosen.name,
    #best > 1 and " among equals" or "", judged.reason)
  result.next_action = #best > 1 and ("Decide between %s: the judge sees no difference."):format(
    table.concat(result.tied, " and ")) or "Take the refined option."
  return result
end

return M
