--- Rules about expressions that cannot mean what they say: assignments for comparisons, comparisons that are always
--- true, tests that never hold.

local block = require "rules.block"
local shape = require "moonlet.text"
local source = require "rules.source"

local find, format, gsub, match, sub = string.find, string.format, string.gsub, string.match, string.sub

local M = {}

M.rules = {
  ["assignment-in-condition"] = { lenses = { "correctness", "risks" }, severity = "high", confidence = 0.9,
    fix = "Compare with ==, or put the assignment on a line of its own." },
  ["always-true"] = { lenses = { "correctness" }, severity = "high", confidence = 0.9,
    fix = "Write out both comparisons." },
  ["none-comparison"] = { lenses = { "consistency", "correctness" }, severity = "low", confidence = 0.85,
    fix = "Use \"is None\" or \"is not None\"." },
  ["literal-identity"] = { lenses = { "correctness" }, severity = "high", confidence = 0.95,
    fix = "Compare values with ==." },
  ["not-a-number"] = { lenses = { "correctness" }, severity = "high", confidence = 0.95,
    fix = "Use Number.isNaN (or the language's own test)." },
  ["precedence"] = { lenses = { "correctness" }, severity = "high", confidence = 0.9,
    fix = "Put parentheses around what is to be negated." },
  ["string-identity"] = { lenses = { "correctness" }, severity = "medium", confidence = 0.85,
    fix = "Compare strings with equals." },
  ["typeof-word"] = { lenses = { "correctness" }, severity = "high", confidence = 0.95,
    fix = "Compare with a word that typeof can give." },
  ["assert-tuple"] = { lenses = { "correctness", "tests" }, severity = "high", confidence = 0.95,
    fix = "Take the parentheses away: assert condition, message." },
  ["mutable-default"] = { lenses = { "correctness", "risks" }, severity = "medium", confidence = 0.9,
    fix = "Default to None and make the value inside." },
  ["wrong-operator"] = { lenses = { "correctness" }, severity = "high", confidence = 0.85,
    fix = "Swap the two characters." },
}

local C_LIKE = shape.set "c cpp java csharp javascript typescript php objc vue svelte dart groovy"

-- Assignments in conditions ----------------------------------------------------------------------

local PART_OF_ANOTHER = "[=!<>+%-*/%%&|^~:?]"

-- A single = that is no part of another operator; returns the text on both sides.
local function single_assignment(text)
  local pos = 1
  while true do
    local at = find(text, "=", pos, true)
    if not at then return nil end
    local before, after = sub(text, at - 1, at - 1), sub(text, at + 1, at + 1)
    if at > 1 and not find(before, PART_OF_ANOTHER) and not find(after, "[=>~]") then
      return shape.trim(sub(text, 1, at - 1)), shape.trim(sub(text, at + 1))
    end
    pos = at + (after == "=" and 2 or 1)
  end
end

-- The parts of a condition between "and" and "or".
local function parts_of(condition)
  condition = gsub(gsub(condition, "&&", "\0"), "||", "\0")
  condition = gsub(gsub(condition, "%f[%w_]and%f[^%w_]", "\0"), "%f[%w_]or%f[^%w_]", "\0")
  return string.gmatch(condition, "%Z+")
end

local TARGET = "^!*%s*([%a_$@][%w_.$@%[%]]*)$"
local ARROW_TARGET = "^!*%s*([%a_][%w_.%->]*)$"
local FIXED = { "^%-?%d", "^['\"`]", "^true$", "^false$", "^null$", "^NULL$", "^nullptr$", "^nil$", "^:[%a_]",
  "^undefined$", "^None$", "^True$", "^False$" }
local NAME = "^[%w_.$@]+$"

-- The target of an assignment in a condition; nil if it has none, or may well mean it.
local function assigned_in(condition, names_too)
  if find(condition, "=>", 1, true) then return nil end
  for part in parts_of(condition) do
    local left, right = single_assignment(part)
    local target = left and (match(left, TARGET) or match(left, ARROW_TARGET))
    if target and (shape.any(right, FIXED) or names_too and find(right, NAME)) then return target end
  end
  return nil
end

local CONDITIONAL = { ["if"] = true, ["while"] = true, ["for"] = true, assert = true }

local function in_parentheses(view, n)
  local code = block.statement(view, n)
  for word, open in string.gmatch(code, "%f[%w_.$](%a+)%s*()%(") do
    local condition = CONDITIONAL[word] and source.parens(code, open)
    if condition and word == "for" then
      condition = match(condition, "^[^;]*;([^;]*);[^;]*$")
    elseif condition and find(condition, ";", 1, true) then
      condition = nil
    end
    -- Walking along a list assigns on purpose, and so do many loops and conditions of PHP.
    local names_too = word ~= "while" and word ~= "assert" and view.language ~= "php"
    local target = condition and assigned_in(condition, names_too)
    if target then return target end
  end
  return nil
end

local RUBY_CONDITIONS = { "^%s*if%s+(.-)%s*$", "^%s*elsif%s+(.-)%s*$", "^%s*unless%s+(.-)%s*$", "^%s*while%s+(.-)%s*$",
  "^%s*until%s+(.-)%s*$", "%S%s+if%s+(.-)%s*$", "%S%s+unless%s+(.-)%s*$" }
local BARE_CONDITIONS = {
  python = { "^%s*if%s+(.-)%s*:%s*$", "^%s*elif%s+(.-)%s*:%s*$", "^%s*while%s+(.-)%s*:%s*$" },
  go = { "^%s*if%s+([^;]-)%s*{%s*$", "^%s*}%s*else%s+if%s+([^;]-)%s*{%s*$" },
  rust = { "^%s*if%s+([^;]-)%s*{%s*$", "^%s*while%s+([^;]-)%s*{%s*$", "^%s*}%s*else%s+if%s+([^;]-)%s*{%s*$" },
}

-- In these languages it does not even compile, wherever it is written.
local function without_parentheses(view, n)
  local condition = shape.first((block.statement(view, n)), BARE_CONDITIONS[view.language])
  if not condition or find(condition, "%f[%w_]let%f[^%w_]") or find(condition, "lambda", 1, true) then return nil end
  condition = gsub(gsub(gsub(condition, "%b()", "()"), "%b[]", "[]"), "%b{}", "{}")
  for part in parts_of(condition) do
    local left = single_assignment(part)
    if left and left ~= "" then return left end
  end
  return nil
end

local function assignment(view, n, line, report)
  local target
  if C_LIKE[view.language] then
    target = in_parentheses(view, n)
  elseif view.language == "ruby" then
    local condition = shape.first(line.code, RUBY_CONDITIONS)
    target = condition and assigned_in(gsub(condition, "%s+then.*$", ""), false)
  elseif BARE_CONDITIONS[view.language] then
    target = without_parentheses(view, n)
  end
  if target then
    report("assignment-in-condition", view, n, format("The condition assigns to %s instead of comparing it.", target))
  end
end

local function swapped_operator(view, n, line, report)
  local code = line.code
  -- Without any space, as in x=+1, the sign belongs to the number.
  local swapped = find(code, "%f[%w_]if%s*%([^)]*[%w_)]%s*=!%s*[%w_(]") or find(code, "^%s*[%w_.]+%s+=%+%s*[%w_]")
    or find(code, "^%s*[%w_.]+=%+%s+[%w_]")
  if swapped and not find(code, "[=!<>]=!") and not find(code, "==%+") then
    report("wrong-operator", view, n, "The two characters of the operator are swapped: it assigns.")
  end
end

-- Conditions that always hold --------------------------------------------------------------------

-- x == "a" or "b" in Python.
local function constant_in_python(code)
  if not find(code, "==", 1, true) or not find(code, " or ", 1, true) then return false end
  return find(code, "^%s*[ew]?l?[hi][fi]l?e?%s.*==%s*[%w_\"'\1]+%s+or%s+[\"'%d][^=<>]*:%s*$")
    and not find(code, "%sor%s+[^:]*[=<>(%.]") and not find(code, "%sor%s+.*%sin%s")
end

local CONSTANT_OPERAND = "==%s*[%w_\"'\1.]+%s*||%s*[\"'%d][^|&=<>%(%.?]*%)$"

local function constant_part(view, n, line, report)
  local code, constant = line.code, false
  if view.language == "python" then
    constant = constant_in_python(code)
  elseif C_LIKE[view.language] then
    local condition = match(code, "%f[%w_]if%s*(%b())") or match(code, "%f[%w_]while%s*(%b())")
    constant = condition and find(condition, CONSTANT_OPERAND)
  end
  if constant then
    report("always-true", view, n, "The second operand is a constant, so the condition always holds.")
  end
end

-- Python -----------------------------------------------------------------------------------------

-- Object mappers and data frames give == None a meaning.
local MAPPED = { "filter", "where", "select", "query", "case(", "and_(", "or_(", ".c.", "df", "column", "having",
  "series", "frame" }

local function none_comparison(view, n, line, report)
  if find(line.code, "[!=]=%s*None%f[^%w_]") and not shape.word(line.code, MAPPED) then
    report("none-comparison", view, n, "The comparison with None asks the object, which may answer as it likes.")
  end
end

local LITERALS = { "%f[%w_]is%s+not%s+([\"'%d])", "%f[%w_]is%s+([\"'%d])", "%f[%w_]is%s+not%s+([%(%[{])%s*[%)%]%}]",
  "%f[%w_]is%s+([%[{])" }

local function literal_identity(view, n, line, report)
  if shape.any(line.code, LITERALS) and line.inside ~= "string" then
    report("literal-identity", view, n,
      "\"is\" compares identity, not value: with a literal the outcome depends on the interpreter.")
  end
end

-- True if a comma stands between the items of a list, and not inside one of them.
local function has_comma(inner)
  local depth = 0
  for char in string.gmatch(inner, "[%(%)%[%]{},]") do
    if char == "," then
      if depth == 0 then return true end
    else
      depth = depth + (find("([{", char, 1, true) and 1 or -1)
    end
  end
  return false
end

local function assert_tuple(view, n, line, report)
  local code = line.code
  if not find(code, "^%s*assert%s*%(.*,%s*[frb]?[\"'][^\"']*[\"']%s*%)%s*$") then return end
  local inner, stop = source.parens(code, find(code, "%("))
  if inner and find(sub(code, stop + 1), "^%s*$") and has_comma(inner) then
    report("assert-tuple", view, n, "The assertion is a tuple, and a tuple that is not empty is always true.")
  end
end

local SHARED_DEFAULTS = { "([%w_]+)[^,=]-=%s*%[%s*%]", "([%w_]+)[^,=]-=%s*{%s*}", "([%w_]+)[^,=]-=%s*list%(%)",
  "([%w_]+)[^,=]-=%s*dict%(%)", "([%w_]+)[^,=]-=%s*set%(%)" }

local function mutable_default(view, n, line, report)
  if not find(line.code, "^%s*a?s?y?n?c?%s*def%s") then return end
  local name = shape.first(match(block.statement(view, n), "%((.*)$") or "", SHARED_DEFAULTS)
  if name then
    report("mutable-default", view, n, format("The default of %s is made once and shared by all calls.", name))
  end
end

local function python_logic(view, n, line, report)
  none_comparison(view, n, line, report)
  literal_identity(view, n, line, report)
  assert_tuple(view, n, line, report)
  mutable_default(view, n, line, report)
end

-- JavaScript and Java ----------------------------------------------------------------------------

local TYPES = shape.set "undefined object boolean number bigint string symbol function"
local TYPEOF = "%f[%w_]typeof%s+[%w_.%[%]]+%s*[!=]==?%s*[\"']([^\"']*)[\"']"

local function javascript_logic(view, n, line, report)
  local code = line.code
  if find(code, "[!=]==?%s*NaN%f[^%w_]") then
    report("not-a-number", view, n, "NaN is equal to nothing, not even to itself: the comparison never holds.")
  end
  if find(code, "%f[%w_]if%s*%(%s*!%s*[%w_.]+%s+in%s") or find(code, "%(%s*!%s*[%w_.]+%s+instanceof%s") then
    report("precedence", view, n, "The ! binds first: its true or false is what is looked up, not what was meant.")
  end
  local word = find(code, TYPEOF) and match(line.text, TYPEOF)
  if word and not TYPES[word] then
    report("typeof-word", view, n, format("typeof never gives \"%s\": the comparison never holds.", word))
  end
end

local function java_strings(view, n, line, report)
  if find(line.code, "[%w_)%]]%s*[!=]=%s*\"[^\"]*\"") or find(line.code, "\"[^\"]*\"%s*[!=]=%s*[%w_]") then
    report("string-identity", view, n, "In Java == compares which object it is, not what the string says.")
  end
end

---@param view rules.View
function M.file(view, report)
  if view.generated or view.d.fixture or view.d.kind ~= "code" then return end
  local language = view.language
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and find(line.code, "%S") and #line.text < 1000 and line.inside ~= "string" then
      assignment(view, n, line, report)
      constant_part(view, n, line, report)
      if C_LIKE[language] then swapped_operator(view, n, line, report) end
      if language == "python" then python_logic(view, n, line, report) end
      if view.family == "javascript" then javascript_logic(view, n, line, report) end
      if language == "java" then java_strings(view, n, line, report) end
    end
  end
end

return M
