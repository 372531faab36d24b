--- Answers gates and questions in a dry run without asking a person, so that the agent calls after
--- them are counted, too. A dry run runs no command that needs or may need a person's approval.
local git = require "moonlet.git"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

--- `assumes` becomes true at the first assumed answer. From then on, a dry run executes only
--- commands that read the repository.
local state_of = per_run(function() return { assumes = false } end)

--- Lists git subcommands that change nothing if git gets the options that moonlet adds.
local reads = { ["cat-file"] = true, diff = true, ["for-each-ref"] = true, log = true,
  ["ls-files"] = true, ["ls-tree"] = true, ["merge-base"] = true, ["rev-list"] = true,
  ["rev-parse"] = true, show = true, status = true }

function M.only_reads(argv)
  local prefix = git.command {}
  for i, word in ipairs(prefix) do
    if argv[i] ~= word then return false end
  end
  local verb = argv[#prefix + 1]
  return reads[verb] or verb == "config" and table.concat(argv, " "):find(" --get-regexp ", 1,
    true) ~= nil
end

--- Ends this branch of the dry run, because the next steps need a result that it lacks.
local function stop(run, what)
  table.insert(run.worst.uncounted, what)
  error({ kind = "prepared", message = ("a dry run stops at %s"):format(what) }, 0)
end

--- Assumes an answer: a gate is approved, and a question gets its first option.
---@param item table  gate or question
function M.answer(run, item)
  if run.options.gates == "deny" then
    return { value = item.kind == "gate" and "reject" or nil, by = "--gates deny" }
  end
  local what = ("the %s '%s'"):format(item.kind, core.text.printable(item.text, 200))
  local option = item.kind == "question" and 1 or nil
  if run.checking and option and not (item.options or {})[1] then
    return { value = "mock", by = "preset check" }
  end
  local value = option and (item.options or {})[option] or not option and "approve"
  if not value then stop(run, what) end
  state_of(run).assumes = true
  run.emit("log", { step = item.key,
    text = ("no person is asked: a dry run continues as if the answer to %s were '%s'")
    :format(what, core.text.printable(value, 200)) })
  return { value = value, option = option, by = "--dry-run" }
end

--- Ends the branch of a dry run before it calls a function of the embedding program.
function M.check_function(run, name)
  if run.dry or run.checking then stop(run, "the function " .. name) end
end

--- Ends a branch of a dry run at a command that a person must approve, or that may change something.
---@param irreversible string?  name of the irreversible action
function M.check_command(run, argv, irreversible)
  if not run.dry or not irreversible and (not state_of(run).assumes or M.only_reads(argv)) then
    return
  end
  run.worst.processes = run.worst.processes + 1
  stop(run, "the command " .. core.text.printable(irreversible or core.run.redact(argv[1]), 200))
end

return M
