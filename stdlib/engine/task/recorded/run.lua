--- Converts a recorded session to a run, which has a single step of the kind `session`.
local context = require "moonlet.engine.context.context"
local counted = require "moonlet.engine.base.counted"
local loader = require "moonlet.engine.load.loader"
local sidecar = require "moonlet.engine.agent.sidecar"
local usage = require "moonlet.engine.runner.usage"

local M = {}

local most_listed = 200
local null = core.json.null

local function value_of(recorded)
  return { id = core.text.printable(recorded.id, 80), model = recorded.model or null,
    began = core.clock.iso(recorded.began_ms), ended = core.clock.iso(recorded.ended_ms),
    prompts = math.max(#recorded.prompts, recorded.noted_prompts), tools = recorded.tools,
    denials = core.json.array(recorded.denials), files = core.json.array(recorded.files),
    files_known = recorded.files_known, files_cut = recorded.files_cut,
    usage = recorded.usage or null,
    duration_ms = recorded.ended_ms - recorded.began_ms }
end

local function usage_line(seen)
  local spent = usage.record(seen.usage ~= null and seen.usage or nil)
  local name = seen.model ~= null and seen.model or "unknown model"
  if spent.input_tokens == null then return ("- %s, usage unknown"):format(name) end
  return ("- %s: %d tokens of input (%s cached), %s of output%s"):format(name, spent.input_tokens,
    spent.cached_input_tokens ~= null and spent.cached_input_tokens or "unknown",
    spent.output_tokens ~= null and spent.output_tokens or "unknown",
    spent.partial and ", at least" or "")
end

local function findings_of(agent, seen)
  local what = agent.by_turn and "a turn of" or "session"
  local lines = { ("%s, %s %s: %s, %s, %s"):format(agent.title, what, seen.id,
    counted(seen.prompts, "prompt"),
    counted(seen.tools, "tool"), counted(#seen.denials, "denial")), usage_line(seen) }
  for _, denial in ipairs(seen.denials) do lines[#lines + 1] = "- denied: " .. denial end
  if not seen.files_known then
    lines[#lines + 1] = "- git could not compare the work tree: these are files that a tool named"
  end
  for i = 1, math.min(#seen.files, most_listed) do
    lines[#lines + 1] = "- changed: " .. core.text.printable(seen.files[i], 300)
  end
  if #seen.files > most_listed then
    lines[#lines + 1] = ("- and %d more"):format(#seen.files - most_listed)
  end
  if seen.files_cut then
    lines[#lines + 1] = "- there were too many files to check all of them"
  end
  return table.concat(lines, "\n") .. "\n"
end

local function add_step(run, agent, recorded)
  local seen, step = run.step("session", "session", agent.name,
    { verb = "session", session = recorded.id }, {},
    function() return value_of(recorded) end)
  step.model = seen.model ~= null and seen.model or nil
  step.usage = seen.usage ~= null and usage.priced(seen.usage, step.model, run.config.prices) or {}
  step.files_changed = seen.files
  step.started_wall, step.started = recorded.began_ms, core.clock.monotonic() - seen.duration_ms
  run.end_step(step, "ok", {})
  return seen, step
end

local function write_model(run, agent, step, seen)
  local attempt = { number = 1, status = "ok", runner = agent.name, model = step.model,
    usage = step.usage }
  local job = { run = run, step = step, call = {}, runner = { name = agent.name }, routed = {},
    dir = run.sidecar }
  sidecar.write_agent(job, { status = "ok", model = step.model, attempts = { attempt },
    files_changed = seen.files })
end

--- Registers the recorded session with the loader as if it were a preset, and returns its name.
function M.register(recorded)
  local agent = recorded.agent
  local name = agent.name .. (agent.by_turn and "-turn" or "-session")
  loader.registered[name] = function()
    local source = { name = name, origin = name, text = "", builtin = false, display = "none",
      read = function() return nil end, hash = function() return core.text.sha256 "" end }
    source.body = function(ctx)
      local run = context.of(ctx).run
      local seen, step = add_step(run, agent, recorded)
      write_model(run, agent, step, seen)
      if #recorded.prompts > 0 then
        run.write_artifact(run.sidecar .. "/prompt.md",
          table.concat(recorded.prompts, "\n\n---\n\n") .. "\n")
      end
      ctx:write("findings.md", findings_of(agent, seen))
      return seen
    end
    return source
  end
  return name
end

--- Fills the facts of a recorded session into its plan, and removes the limits.
function M.complete(plan, recorded)
  local config = {}
  for key, value in pairs(plan.config) do config[key] = value end
  config.runners, config.limits = {}, {}
  plan.config, plan.budget = config, {}
  plan.runner = { name = recorded.agent.name }
  plan.runner_spec = recorded.agent.name
  plan.routed = { runner = plan.runner,
    model = recorded.model and core.secret.hide(recorded.model) }
  plan.parent, plan.options.pipeline = recorded.parent, recorded.parent and true or nil
  plan.recorded = { started_at = core.clock.iso(recorded.began_ms),
    duration_ms = recorded.ended_ms - recorded.began_ms }
end

return M
