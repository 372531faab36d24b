--- The prompt of a reviewer: one lens, the facts, and the material as fenced data.
local m = require "moonlet"

local M = {}

-- The most of the material that a prompt may hold; the reviewer can read the rest in the repository.
local material_bytes = 60000
local input_bytes = 20000

local function numbered(text)
  local lines, number = {}, 0
  for line in (text:gsub("\n$", "") .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    lines[number] = ("%5d  %s"):format(number, line)
  end
  return table.concat(lines, "\n")
end

-- Files that are reviewed as they are, as far as there is room.
local function documents(facts, data)
  local room = material_bytes
  for _, document in ipairs(facts.documents) do
    if room <= 0 then return end
    local text = numbered(document.text)
    data[#data + 1] = { label = "the file " .. m.git.show_path(document.path) .. ", with line numbers", text = text,
      limit = room, priority = 2 }
    room = room - #text
  end
end

--- The material: the diff or the files, and the inputs of --input.
---@param facts moonlet.facts.Git
---@param inputs table[]?
---@return table[] data for m.prompt.reviewer
function M.material(facts, inputs)
  local data = {}
  if facts.documents then
    documents(facts, data)
  elseif facts.diff ~= "" then
    data[1] = { label = "the diff under review, with secrets taken out", text = facts.diff,
      limit = material_bytes, priority = 2 }
  end
  for _, input in ipairs(inputs or {}) do
    if type(input.text) == "string" and not input.binary then
      data[#data + 1] = { label = "input " .. (input.path or input.spec or ""),
        text = m.facts.shown(input.text, input.kind == "file" and input.path or nil), limit = input_bytes }
    end
  end
  return data
end

-- The command that shows a reviewer the whole change.
local function command_for(target)
  if target.kind == "commit" then return "git show " .. target.head end
  if target.kind == "range" then return ("git diff %s %s"):format(target.base, target.head) end
  if target.kind == "staged" then return "git diff --cached" end
  if target.kind == "worktree" then return "git diff HEAD" end
  return nil
end

--- The prompt for one lens.
---@param lens string
---@param review table {artifact, facts, data, context}
---@return string
function M.prompt(lens, review)
  local text = m.prompt.sections(m.asset "prompt.md")
  local looks = m.prompt.sections(m.asset "lenses.md")
  local command = command_for(review.facts.target)
  local inspect = text.inspect
  if command then inspect = ("%s\nThe whole of it, where it is cut below: %s"):format(inspect, command) end
  return m.prompt.reviewer {
    lens = looks[lens], artifact = ("%s through one lens, %s,"):format(review.artifact, lens), facts = review.facts,
    data = review.data, goal = text.goal, non_goals = text["non-goals"], steps = text.how, inspect = inspect,
    escalate = text.escalate, output = m.findings.form,
    pack = review.context ~= "" and { constraints = review.context } or nil,
  }
end

return M
