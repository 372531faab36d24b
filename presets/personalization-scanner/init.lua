local m = require "moonlet"
local any = require("moonlet.text").any
local places = require "places"
local private = require "private"
local statements = require "statements"

local most_preferences, prompt_cap, s = 300, 200000, m.schema
local schema = s.object {
  preferences = s.list(s.object {
    text = s.string { min = 1, max = 400 },
    scope = s.enum { "user", "project", "repository", "tool" },
    confidence = s.number { min = 0, max = 1 },
    evidence = s.list(s.string { min = 1, max = 600 }),
    target = s.string { min = 1, max = 300 },
    privacy = s.string { min = 1, max = 400 },
  }),
}

--- Splits the inputs into lines and drops private lines before anything else reads them.
local function read(ctx)
  ctx:phase("read", #ctx.inputs)
  local inputs = {}
  for i, input in ipairs(ctx.inputs) do
    inputs[i] = private.lines(input, i)
    ctx:yield()
  end
  return inputs
end

local function prompt_of(inputs)
  local data, left = {}, prompt_cap
  for _, input in ipairs(inputs) do
    local lines = {}
    for number, line in ipairs(input.lines) do
      lines[number] = ("%d: %s"):format(number, line or "[left out: private]")
    end
    local text = table.concat(lines, "\n")
    data[#data + 1] = { label = input.label, text = text, limit = math.max(1, left) }
    left = left - #text
  end
  local text = m.prompt.sections(m.asset "prompt.md")
  return m.prompt.worker { task = text.task, goal = text.goal, non_goals = text["non-goals"],
    steps = text.how, inspect = text.inspect, output = text.output, escalate = text.escalate,
    privacy = text.privacy, data = data }
end

local UNSAFE = { "without asking", "without review", "without confirmation", "skip.-review",
  "skip.-test", "%-%-no%-verify", "never ask", "do not ask", "push %-f", "force.push" }
local BANS = { "^never%f[%A]", "^avoid%f[%A]", "do not%f[%A]", "don't%f[%A]" }

--- Reports whether a preference removes a safeguard. "Never push without asking" keeps a safeguard.
local function loosens(text)
  local low = text:lower()
  return any(low, UNSAFE) and (any(low, { "never ask", "not ask" }) or not any(low, BANS))
end

--- Merges candidates; drops and counts those with private text or without evidence.
local function sift(candidates, inputs, prompt)
  local kept, known, dropped = {}, {}, { places = 0, private = 0 }
  for _, item in ipairs(candidates) do
    local found = places.of(item, inputs)
    local key = item.text:lower():gsub("[%p%s]+", " ")
    local same = known[key]
    if private.holds(("%s\n%s\n%s"):format(item.text, item.target, item.privacy)) then
      dropped.private = dropped.private + 1
    elseif #found == 0 or prompt and places.invents(item.text, prompt) then
      dropped.places = dropped.places + 1
    elseif same then
      same.evidence = places.of(item, inputs, same.evidence)
      same.confidence = math.max(same.confidence, item.confidence) + 0.1
    else
      item.evidence = found
      known[key], kept[#kept + 1] = item, item
    end
  end
  for _, item in ipairs(kept) do
    local unsafe = loosens(item.text)
    item.confidence = math.min(item.confidence, unsafe and 0.35 or 0.95)
    if unsafe then item.privacy = item.privacy .. " It removes a safeguard: decide it yourself." end
  end
  table.sort(kept, function(x, y)
    if x.confidence ~= y.confidence then return x.confidence > y.confidence end
    return x.text < y.text
  end)
  return m.array { table.unpack(kept, 1, math.min(#kept, most_preferences)) }, dropped
end

local function finish(ctx, candidates, inputs, prompt)
  local preferences, dropped = sift(candidates, inputs, prompt)
  local left_out = 0
  for _, input in ipairs(inputs) do left_out = left_out + input.left_out end
  local lines = { "# Preferences to consider", "" }
  local function add(text, ...) lines[#lines + 1] = text:format(...) end
  add("%d found in %s. You decide which become memory: nothing was written.%s", #preferences,
    #inputs == 1 and "1 listed input" or #inputs .. " listed inputs", preferences[1] and "\n" or "")
  for _, item in ipairs(preferences) do
    add("- **%s** (%s, confidence %.2f)", m.findings.inline(item.text), item.scope, item.confidence)
    add("  at %s; for %s. %s", m.findings.inline(table.concat(item.evidence, ", ")),
      m.findings.inline(item.target), m.findings.inline(item.privacy))
  end
  local what = ("%d without a place in the inputs, %d with something private"):format(
    dropped.places, dropped.private)
  add("\nDropped: %s. Lines left out as private: %d.", what, left_out)
  ctx:write("findings.md", table.concat(lines, "\n") .. "\n")
  ctx:write("findings.json", m.json.encode({ preferences = preferences }, 2) .. "\n")
  if dropped.places + dropped.private > 0 then ctx:log("dropped preferences: " .. what) end
  return { preferences = preferences }
end

local REPOSITORY = { "%f[%a]commit", "%f[%a]branch", "%f[%a]merge", "pull request", "%f[%a]push" }

local function scope_of(text)
  local low = text:lower()
  if any(low, { "^i prefer", "%f[%a]the user" }) then return "user" end
  return any(low, REPOSITORY) and "repository" or "project"
end

--- Finds preferences without an agent, by the wording of sentences.
local function offline(ctx)
  local inputs, candidates = read(ctx), {}
  ctx:phase("scan", #inputs)
  for _, input in ipairs(inputs) do
    for _, item in ipairs(statements.find(input)) do
      local scope = scope_of(item.text)
      candidates[#candidates + 1] = { text = item.text, scope = scope, confidence = item.confidence,
        evidence = { ("%s:%d"):format(input.label, item.line) },
        target = scope == "user" and "your own memory, outside of the repository" or "AGENTS.md",
        privacy = scope == "user" and "About one person: keep it out of memory that others read."
          or "Nothing private was found in it." }
    end
    ctx:yield()
  end
  return finish(ctx, candidates, inputs)
end

return m.preset {
  name = "personalization-scanner",
  summary = "Finds standing preferences in the files that --input lists, without anything private.",
  task_type = "personalization-scan",
  needs = { agents = true },
  private_inputs = true,
  budget = { tokens = 1000000, agents = 8, wall = "15m" },

  check = function(look)
    if #look.inputs == 0 then
      m.fail { kind = "invalid",
        message = "the scanner reads listed inputs only, and none is listed",
        hint = "list it: --input memory/current-status.md --input '.agent/sidecars/*/decision.md'" }
    end
  end,

  run = function(ctx)
    local inputs = read(ctx)
    ctx:phase("scan", 1)
    -- An empty `inputs` hides the repository in the sandbox, so the agent reads only its prompt.
    local call = { name = "scan", prompt = prompt_of(inputs), schema = schema, inputs = {} }
    return finish(ctx, ctx:agent(call).data.preferences, inputs, call.prompt:lower())
  end,
  offline = offline,
}
