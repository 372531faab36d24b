local m = require "moonlet"
local plan = require "plan"

-- Warns about tasks that the executor is not suited for, and suggests another preset.
local WARNINGS = {
  { "it reads like a review: moonlet run triangulated-review", "^review%f[%A]", "^audit%f[%A]" },
  { "it reads like analysis, and the executor writes code: moonlet run sidecar",
    "^analy[sz]e%f[%A]", "^explain%f[%A]", "^investigate%f[%A]", "^research%f[%A]",
    "^find out%f[%A]", "^look into%f[%A]" },
  { "it leaves a decision to you: decide it first, and write it into the plan",
    "%f[%a]ask me%f[%A]", "%f[%a]wait for my%f[%A]", "%f[%a]wait for approval%f[%A]",
    "%f[%a]decide on the architecture" },
  { "it looks quicker to do than to delegate", "%f[%a]typo%f[%A]", "%f[%a]one%-line%f[%A]",
    "%f[%a]bump the version%f[%A]" },
}

local function warn(ctx, task)
  local text = task.text:lower():gsub("^%s*please%s+", ""):gsub("^%s+", "")
  for _, row in ipairs(WARNINGS) do
    for i = 2, #row do
      if text:find(row[i]) then
        ctx:log("warning: " .. row[1])
        break
      end
    end
  end
  local missing = plan.missing(task.text .. "\n" .. (task.plan or ""))
  if #missing > 0 then
    ctx:log(("warning: the plan lacks: %s (moonlet-executor --plan-template prints all sections)")
      :format(table.concat(missing, ", ")))
  end
end

local function invalid(message, hint)
  error({ kind = "invalid", message = message, hint = hint }, 0)
end

--- Returns the task and its plan as {text, plan}.
local function task_of(look, args)
  if args.packet and not args.packet:find("^[Tt]%-%d+$") then
    invalid(("--packet '%s' is not the name of a packet"):format(args.packet), "use T-001")
  end
  if not (args.task or ""):find("%S") then
    invalid(args.task and "the task is empty" or "there is no task",
      "say it with --task 'TEXT' or --packet T-001")
  end
  return { text = args.task, plan = args.plan and plan.read(look, args.plan) }
end

local function prompt_of(task, args)
  if not task.plan then return task.text end
  return ("%s\n\n# Plan (%s)\n\n%s"):format(task.text, args.plan, task.plan)
end

local function report(result)
  local title = result.files[1] and "# Done" or "# Done, without a change"
  local lines = { title, "", result.answer, "" }
  if result.files[1] then lines[#lines + 1] = "## Files\n" end
  for _, path in ipairs(result.files) do lines[#lines + 1] = "- " .. m.git.show_path(path, 200) end
  return table.concat(lines, "\n") .. "\n"
end

return m.preset {
  name = "execute-task",
  summary = "Has the executor implement one planned task in its own worktree, and merges it.",
  runner = "executor",
  args = {
    task = m.arg.string {
      help = "what to implement, with requirements, patterns, integration points and edge cases" },
    plan = m.arg.path { positional = true, help = "the plan, a Markdown file of the repository" },
    packet = m.arg.string {
      help = "a packet, as T-001, in place of --task: its checks and its review follow" },
  },
  needs = { programs = { "git" }, agents = true, read = { "." }, write = { "." } },
  budget = { tokens = 5000000, wall = "45m", agents = 8 },

  check = function(look, args) task_of(look, args) end,

  run = function(ctx, args)
    local task = task_of(ctx, args)
    warn(ctx, task)
    ctx:phase("implement", 1)
    local reply = ctx:agent { name = "task", prompt = prompt_of(task, args), asks = true,
      sandbox = "workspace-write" }
    local result = { answer = reply.text, files = reply.files_changed,
      session = reply.session or m.null }
    ctx:write("findings.md", report(result))
    return result
  end,
}
