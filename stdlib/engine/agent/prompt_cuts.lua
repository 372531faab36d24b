--- Records which parts were dropped from prompts to fit the token budget of `prompt_tokens` or of
--- `m.prompt.compose`. The manifest and the report list the dropped parts.
local per_run = require "moonlet.engine.base.per_run"

local M = {}

---@type fun(run: table): {key: string, told: moonlet.prompt.Composed}[]
local noted = per_run(function() return {} end)

local function of_step(run, key)
  for _, item in ipairs(noted(run)) do
    if item.key == key then return item.told end
  end
end

local function names_of(told)
  local names = {}
  for i, part in ipairs(told.cut) do
    names[i] = ("%s (about %d tokens)"):format(core.text.printable(part.name, 80), part.tokens)
  end
  return names
end

---@param told moonlet.prompt.Composed?
function M.note(run, key, told)
  if told then table.insert(noted(run), { key = key, told = told }) end
end

--- Returns the manifest section with the dropped parts of a step's prompt, or "".
function M.section(run, key)
  local told = of_step(run, key)
  if not told then return "" end
  return ("\n## Left out of the prompt\n\nIts budget is %d tokens, an estimate.\n\n- %s\n"):format(
    told.budget,
    table.concat(names_of(told), "\n- "))
end

--- Formats the dropped parts of all prompts for the run's report.
function M.lines(run)
  local lines = {}
  for i, item in ipairs(noted(run)) do
    lines[i] = ("  left out of the prompt of %s: %s"):format(item.key,
      table.concat(names_of(item.told), ", "))
  end
  return lines
end

return M
