--- Builds the prompt of a reviewer: one lens, the facts, and the fenced material.
local m = require "moonlet"

local M = {}

-- Limits the material of a prompt. The reviewer can read the rest in the repository.
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

-- Adds whole files to the material, until its limit is reached.
local function documents(facts, data)
  local room = material_bytes
  for _, document in ipairs(facts.documents) do
    if room <= 0 then return end
    local text = numbered(document.text)
    data[#data + 1] = { label = "the file " .. m.git.show_path(document.path)
      .. ", with line numbers", text = text,
      limit = room, priority = 2 }
    room = room - #text
  end
end

local most_told = 100

local function place(item)
  if item.file == m.null then return "the change as a whole" end
  local path = m.git.show_path(item.file, 200)
  return item.line == m.null and path or ("%s:%d"):format(path, item.line)
end

-- Lists the findings of linters and checks, one per line.
local function finding_lines(known)
  local lines, all = {}, { table.unpack(known.found) }
  for _, linted in ipairs(known.linted) do
    table.move(linted.findings, 1, #linted.findings, #all + 1, all)
  end
  for i = 1, math.min(#all, most_told) do
    local item = all[i]
    lines[i] = ("%s %s: %s"):format(place(item), item.rule, m.findings.clip(item.claim, 300))
  end
  if #all > most_told then lines[#lines + 1] = ("and %d more"):format(#all - most_told) end
  for _, item in ipairs(known.silenced) do
    lines[#lines + 1] = ("%s: the change itself silences linters here (%s)"):format(place(item),
      item.what)
  end
  return table.concat(lines, "\n")
end

--- Returns the material of a reviewer's prompt: the diff or the files under review, the findings of
--- linters and checks, and the user's input files.
---@param known table    facts and findings that needed no model
---@param inputs table[]?
---@return table[] data  the `data` of m.prompt.reviewer
function M.material(known, inputs)
  local data, facts, findings = {}, known.facts, finding_lines(known)
  if facts.documents then
    documents(facts, data)
  elseif facts.diff ~= "" then
    data[1] = { label = "the diff under review, with secrets taken out", text = facts.diff,
      limit = material_bytes, priority = 2 }
  end
  if findings ~= "" then
    data[#data + 1] = { label = "what linters and deterministic checks report of it",
      text = findings,
      limit = 20000, priority = 3 }
  end
  for _, input in ipairs(inputs or {}) do
    if type(input.text) == "string" and not input.binary then
      data[#data + 1] = { label = "input " .. (input.path or input.spec or ""),
        text = m.facts.shown(input.text, input.kind == "file" and input.path or nil),
          limit = input_bytes }
    end
  end
  return data
end

-- Returns the command with which a reviewer can read the whole change.
local function command_for(target)
  if target.kind == "commit" then return "git show " .. target.head end
  if target.kind == "range" then return ("git diff %s %s"):format(target.base, target.head) end
  if target.kind == "staged" then return "git diff --cached" end
  if target.kind == "worktree" then return "git diff HEAD" end
  return nil
end

--- Builds the prompt for one lens.
---@param lens string
---@param review table {artifact, facts, data, context}
function M.prompt(lens, review)
  local text = m.prompt.sections(m.asset "prompt.md")
  local command = command_for(review.facts.target)
  local inspect = text.inspect
  if command then inspect = ("%s\nThe whole of it, where it is cut below: %s"):format(inspect,
    command) end
  return m.prompt.reviewer {
    lens = lens, artifact = ("%s through one lens, %s,"):format(review.artifact, lens),
      facts = review.facts,
    data = review.data, goal = text.goal, non_goals = text["non-goals"], steps = text.how,
      inspect = inspect,
    escalate = text.escalate, output = m.findings.form,
    pack = review.context ~= "" and { constraints = review.context } or nil,
  }
end

return M
