--- Finds sentences whose wording states a preference, without an agent.
--- Many preferences are missed.
local any = require("moonlet.text").any
local paths = require "moonlet.paths"

local find, gsub, lower, match = string.find, string.gsub, string.lower, string.match

local M = {}

-- Splits "a | b" into patterns that match whole words.
local function forms(text)
  local list = {}
  for form in string.gmatch(text, "%s*([^|]+)") do
    form = match(form, "^(.-)%s*$")
    list[#list + 1] = (find(form, "^%^") and "" or "%f[%a]") .. form .. "%f[%A]"
  end
  return list
end

-- These phrases state a lasting preference. They match the text in lower case.
local WISHES = forms [[prefers? | preference is | user likes | user dislikes | user hates |
  ^i always want | ^i never want |
  insists? on | insists? that | ^always | ^never | should always | should never | must always |
  must never | ^avoid | ^going forward | ^in this repo%l*,? we | ^in this project,? we |
  ^use .+[, ]not | ^use .+ instead of | ^use .+ rather than]]

-- These phrases mean that the preference was stated repeatedly, or applies from now on.
local REPEATED = forms [[asked %l* ?again .*to | again asked .*to | asked repeatedly |
  repeatedly asked | asked twice | keeps asking | always wants | never wants | ^please always |
  ^please never | ^from now on | ^please .+ from now on]]

-- These imperatives state a preference only in a file such as AGENTS.md, or under a heading such as
-- "Rules".
local ORDERS = forms "^use | ^keep | ^write | ^do not | ^don't | ^put | ^name"
local RULES = { "rule", "style", "convention", "preference", "guideline", "agents%.md",
  "claude%.md", "contributing" }

-- Sentences with these phrases are doubts, questions, logs, or instructions to a reader of the text.
local NOT_MEANT = { "^maybe%f[%A]", "^perhaps%f[%A]", "^i might%f[%A]", "%f[%a]not sure%f[%A]",
  "%?$", "ignore %l* ?previous", "%f[%a]disregard%f[%A]", "system prompt",
  "%f[%a]no preference", "%f[%a]not prefer%f[%A]", "^%d%d:%d%d", "%f[%a]error:", "^warning:" }

local function sureness(sentence, is_rule)
  local low = lower(sentence)
  if #low > 400 or any(low, NOT_MEANT) or not find(low, "%S+%s+%S+%s+%S") then return nil end
  if any(low, REPEATED) then return 0.8 end
  if any(low, WISHES) then return is_rule and 0.8 or 0.7 end
  return is_rule and any(low, ORDERS) and 0.7 or nil
end

-- Removes list marks, quotation marks, links and emphasis from a line.
local function bare(line)
  local text = gsub(line, "^[%s>]*[%-%*%+]%s+", "")
  text = gsub(gsub(text, "^%s*%d+[%.%)]%s+", ""), "%[([^%]\n]*)%][%(%[][^%)%]\n]*[%)%]]", "%1")
  return (gsub(gsub(text, "%*%*", ""), "^%s+", ""))
end

local function opens_block(line)
  return find(line, "^[%s>]*[%-%*%+]%s") or find(line, "^%s*%d+[%.%)]%s")
end

--- Joins the lines of each paragraph, because a sentence may be wrapped over several lines.
local function paragraphs(input)
  local list, current, fenced, heading = {}, nil, false, false
  local rules = any(lower(input.path), RULES)
  for number, line in ipairs(input.lines) do
    if line and find(line, "^%s*```") then fenced = not fenced end
    local title = line and match(line, "^#+%s+(.*)")
    if not line or fenced or title or not find(line, "%w") or #line > 2000 then
      current = nil
      if title then heading = any(lower(title), RULES) end
    else
      if not current or opens_block(line) then
        current = { text = "", rule = rules or heading, at = {} }
        list[#list + 1] = current
      end
      local text = current.at[1] and match(line, "^[%s>]*(.*)") or bare(line)
      current.at[#current.at + 1] = { #current.text + 1, number }
      current.text = current.text .. text .. " "
    end
  end
  return list
end

local function line_of(paragraph, offset)
  local line
  for _, at in ipairs(paragraph.at) do line = at[1] <= offset and at[2] or line end
  return line
end

--- Returns the sentences of an input that state a preference, as {text, line, confidence}.
---@param input scanner.Input
function M.find(input)
  local kind, list = paths.describe(input.path).kind, {}
  if kind == "code" or kind == "lock" or kind == "binary" then return list end
  for _, paragraph in ipairs(paragraphs(input)) do
    local sentences = gsub(paragraph.text, "([%.!%?])%s", "%1\n")
    for from, sentence in string.gmatch(sentences, "()([^\n]+)") do
      local text = match(sentence, "^%s*(.-)[%s\"]*$")
      local confidence = sureness(text, paragraph.rule)
      if confidence then
        list[#list + 1] = { text = text, line = line_of(paragraph, from), confidence = confidence }
      end
    end
  end
  return list
end

return M
