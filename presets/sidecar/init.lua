local m = require "moonlet"
local task_of = require "task"
local checks = require "checks"
local report = require "report"

local answer_cap = 64 * 1024

local function invalid(message, hint, at)
  error({ kind = "invalid", message = message, hint = hint, at = at }, 0)
end

--- A path that the agent is to write: beneath the repository, and not among the host's own records.
local function check_output(path)
  if path:find("[%z\1-\31]") or path:sub(1, 1) == "/" or path:sub(-1) == "/"
    or ("/" .. path .. "/"):find("/../", 1, true) or ("/" .. path .. "/"):find("/.git/", 1, true)
    or path:match("^%./*(.*)$") == ".agent" or ("/" .. path):find("/.agent/", 1, true) then
    invalid(("--output '%s' is no file that an agent may write"):format(m.git.show_path(path, 120)),
      "name a file beneath the repository, outside of .git and .agent", path)
  end
  return path
end

--- The material, with secrets taken out: {label, text, limit}, and how many were taken out.
local function data_of(inputs)
  local data, withheld = {}, 0
  for _, input in ipairs(inputs) do
    if not input.binary then
      local text, counts = m.privacy.redact(input.text, { only = "secret" })
      withheld = withheld + counts.secret
      data[#data + 1] = { label = input.path, text = text, limit = 200000 }
    end
  end
  return data, withheld
end

local function inspect_of(task, inputs)
  local list = {}
  if task.inspect then list[1] = task.inspect end
  if #inputs > 0 then
    list[#list + 1] = "The material below: " .. #inputs .. " inputs, as they were when the task was prepared."
    if not task.inspect then list[#list + 1] = "No other file, unless the task names it." end
  elseif not task.inspect then
    list[1] = "The files of this repository that the task names, and what they lead to. Read-only."
  end
  return list
end

local function output_of(args, task, defaults)
  local form = args.format or task.output or defaults.output
  if args.output then return { path = args.output, format = form } end
  return "Your last message is the answer; it is kept as output.md of this task. " .. form
end

local function edits_of(args, task)
  local allowed = args.edits or task.edits
  if allowed and allowed:lower():match("^%s*no[nte]*%w*%W*$") then allowed = nil end
  if args.output then
    allowed = (allowed and allowed .. "; " or "") .. args.output .. ", to hold the answer"
  end
  return allowed or false
end

local function read_if_there(ctx, path)
  local text = ctx:read(path, { cap = 8 << 20 })
  return text
end

local function answered(ctx, args, reply, before)
  local text = m.privacy.redact(reply.text, { only = "secret" })
  if #text > answer_cap then text = text:sub(1, utf8.offset(text, 0,
    answer_cap) - 1) .. "\n[cut; output.md holds all of it]" end
  local written
  if args.output then
    written = read_if_there(ctx, args.output)
    if written == nil or written == before then
      error({ kind = "failed", at = args.output,
        message = ("the agent ended well, but %s was not written"):format(m.git.show_path(args.output, 120)),
        hint = "read output.md for what it says instead" }, 0)
    end
  end
  return text, written and args.output or nil
end

return m.preset {
  name = "sidecar",
  summary = "Gives one bounded task to one agent that sees a prompt and the listed inputs, never a conversation.",
  args = {
    prompt = m.arg.string { help = "the task, in words" },
    prompt_file = m.arg.string { help = "a file of the repository that holds the task" },
    goal = m.arg.string { help = "what a good result is" },
    non_goals = m.arg.string { help = "what is not part of it" },
    edits = m.arg.string { help = "what may be changed; nothing, unless this says what" },
    output = m.arg.string { help = "the file that the agent writes its answer to; its last message otherwise" },
    format = m.arg.string { help = "the form of the answer" },
    escalate = m.arg.string { help = "when to hand the matter back" },
  },
  needs = { agents = true, read = { "." } },
  budget = { tokens = 200000, wall = "30m" },

  run = function(ctx, args)
    local text, source = task_of.text(ctx, args)
    if m.privacy.holds(text, { only = "secret" }) == "secret" then
      invalid(source .. " seems to hold a secret", "leave it out: prompts are kept in the record and sent to agents")
    end
    if args.output then check_output(args.output) end
    local task = task_of.sections(text)
    if not task.task then invalid(source .. " has headings, but no task",
      "write what to do above them, or under # Task") end

    ctx:phase("prepare", 1)
    local defaults = m.prompt.sections(m.asset "defaults.md")
    local data, withheld = data_of(ctx.inputs)
    local prompt = m.prompt.compose {
      task = task.task,
      goal = args.goal or task.goal or defaults.goal,
      -- What always holds stays, whatever a task adds.
      non_goals = defaults["non-goals"] .. (args.non_goals and "\n- " .. args.non_goals or "")
        .. (task.non_goals and "\n" .. task.non_goals or ""),
      steps = task.steps,
      inspect = inspect_of(task, ctx.inputs),
      edits = edits_of(args, task),
      output = output_of(args, task, defaults),
      escalate = defaults.escalate .. (args.escalate and "\n- " .. args.escalate or "")
        .. (task.escalate and "\n" .. task.escalate or ""),
      privacy = defaults.privacy .. (task.privacy and "\n" .. task.privacy or ""),
      data = data,
    }
    local shown = {}
    for i, input in ipairs(ctx.inputs) do
      shown[i] = { path = input.path, kind = input.kind, bytes = input.bytes, sha256 = input.sha256, cut = input.cut,
        binary = input.binary, text = "" }
    end
    local at = 0
    for _, input in ipairs(shown) do
      if not input.binary then
        at = at + 1
        input.text = data[at].text
      end
    end
    local result = {
      status = "prepared", answered = false, answer = m.null, written = m.null,
      prompt = { file = "prompt.md", bytes = #prompt, tokens_estimate = checks.estimate(#prompt) },
      inputs = checks.digest(shown),
      checks = m.array(checks.task(task, ctx.inputs, #prompt, withheld)),
    }

    ctx:phase("ask", 1)
    local before = args.output and read_if_there(ctx, args.output)
    local reply = ctx:agent {
      name = "task",
      prompt = prompt,
      rules = function() return report.unanswered(result) end,
    }
    if ctx.runner == "rules" then
      ctx:log "no model was asked: the prompt is prepared and checked, and nothing is answered"
    else
      local written
      result.answered, result.status = true, "answered"
      result.answer, written = answered(ctx, args, reply, before)
      result.written = written or m.null
    end
    ctx:write("findings.md", report.markdown(result, ctx.runner))
    return result
  end,
}
