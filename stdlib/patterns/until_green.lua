local C = require "moonlet.patterns.common"
local prompt = require "moonlet.prompt"

local M = {}

---@class moonlet.patterns.UntilGreen : moonlet.patterns.Common
---@field goal string?            what the implementer works towards; that the checks pass
---@field scope string|string[]   the files or folders that may change
---@field checks (string|table)[]  commands that the host runs, as for ctx:validate
---@field rounds integer?         one to ten; 3
---@field implementer moonlet.patterns.Worker?

---@class moonlet.patterns.Green
---@field summary string
---@field next_action string
---@field green boolean           all checks passed, as the host saw it
---@field rounds integer          how often an implementer worked
---@field failed string[]         the checks that still fail
---@field files_changed string[]
---@field details string[]
---@field lost table[]

local function names_of(failed)
  local names = core.json.array {}
  for i, check in ipairs(failed) do
    names[i] = ("%s (%s)"):format(check.command, tostring(check.why or check.status))
  end
  return names
end

local function add_files(result, files)
  local seen = {}
  for _, file in ipairs(result.files_changed) do seen[file] = true end
  for _, file in ipairs(files) do
    if not seen[file] then table.insert(result.files_changed, file) end
  end
end

local function work(ctx, opts, scope, failed, round)
  local name, worker = C.worker(opts, "implementer")
  local data = C.outputs(failed)
  for _, item in ipairs(opts.data or {}) do data[#data + 1] = item end
  return C.try(("%s %d"):format(name, round), function()
    return ctx:agent(C.call(opts, worker, { name = ("%s %d"):format(name, round), sandbox = "workspace-write",
      edits = scope,
      prompt = prompt.implementer(C.prompt(opts, {
        deliverable = opts.goal or "a change that makes the failed checks below pass",
        goal = "The checks pass because the cause is fixed, not because a check was weakened.",
        non_goals = { "changing, skipping or deleting a check" },
        scope = table.concat(scope, ", "), data = data })) }))
  end)
end

--- The host runs the checks, an implementer works on what fails, until all pass or the rounds are over. Nothing that an
--- agent says counts as evidence. At most one call for each round.
---
--- Errors: `invalid` no check or scope, or more than ten rounds.
--- ```lua
--- local done = m.patterns.until_green(ctx, { checks = { "test:true" }, scope = "src" })
--- done.green --> true
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.UntilGreen
---@return moonlet.patterns.Green
function M.until_green(ctx, opts)
  local verb = "until_green"
  C.check(opts, { goal = "string", scope = "string|list", checks = "list", rounds = "integer", implementer = "table" },
    verb)
  local scope, rounds = C.scope(opts.scope, verb), C.bounds(opts.rounds or 3, verb, "rounds", 1, 10)
  local checks = C.checks(opts.checks)
  if #checks == 0 then C.refuse(verb .. " needs 'checks'", 'such as { "test:make test" }') end
  local result = { green = false, rounds = 0, files_changed = core.json.array {}, details = core.json.array {},
    lost = core.json.array {} }
  ctx:plan { calls = rounds, checks = checks }
  local failed
  for round = 0, rounds do
    ctx:phase("check " .. round, #checks)
    failed = C.evidence(ctx, checks)
    table.insert(result.details, ("after %s: %s"):format(C.count(round, "round"), #failed == 0 and "green"
      or table.concat(names_of(failed), ", ")))
    if #failed == 0 or round == rounds then break end
    ctx:phase("work " .. round + 1, 1)
    local made, lost = work(ctx, opts, scope, failed, round + 1)
    result.rounds = round + 1
    if made then
      add_files(result, made.files_changed)
    else
      table.insert(result.lost, lost)
      if lost.kind == "budget" then break end
    end
  end
  result.failed, result.green = names_of(failed), #failed == 0
  result.summary = result.green and ("green after %s"):format(C.count(result.rounds, "round"))
    or ("%s still fail after %s"):format(C.count(#failed, "check"), C.count(result.rounds, "round"))
  result.next_action = not result.green and "Look at this check yourself: " .. result.failed[1] .. "."
    or #result.files_changed > 0 and "Take the change." or "Go on: there was nothing to do."
  return result
end

return M
