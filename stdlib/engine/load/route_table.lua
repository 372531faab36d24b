--- Lists the task types of --task-type that a fast sidecar model may or must not do.
local record = require "moonlet.record"

local M = {}

M.risk_fields = { runner = "string", model = "string", escalate = "boolean", why = "string" }
M.fields = { runner = "string", model = "string", escalate = "boolean", why = "string",
  low = "table", medium = "table", high = "table" }

--- Defines the default sidecar, a fast agent for small tasks of low or medium risk.
M.sidecar = { runner = "codex", model = "gpt-5.3-codex-spark" }

M.good = {
  ["first-pass-review"] = "a first look at code before a strong review",
  ["path-classification"] = "which path a commit takes: fast, skill, code or risk",
  ["personalization-scan"] = "preferences that artifacts and memory show",
  ["milestone-proposal"] = "a milestone out of recent commits and documents",
  ["document-consistency"] = "README, AGENTS and CLAUDE files that contradict each other",
  ["test-gaps"] = "what a focused change left untested",
  ["experiment-logs"] = "triage of experiment logs",
  ["config-mismatch"] = "configurations that do not fit together",
  ["evidence-inventory"] = "what tables, reports and figures hold",
  ["reviewer-comments"] = "reviewers' comments, grouped, with what is to be done",
  ["citation-scan"] = "placeholders where a citation belongs",
  ["todo-scan"] = "what is marked as still to be done",
}

M.escalate = {
  ["algorithm-design"] = "core algorithm design is for you to decide",
  ["final-approval"] = "the final approval of high-risk code needs a strong, fresh reviewer",
  ["security"] = "security is for you to decide",
  ["privacy"] = "privacy is for you to decide",
  ["data-governance"] = "the governance of data is for you to decide",
  ["large-refactor"] = "a large refactor of unclear reach needs you",
  ["paper-positioning"] = "the positioning of a paper is for you to decide",
  ["rebuttal"] = "the strategy of a rebuttal is for you to decide",
  ["submission"] = "a submission is for you to decide",
}

M.aliases = {
  ["review"] = "first-pass-review", ["pre-review"] = "first-pass-review",
  ["code-review"] = "first-pass-review", ["precommit"] = "path-classification",
  ["precommit-classification"] = "path-classification",
  ["personalization"] = "personalization-scan", ["milestone"] = "milestone-proposal",
  ["consistency"] = "document-consistency", ["consistency-scan"] = "document-consistency",
  ["doc-consistency"] = "document-consistency", ["test-gap"] = "test-gaps",
  ["test-gap-scan"] = "test-gaps", ["experiment-log-triage"] = "experiment-logs",
  ["experiment-triage"] = "experiment-logs", ["config-mismatch-inventory"] = "config-mismatch",
  ["evidence"] = "evidence-inventory", ["reviewer-comment-clustering"] = "reviewer-comments",
  ["citation-scans"] = "citation-scan", ["citations"] = "citation-scan", ["todo"] = "todo-scan",
  ["todos"] = "todo-scan", ["core-algorithm-design"] = "algorithm-design",
  ["core-algorithm"] = "algorithm-design", ["final-code-approval"] = "final-approval",
  ["merge-approval"] = "final-approval", ["security-review"] = "security",
  ["privacy-review"] = "privacy", ["refactor"] = "large-refactor",
  ["refactoring"] = "large-refactor", ["large-refactoring"] = "large-refactor",
  ["positioning"] = "paper-positioning", ["rebuttal-strategy"] = "rebuttal",
  ["submission-judgment"] = "submission", ["submission-judgement"] = "submission",
}

--- Normalizes a name: "First pass review" and "first_pass_review" are equal.
function M.normal(name)
  name = name:lower():gsub("[%s%p]+", "-"):gsub("^%-+", ""):gsub("%-+$", "")
  return M.aliases[name] or name
end

---@param what string   name of the routes in messages
function M.check(own, what)
  if type(own) ~= "table" then
    record.refuse(("%s must be a table, not a %s"):format(what, type(own)),
      'write { ["test-gaps"] = { runner = "codex" } }')
  end
  for name, entry in pairs(own) do
    local place = ("%s[%s]"):format(what, core.text.printable(tostring(name), 60))
    if type(name) ~= "string" or type(entry) ~= "table" then
      record.refuse(place .. " must give a table to the name of a task type",
        'write { ["test-gaps"] = { runner = "codex" } }')
    end
    record.check(entry, M.fields, place)
    for _, risk in ipairs { "low", "medium", "high" } do
      if entry[risk] then record.check(entry[risk], M.risk_fields, place .. "." .. risk) end
    end
  end
end

local risks = { low = true, medium = true, high = true }

---@param what string  name of the field in messages
function M.check_risk(risk, what)
  if risk and not risks[risk] then
    record.refuse(("%s cannot be '%s'"):format(what, core.text.printable(risk, 40)),
      "it is low, medium or high")
  end
end

--- Reports whether a word is a misspelling, by few edits: "code-scan" is not "todo-scan".
local function is_slip(word, known)
  if word == known then return true end
  if #word < 4 then return false end
  local most = #word >= 8 and word:sub(1, 1) == known:sub(1, 1) and 2 or 1
  return record.distance(word, known, most) <= most
end

local function words_of(name)
  local list = {}
  for word in name:gmatch("[^-]+") do list[#list + 1] = word end
  return list
end

local function is_near(name, known)
  local joined, other = name:gsub("%-", ""), known:gsub("%-", "")
  if #joined >= 6 and record.distance(joined, other, 1) <= 1 then return true end
  local mine, theirs = words_of(name), words_of(known)
  if #mine ~= #theirs then return false end
  for i, word in ipairs(mine) do
    if not is_slip(word, theirs[i]) then return false end
  end
  return true
end

local joints = { ["and"] = true, ["or"] = true, ["with"] = true, ["plus"] = true, ["n"] = true }

--- Returns the first refused task type in a name that joins several types, such as
--- "security-and-privacy". Returns nil if no type in it is refused, or if it has other words.
local function refused_part(name)
  local words = words_of(name)
  if #words > 40 then return nil end
  local known = {}
  for _, names in ipairs { M.escalate, M.good, M.aliases } do
    for key in pairs(names) do known[#known + 1] = key end
  end
  local function type_of(text)
    local first = M.normal(text)
    if M.good[first] or M.escalate[first] then return first end
    for _, candidate in ipairs(known) do
      if is_near(text, candidate) then return M.normal(candidate) end
    end
  end
  local refused, first = nil, 1
  while first <= #words do
    local found, last = nil, math.min(#words, first + 4) + 1
    while not found and last > first do
      last = last - 1
      found = last - first + 1 < #words and type_of(table.concat(words, "-", first, last)) or nil
    end
    if not found and not joints[words[first]] then return nil end
    refused = refused or found and M.escalate[found] and found
    first = last + 1
  end
  return refused
end

--- Raises an error for a misspelt task type. Otherwise a typo in the name of a refused type would
--- let its work run.
---@param name string   result of normal()
---@param own table     routes of the user's config
function M.check_name(name, own)
  if name == "" then
    record.refuse("the task type contains only punctuation", "name it in words, as in test-gaps")
  end
  if M.good[name] or M.escalate[name] then return end
  local known = {}
  for key in pairs(own) do
    if type(key) == "string" then known[#known + 1] = M.normal(key) end
  end
  for _, mine in ipairs(known) do
    if mine == name then return end
  end
  local refused = refused_part(name)
  if refused then
    record.refuse(("'%s' names several task types, and %s"):format(core.text.printable(name, 100),
      M.escalate[refused]),
      ("name one: --task-type %s is refused unless a reason forces it"):format(refused))
  end
  if #name > 64 then return end
  -- Refused names have priority, then canonical names, then aliases.
  for _, names in ipairs { M.escalate, M.good, M.aliases } do
    local sorted = {}
    for key in pairs(names) do sorted[#sorted + 1] = key end
    table.sort(sorted)
    table.move(sorted, 1, #sorted, #known + 1, known)
  end
  for _, candidate in ipairs(known) do
    if is_near(name, candidate) then
      record.refuse(("there is no task type '%s'"):format(core.text.printable(name, 60)),
        ("did you mean '%s'? a type of your own needs a route in the config"):format(candidate))
    end
  end
end

return M
