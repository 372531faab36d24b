local m = require "moonlet"

local M = {}

---@class moonlet.patterns.OptionsSprint : moonlet.patterns.Common
---@field goal string             goal of each option
---@field criteria string[]       criteria of the choice
---@field angles string[]?        two or three directions, one worker each
---@field judge moonlet.patterns.Worker?

---@class moonlet.patterns.Chosen : moonlet.patterns.Result
---@field options {name: string, text: string, score: number?}[]
---@field choice string?          name of the refined option; nil if the judge failed
---@field tied string[]           options with equal scores, if there are several
---@field reason string
---@field text string             the refined option

local function refine(ctx, opts, chosen, others, reason)
  local data = { { label = "the chosen option", text = chosen.text, required = true },
    { label = "the judge's reason", text = reason, required = true } }
  for _, other in ipairs(others) do
    data[#data + 1] = { label = "an option that was not chosen", text = other.text }
  end
  return ctx:agent(m.pattern.call(opts, { name = "refine", prompt = m.prompt.implementer {
    deliverable = "a refined version of the chosen option below", goal = opts.goal,
    scope = "nothing", output = "The refined option and nothing else.",
    steps = { "Remove what the judge found lacking.",
      "Adopt from the others what makes it better by the criteria: "
        .. table.concat(opts.criteria, "; ") .. "." },
    pack = opts.pack, data = data } })).text
end

--- Asks workers for alternatives, a judge to choose one by criteria, and a worker to refine it.
--- The pattern costs one call for each angle, and two more.
--- Errors: `invalid` missing criteria, or more than three angles;
--- `quorum` means that every worker failed.
--- ```lua
--- local done = m.patterns.options_sprint(ctx, { goal = "an outline of the guide", criteria = { "it is short" } })
--- done.choice --> "the most thorough"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.OptionsSprint
---@return moonlet.patterns.Chosen
function M.options_sprint(ctx, opts)
  opts = m.pattern.options("options_sprint", opts, { goal = "text!", criteria = "texts 1..12",
    angles = "texts 2..3", judge = "worker" }, { angles = { "the simplest", "the most thorough" } })
  ctx:plan { calls = #opts.angles + 2 }
  ctx:phase("options", #opts.angles)
  local texts, lost = ctx:parallel(opts.angles, function(c, angle)
    return c:agent(m.pattern.call(opts, { name = angle, prompt = m.prompt.implementer {
      deliverable = ("one option for this, and make it %s: %s"):format(angle, opts.goal),
      scope = "nothing", output = "The option and nothing else.",
      steps = { "It will be judged by: " .. table.concat(opts.criteria, "; ") .. "." },
      pack = opts.pack, data = opts.data } })).text
  end, { need = 1, name = "options", key = function(angle) return angle end })
  local found, theirs = m.found(texts, opts.angles)
  local options = m.array {}
  for i, text in ipairs(found) do options[i] = { name = theirs[i], text = text } end
  local result = { options = options, tied = m.array {}, reason = "", text = "",
    details = m.array {}, lost = lost }
  local count = m.pattern.count(#options, "option")
  ctx:phase("judge", 1)
  local sheet, gone = { scores = { 0 }, best = { 1 }, reason = "the only option that came" }, nil
  if #options > 1 then
    sheet, gone = m.pattern.try("judge", function()
      return m.pattern.judge(ctx, opts, "judge", options, 1)
    end)
  end
  if not sheet then
    table.insert(lost, gone)
    result.summary = count .. ", and no judge"
    result.next_action = "Choose one of the options yourself: the judge was lost."
    return result
  end
  local chosen, others, is_tied = options[sheet.best[1]], {}, #sheet.best > 1
  for i, option in ipairs(options) do
    option.score = sheet.scores[i]
    if option ~= chosen then others[#others + 1] = option end
    result.details[i] = ("%s: %.1f"):format(option.name, option.score)
  end
  for i, place in ipairs(is_tied and sheet.best or {}) do result.tied[i] = options[place].name end
  result.choice, result.reason = chosen.name, sheet.reason
  ctx:phase("refine", 1)
  local text, missing = m.pattern.try("refine", function()
    return refine(ctx, opts, chosen, others, sheet.reason)
  end)
  if missing then table.insert(lost, missing) end
  result.text = text or chosen.text
  result.summary = ("%s; '%s' was chosen%s: %s"):format(count, chosen.name,
    is_tied and " among equals" or "", sheet.reason)
  result.next_action = is_tied and ("Decide between %s: the judge sees no difference."):format(
    table.concat(result.tied, " and ")) or "Take the refined option."
  return result
end

return M
