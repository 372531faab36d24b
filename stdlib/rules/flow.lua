--- Rules about the way through the code: what comes after the way out, bodies that a semicolon cut off, clean-up that
--- comes too late.

local source = require "moonlet.rules.source"
local V = require "moonlet.rules.view"

local find, match, sub = string.find, string.match, string.sub

local M = {}

M.rules = {
  ["unreachable"] = { lenses = { "correctness", "clarity" }, severity = "medium", confidence = 0.9,
    fix = "Take the code out, or move the way out below it." },
  ["empty-body"] = { lenses = { "correctness" }, severity = "high", confidence = 0.9,
    fix = "Take the semicolon away." },
  ["return-alone"] = { lenses = { "correctness" }, severity = "high", confidence = 0.9,
    fix = "Begin the value on the line of the return." },
  ["defer-in-loop"] = { lenses = { "performance", "risks" }, severity = "medium", confidence = 0.85,
    fix = "Close at the end of each round, or put the body into a function." },
}

local SEMICOLON = { c = true, cpp = true, java = true, csharp = true, php = true, objc = true, dart = true, rust = true,
  javascript = true, typescript = true, vue = true, svelte = true }
local OPTIONAL = { javascript = true, typescript = true, vue = true, svelte = true, go = true, kotlin = true,
  swift = true, groovy = true, scala = true }
local JS = { javascript = true, typescript = true, vue = true, svelte = true }

local function way_out(view, code)
  local word, rest = match(code, "^%s*(%a+)%f[^%w_](.*)$")
  if word == "return" or word == "throw" or word == "raise" or word == "continue" or word == "break" or word == "goto" then
    return word, rest
  end
  if view.language == "go" and find(code, "^%s*panic%(") then return "panic", rest end
  if (view.language == "python" and find(code, "^%s*sys%.exit%(")) or (JS[view.language] and find(code, "^%s*process%.exit%(")) then
    return "exit", rest
  end
  return nil
end

-- Whether the statement that begins on this line ends on it.
local function complete(view, code, rest)
  if not source.balanced(code) then return false end
  if SEMICOLON[view.language] and find(code, ";%s*$") then return true end
  if view.language == "python" then return not find(code, "\\%s*$") end
  if OPTIONAL[view.language] then
    return not find(rest, "[%+%-*/%%&|^=<>?:,.({%[]%s*$") and not find(code, "\\%s*$")
  end
  return false
end

local function unreachable(view, n, line, report)
  local word, rest = way_out(view, line.code)
  if not word or not complete(view, line.code, rest) then return end
  if view.language == "go" and word == "return" and find(rest, "{%s*$") then return end
  -- "return x if y" and its like leave only sometimes.
  if view.language == "ruby" or view.language == "perl" then return end
  local following, at = V.next_code(view, n, 6)
  if not following or following.inside then return end
  if V.indent(following.text) ~= V.indent(line.text) then return end
  local code = following.code
  if find(code, "^%s*[})%]#@?.&|+:*,]") or find(code, "^%s*case%f[^%w_]") or find(code, "^%s*default%f[^%w_]") then return end
  if find(code, "^%s*else") or find(code, "^%s*elif") or find(code, "^%s*except") or find(code, "^%s*finally")
    or find(code, "^%s*catch") or find(code, "^%s*[%w_]+:%s*$") or find(code, "^%s*[%w_]+:[^:=]") or find(code, "^%s*end%f[^%w_]") then return end
  -- Functions and types are there wherever they stand.
  if find(code, "^%s*a?s?y?n?c?%s*function") or find(code, "^%s*type%s") or find(code, "^%s*interface%s") or find(code, "^%s*class%s")
    or find(code, "^%s*public") or find(code, "^%s*private") or find(code, "^%s*protected") or find(code, "^%s*static") or find(code, "^%s*def%s")
    or find(code, "^%s*fn%s") or find(code, "^%s*pub%s") or find(code, "^%s*export%s") or find(code, "^%s*func%s") or find(code, "^%s*async%s+def") then
    return
  end
  -- The body of an "if" without braces.
  local before = V.previous_code(view, n, 4)
  if before and not find(before.code, "[;{}]%s*$") and view.language ~= "python" and view.language ~= "go" then
    if find(before.code, "%)%s*$") or find(before.code, "%f[%w_]else%s*$") or find(before.code, "%f[%w_]do%s*$")
      or find(before.code, "=>%s*$") or find(before.code, "[,(&|?+]%s*$") then
      return
    end
  end
  if view.language == "python" and word == "return" and V.indent(line.text) == 0 then return end
  -- A yield after the return makes a generator of the function.
  if find(code, "^%s*yield%f[^%w_]") then return end
  local place = following.added and at or n
  report("unreachable", view, place, "This code is never reached: the line before it has left already.",
    { evidence = match(line.text, "^%s*(.-)%s*$"):sub(1, 120) .. "\n" .. match(following.text, "^%s*(.-)%s*$"):sub(1, 120) })
end

local function empty_body(view, n, line, report)
  local code = line.code
  local at = find(code, "%f[%w_]if%s*%(") or find(code, "^%s*for%s*%(")
  if not at then return end
  local open = find(code, "(", at, true)
  local condition, stop = source.parens(code, open)
  if not condition then return end
  local rest = sub(code, stop + 1)
  if find(rest, "^%s*;%s*$") then
    local following = V.next_code(view, n, 2)
    if following and (find(following.code, "^%s*{") or V.indent(following.text) > V.indent(line.text)) then
      report("empty-body", view, n, "The semicolon ends the statement: what follows runs in any case.")
    end
  elseif find(rest, "^%s*;%s*{") then
    report("empty-body", view, n, "The semicolon ends the statement: what follows runs in any case.")
  end
end

local function return_alone(view, n, line, report)
  if not find(line.code, "^%s*return%s*$") then return end
  local following = view.lines[n + 1]
  if not following or following.inside then return end
  if V.indent(following.text) > V.indent(line.text) and find(following.code, "^%s*[%w_$({%[\"'`<]") then
    local before = V.previous_code(view, n, 2)
    if before and find(before.code, "%f[%w_]if%s*%(.*%)%s*$") then return end
    report("return-alone", view, n, "The return ends with its line: it gives undefined, not the value below.")
  end
end

-- Whether a loop of the same function is open around line n.
local function in_go_loop(view, n)
  local indent = V.indent(view.lines[n].text)
  for i = n - 1, math.max(1, n - 60), -1 do
    local line = view.lines[i]
    if not line then return false end
    if find(line.code, "%S") then
      local width = V.indent(line.code)
      if width < indent then
        if find(line.code, "%f[%w_]func%f[^%w_]") then return false end
        if find(line.code, "^%s*for%f[^%w_]") then return true end
        indent = width
      end
    end
  end
  return false
end

---@param view moonlet.rules.View
function M.file(view, report)
  if view.generated or view.d.fixture or view.d.kind ~= "code" then return end
  local language = view.language
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if find(line.code, "%S") and not line.inside and #line.text < 1000 then
      if language == "python" or SEMICOLON[language] or OPTIONAL[language] then
        unreachable(view, n, line, report)
        -- A way out that was put in above old code.
        local before, at = V.previous_code(view, n, 3)
        if before and not before.added and not line.moved then unreachable(view, at, before, report) end
      end
      if SEMICOLON[language] and language ~= "rust" then empty_body(view, n, line, report) end
      if JS[language] then return_alone(view, n, line, report) end
      if language == "go" and find(line.code, "^%s*defer%s+[%w_.]+%(") and not view.test and in_go_loop(view, n) then
        report("defer-in-loop", view, n, "defer runs when the function ends, not when the round ends: in a loop it piles up.")
      end
    end
  end
end

return M
