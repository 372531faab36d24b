local m = require "moonlet"

--- Decodes the task packet, which the argument `packet` contains as JSON.
local function packet_of(args)
  if not args.packet then
    error({ kind = "invalid", message = "the preset task runs a packet, and none is named",
      hint = "moonlet task create makes one; moonlet run T-001 runs it" }, 0)
  end
  local ok, packet = pcall(m.json.decode, args.packet)
  if not ok or type(packet) ~= "table" or type(packet.title) ~= "string" then
    error({ kind = "invalid", message = "--packet holds no packet",
      hint = "moonlet run T-001 fills it in" }, 0)
  end
  return packet
end

local function checks_of(packet)
  local lines = {}
  local commands = packet.execution and packet.execution.commands
  for _, check in ipairs(commands and commands.validation or {}) do
    lines[#lines + 1] = ("the %s check passes: `%s`"):format(check.kind, check.command)
  end
  return lines
end

local function material(ctx, args)
  local data = {}
  for _, input in ipairs(ctx.inputs) do
    if not input.binary then
      data[#data + 1] = { label = input.path, text = m.facts.shown(input.text,
        input.kind == "file" and input.path or nil), limit = 200000 }
    end
  end
  if args.linked then
    data[#data + 1] = { label = "linked context: the run before this one", text = args.linked,
      priority = 1 }
  end
  return data
end

local function prompt_of(args, data)
  local packet = packet_of(args)
  local success = checks_of(packet)
  return m.prompt.worker {
    task = packet.summary and packet.title .. "\n\n" .. packet.summary or packet.title,
    goal = packet.goal or packet.summary or packet.title,
    non_goals = { "improvements that the task does not ask for", "changes outside of the task" },
    inspect = "This repository, as far as the task needs it, and the material below.",
    edits = true,
    output = "What you changed, in at most ten lines; where it is (paths); what you checked and "
      .. "how; what is open.",
    escalate = {
      "the task needs a decision about design, security, privacy or data that is not yours to make",
      "what you were given is not enough to be sure, or contradicts itself" },
    pack = success[1] and { success = success } or nil,
    role = args.role,
    data = data,
  }
end

return m.preset {
  name = "task",
  summary =
    "Runs a task packet: one agent in a worktree of its own, whose changes wait for a review.",
  args = {
    packet = m.arg.string { help = "the packet as JSON; moonlet run T-001 fills it in" },
    linked = m.arg.string { help = "what the run before this one came to; a pipeline fills it in" },
    role = m.arg.string { help = "the agent's role; --agent-role fills it in" },
  },
  needs = { programs = { "git" }, agents = true, read = { "." }, write = { "." },
    repository = true },
  budget = { tokens = 5000000, agents = 8, wall = "2h" },

  check = function(look, args)
    -- Raises an error if the prompt exceeds its token budget even without its optional material.
    m.prompt.fit(prompt_of(args), look.prompt_tokens)
  end,

  run = function(ctx, args)
    ctx:phase("task", 1)
    local reply = ctx:agent { name = "task", prompt = prompt_of(args, material(ctx, args)),
      sandbox = "workspace-write" }
    ctx:write("findings.md", reply.text:find "%S" and reply.text .. "\n"
      or "The agent said nothing.\n")
    return { answer = reply.text, files = m.array(reply.files_changed) }
  end,
}
