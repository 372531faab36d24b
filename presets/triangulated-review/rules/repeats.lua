--- Rules about repetitions: both sides of a comparison, a condition of one chain, a line, a key.

local shape = require "moonlet.text"
local V = require "rules.view"

local find, format, gsub, match, sub = string.find, string.format, string.gsub, string.match, string.sub

local M = {}

M.rules = {
  ["same-operands"] = { lenses = { "correctness" }, severity = "medium", confidence = 0.85,
    fix = "One of the two sides was meant to be something else." },
  ["repeated-condition"] = { lenses = { "correctness", "clarity" }, severity = "medium", confidence = 0.9,
    fix = "The second branch can never be taken: change its condition, or take it out." },
  ["repeated-line"] = { lenses = { "correctness", "clarity" }, severity = "low", confidence = 0.75,
    fix = "Take one of them out, or change what was meant to differ." },
  ["repeated-key"] = { lenses = { "correctness", "consistency" }, severity = "medium", confidence = 0.9,
    fix = "Only the last one counts: take the other out." },
}

-- Both sides -------------------------------------------------------------------------------------

local NAME = "([%a_$][%w_.$]*)"
local OPERATORS = {}
for i, operator in ipairs { "===", "!==", "==", "!=", "&&", "||", "<=", ">=" } do
  OPERATORS[i] = { operator, format("%%f[%%w_$@]()%s%%s*%s%%s*%s%%s*()", NAME, shape.plain(operator), NAME) }
end

local function same_sides(view, n, line, report)
  local code = line.code
  for _, item in ipairs(OPERATORS) do
    local operator = item[1]
    local at, left, right, after = match(code, item[2])
    if left and left == right and left ~= "true" then
      local before = match(sub(code, 1, at - 1), "(%S)%s*$") or "("
      local following = sub(code, after, after)
      local alone = find(before, "[({,;&|=:?!]") and (following == "" or find(following, "[)};,&|?:{]"))
        and not find(code, "^::", after) and not find(code, "^%)%.%.%.", after)
      -- x != x is how some ask for NaN.
      if alone and sub(operator, 1, 2) ~= "!=" and not find(line.text, "NaN", 1, true) then
        report("same-operands", view, n, format("Both sides of %s are %s.", operator, left))
        return
      end
    end
  end
end

local WORDY = shape.set "python ruby lua"
local AND = "%f[%w_]([%a_][%w_.]*)%s+and%s+([%a_][%w_.]*)%s*[:)]?%s*t?h?e?n?%s*$"
local OR = "%f[%w_]([%a_][%w_.]*)%s+or%s+([%a_][%w_.]*)%s*[:)]?%s*t?h?e?n?%s*$"

local function same_words(view, n, line, report)
  local left, right = shape.first(line.code, { AND, OR })
  if left and left == right and find(line.code, "^%s*[iewr]") then
    report("same-operands", view, n, format("Both sides are %s.", left))
  end
end

-- Conditions -------------------------------------------------------------------------------------

local BRACES = shape.set "c cpp java csharp javascript typescript php objc vue svelte dart groovy"

-- The indent and the condition of an else-if.
local function else_if(view, code)
  local language = view.language
  if language == "python" then return match(code, "^(%s*)elif%s+(.-):%s*$") end
  if language == "lua" or language == "ruby" then return match(code, "^(%s*)els[ei]*f%s+(.-)%s*$") end
  if BRACES[language] then return match(code, "^(%s*)}?%s*else%s+if%s*(%b())") end
  if language == "go" or language == "rust" then return match(code, "^(%s*)}?%s*else%s+if%s+(.-)%s*{%s*$") end
  return nil
end

local function asks(line, raw)
  return find(line.code, "^%s*}?%s*e?l?s?e?%s*if%f[^%w_]") and match(line.text, "if%s*(.*)$") == raw
    and not find(line.code, "[%w_)]%s*%(%s*%)")
end

local function chain(view, n, line, report)
  local lead = else_if(view, line.code)
  if not lead then return end
  local raw, width = match(line.text, "if%s*(.*)$"), V.indent(lead)
  for i = n - 1, math.max(1, n - 60), -1 do
    local before = view.lines[i]
    if not before then return end
    local indent = V.indent(before.code)
    if find(before.code, "%S") and not before.inside and indent <= width then
      if indent < width then return end
      if asks(before, raw) then
        report("repeated-condition", view, n, format("The same condition was asked before, in line %d.", i))
        return
      end
      if find(before.code, "^%s*if%f[^%w_]") or not find(before.code, "^%s*[}e]") then return end
    end
  end
end

-- Lines ------------------------------------------------------------------------------------------

local IMPORTS = { "^import%s", "^from%s+[%w_.]+%s+import", "^#include", "^use%s", "^const%s.*=%s*require%(" }

-- The same assignment, import or return twice in a row. Calls may be meant to run twice, and a list may hold a value
-- twice.
local function repeated_line(view, n, line, report)
  local before = view.lines[n - 1]
  if #shape.trim(line.text) < 12 or line.inside or not before or before.text ~= line.text or not before.added then
    return
  end
  local code = shape.trim(line.code)
  local pure = find(code, "^[%w_.$%[%]]+%s*=[^=]") and not find(code, "[%(+%-]") and not find(code, ",%s*$")
  if pure or shape.any(code, IMPORTS) or find(code, "^return%f[^%w_]") then
    report("repeated-line", view, n, "The line repeats the one before it.")
  end
end

-- Keys -------------------------------------------------------------------------------------------

local KEYED = shape.set "python javascript typescript json yaml"

local function key_of(view, line)
  local text, language = line.text, view.language
  if line.inside or #text > 400 then return nil end
  if language == "yaml" then
    return match(text, "^%s*([%w_][%w_.-]*):%s") or match(text, "^%s*([%w_][%w_.-]*):$")
  end
  local quoted = match(text, "^%s*(\"[%w_ .@/-]+\")%s*:%s*%S") or match(text, "^%s*('[%w_ .@/-]+')%s*:%s*%S")
  if quoted then return quoted end
  -- Types may say a member twice, and labels are no keys.
  local bare = language == "javascript" and match(text, "^%s*([%a_$][%w_$]*):%s*%S.*,%s*$")
  return bare and bare ~= "default" and bare or nil
end

local NO_KEY = { "^%s*%-", "^%s*[}%])]" }

-- A list item of YAML sets the indent of the keys that follow its first.
local function open_item(open, n, text)
  local dash = match(text, "^(%s*%-%s+)")
  if not dash then return end
  local first = match(text, "^([%w_][%w_.-]*):", #dash + 1)
  open[#dash] = first and { [first] = n } or {}
end

local function numbers_of(view)
  local numbers = {}
  for n in pairs(view.lines) do numbers[#numbers + 1] = n end
  table.sort(numbers)
  return numbers
end

local function note_key(view, open, n, line, report)
  local indent, key = V.indent(line.text), key_of(view, line)
  for width in pairs(open) do
    if width > indent then open[width] = nil end
  end
  if not key or shape.any(line.text, NO_KEY) then
    open[indent] = nil
    if view.language == "yaml" then open_item(open, n, line.text) end
    return
  end
  local keys = open[indent] or {}
  open[indent] = keys
  local other = keys[key]
  if other and (line.added or view.lines[other].added) then
    report("repeated-key", view, line.added and n or other, format("The key %s stands twice, here and in line %d.",
      gsub(key, "[\"']", ""), line.added and other or n))
  end
  keys[key] = n
end

-- A key that stands twice in one literal: lines of the same indent with nothing shallower between.
local function repeated_keys(view, report)
  local open, last = {}, nil
  for _, n in ipairs(numbers_of(view)) do
    local line = view.lines[n]
    -- A template chooses between the keys below it.
    if last and last ~= n - 1 or find(line.text, "^%s*{{") then open = {} end
    last = n
    if find(line.text, "%S") and not find(line.text, "^%s*#") and not find(line.text, "^%s*//")
      and not find(line.text, "^%s*{{") then
      note_key(view, open, n, line, report)
    end
  end
end

---@param view rules.View
function M.file(view, report)
  if view.generated or view.d.fixture then return end
  local code = view.d.kind == "code"
  if KEYED[view.language] and (code or view.d.kind == "config") then repeated_keys(view, report) end
  if not code then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and find(line.code, "%S") and #line.text < 1000 and line.inside ~= "string" then
      chain(view, n, line, report)
      if not view.test then
        same_sides(view, n, line, report)
        if WORDY[view.language] then same_words(view, n, line, report) end
        repeated_line(view, n, line, report)
      end
    end
  end
end

return M
