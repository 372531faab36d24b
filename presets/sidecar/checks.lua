--- Checks of a task without a model: if it is narrow enough, if it asks for work that a sidecar must not do or
--- decide, and facts about the inputs.
local m = require "moonlet"

local find, gsub, lower, match = string.find, string.gsub, string.lower, string.match

local M = {}

local GATED = {
  { "%f[%a]git push%f[%A]", "git push" }, { "%f[%a]push to %w", "git push" }, { "%f[%a]git tag%f[%A]", "git tag" },
  { "%f[%a]tag the release", "git tag" }, { "%f[%a]upload the release", "a release upload" },
  { "%f[%a]release upload", "a release upload" }, { "%f[%a]publish the", "publishing" }, { "%f[%a]npm publish",
    "publishing" },
  { "%f[%a]submit the job", "a job submission" }, { "%f[%a]job submission", "a job submission" },
  { "%f[%a]sbatch%f[%A]", "a job submission" }, { "%f[%a]create an issue", "a public issue" },
  { "%f[%a]open an issue", "a public issue" }, { "%f[%a]file an issue", "a public issue" },
  { "%f[%a]send an e?-?mail", "sending mail" }, { "%f[%a]deploy%f[%A]", "a deployment" },
}

local ESCALATED = {
  { "core algorithm", "the design of a core algorithm" }, { "final approval", "a final approval" },
  { "approve the merge", "a final approval" }, { "approve for merge", "a final approval" },
  { "security decision", "a decision about security" }, { "privacy decision", "a decision about privacy" },
  { "data governance", "data governance" }, { "paper positioning", "the positioning of a paper" },
  { "rebuttal strategy", "a rebuttal" }, { "write the rebuttal", "a rebuttal" }, { "ready to submit", "a submission" },
  { "submission judgement", "a submission" }, { "submission judgment", "a submission" },
  { "refactor the whole", "a large refactoring" }, { "rewrite the whole", "a large refactoring" },
  { "large refactor", "a large refactoring" },
}

local function estimate(bytes) return (bytes + 3) // 4 end
M.estimate = estimate

local function without_refusals(text)
  -- "Do not push" is no request.
  text = gsub(lower(text), "do not [^%.\n;]*", "")
  text = gsub(text, "don't [^%.\n;]*", "")
  return (gsub(text, "never [^%.\n;]*", ""))
end

--- Points to consider before an agent is paid for this task: {kind, text}.
---@param task table sections of task.lua
---@param inputs table[] of ctx.inputs
---@param prompt_bytes integer
---@param withheld integer secrets that were taken out of the inputs
---@return table[]
function M.task(task, inputs, prompt_bytes, withheld)
  local list = {}
  local function add(kind, text) list[#list + 1] = { kind = kind, text = text } end
  local words = select(2, gsub(task.task or "", "%S+", ""))
  if words < 4 then add("vague", "the task is only a few words long: say what, where, and what a good answer holds") end
  local orders = select(2, gsub("\n" .. (task.task or ""), "\n%s*%d+[%.%)]%s", ""))
  if orders >= 4 or words > 600 then
    add("broad", "it looks like several tasks: one sidecar each gives better answers and can fail alone")
  end
  local asked, seen = without_refusals(task.task or ""), {}
  for _, pair in ipairs(GATED) do
    if find(asked, pair[1]) and not seen[pair[2]] then
      seen[pair[2]] = true
      add("gate", ("it seems to ask for %s: the prompt forbids that, a person decides"):format(pair[2]))
    end
  end
  for _, pair in ipairs(ESCALATED) do
    if find(asked, pair[1], 1, true) and not seen[pair[2]] then
      seen[pair[2]] = true
      add("escalate", ("%s is not for a sidecar alone: use the main agent or a stronger reviewer"):format(pair[2]))
    end
  end
  if #inputs == 0 and not task.inspect then
    add("inputs", "no input is listed: the agent has to find out by itself what to read")
  end
  for _, input in ipairs(inputs) do
    local name = m.git.show_path(input.path, 120)
    if input.binary then add("inputs", name .. " is binary and is not shown to the agent") end
    if input.cut then add("inputs", name .. " is too large and is shown in part") end
    if input.bytes == 0 then add("inputs", name .. " is empty") end
  end
  if withheld > 0 then add("private", ("secrets taken out of the inputs: %d"):format(withheld)) end
  if estimate(prompt_bytes) > 60000 then
    add("size",
      ("the prompt is about %d tokens long: list less, or the parts that matter"):format(estimate(prompt_bytes)))
  end
  return list
end

local function outline(text)
  local list = {}
  for line in string.gmatch(text, "[^\n]+") do
    local heading = match(line, "^#+%s+(.+)$") or match(line, "^diff %-%-git a/(.-) b/")
    if heading and #list < 12 then list[#list + 1] = m.git.show_path(heading, 80) end
  end
  return list
end

--- Facts about the inputs: {path, kind, bytes, lines, sha256, cut, binary, marks, outline}.
---@param inputs table[] of ctx.inputs, with their secrets taken out
---@return table[]
function M.digest(inputs)
  local list = {}
  for i, input in ipairs(inputs) do
    local text = input.text or ""
    local lines = select(2, gsub(text, "\n", "")) + (text ~= "" and text:sub(-1) ~= "\n" and 1 or 0)
    local marks = 0
    for _, word in ipairs { "TODO", "FIXME", "XXX" } do
      marks = marks + select(2, gsub(text, "%f[%w]" .. word .. "%f[%W]", ""))
    end
    list[i] = { path = input.path, kind = input.kind, bytes = input.bytes, lines = lines, sha256 = input.sha256,
      cut = input.cut or false, binary = input.binary or false, marks = marks, outline = m.array(outline(text)) }
  end
  return m.array(list)
end

return M
