--- `moonlet run replay` starts a new run of an earlier run's preset or script. The new run names the
--- earlier run as its parent.
local detached = require "moonlet.engine.cli.task.detached"
local repository = require "moonlet.engine.run.repository"
local options = require "moonlet.engine.cli.options"
local replay = require "moonlet.engine.task.replay"
local request = require "moonlet.engine.cli.run.request"
local forecast = require "moonlet.engine.cli.run.forecast"
local step_replay = require "moonlet.engine.task.step_replay"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = options.with_common {
  forecast = forecast.known.forecast, ["up-to"] = forecast.known["up-to"], sha = forecast.known.sha,
  reason = { value = "TEXT", help = "why it is run again, for the record" },
  runner = { value = "R[,R…]", many = true, help = "another runner (default: that of the run)" },
  model = { value = "NAME", help = "another model" },
  ["agent-role"] = { value = "ROLE", help = "another role (default: that of the run)" },
  ["edit-prompt"] = { help = "open the prompt in $VISUAL or $EDITOR before anything is started" },
  background = { help = "print the id of the run, and leave it to another process" },
  ["dry-run"] = { help = "make the record and the prompt; start nothing" },
  step = { value = "KEY",
    help = "do this one step again, and of the others only those whose input changes by it" },
  prompt = { value = "FILE", help = "with --step: the step's new prompt" },
  events = { help = "print events as JSON lines while they happen" },
}

--- Splits the words after the verb into the run's id, the words for `moonlet run`, and the options that
--- only `moonlet run replay` and `moonlet resume` have.
function M.split(words)
  -- Without --step, --prompt is an argument of the preset.
  local own, others = options.separate(words,
    { forecast = "flag", ["up-to"] = "value", sha = "value", step = "value",
    prompt = options.value_in(words, "step") and "value" or nil })
  local target, rest = request.take_target(others, 3)
  return target, rest, (options.parse(own, M.known))
end

function M.main(words, output)
  for i = 3, #words do
    if words[i] == "--help" or words[i] == "-h" then
      local run_known = words[i + 1] == "all" and require("moonlet.engine.cli.run.known").all
      local all = {}
      for name, option in pairs(run_known or {}) do all[name] = option end
      for name, option in pairs(M.known) do all[name] = option end
      verbs.read("run replay", words, all)
      return nil, 0
    end
  end
  local target, rest, own = M.split(words)
  if not target then options.refuse("replay which run?", "moonlet run replay R-007") end
  local home = repository.open(options.value_in(rest, "repo"))
  local base = replay.base(home, target)
  local run = require "moonlet.engine.cli.run"
  local again = table.move(rest, 1, #rest, 3, { "run", base.target })
  local change = own.step and step_replay.of(home, base, own)
  if change then again = step_replay.take_options(again, change) end
  local origin = { base = base }
  forecast.check(own)
  local function plan_of()
    local plan = run.planned(require("moonlet.engine.cli.run.plan").of_words, again, output,
      nil, origin)
    if not plan then options.refuse("replay which run?", "moonlet run replay R-007") end
    if change then step_replay.attach(plan, change) end
    return plan
  end
  local plan = plan_of()
  if forecast.is_wanted(own) then
    if #plan.runners > 1 or plan.background or plan.edits then
      options.refuse("a forecast needs a single run in the foreground",
        "leave --background and --edit-prompt out, and name one runner")
    end
    local given = {}
    for _, name in ipairs { "step", "prompt" } do
      if own[name] then table.move({ "--" .. name, own[name] }, 1, 2, #given + 1, given) end
    end
    local envelope, code, text = forecast.of(plan, own, "moonlet run replay " .. base.id,
      table.move(rest, 1, #rest, #given + 1, given))
    if envelope then return envelope, code, text end
    plan = plan_of()
    code(plan)
  end
  if plan.background then return detached.leave(plan.home, words, output.json, 2) end
  return run.start(plan, again, output, nil, origin)
end

return M
