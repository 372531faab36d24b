--- Work that is not fit for delegation, each with the alternative. Words say it; a reason overrules it.
local find, lower, match = string.find, string.lower, string.match

local M = {}

-- Verbs at the start of a task that ask for words and not for code.
local REVIEW = { "review", "audit", "critique", "proofread" }
local ANALYSIS = { "analyse", "analyze", "explain", "investigate", "research", "explore", "evaluate", "assess",
  "summarise", "summarize", "compare", "describe", "understand", "find out", "look into", "figure out" }
local TRIVIAL = { "typo", "one%-line", "one%-liner", "single%-line", "one line change", "a one line",
  "bump the version",
  "bump version", "version bump", "whitespace", "reword the", "rename the variable", "rename a variable",
  "remove the unused import", "remove an unused import" }
local PERSON = { "ask me", "ask the user", "check with me", "check back with", "wait for my", "wait for approval",
  "with my approval", "let me decide", "let me choose", "interactively", "step by step with me", "pair with me",
  "decide on the architecture", "decide the architecture", "choose the architecture", "choose an architecture",
  "architecture decision", "architectural decision", "which framework should", "decide which" }
local few_words = 25

local function begins_with(text, words)
  for _, word in ipairs(words) do
    if find(text, "^" .. word .. "%f[%A]") then return word end
  end
end

local function holds(text, patterns)
  for _, pattern in ipairs(patterns) do
    local found = match(text, "%f[%a](" .. pattern .. ")%f[%A]")
    if found then return found end
  end
end

--- Why a task should not be delegated, and what to do instead; nil where it should.
---@param task string
---@return string? why, string? instead
function M.refuse(task)
  local text = lower(match(task, "^%s*(.-)%s*$"))
  text = text:gsub("^please%s+", ""):gsub("^task:%s*", "")
  local word = begins_with(text, REVIEW)
  if word then
    return ("it asks for a review ('%s'), and the executor writes code"):format(word),
      "moonlet run triangulated-review"
  end
  word = begins_with(text, ANALYSIS)
  if word then
    return ("it asks for analysis or research ('%s'), and the executor writes code"):format(word),
      "moonlet run sidecar --prompt '…'"
  end
  word = holds(text, PERSON)
  if word then
    return ("it needs a person in the middle ('%s')"):format(word), "decide it first, and write it into the plan"
  end
  word = holds(text, TRIVIAL)
  if word and select(2, text:gsub("%S+", "")) <= few_words then
    return ("it is trivial ('%s'): to delegate it costs more than to do it"):format(word), "make the edit yourself"
  end
end

return M
