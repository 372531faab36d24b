--- Has a scout find the work and an agent do it. The host runs the proof itself, because an agent's
--- claim is not evidence.
local m = require "moonlet"
local s = m.schema

return m.preset {
  name = "evidence",
  summary = "Scouts, acts, and has the host see the proof.",
  args = { goal = m.arg.string { required = true, help = "the goal" } },
  needs = { agents = true, programs = { "sh" }, read = { "." }, write = { "." } },

  run = function(ctx, args)
    local plan = ctx:agent {
      name = "scout",
      prompt = ('Find the one file to change: %s. As JSON: {"file": "…", "change": "…"}'):format(
        args.goal),
      schema = s.object { file = s.string { min = 1 }, change = s.string { min = 1 } },
    }.data
    local work = ctx:agent {
      name = "act",
      prompt = ("In %s: %s. Change nothing else."):format(plan.file, plan.change),
      sandbox = "workspace-write",
    }
    local proof = ctx:require { command = { "sh", "check.sh" }, repetitions = 2,
      artifacts = { plan.file } }
    return { file = plan.file, changed = work.files_changed, runs = #proof.runs }
  end,
}
