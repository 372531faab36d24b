--- findings.md of a sidecar.
local m = require "moonlet"

local M = {}

local function cell(text)
  return (m.git.show_path(tostring(text), 160):gsub("|", "\\|"))
end

--- What stands in output.md where no model was asked.
---@param result table
---@return string
function M.unanswered(result)
  return ([[
# Not answered

No model was asked: the runner is `rules`, and rules cannot do a task that is given in words. Nothing was spent.
The prompt is ready in prompt.md (about %d tokens, %d inputs). To have it answered, name an agent:

    moonlet run sidecar … --runner 'command:PROGRAM ARG…'
]]):format(result.prompt.tokens_estimate, #result.inputs)
end

---@param result table
---@param runner string
---@return string
function M.markdown(result, runner)
  local lines = {}
  local function add(text) lines[#lines + 1] = text end
  if result.answered then
    add(("# Answer of the runner %s\n\n%s\n"):format(runner, result.answer))
    if result.written then add(("Written to %s.\n"):format(cell(result.written))) end
    add("It is an agent's answer and nothing in it was checked by the host.\n")
  else
    add("# Prepared, not answered\n\nNo model was asked and nothing was spent. prompt.md holds the whole prompt.\n")
  end
  if #result.checks > 0 then
    add(result.answered and "## Noted before it was asked\n" or "## To look at before an agent is asked\n")
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
