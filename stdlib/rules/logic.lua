--- Rules about expressions that cannot mean what they say: assignments for comparisons, comparisons that are always
--- true, conditions asked twice, indexes one too far.

local source = require "moonlet.rules.source"
local V = require "moonlet.rules.view"

local find, format, gsub, match, sub = string.find, string.format, string.gsub, string.match, string.sub

local M = {}

M.rules = {
  ["assignment-in-condition"] = { lenses = { "correctness", "risks" }, severity = "high", confidence = 0.9,
    fix = "Compare with ==, or put the assignment on a line of its own." },
  ["always-true"] = { lenses = { "correctness" }, severity = "high", confidence = 0.9,
    fix = "Write out both comparisons." },
  ["same-operands"] = { lenses = { "correctness" }, severity = "medium", confidence = 0.85,
    fix = "One of the two sides was meant to be something else." },
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
  ["off-by-one"] = { lenses = { "correctness" }, severity = "high", confidence = 0.85,
    fix = "Stop before the length, not at it." },
  ["repeated-condition"] = { lenses = { "correctness", "clarity" }, severity = "medium", confidence = 0.9,
    fix = "The second branch can never be taken: change its condition, or take it out." },
  ["repeated-line"] = { lenses = { "correctness", "clarity" }, severity = "low", confidence = 0.75,
    fix = "Take one of them out, or change what was meant to differ." },
  ["repeated-key"] = { lenses = { "correctness", "consistency" }, severity = "medium", confidence = 0.9,
    fix = "Only the last one counts: take the other out." },
  ["wrong-operator"] = { lenses = { "correctness" }, severity = "high", confidence = 0.85,
    fix = "Swap the two characters." },
}

local JS = { javascript = true, typescript = true, vue = true, svelte = true, astro = true }
local C_LIKE = { c = true, cpp = true, java = true, csharp = true, javascript = true, typescript = true, php = true,
  objc = true, vue = true, svelte = true, dart = true, groovy = true }

-- A single = that is no part of another operator; gives what stands on both sides.
local function single_assignment(text)
  local pos = 1
  while true do
    local at = find(text, "=", pos, true)
    if not at then return nil end
    local before, after = sub(text, at - 1, at - 1), sub(text, at + 1, at + 1)
    if at > 1 and not find(before, "[=!<>+%-*/%%&|^~:?%[]") and not find(after, "[=>~]") then
      return sub(text, 1, at - 1), sub(text, at + 1)
    end
    pos = at + (after == "=" and 2 or 1)
    if sub(text, pos, pos) == "=" then pos = pos + 1 end
  end
end

local function assignment(view, n, line, report)
  local code = line.code
  local pos = 1
  while true do
    local at, stop, word = find(code, "%f[%w_](%a+)%s*%(", pos)
    if not at then return end
    pos = stop
    if word == "if" or word == "while" then
      local condition = source.parens(code, stop)
      local left, right = single_assignment(condition or "")
      if left and not find(condition, ";", 1, true) and not find(left, "[({]") and not find(condition, "=>", 1, true) then
        local target = match(left, "^%s*([%w_.$%->%[%]]+)%s*$") or match(left, "[&|!]%s*([%w_.$%->%[%]]+)%s*$")
        local declared = find(left, "^%s*[%w_:<>]+[%s*&]+[%w_]+%s*$")
        local literal = find(right, "^%s*[%w_.$'\"\1\\%-]+%s*$") or find(right, "^%s*[%w_.$'\"\1\\]+%s*[&|]+")
        local fixed = find(right, "^%s*[%d'\"]") or find(right, "^%s*true%f[^%w_]") or find(right, "^%s*false%f[^%w_]")
          or find(right, "^%s*null%f[^%w_]") or find(right, "^%s*NULL%f[^%w_]") or find(right, "^%s*nullptr")
        local walk = word == "while" or view.language == "php"
        if target and not declared and (fixed or (literal and not walk)) and not find(right, "==", 1, true) then
          report("assignment-in-condition", view, n,
            format("The condition assigns to %s instead of comparing it.", target))
          return
        end
      end
    end
  end
end

-- for i in range(len(x)) with x[i + 1] in its body and nothing that stops before the end.
local function next_one(view, n, line, report)
  local var, list = match(line.code, "for%s+([%w_]+)%s+in%s+range%(%s*len%(([%w_.]+)%)%s*%)%s*:")
  if not var then return end
  local width = V.indent(line.code)
  local ahead = gsub(list, "%.", "%%.") .. "%[%s*" .. var .. "%s*%+%s*1%s*%]"
  for i = n + 1, n + 12 do
    local later = view.lines[i]
    if not later then return end
    if find(later.code, "%S") then
      if V.indent(later.code) <= width or find(later.code, "%f[%w_]if%f[^%w_]") or find(later.code, "%f[%w_]try%f[^%w_]")
        or find(later.code, "%f[%w_]while%f[^%w_]") or find(later.code, "%f[%w_]break%f[^%w_]") then
        return
      end
      if find(later.code, ahead) then
        report("off-by-one", view, later.added and i or n,
          format("In the last round %s[%s + 1] is one past the end.", list, var))
        return
      end
    end
  end
end

-- Object mappers and data frames give == None a meaning.
local MAPPED = { "filter", "where", "select", "query", "case(", "and_(", "or_(", ".c.", "df", "column", "having",
  "series", "frame" }

local function mapped(code)
  for _, word in ipairs(MAPPED) do
    if find(code, word, 1, true) then return true end
  end
  return false
end

local function python_logic(view, n, line, report)
  local code, text = line.code, line.text
  if find(code, "[!=]=%s*None%f[^%w_]") and not mapped(code) then
    report("none-comparison", view, n, "The comparison with None asks the object, which may answer as it likes.")
  end
  local literal = match(code, "%f[%w_]is%s+not%s+([\"'%d])") or match(code, "%f[%w_]is%s+([\"'%d])")
    or match(code, "%f[%w_]is%s+not%s+([%(%[{])%s*[%)%]}]") or match(code, "%f[%w_]is%s+([%[{])")
  if literal and line.inside ~= "string" then
    report("literal-identity", view, n, "\"is\" compares identity, not value: with a literal the outcome depends on the interpreter.")
  end
  if find(code, "^%s*assert%s*%(.*,%s*[frb]?[\"'][^\"']*[\"']%s*%)%s*$") then
    local inner, stop = source.parens(code, find(code, "%("))
    if inner and stop and find(sub(code, stop + 1), "^%s*$") then
      local depth, comma = 0, false
      for char in string.gmatch(inner, "[%(%)%[%]{},]") do
        if find("([{", char, 1, true) then depth = depth + 1 elseif char == "," then comma = comma or depth == 0
        else depth = depth - 1 end
      end
      if comma then
        report("assert-tuple", view, n, "The assertion is a tuple, and a tuple that is not empty is always true.")
      end
    end
  end
  if find(code, "^%s*a?s?y?n?c?%s*def%s") then
    local args = match(code, "%((.*)$") or ""
    local name = match(args, "([%w_]+)[^,=]-=%s*%[%s*%]") or match(args, "([%w_]+)[^,=]-=%s*{%s*}")
      or match(args, "([%w_]+)[^,=]-=%s*list%(%)") or match(args, "([%w_]+)[^,=]-=%s*dict%(%)") or match(args, "([%w_]+)[^,=]-=%s*set%(%)")
    if name then
      report("mutable-default", view, n, format("The default of %s is made once and shared by all calls.", name))
    end
  end
  if find(text, "range%(%s*len%([%w_.]+%)%s*%+%s*1%s*%)") then
    local var, list = match(code, "for%s+([%w_]+)%s+in%s+range%(%s*len%(([%w_.]+)%)")
    for i = n, n + 4 do
      local later = view.lines[i]
      if later and var and find(later.code, list:gsub("%.", "%%.") .. "%[%s*" .. var .. "%s*%]") then
        report("off-by-one", view, n, format("The loop reaches %s[len(%s)], which is one too far.", list, list))
        break
      end
    end
  end
  next_one(view, n, line, report)
  local list = match(code, "%f[%w_]([%w_.]+)%[%s*len%(%s*[%w_.]+%s*%)%s*%]")
  if list and list == match(code, "%f[%w_][%w_.]+%[%s*len%(%s*([%w_.]+)%s*%)%s*%]")
    and not find(code, "%[%s*len%(%s*[%w_.]+%s*%)%s*%]%s*=[^=]") then
    report("off-by-one", view, n, format("%s[len(%s)] is one past the end.", list, list))
  end
end

local TYPES = { undefined = true, object = true, boolean = true, number = true, bigint = true, string = true,
  symbol = true, ["function"] = true }

local function js_logic(view, n, line, report)
  local code, text = line.code, line.text
  if find(code, "[!=]==?%s*NaN%f[^%w_]") then
    report("not-a-number", view, n, "NaN is equal to nothing, not even to itself: the comparison never holds.")
  end
  if find(code, "%f[%w_]if%s*%(%s*!%s*[%w_.]+%s+in%s") or find(code, "%(%s*!%s*[%w_.]+%s+instanceof%s") then
    report("precedence", view, n, "The ! binds first: its true or false is what is looked up, not what was meant.")
  end
  local at = find(code, "%f[%w_]typeof%s+[%w_.%[%]]+%s*[!=]==?%s*[\"']")
  local word = at and match(sub(text, at), "^typeof%s+[%w_.%[%]]+%s*[!=]==?%s*[\"']([^\"']*)[\"']")
  if word and not TYPES[word] then
    report("typeof-word", view, n, format("typeof never gives \"%s\": the comparison never holds.", word))
  end
end

-- for (i = 0; i <= list.length; i++) with list[i] in its body.
local function loop_bounds(view, n, line, report)
  local code = line.code
  local var, bound = match(code, "for%s*%(?[^;]-%f[%w_$]([%w_$]+)%s*:?=%s*0%s*;%s*[%w_$]+%s*<=%s*([^;]+);")
  if not var or not find(code, ";%s*" .. var:gsub("%$", "%%$") .. "%s*<=") then return end
  bound = match(bound, "^%s*(.-)%s*$")
  local list = match(bound, "^([%w_$.]+)%.length$") or match(bound, "^([%w_.%->]+)%.size%(%)$") or match(bound, "^len%(([%w_.]+)%)$")
    or match(bound, "^([%w_.]+)%.Length$") or match(bound, "^([%w_.]+)%.Count$") or match(bound, "^([%w_.]+)%.length%(%)$")
    or match(bound, "^count%((%$[%w_]+)%)$") or match(bound, "^strlen%(([%w_]+)%)$")
  if not list or find(bound, "strlen") then
    -- An array of C whose size is a name or number.
    local size = match(bound, "^([%u_][%u%d_]+)$") or match(bound, "^(%d+)$")
    if not size or not (view.language == "c" or view.language == "cpp") then return end
    for i = math.max(1, n - 12), n - 1 do
      local before = view.lines[i]
      local array = before and match(before.code, "([%w_]+)%[%s*" .. size .. "%s*%]%s*[;=]")
      if array then
        for k = n, n + 5 do
          local later = view.lines[k]
          if later and find(later.code, "%f[%w_]" .. array .. "%[%s*" .. var .. "%s*%]") then
            report("off-by-one", view, n, format("The loop reaches %s[%s], which is one too far.", array, size))
            return
          end
        end
      end
    end
    return
  end
  local plain = gsub(list, "[%-%.%$]", "%%%0")
  for i = n, n + 6 do
    local later = view.lines[i]
    if not later then break end
    if find(later.code, plain .. "%[%s*" .. var:gsub("%$", "%%$") .. "%s*%]") or find(later.code, plain .. "%.get%(%s*" .. var .. "%s*%)")
      or find(later.code, plain .. "%.charAt%(%s*" .. var .. "%s*%)") or find(later.code, plain .. "%.at%(%s*" .. var .. "%s*%)") then
      report("off-by-one", view, n, format("The loop reaches %s[%s], which is one too far.", list, bound))
      return
    end
  end
end

-- a == a, a && a, a - a: both sides plain and the same.
local function same_sides(view, n, line, report)
  local code = line.code
  for _, operator in ipairs { "===", "!==", "==", "!=", "&&", "||", "<=", ">=" } do
    local escaped = gsub(operator, "%p", "%%%0")
    local left, right, after = match(code, "%f[%w_$@]([%a_$][%w_.$]*)%s*" .. escaped .. "%s*([%a_$][%w_.$]*)%s*()")
    if left and left == right then
      local at = find(code, left, 1, true)
      local before = match(sub(code, 1, at - 1), "(%S)%s*$") or "("
      local following = sub(code, after, after)
      local clean = find(before, "[({,;&|=:?!]") and (following == "" or find(following, "[)};,&|?:{]"))
      -- x != x is how some ask for NaN.
      if clean and not find(operator, "^!=") and not find(line.text, "NaN", 1, true) and left ~= "true" then
        report("same-operands", view, n, format("Both sides of %s are %s.", operator, left))
        return
      end
    end
  end
  if view.language == "python" or view.language == "ruby" or view.language == "lua" then
    local left, right = match(code, "%f[%w_]([%a_][%w_.]*)%s+and%s+([%a_][%w_.]*)%s*[:)]?%s*t?h?e?n?%s*$")
    if not left then left, right = match(code, "%f[%w_]([%a_][%w_.]*)%s+or%s+([%a_][%w_.]*)%s*[:)]?%s*$") end
    if left and left == right and find(code, "^%s*[iewr]") then
      report("same-operands", view, n, format("Both sides are %s.", left))
    end
  end
end

local function constant_part(view, n, line, report)
  local code = line.code
  local constant
  if view.language == "python" then
    constant = find(code, "^%s*[ew]?l?[hi][fi]l?e?%s.*==%s*[%w_\"'\1]+%s+or%s+[\"'%d][^=<>]*:%s*$")
      and not find(code, "%sor%s+[^:]*[=<>(%.]") and not find(code, "%sor%s+.*%sin%s")
  elseif C_LIKE[view.language] then
    local condition = match(code, "%f[%w_]if%s*(%b())") or match(code, "%f[%w_]while%s*(%b())")
    constant = condition and find(condition, "==%s*[%w_\"'\1.]+%s*||%s*[\"'%d][^|&=<>%(%.?]*%)$")
  end
  if constant then
    report("always-true", view, n, "The second operand is a constant, so the condition always holds.")
  end
end

local function java_strings(view, n, line, report)
  if find(line.code, "[%w_)%]]%s*[!=]=%s*\"[^\"]*\"") or find(line.code, "\"[^\"]*\"%s*[!=]=%s*[%w_]") then
    report("string-identity", view, n, "In Java == compares which object it is, not what the string says.")
  end
end

local function swapped_operator(view, n, line, report)
  local code = line.code
  if find(code, "%f[%w_]if%s*%([^)]*[%w_)]%s*=!%s*[%w_(]") or find(code, "^%s*[%w_.]+%s*=%+%s*[%w_]") then
    if not find(code, "[=!<>]=!") and not find(code, "==%+") then
      report("wrong-operator", view, n, "The two characters of the operator are swapped: it assigns.")
    end
  end
end

-- Conditions of one chain of if and else-if.
local function chain(view, n, line, report)
  local code = line.code
  local condition, lead
  if view.language == "python" then
    lead, condition = match(code, "^(%s*)elif%s+(.-):%s*$")
  elseif view.language == "lua" or view.language == "ruby" then
    lead, condition = match(code, "^(%s*)els[ei]*f%s+(.-)%s*$")
  elseif C_LIKE[view.language] then
    lead, condition = match(code, "^(%s*)}?%s*else%s+if%s*(%b())")
  elseif view.language == "go" or view.language == "rust" then
    lead, condition = match(code, "^(%s*)}?%s*else%s+if%s+(.-)%s*{%s*$")
  end
  if not condition then return end
  local raw = match(line.text, "if%s*(.*)$")
  local width = V.indent(lead)
  for i = n - 1, math.max(1, n - 60), -1 do
    local before = view.lines[i]
    if not before then return end
    local text = before.code
    if find(text, "%S") and not before.inside then
      local indent = V.indent(text)
      if indent < width then return end
      if indent == width then
        local other = match(before.text, "if%s*(.*)$")
        if other and find(text, "^%s*}?%s*e?l?s?e?%s*if%f[^%w_]") and other == raw and not find(text, "[%w_)]%s*%(%s*%)") then
          report("repeated-condition", view, n, format("The same condition was asked before, in line %d.", i))
          return
        end
        if find(text, "^%s*if%f[^%w_]") or not find(text, "^%s*[}e]") then return end
      end
    end
  end
end

-- The same assignment or test twice in a row says the same thing twice.
local function repeated(view, n, line, report)
  local text = match(line.text, "^%s*(.-)%s*$")
  if #text < 12 or line.inside then return end
  local before = view.lines[n - 1]
  if not before or before.text ~= line.text or not before.added then return end
  local code = match(line.code, "^%s*(.-)%s*$")
  -- Calls may be meant to run twice, and what lists values may list one twice.
  local pure = find(code, "^[%w_.$%[%]]+%s*=[^=]") and not find(code, "[%(+%-]") and not find(code, ",%s*$")
  local import = find(code, "^import%s") or find(code, "^from%s+[%w_.]+%s+import") or find(code, "^#include") or find(code, "^use%s")
    or find(code, "^const%s.*=%s*require%(")
  local returns = find(code, "^return%f[^%w_]")
  if pure or import or returns then
    report("repeated-line", view, n, "The line repeats the one before it.")
  end
end

-- A key that stands twice in one literal: lines of the same indent with nothing shallower between.
local KEYED = { python = true, javascript = true, typescript = true, json = true, yaml = true, ruby = true }

local function key_of(view, line)
  local text = line.text
  local language = view.language
  if line.inside or #text > 400 then return nil end
  if language == "yaml" then
    return match(text, "^%s*([%w_][%w_.-]*):%s") or match(text, "^%s*([%w_][%w_.-]*):$")
  end
  local key = match(text, "^%s*(\"[%w_ .@/-]+\")%s*:%s*%S") or match(text, "^%s*('[%w_ .@/-]+')%s*:%s*%S")
  if key and language ~= "ruby" then return key end
  if language == "javascript" or language == "typescript" then
    key = match(text, "^%s*([%a_$][%w_$]*):%s*%S.*,%s*$")
    -- Types may say a member twice, and labels are no keys.
    if key and language == "javascript" and key ~= "default" then return key end
  end
  return nil
end

local function repeated_keys(view, report)
  if not KEYED[view.language] then return end
  local open = {}
  local last
  local numbers = {}
  for n in pairs(view.lines) do numbers[#numbers + 1] = n end
  table.sort(numbers)
  for _, n in ipairs(numbers) do
    local line = view.lines[n]
    if last and last ~= n - 1 then open = {} end
    last = n
    local text = line.text
    if find(text, "^%s*{{") then
      -- A template chooses between the keys below.
      open = {}
    elseif find(text, "%S") and not find(text, "^%s*#") and not find(text, "^%s*//") then
      local indent = V.indent(text)
      for width in pairs(open) do
        if width > indent then open[width] = nil end
      end
      local key = key_of(view, line)
      local fresh = find(text, "^%s*%-") or find(text, "^%s*[}%])]") or find(text, "^%-%-%-") or not key
      if fresh then
        open[indent] = nil
        -- A list item sets the indent of the keys that follow its first.
        local dash = match(text, "^(%s*%-%s+)")
        if dash and view.language == "yaml" then
          open[#dash] = {}
          local first = match(sub(text, #dash + 1), "^([%w_][%w_.-]*):")
          if first then open[#dash][first] = n end
        end
      elseif key then
        local keys = open[indent] or {}
        open[indent] = keys
        local other = keys[key]
        if other and (line.added or view.lines[other].added) then
          report("repeated-key", view, line.added and n or other,
            format("The key %s stands twice, here and in line %d.", gsub(key, "[\"']", ""), line.added and other or n))
        end
        keys[key] = n
      end
    end
  end
end

---@param view moonlet.rules.View
function M.file(view, report)
  if view.generated or view.d.fixture then return end
  if view.d.kind == "config" or view.d.kind == "code" then repeated_keys(view, report) end
  if view.d.kind ~= "code" then return end
  local language = view.language
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and find(line.code, "%S") and #line.text < 1000 and line.inside ~= "string" then
      if C_LIKE[language] then
        assignment(view, n, line, report)
        swapped_operator(view, n, line, report)
      end
      if language == "python" then python_logic(view, n, line, report) end
      if JS[language] then js_logic(view, n, line, report) end
      if language == "java" then java_strings(view, n, line, report) end
      if C_LIKE[language] or language == "go" then loop_bounds(view, n, line, report) end
      if not view.test then same_sides(view, n, line, report) end
      constant_part(view, n, line, report)
      chain(view, n, line, report)
      if not view.test then repeated(view, n, line, report) end
    end
  end
end

return M
