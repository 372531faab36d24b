--- Writes a step's model.json, model.md, decision.md and input-manifest.md.
local instructions = require "moonlet.engine.agent.instructions"
local prompt_cuts = require "moonlet.engine.agent.prompt_cuts"
local redact_argv = require "moonlet.engine.agent.redact_argv"
local usage = require "moonlet.engine.runner.usage"

local M = {}

local null = core.json.null

M.no_usage = "Token usage: unavailable from ephemeral run output."

--- Puts a text into a Markdown code fence that is longer than any run of backticks in the text.
function M.fence(text, language)
  local longest = 2
  for run in text:gmatch("`+") do longest = math.max(longest, #run) end
  local fence = ("`"):rep(longest + 1)
  return ("%s%s\n%s\n%s"):format(fence, language or "", (text:gsub("\n$", "")), fence)
end

function M.last_of(attempts) return attempts and attempts[#attempts] or {} end

--- Returns the usage for model.json, and a note if no token count is known.
local function usage_record(total)
  local known = false
  for _, name in ipairs(usage.counts) do known = known or total ~= nil and total[name] ~= nil end
  return usage.record(total), not known and M.no_usage or nil
end

---@param result moonlet.CallOutcome
local function model_record(job, result)
  local run, step, call, runner, exit = job.run, job.step, job.call, job.runner, result.exit
  local spent, note = usage_record(usage.of_attempts(result.attempts))
  return {
    version = 1, task_id = run.task_id, run = run.id, step = step.key, preset = run.preset_name,
    title = run.options.title or null, phase = run.options.phase or null,
    task_type = job.routed.task_type or null, route = job.routed.record or null,
    agent_role = call.role or run.options.agent_role or null,
    runner = runner.name, model = result.model or job.model or null,
    command = exit and exit.argv and redact_argv.masked(exit.argv) or null,
    sandbox = runner.made and "none: no process is started" or step.sandbox or null,
    started_at = core.clock.iso(step.started_wall), duration_ms = step.duration_ms,
    status = result.status, class = result.class or null,
    error = result.error and result.error.message or null, cut = result.cut and true or false,
    attempts = core.json.array(result.attempts or {}),
    files_changed = core.json.array(result.files_changed or {}),
    held_back = M.last_of(result.attempts).held_back, denied = core.json.array(result.denied or {}),
    warnings = core.json.array(result.warnings or {}), usage = spent, usage_note = note or null,
  }
end

local function usage_text(model)
  local spent = model.usage
  local cost = spent.cost_usd == null and " Cost: unknown."
    or (" Cost: %.4f USD (%s)."):format(spent.cost_usd, spent.cost_is)
  if model.usage_note ~= null then
    return model.usage_note .. (spent.cost_usd == null and "" or cost)
  end
  local function shown(value) return value == null and "unknown" or tostring(value) end
  local text = ("Token usage: %s in all, %s input (%s of it cached), %s output (%s of it "
    .. "reasoning)."):format(
    shown(spent.total_tokens), shown(spent.input_tokens), shown(spent.cached_input_tokens),
    shown(spent.output_tokens), shown(spent.reasoning_output_tokens))
  return text .. (spent.partial and " Not all of it was reported: it is at least that much." or "")
    .. (spent.estimated
      and " Part is an estimate, for agents that were ended before they reported it." or "") .. cost
end

local function route_text(route)
  if route == null then return nil end
  local what = route.task_type == null and "no task type"
    or core.text.printable(route.task_type, 100)
  return ("%s, %s risk: %s%s"):format(what, route.risk, core.text.printable(route.why, 400),
    route.chosen and " (runner and model were chosen by it)" or "")
end

local function model_text(model)
  local lines = { "# How this was made", "" }
  local function add(label, value, cap)
    if value == nil or value == null then return end
    lines[#lines + 1] = ("- %s: %s"):format(label,
      cap and core.text.printable(value, cap) or tostring(value))
  end
  add("Run", model.run .. " (" .. model.task_id .. ")")
  add("Preset", model.preset)
  add("Step", model.step)
  add("Title", model.title, 400)
  add("Phase", model.phase, 400)
  add("Task type", model.task_type, 400)
  add("Runner", model.runner)
  add("Model", model.model)
  add("Route", route_text(model.route))
  add("Sandbox", model.sandbox)
  add("Started", model.started_at)
  add("Took", model.duration_ms .. " ms")
  add("Status", model.status)
  add("Error", model.error ~= null and core.text.printable(model.error) or nil)
  if model.command ~= null then
    local words = {}
    for i, word in ipairs(model.command) do words[i] = core.text.printable(word, 200) end
    lines[#lines + 1] = ""
    lines[#lines + 1] = M.fence(table.concat(words, "\n"), "text")
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = usage_text(model)
  if model.runner == "mock" then
    lines[#lines + 1] = ""
    lines[#lines + 1] = "Made up by the runner mock: no agent was asked and nothing was spent."
  end
  return table.concat(lines, "\n") .. "\n"
end

---@param result moonlet.CallOutcome
function M.write_agent(job, result)
  local run, dir = job.run, job.dir
  local model = model_record(job, result)
  run.write_artifact(dir .. "/model.json", core.json.encode_record(model, 2) .. "\n", true)
  -- An error in the text of model.md must not fail the call, so write a short text instead.
  local told, text = pcall(model_text, model)
  run.write_artifact(dir .. "/model.md",
    told and text or "# How this was made\n\nThat is in model.json.\n", true)
end

--- Formats decision.md after a person has decided. `rec` is the run's record.
function M.decision(rec, decision, why, by)
  return ([[
# Decision

- Run: %s (%s)
- Preset: %s, which ended with: %s
- Decision: %s
- By: %s, %s
- Why: %s
]]):format(rec.id, rec.task_id, rec.preset, rec.verdict, decision, core.text.printable(by, 80),
    core.clock.iso(core.clock.wall()), why and core.text.clean(why) or "not said")
end

function M.decision_form(run)
  return ([[
# Decision

Open. Nobody has decided yet what to do with this result.

- Run: %s (%s)
- Preset: %s
- Decision: <!-- take, take with changes, or leave -->
- Why:
]]):format(run.id, run.task_id, run.preset_name)
end

--- Returns the section of input-manifest.md about folders that earlier steps left in the worktree.
local function kept_section(job)
  local kept = job.lease and job.lease.place and job.lease.place.kept or {}
  if #kept == 0 then return "" end
  return ("\n## Kept in the worktree\n\nFolders of earlier steps or of the set-up, which no "
    .. "merge contains:\n\n- %s\n")
    :format(table.concat(kept, "\n- "))
end

--- Writes input-manifest.md if there are instruction files, a shortened prompt, or kept folders.
---@param reads string[]?  absolute paths that the program reads by itself
function M.write_manifest(job, key, dir, reads)
  local run, more, cuts = job.run, instructions.entries(job, reads),
    prompt_cuts.section(job.run, key)
  local kept = kept_section(job)
  if #more == 0 and cuts == "" and kept == "" then return end
  local list = dir == run.sidecar and { table.unpack(run.inputs or {}) } or {}
  table.move(more, 1, #more, #list + 1, list)
  run.write_artifact(dir .. "/input-manifest.md", core.run.manifest(list) .. cuts .. kept)
end

return M
