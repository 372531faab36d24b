local m = require "moonlet"
local delegation = require "delegation"
local plan = require "plan"

--- The task and its plan: {text, plan}.
local function task_of(look, args)
  local text = args.task
  if args.packet and not args.packet:find("^[Tt]%-%d+$") then
    error({ kind = "invalid", message = ("--packet '%s' is no name of a packet"):format(args.packet),
      hint = "write it like T-001" }, 0)
  end
  if not text or not text:find("%S") then
    error({ kind = "invalid", message = text and "the task is empty" or "there is no task",
      hint = "say it with --task 'TEXT' or --packet T-001" }, 0)
  end
  return { text = text, plan = args.plan and plan.read(look, args.plan) }
end

local function prompt_of(task, args)
  local parts = { task.text }
  if task.plan then parts[2] = ("# Plan (%s)\n\n%s"):format(args.plan, task.plan) end
  return table.concat(parts, "\n\n")
end

local function warn_of_plan(ctx, task)
  local missing = plan.missing(task.text .. "\n" .. (task.plan or ""))
  if #missing == 0 then return end
  ctx:log(("warning: the plan lacks: %s (moonlet-executor --plan-template shows a whole one)"):format(
    table.concat(missing, ", ")))
end

local function report(result)
  local lines = { "# " .. (result.files[1] and "Done" or "Done, without a change"), "", result.answer, "" }
  if result.files[1] then lines[#lines + 1] = "## Files\n" end
  for _, path in ipairs(result.files) do lines[#lines + 1] = "- " .. m.git.show_path(path, 200) end
  return table.concat(lines, "\n") .. "\n"
end

return m.preset {
  name = "execute-task",
  summary = "Has the executor implement one planned task in a worktree of its own, which is then merged.",
  runner = "executor",
  args = {
    task = m.arg.string { help = "what to implement, with requirements, patterns, integration points and edge cases" },
    plan = m.arg.path { help = "the plan, a Markdown file of the repository" },
    packet = m.arg.string { help = "a packet, as T-001, in place of --task: its checks and its review follow" },
  },
  needs = { programs = { "git" }, agents = true, read = { "." }, write = { "." } },
  budget = { tokens = 5000000, wall = "45m", agents = 8 },

  check = function(look, args)
    local task = task_of(look, args)
    local why, instead = delegation.refuse(task.text)
    if why and not look.reason then
      error({ kind = "invalid", message = "this task is not for the executor: " .. why,
        hint = ("%s; or say with --reason why it is delegated all the same"):format(instead) }, 0)
    end
  end,

  run = function(ctx, args)
    local task = task_of(ctx, args)
    warn_of_plan(ctx, task)
    ctx:phase("implement", 1)
    local reply = ctx:agent { name = "task", prompt = prompt_of(task, args), asks = true, sandbox = "workspace-write" }
    local result = { answer = reply.text, files = reply.files_changed, session = reply.session or m.null }
    ctx:write("findings.md", report(result))
    return result
  end,
}
