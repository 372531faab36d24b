--- Defines the lenses of reviewers: their short names, long names and texts in a prompt.

---@class moonlet.lenses
local M = {}

--- Lists the lenses in the order in which a preset offers them.
--- ```lua
--- require("moonlet.lenses").names[1] --> "correctness"
--- ```
---@type string[]
M.names = { "correctness", "risks", "tests", "clarity", "consistency", "evidence", "practicality",
  "accessibility", "security", "performance", "compatibility" }

--- Lists the long names that a preset offers beside the short ones.
--- ```lua
--- require("moonlet.lenses").long_names[2] --> "risks and failure modes"
--- ```
---@type string[]
M.long_names = { "correctness and completeness", "risks and failure modes", "clarity and structure",
  "consistency and style", "evidence quality", "accessibility and audience",
  "backward compatibility" }

local ALIASES = {
  completeness = "correctness", ["correctness and completeness"] = "correctness",
  bugs = "correctness", risk = "risks", failure = "risks", ["failure modes"] = "risks",
  ["risks and failure modes"] = "risks", test = "tests", testing = "tests", structure = "clarity",
  ["clarity and structure"] = "clarity", style = "consistency",
  ["consistency and style"] = "consistency", ["evidence quality"] = "evidence",
  practical = "practicality", audience = "accessibility", a11y = "accessibility",
  ["accessibility and audience"] = "accessibility", ["audience fit"] = "accessibility",
  secure = "security", perf = "performance", compat = "compatibility",
  ["backward compatibility"] = "compatibility", ["backwards compatibility"] = "compatibility",
  ["backward-compatibility"] = "compatibility",
}

--- Maps each lens to its text in a reviewer's prompt.
--- ```lua
--- require("moonlet.lenses").texts.tests:match "^%a+" --> "Tests"
--- ```
---@type table<string, string>
M.texts = {
  correctness = [[
Correctness and completeness. Does it do what it says, for every input it can get? Check the edges
(empty, one, many, too large), the error paths, the parts left half done, names and comments that
promise something else than the code does, and callers that had to change and did not.]],
  risks = [[
Risks and failure modes. What breaks, for whom, and how would anybody notice? Check for errors that
are lost, work that is done twice or only in part, waits without an end, resources that are never
released, steps that cannot be undone, and the state after the process dies halfway.]],
  tests = [[
Tests. Which changed behaviour has no test? Which test would still pass if the code were broken?
Check for assertions that check nothing, missing cases, and tests that depend on time, order,
network or machine.]],
  clarity = [[
Clarity and structure. Can its intended reader follow it and find what they need? Check names,
order, length, what is said twice, what is never said, and the introduction that is missing.]],
  consistency = [[
Consistency and style. Does it agree with itself and with what surrounds it? Check for words that
change their meaning, two ways to do one thing, and conventions of the file or repository that are
broken without need.]],
  evidence = [[
Evidence quality. Can each claim be checked? Check for numbers without a source, conclusions that go
beyond their evidence, references that do not say what they are cited for, and measurements that
cannot be repeated.]],
  practicality = [[
Practicality. Does it work for the people who install, use, run and maintain it? Check for missing
steps, things that work on one machine only, the cost of maintenance, and advice that cannot be
followed.]],
  accessibility = [[
Accessibility and audience. Can its audience use it: with a screen reader, a keyboard, a small
screen, little prior knowledge, another first language? Check for pictures without text, colour as
the only sign, jargon, and unstated assumptions.]],
  security = [[
Security. What would an attacker try? Check input that reaches a query, a command, a path, a page or
a deserialiser; secrets; permissions; checks that can be bypassed; and what is logged.]],
  performance = [[
Performance. Where does it compute, wait or allocate more than it must? Check how it grows with the
input, work inside loops, calls that could be combined, and locks that are held too long. Leave out
what nobody could measure.]],
  compatibility = [[
Backward compatibility. What works today and stops working after this? Check callers, formats,
stored data, flags, defaults, exit codes, messages that other programs read, and minimum ]]
    .. "versions.",
}

--- Returns the short name of a lens, or nil for an unknown lens.
--- ```lua
--- require("moonlet.lenses").short "Evidence quality" --> "evidence"
--- ```
---@param name string
---@return string?
function M.short(name)
  local text = name:match("^%s*(.-)%s*$"):lower()
  return M.texts[text] and text or ALIASES[text]
end

return M
