local m = require "moonlet"
local redaction = require "moonlet.redaction"
local task_of = require "task"

local answer_cap, shown_cap = 64 * 1024, 16 * 1024

local function invalid(message, hint, at)
  error({ kind = "invalid", message = message, hint = hint, at = at }, 0)
end

--- Checks a path that the agent will write: in the repository, outside .git and .agent.
local function check_output(path)
  local inside = "/" .. path .. "/"
  if path:find("[%z\1-\31]") or path:sub(1, 1) == "/" or path:sub(-1) == "/"
    or inside:find("/%.%./") or inside:find("/%.git/") or inside:find("/%.agent/") then
    invalid(("--output '%s' is not for an agent to write"):format(m.git.show_path(path, 120)),
      "name a file beneath the repository, outside of .git and .agent", path)
  end
end

local function labels(text) return select(2, text:gsub("%[redacted: [^%]\n]+%]", "")) end

--- Returns the inputs with secrets redacted, and the number of secrets.
local function data_of(inputs)
  local data, withheld = {}, 0
  for _, input in ipairs(inputs) do
    if not input.binary then
      local kept = m.facts.shown(input.text, input.kind == "file" and input.path or nil)
      local text, counts = redaction.redact(kept)
      local before = input.redacted and 0 or labels(input.text)
      withheld = withheld + counts.secret + labels(kept) - before
      data[#data + 1] = { label = input.path, text = text, limit = 200000 }
    end
  end
  return data, withheld
end

local function inspect_of(task, inputs)
  local list = m.array { task.inspect }
  if #inputs > 0 then
    list[#list + 1] = "The material below, as it was when the task was prepared."
  end
  if not task.inspect then
    list[#list + 1] = #inputs > 0 and "No other file, unless the task names it."
      or "The files of this repository that the task names, and the files that they refer to."
  end
  return list
end

-- Returns the text that says what the agent may change, or nil if it is missing or says "none".
local function edits_in_words(args, task)
  local allowed = args.edits or task.edits
  if allowed and allowed:lower():match("^%s*no[nte]*%w*%W*$") then return nil end
  return allowed
end

--- Returns the paths that the agent may change, or nil if the text names no path.
local function paths_of(ctx, args, words)
  local paths, top = m.array {}, {}
  for _, entry in ipairs(ctx:list(".", { missing = "nil" }) or {}) do top[entry.name] = true end
  for word in string.gmatch(words or "", "[^%s,;`\"'%(%)]+") do
    local bare = word:match("^(.-)[%.:!]*$")
    if top[bare] or bare:find("[/*]") or bare:find("%w%.%l%w*$") then
      paths[#paths + 1] = bare
      -- As in .gitignore, a name without a folder matches in every folder.
      if m.glob.is_glob(bare) and not bare:find "/" then paths[#paths + 1] = "**/" .. bare end
    end
  end
  if words and #paths == 0 then return nil end
  paths[#paths + 1] = args.output
  return paths
end

local function prompt_of(args, task, inputs, data)
  local defaults = m.prompt.sections(m.asset "defaults.md")
  local form = args.answer_form or task.output or defaults.output
  local edits = edits_in_words(args, task)
  if args.output then
    edits = (edits and edits .. "; " or "") .. args.output .. ", to hold the answer"
  end
  -- The default texts of the prompt always apply. A task can only add to them.
  local function with(name, flag, own)
    return defaults[name] .. (flag and "\n- " .. flag or "") .. (own and "\n" .. own or "")
  end
  return m.prompt.worker {
    task = task.task,
    goal = args.goal or task.goal or defaults.goal,
    non_goals = with("non-goals", args.non_goals, task.non_goals),
    steps = task.steps,
    inspect = inspect_of(task, inputs),
    edits = edits or false,
    output = args.output and { path = args.output, format = form }
      or "Your last message is the answer. " .. form,
    escalate = with("escalate", args.escalate, task.escalate),
    privacy = task.privacy,
    data = data,
  }
end

local function read_if_there(ctx, path)
  return path and (ctx:read(path, { cap = 8 << 20, missing = "nil" }))
end

local function clip(text, cap)
  if #text <= cap then return text end
  return text:sub(1, utf8.offset(text, 0, cap) - 1) .. "\n[cut; output.md has all of it]"
end

--- Returns the answer without secrets. Raises an error if the agent did not do the task.
local function answer_of(ctx, args, reply, before)
  if not args.output and not reply.text:find("%S") then
    error({ kind = "failed", message = "the agent ended well, but answered nothing",
      hint = "it gets the prompt on standard input, or where {prompt} or {prompt_file} stands" }, 0)
  end
  local written = read_if_there(ctx, args.output)
  if args.output and (written == nil or written == before) then
    error({ kind = "failed", at = args.output,
      message = ("the agent ended well, but %s was not written"):format(
        m.git.show_path(args.output, 120)),
      hint = "read output.md for what it says instead" }, 0)
  end
  -- Cleaning makes binary data longer, so truncate the answer before and after cleaning.
  return clip((redaction.redact(m.prompt.clean(reply.text:sub(1, 32 * answer_cap)))), answer_cap)
end

local function report(ctx, result, answer)
  local page = { answer }
  if #result.checks > 0 then page[#page + 1] = "\n## Warnings\n" end
  for _, check in ipairs(result.checks) do
    page[#page + 1] = ("- %s: %s"):format(check.kind, check.text)
  end
  ctx:write("findings.md", table.concat(page, "\n") .. "\n")
end

local function describe(inputs)
  local list = m.array {}
  for i, input in ipairs(inputs) do
    list[i] = { path = input.path, kind = input.kind, bytes = input.bytes, sha256 = input.sha256,
      cut = input.cut or false, binary = input.binary or false }
  end
  return list
end

return m.preset {
  name = "sidecar",
  summary = "Gives one bounded task to one agent: it sees a prompt and what --input lists.",
  args = {
    prompt = m.arg.string { positional = true, help = "the task, in words" },
    prompt_file = m.arg.path { help = "a file of the repository that holds the task" },
    goal = m.arg.string { help = "what a good result is" },
    non_goals = m.arg.string { help = "what is not part of it" },
    edits = m.arg.string { help = "what may be changed; nothing, unless this says what" },
    output = m.arg.path { help = "the file for the answer; else it is the agent's last message" },
    answer_form = m.arg.string { help = "the form of the answer" },
    escalate = m.arg.string { help = "when to hand the matter back" },
  },
  needs = { programs = { "git" }, agents = true, read = { "." } },
  budget = { tokens = 1000000, agents = 8, wall = "30m" },

  check = function(look, args)
    local text, source = task_of.text(look, args)
    if redaction.holds(text) == "secret" then
      invalid(source .. " seems to hold a secret",
        "leave it out: prompts are kept in the record and sent to agents")
    end
    if args.output then check_output(args.output) end
    local task = task_of.sections(text)
    if not task.task then
      invalid(source .. " has headings, but no task", "write it above them, or under # Task")
    end
    -- Raises an error if the prompt exceeds its token budget even without its optional material.
    m.prompt.fit(prompt_of(args, task, look.inputs), look.prompt_tokens)
  end,

  run = function(ctx, args)
    local task = task_of.sections(task_of.text(ctx, args))
    ctx:phase("prepare", 1)
    local data, withheld = data_of(ctx.inputs)
    local prompt = prompt_of(args, task, ctx.inputs, data)
    local tokens = m.prompt.tokens(prompt)
    local result = { status = "answered", answered = true, written = args.output or m.null,
      inputs = describe(ctx.inputs), checks = task_of.warnings(task, ctx.inputs, tokens, withheld) }
    for _, check in ipairs(result.checks) do ctx:log("warning: " .. check.text) end

    ctx:phase("ask", 1)
    local before = read_if_there(ctx, args.output)
    local reply = ctx:agent { name = "task", prompt = prompt,
      edits = paths_of(ctx, args, edits_in_words(args, task)) }
    result.answer = answer_of(ctx, args, reply, before)
    if args.edits and #reply.files_changed == 0 then
      table.insert(result.checks,
        { kind = "edits", text = "--edits was given, and no file changed: "
        .. "an agent can only read without --sandbox workspace-write --allow write=." })
    end
    report(ctx, result, ("# Answer\n\n%s\n\nIt is an agent's answer; nothing in it was checked.")
      :format(clip(result.answer, shown_cap)))
    return result
  end,
}
