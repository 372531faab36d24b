--- Review without a model: deterministic rules that read the added lines of a change and say only what
--- they are sure of. A lens selects rules; the wording is each rule's own. The rules lie in rules/.
--- They are the whole review where no model is asked; tests/presets/review counts the planted defects that they find.

local findings = require "moonlet.findings"
local git = require "moonlet.git"
local m = require "moonlet"
local secrets = require "moonlet.secrets"

local find, format, lower, match, sub = string.find, string.format, string.lower, string.match, string.sub

local M = {}

--- The lenses and their subjects.
M.lenses = { "correctness", "risks", "tests", "clarity", "consistency", "evidence", "practicality", "accessibility",
  "security", "performance", "compatibility" }

-- The long names of lenses, and words that people use for them.
local ALIASES = {
  completeness = "correctness", ["correctness and completeness"] = "correctness", bugs = "correctness", risk = "risks",
  failure = "risks", ["failure modes"] = "risks", ["risks and failure modes"] = "risks", test = "tests",
  testing = "tests", structure = "clarity", ["clarity and structure"] = "clarity", style = "consistency",
  ["consistency and style"] = "consistency", ["evidence quality"] = "evidence", practical = "practicality",
  audience = "accessibility", ["accessibility and audience"] = "accessibility", ["audience fit"] = "accessibility",
  a11y = "accessibility", secure = "security", perf = "performance", compat = "compatibility",
  ["backward compatibility"] = "compatibility", ["backwards compatibility"] = "compatibility",
  ["backward-compatibility"] = "compatibility",
}

--- The names that a lens is offered under: the short ones, then the long ones.
M.lens_names = { table.unpack(M.lenses) }
for _, name in ipairs { "correctness and completeness", "risks and failure modes", "clarity and structure",
  "consistency and style", "evidence quality", "accessibility and audience", "backward compatibility" } do
  M.lens_names[#M.lens_names + 1] = name
end

local GROUPS = { "text", "spelling", "errors", "leftovers", "prints", "logic", "bounds", "repeats", "flow", "memory",
  "security", "injection", "rights", "shell", "delivery", "tests", "untested", "locks", "files", "api", "docs",
  "speed" }

--- At most so many findings of one rule in one file; the last one says how many more there are.
local most_per_file = 10
local most_in_all = 1000

local known_lens = {}
for _, name in ipairs(M.lenses) do known_lens[name] = true end

--- The short name of a lens, or nil for one that there is not.
---@param name string
---@return string?
function M.lens(name)
  local text = lower(match(name, "^%s*(.-)%s*$"))
  return known_lens[text] and text or ALIASES[text]
end

-- A line as evidence: short, visible, without secrets.
local function quoted(text)
  local from = find(text, "%S") or 1
  local line = findings.clip(sub(text, from, from + 400), 200)
  line = secrets.redact(line, secrets.scan(line, { loose = true }))
  return (findings.visible(line):gsub("%s+$", ""))
end

local catalog

-- The rules of all groups by their ids.
local function load_catalog()
  if catalog then return catalog end
  catalog = { groups = {}, rules = {} }
  for _, name in ipairs(GROUPS) do
    local group = require("rules." .. name)
    catalog.groups[#catalog.groups + 1] = { name = name, look = group }
    for id, rule in pairs(group.rules) do
      assert(not catalog.rules[id], id)
      catalog.rules[id] = rule
    end
  end
  return catalog
end

local SILENCED = { "noqa", "nosec", "nosonar", "nolint", "eslint%-disable", "shellcheck disable", "biome%-ignore",
  "moonlet:%s*ignore", "type:%s*ignore", "pylint:%s*disable", "oxlint%-disable", "ts%-ignore", "noinspection",
  "rubocop:disable", "intentional", "deliberate", "on purpose", "codeql%[", "lgtm%[" }

local function silenced(line, before)
  for i = 1, 2 do
    local text = i == 1 and line and line.comment or before and before.comment
    if text and text ~= "" then
      text = lower(sub(text, 1, 400))
      for _, pattern in ipairs(SILENCED) do
        if find(text, pattern) then return true end
      end
    end
  end
  return false
end

-- Collects the reports of the rules; one reporter for a change.
local function reporter(list)
  local counts, seen = {}, {}
  ---@param id string
  ---@param at rules.View?  the file; nil for the change as a whole
  ---@param n integer?              the line; nil for the file as a whole
  ---@param claim string
  ---@param opts table? {severity, confidence, fix, evidence, loud = silencing comments do not count,
  ---  question = why only the reader can tell}
  return function(id, at, n, claim, opts)
    opts = opts or {}
    local rule = catalog.rules[id]
    local line = at and n and at.lines[n]
    if line and not opts.loud and silenced(line, at.lines[n - 1]) then return end
    local place = format("%s\0%s\0%s", id, at and at.path or "", n or claim)
    if seen[place] then return end
    seen[place] = true
    local key = id .. "\0" .. (at and at.path or "")
    counts[key] = (counts[key] or 0) + 1
    if counts[key] > most_per_file then
      counts[key .. "\0last"].more = counts[key] - most_per_file
      return
    end
    local file = at and (utf8.len(at.path) and at.path or git.show_path(at.path)) or nil
    local finding = {
      rule = id, file = file, line = n, severity = opts.severity or rule.severity, claim = claim,
      evidence = opts.evidence or (line and quoted(line.text)) or "", fix = opts.fix or rule.fix or "",
      confidence = opts.confidence or rule.confidence or 0.8, path = at and at.path, question = opts.question,
    }
    list[#list + 1] = finding
    counts[key .. "\0last"] = finding
  end
end

local function order(a, b)
  local rank_a, rank_b = findings.rank(a.severity), findings.rank(b.severity)
  if rank_a ~= rank_b then return rank_a > rank_b end
  if a.confidence ~= b.confidence then return a.confidence > b.confidence end
  if (a.file or "") ~= (b.file or "") then return (a.file or "") < (b.file or "") end
  if (a.line or 0) ~= (b.line or 0) then return (a.line or 0) < (b.line or 0) end
  return a.rule < b.rule
end

-- All lenses of one change look at the same views; they are built and judged once.
local judged = setmetatable({}, { __mode = "k" })

-- The files on which a group may fail before it is given up for all of the change.
local most_failures = 3

-- Lets a group look at a file, or at the change. A failure is reported, and costs no findings of others.
local function attempt(change, group, what, look, ...)
  local ok, err = pcall(look, ...)
  if ok then return true end
  local message = type(err) == "table" and rawget(err, "message") or err
  change.notes[#change.notes + 1] = format("the rules about %s did not look at %s: %s", group.name, what,
    findings.visible(findings.clip(tostring(message), 200)))
  return false
end

local function look_at_files(change, group, report)
  local failures = 0
  for i, at in ipairs(change.views) do
    if not attempt(change, group, git.show_path(at.path, 120), group.look.file, at, report, change) then
      failures = failures + 1
    end
    if failures >= most_failures and i < #change.views then
      change.notes[#change.notes + 1] = format("the rules about %s did not look at %d more files", group.name,
        #change.views - i)
      return
    end
  end
end

local function look_at(change, report)
  for _, group in ipairs(catalog.groups) do
    if group.look.file then look_at_files(change, group, report) end
    if group.look.change then
      attempt(change, group, "the change as a whole", group.look.change, change, report)
    end
  end
end

local function judge(facts)
  local known = judged[facts]
  if known then return known end
  load_catalog()
  local change, list = require("rules.view").build(facts), {}
  look_at(change, reporter(list))
  for _, finding in ipairs(list) do
    if finding.more then
      finding.evidence = format("%s\n(and %d more of this kind in this file)", finding.evidence, finding.more)
    end
  end
  table.sort(list, order)
  known = { list = list, notes = change.notes }
  judged[facts] = known
  return known
end

local function for_lens(rule, lens)
  for _, name in ipairs(rule.lenses) do
    if name == lens then return true end
  end
  return false
end

-- A finding in the form in which reviewers return theirs.
local function as_returned(finding, lens)
  return {
    rule = finding.rule, file = finding.file or m.null, line = finding.line or m.null,
    severity = finding.severity, lens = lens, claim = findings.visible(findings.clip(finding.claim, 1000)),
    evidence = finding.evidence, fix = finding.fix, confidence = finding.confidence,
    status = finding.question and "unverified" or "open", reason = finding.question,
  }
end

--- The findings of one lens, by rules alone.
---@param lens string a short or long name of a lens
---@param facts moonlet.facts.Git better as `facts` completes them
---@return {findings: table[], notes: string[]}
function M.review(lens, facts)
  local name = M.lens(lens)
  if not name then
    error({ kind = "invalid", message = format("there is no lens '%s'", findings.clip(tostring(lens), 80)),
      hint = "the lenses are " .. table.concat(M.lenses, ", ") }, 0)
  end
  local known = judge(facts)
  local result = {}
  for _, finding in ipairs(known.list) do
    if for_lens(catalog.rules[finding.rule], name) and #result < most_in_all then
      result[#result + 1] = as_returned(finding, name)
    end
  end
  return { findings = m.array(result), notes = m.array { table.unpack(known.notes) } }
end

--- The rules by id: { lenses, severity, … }, for documentation and tests.
---@return table<string, table>
function M.catalog() return load_catalog().rules end

--- The facts of a review, with all that rules need: the change, the tree in which it was made, and the new text of
--- its files. For a path or glob the files themselves are reviewed, every line of them.
---@param ctx moonlet.Ctx
---@param target string as for `m.facts.git`
---@return moonlet.facts.Git
function M.facts(ctx, target) return require("rules.gather").facts(ctx, target) end

--- The reviewed texts of files, by path.
---@param ctx moonlet.Ctx
---@param facts moonlet.facts.Git
---@param wanted string[]
---@return table<string, string>
function M.texts(ctx, facts, wanted) return require("rules.gather").texts(ctx, facts, wanted) end

return M
