local m = require "moonlet"
local redaction = require "moonlet.redaction"
local task_of = require "task"
local checks = require "checks"
local changes = require "changes"
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

local function labels(text) return select(2, text:gsub("%[redacted: [^%]\n]+%]", "")) end

--- The material, with secrets taken out: {label, text, limit}, and their number. The record's redaction comes first:
--- if an input has changed since, a resumed run gets that text.
local function data_of(inputs)
  local data, withheld = {}, 0
  for _, input in ipairs(inputs) do
    if not input.binary then
      local kept = m.facts.shown(input.text, input.kind == "file" and input.path or nil)
      local text, counts = redaction.redact(kept)
      withheld = withheld + counts.secret + labels(kept) - (input.redacted and 0 or labels(input.text))
      data[#data + 1] = { label = input.path, text = text, limit = 200000 }
    end
  end
  return data, withheld
end

local function inspect_of(task, inputs)
  local list = {}
  if task.inspect then list[1] = task.inspect end
  if #inputs > 0 then
    list[#list + 1] = #inputs == 1 and "The material below: one input, as it was when the task was prepared."
      or ("The material below: %d inputs, as they were when the task was prepared."):format(#inputs)
    if not task.inspect then list[#list + 1] = "No other file, unless the task names it." end
  elseif not task.inspect then
    list[1] = "The files of this repository that the task names, and what they lead to. Read-only."
  end
  return list
end

-- The points of a list, without their dashes.
local function points(text)
  local list = {}
  for line in string.gmatch(text, "[^\n]+") do
    local point = line:match("^%s*[%-%*]%s+(.+)$")
    if point or #list == 0 then
      list[#list + 1] = point or line
    else
      list[#list] = list[#list] .. "\n  " .. line:match("^%s*(.-)$")
    end
  end
  return list
end

local function output_of(args, task, defaults)
  local form = args.answer_form or task.output or defaults.output
  if args.output then return { path = args.output, format = form } end
  return "Your last message is the answer; it is kept as output.md of this task. " .. form
end

-- The allowed changes, in words; nil if there are none.
local function edits_in_words(args, task)
  local allowed = args.edits or task.edits
  if allowed and allowed:lower():match("^%s*no[nte]*%w*%W*$") then return nil end
  return allowed
end

local function edits_of(args, task)
  local allowed = edits_in_words(args, task)
  if args.output then
    allowed = (allowed and allowed .. "; " or "") .. args.output .. ", to hold the answer"
  end
  return allowed or false
end

-- The paths that the agent may change; nil where the words name none, for then nobody can tell.
local function paths_of(ctx, args, words)
  local paths = words and changes.named_in(ctx, words) or {}
  if words and #paths == 0 then return nil end
  for i = 1, #paths do
    -- As in .gitignore, a name without a folder stands for that name in every folder.
    if m.glob.is_glob(paths[i]) and not paths[i]:find "/" then paths[#paths + 1] = "**/" .. paths[i] end
  end
  paths[#paths + 1] = args.output
  return m.array(paths)
end

local function read_if_there(ctx, path)
  local text = ctx:read(path, { cap = 8 << 20, missing = "nil" })
  return text
end

-- The answer as a person or another model can be shown it: text, without secrets, not too long.
local function shown(raw)
  -- Binary data may become many times as long when it is cleaned.
  raw = raw:sub(1, 32 * answer_cap)
  local text = redaction.redact(m.prompt.clean(raw))
  if #text > answer_cap then
    text = text:sub(1, utf8.offset(text, 0, answer_cap) - 1) .. "\n[cut; output.md holds all of it]"
  end
  return text
end

local function answered(ctx, args, reply, before)
  local text = shown(reply.text)
  local written
  if not args.output and not reply.text:find("%S") then
    error({ kind = "failed", message = "the agent ended well, but answered nothing",
      hint = "it gets the prompt on standard input, or where {prompt} or {prompt_file} stands: is it read there?" }, 0)
  end
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

-- Notes the changes in the work tree while the agent worked.
local function note_changes(ctx, result, before, why, edits)
  local after
  if before then after, why = changes.state(ctx) end
  if not after then
    result.changes = { checked = false, why = why or "it could not be read", files = m.array {}, refs = m.array {} }
    return
  end
  local found = changes.between(before, after, edits)
  result.changes = { checked = true, why = m.null, files = m.array {}, refs = m.array(found.refs) }
  local function warn(text)
    table.insert(result.checks, { kind = "edits", text = text })
    ctx:log("warning: " .. text)
  end
  local outside = {}
  for i, file in ipairs(found.files) do
    if i <= 200 then
      table.insert(result.changes.files, { path = file.path, change = file.change,
        allowed = file.allowed == nil and m.null or file.allowed })
    end
    if file.allowed == false then outside[#outside + 1] = ("%s (%s)"):format(m.git.show_path(file.path, 80),
      file.change) end
  end
  if #outside > 0 then
    warn(("%s while the agent worked, and the task does not allow that: %s%s"):format(#outside == 1 and "a file changed"
      or #outside .. " files changed", table.concat(outside, ", ", 1, math.min(5, #outside)), #outside > 5
      and ", …" or ""))
  end
  if #found.refs > 0 then
    warn(("branches, tags or HEAD moved while the agent worked: %s"):format(m.git.show_path(table.concat(found.refs,
      ", ",
      1, math.min(5, #found.refs)), 200)))
  end
end

-- Asks the agent. Changes in the meantime are reported even if it failed.
local function ask(ctx, args, task, result, prompt)
  local edits = paths_of(ctx, args, edits_in_words(args, task))
  local before, why
  before, why = changes.state(ctx)
  local earlier = args.output and read_if_there(ctx, args.output)
  local ended, reply = pcall(ctx.agent, ctx, { name = "task", prompt = prompt, edits = edits })
  local kind = not ended and type(reply) == "table" and reply.kind
  if kind == "prepared" or kind == "cancelled" or kind == "budget" then error(reply, 0) end
  note_changes(ctx, result, before, why, edits)
  local text, written
  if ended then ended, text, written = pcall(answered, ctx, args, reply, earlier) end
  if not ended then
    result.status = "failed"
    reply = text or reply
    ctx:write("findings.md", report.markdown(result, ctx.runner, type(reply) == "table" and reply.message or nil))
    error(reply, 0)
  end
  result.answered, result.status, result.answer = true, "answered", text
  result.written = written or m.null
end

-- The prompt of the task, with its material.
local function prompt_of(args, task, inputs, data)
  local defaults = m.prompt.sections(m.asset "defaults.md")
  return m.prompt.worker {
    task = task.task,
    goal = args.goal or task.goal or defaults.goal,
    -- The defaults always hold, whatever a task adds.
    non_goals = defaults["non-goals"] .. (args.non_goals and "\n- " .. args.non_goals or "")
      .. (task.non_goals and "\n" .. task.non_goals or ""),
    steps = task.steps,
    inspect = inspect_of(task, inputs),
    edits = edits_of(args, task),
    output = output_of(args, task, defaults),
    escalate = defaults.escalate .. (args.escalate and "\n- " .. args.escalate or "")
      .. (task.escalate and "\n" .. task.escalate or ""),
    privacy = points(defaults.privacy .. (task.privacy and "\n" .. task.privacy or "")),
    data = data,
  }
end

return m.preset {
  name = "sidecar",
  summary = "Gives one bounded task to one agent that sees a prompt and the listed inputs, never a conversation.",
  args = {
    prompt = m.arg.string { help = "the task, in words" },
    prompt_file = m.arg.path { help = "a file of the repository that holds the task" },
    goal = m.arg.string { help = "what a good result is" },
    non_goals = m.arg.string { help = "what is not part of it" },
    edits = m.arg.string { help = "what may be changed; nothing, unless this says what" },
    output = m.arg.path { help = "the file that the agent writes its answer to; its last message otherwise" },
    answer_form = m.arg.string { help = "the form of the answer" },
    escalate = m.arg.string { help = "when to hand the matter back" },
  },
  needs = { programs = { "git" }, agents = true, read = { "." } },
  budget = { tokens = 1000000, agents = 8, wall = "30m" },

  check = function(look, args)
    local text, source = task_of.text(look, args)
    if redaction.holds(text) == "secret" then
      invalid(source .. " seems to hold a secret", "leave it out: prompts are kept in the record and sent to agents")
    end
    if args.output then check_output(args.output) end
    local task = task_of.sections(text)
    if not task.task then invalid(source .. " has headings, but no task",
      "write what to do above them, or under # Task") end
    -- Material may be left out.
    m.prompt.fit(prompt_of(args, task, look.inputs), look.prompt_tokens)
  end,

  run = function(ctx, args)
    local task = task_of.sections(task_of.text(ctx, args))
    ctx:phase("prepare", 1)
    local data, withheld = data_of(ctx.inputs)
    local prompt = prompt_of(args, task, ctx.inputs, data)
    local described = {}
    for i, input in ipairs(ctx.inputs) do
      described[i] = { path = input.path, kind = input.kind, bytes = input.bytes, sha256 = input.sha256,
        cut = input.cut,
        binary = input.binary, text = "" }
    end
    local at = 0
    for _, input in ipairs(described) do
      if not input.binary then
        at = at + 1
        input.text = data[at].text
      end
    end
    local result = {
      status = "prepared", answered = false, answer = m.null, written = m.null, changes = m.null,
      prompt = { file = "prompt.md", bytes = #prompt, tokens_estimate = checks.estimate(#prompt) },
      inputs = checks.digest(described),
      checks = m.array(checks.task(task, ctx.inputs, #prompt, withheld)),
    }

    ctx:phase("ask", 1)
    ask(ctx, args, task, result, prompt)
    ctx:write("findings.md", report.markdown(result, ctx.runner))
    return result
  end,
}
