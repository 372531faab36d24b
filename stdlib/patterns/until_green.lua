local m = require "moonlet"

local M = {}

---@class moonlet.patterns.UntilGreen : moonlet.patterns.Common
---@field goal string?            goal of the implementer (default: the checks pass)
---@field scope string|string[]   files or folders that may change
---@field checks (string|table)[]  commands that the host runs, as for ctx:validate
---@field rounds integer?         one to ten (default 3)
---@field implementer moonlet.patterns.Worker?

---@class moonlet.patterns.Green : moonlet.patterns.Result
---@field green boolean           true if the host saw all checks pass
---@field rounds integer          number of rounds in which an implementer worked
---@field failed string[]         checks that still fail
---@field files_changed string[]

local function names_of(failed)
  local names = m.array {}
  for i, check in ipairs(failed) do
    names[i] = ("%s (%s)"):format(check.command, tostring(check.why or check.status))
  end
  return names
end

local function add_files(all, files)
  local seen = {}
  for _, file in ipairs(all) do seen[file] = true end
  for _, file in ipairs(files) do
    if not seen[file] then all[#all + 1] = file end
  end
end

--- Runs the checks on the host, and asks an implementer to fix failures, until all checks pass.
--- An agent's claim does not count as evidence.
--- The pattern costs at most one call for each round.
--- Errors: `invalid` a missing check or scope, or more than ten rounds.
--- ```lua
--- local done = m.patterns.until_green(ctx, { checks = { "test:true" }, scope = "src" })
--- done.green --> true
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.UntilGreen
---@return moonlet.patterns.Green
function M.until_green(ctx, opts)
  opts = m.pattern.options("until_green", opts, { goal = "string", scope = "scope! 1..50",
    checks = "checks!", rounds = "integer 1..10", implementer = "worker" }, { rounds = 3 })
  local worker = opts.implementer and opts.implementer.name or "implementer"
  local result = { green = false, rounds = 0, files_changed = m.array {}, details = m.array {},
    lost = m.array {} }
  ctx:plan { calls = opts.rounds, checks = opts.checks }
  local failed, data
  for round = 0, opts.rounds do
    ctx:phase("check " .. round, #opts.checks)
    failed, data = m.pattern.evidence(ctx, opts.checks)
    table.insert(result.details, ("after %s: %s"):format(m.pattern.count(round, "round"),
      #failed == 0 and "green" or table.concat(names_of(failed), ", ")))
    if #failed == 0 or round == opts.rounds then break end
    result.rounds = round + 1
    ctx:phase("work " .. result.rounds, 1)
    for _, item in ipairs(opts.data or {}) do data[#data + 1] = item end
    local name = ("%s %d"):format(worker, result.rounds)
    local made, lost = m.pattern.try(name, function()
      return ctx:agent(m.pattern.call(opts, { name = name, sandbox = "workspace-write",
        edits = opts.scope, prompt = m.prompt.implementer {
          deliverable = opts.goal or "a change that makes the failed checks below pass",
          goal = "The checks pass because the cause is fixed, not because a check was weakened.",
          non_goals = { "changing, skipping or deleting a check" },
          scope = table.concat(opts.scope, ", "), pack = opts.pack, data = data } }, "implementer"))
    end)
    if made then
      add_files(result.files_changed, made.files_changed)
    else
      table.insert(result.lost, lost)
      if lost.kind == "budget" then break end
    end
  end
  result.failed, result.green = names_of(failed), #failed == 0
  local rounds = m.pattern.count(result.rounds, "round")
  result.summary = result.green and "green after " .. rounds
    or ("%s still %s after %s"):format(m.pattern.count(#failed, "check"),
      #failed == 1 and "fails" or "fail", rounds)
  result.next_action = not result.green
    and "Look at this check yourself: " .. result.failed[1] .. "."
    or #result.files_changed > 0 and "Take the change." or "Go on: there was nothing to do."
  return result
end

return M
