--- Rules about the way through the code: unreachable code, bodies that a semicolon cut off, clean-up that comes too
--- late.

local shape = require "moonlet.text"
local source = require "rules.source"
local V = require "rules.view"

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

local SEMICOLON = shape.set "c cpp java csharp php objc dart rust javascript typescript vue svelte"
local OPTIONAL = shape.set "javascript typescript vue svelte go kotlin swift groovy scala"

local OUT = shape.set "return throw raise continue break goto"
local EXITS = { go = "^%s*panic%((.*)$", python = "^%s*sys%.exit%((.*)$", javascript = "^%s*process%.exit%((.*)$" }

-- The word with which a line leaves, and the text after it.
local function way_out(view, code)
  local word, rest = match(code, "^%s*(%a+)%f[^%w_](.*)$")
  if OUT[word or ""] then return word, rest end
  local exit = EXITS[view.family]
  local argument = exit and match(code, exit)
  if argument then return "exit", argument end
  return nil
end

local GOES_ON = { "[%+%-*/%%&|^=<>?:,.({%[]%s*$", "\\%s*$" }

-- True if the statement that begins on this line ends on it.
local function complete(view, code, rest)
  if not source.balanced(code) then return false end
  if SEMICOLON[view.language] and find(code, ";%s*$") then return true end
  if view.language == "python" then return not find(code, "\\%s*$") end
  return OPTIONAL[view.language] ~= nil and not shape.any(rest, GOES_ON)
end

-- Lines that are reached in another way, or may stand anywhere: closing and continued ones, labels, branches,
-- functions and types; and the "break" that habit puts behind each "return".
local REACHED = { "^%s*[})%]#@?.&|+:*,]", "^%s*[%w_]+:%s*$", "^%s*[%w_]+:[^:=]", "^%s*a?s?y?n?c?%s*function" }
local REACHED_WORDS = shape.set [[case default else elif elsif except finally catch rescue ensure end type interface
  class public private protected static def fn pub export func async struct enum impl mod yield break]]

local function reached_otherwise(code)
  return shape.any(code, REACHED) or REACHED_WORDS[match(code, "^%s*(%a+)%f[^%w_]") or ""]
end

-- The end of a line that governs the next statement: an "if" without braces, an expression that continues.
local GOVERNS = { "%)%s*$", "%f[%w_]else%s*$", "%f[%w_]do%s*$", "=>%s*$", "[,(&|?+]%s*$" }

local function governed(view, n)
  if view.language == "python" or view.language == "go" then return false end
  local before = V.previous_code(view, n, 4)
  return before and not find(before.code, "[;{}]%s*$") and shape.any(before.code, GOVERNS) ~= nil
end

local function unreachable(view, n, line, report)
  local word, rest = way_out(view, line.code)
  if not word or not complete(view, line.code, rest) or governed(view, n) then return end
  -- A statement of the language inside of a text at the top of a file.
  if view.language == "python" and word == "return" and V.indent(line.text) == 0 then return end
  local following, at = V.next_code(view, n, 6)
  if not following or following.inside or V.indent(following.text) ~= V.indent(line.text)
    or reached_otherwise(following.code) then
    return
  end
  report("unreachable", view, following.added and at or n,
    "This code is never reached: the line before it has left already.",
    { evidence = sub(shape.trim(line.text), 1, 120) .. "\n" .. sub(shape.trim(following.text), 1, 120) })
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
    -- An else shows that the statement ends there on purpose.
    if following and not find(following.code, "^%s*else%f[^%w_]")
      and (find(following.code, "^%s*{") or V.indent(following.text) > V.indent(line.text)) then
      report("empty-body", view, n, "The semicolon ends the statement: what follows runs in any case.")
    end
  elseif find(rest, "^%s*;%s*{") then
    report("empty-body", view, n, "The semicolon ends the statement: what follows runs in any case.")
  end
end

local function return_alone(view, n, line, report)
  if not find(line.code, "^%s*return%s*$") then return end
  local following, before = view.lines[n + 1], V.previous_code(view, n, 2)
  if not following or following.inside or before and find(before.code, "%f[%w_]if%s*%(.*%)%s*$") then return end
  if V.indent(following.text) > V.indent(line.text) and find(following.code, "^%s*[%w_$({%[\"'`<]") then
    report("return-alone", view, n, "The return ends with its line: it gives undefined, not the value below.")
  end
end

-- True if a loop of the same function is open around line n.
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

local function check(view, n, line, report)
  local language = view.language
  -- "return x if y" and its like leave only sometimes.
  if language == "python" or language ~= "ruby" and (SEMICOLON[language] or OPTIONAL[language]) then
    unreachable(view, n, line, report)
    -- A way out that was put in above old code.
    local before, at = V.previous_code(view, n, 3)
    if before and not before.added and not line.moved then unreachable(view, at, before, report) end
  end
  if SEMICOLON[language] and language ~= "rust" then empty_body(view, n, line, report) end
  if view.family == "javascript" then return_alone(view, n, line, report) end
  if language == "go" and find(line.code, "^%s*defer%s+[%w_.]+%(") and not view.test and in_go_loop(view, n) then
    report("defer-in-loop", view, n,
      "defer runs when the function ends, not when the round ends: in a loop it piles up.")
  end
end

---@param view rules.View
function M.file(view, report)
  if view.generated or view.d.fixture or view.d.kind ~= "code" then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if find(line.code, "%S") and not line.inside and #line.text < 1000 then check(view, n, line, report) end
  end
end

return M
