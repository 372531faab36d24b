--- findings.md of a sidecar.
local m = require "moonlet"

local M = {}

local function cell(text)
  return (m.git.show_path(tostring(text), 160):gsub("|", "\\|"))
end

--- The text of output.md if no model was asked.
---@param result table
---@return string
function M.unanswered(result)
  return ([[
# Not answered

No model was asked: the runner is `rules`, and rules cannot do a task that is given in words. Nothing was spent.
The prompt is ready in prompt.md (about %d tokens; inputs: %d). To have it answered, name an agent:

    moonlet run sidecar … --runner 'command:PROGRAM ARG…'
]]):format(result.prompt.tokens_estimate, #result.inputs)
end

local answer_cap = 16 * 1024

local function add_answer(add, result, runner)
  local answer = result.answer
  if #answer > answer_cap then
    answer = answer:sub(1, utf8.offset(answer, 0, answer_cap) - 1) .. "\n[cut; output.md holds all of it]"
  end
  add(("# Answer of the runner %s\n\n%s\n"):format(runner, (answer:gsub("%s+$", ""))))
  if type(result.written) == "string" then add(("Written to %s.\n"):format(cell(result.written))) end
  add("It is an agent's answer and nothing in it was checked by the host.\n")
end

local function add_changes(add, changes)
  add "## Changed while the agent worked\n"
  if not changes.checked then
    add(("Not looked at: %s. What the agent changed is not known.\n"):format(changes.why))
    return
  end
  if #changes.files == 0 and #changes.refs == 0 then
    add "No change was found in files that git does not ignore.\n"
    return
  end
  add "It may have been the agent, or somebody else who works in this tree.\n"
  for _, file in ipairs(changes.files) do
    local note = file.allowed == true and "allowed" or file.allowed == false and "**not allowed**"
      or "allowed or not: the task names no files"
    add(("- %s: %s, %s"):format(cell(file.path), file.change, note))
  end
  for _, name in ipairs(changes.refs) do add(("- %s: moved, **not allowed**"):format(cell(name))) end
  add ""
end

---@param result table
---@param runner string
---@param failure string? why there is no answer
---@return string
function M.markdown(result, runner, failure)
  local lines = {}
  local function add(text) lines[#lines + 1] = text end
  if result.answered then
    add_answer(add, result, runner)
  elseif result.status == "failed" then
    add(("# No answer\n\nThe agent was asked by the runner %s and failed: %s\n"):format(runner,
      cell(failure or "it says nothing more")))
  else
    add("# Prepared, not answered\n\nNo model was asked and nothing was spent. prompt.md holds the whole prompt.\n")
  end
  if type(result.changes) == "table" and result.changes.files then add_changes(add, result.changes) end
  if #result.checks > 0 then
    add(result.status ~= "prepared" and "## To mind\n" or "## To look at before an agent is asked\n")
    for _, check in ipairs(result.checks) do add(("- %s: %s"):format(check.kind, check.text)) end
    add ""
  end
  if #result.inputs > 0 then
    add "## Inputs\n\n| input | lines | bytes | sha256 | TODO marks | outline |\n|---|---|---|---|---|---|"
    for _, input in ipairs(result.inputs) do
      add(("| %s | %s | %d | %s | %d | %s |"):format(cell(input.path), input.binary and "binary" or
        (input.cut and input.lines .. " of more" or input.lines), input.bytes, input.sha256:sub(1, 12), input.marks,
        cell(table.concat(input.outline, "; "))))
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
