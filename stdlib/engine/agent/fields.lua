--- Lists the fields of ctx:agent in one table.
--- The argument check, the step's input hash and the runner's call are derived from this table.
--- A test compares the table with the type annotations for editors.
local M = {}

---@class moonlet.AgentField
---@field type string       type for record.check; "string!" means required
---@field input boolean | fun(job: moonlet.ResolvedCall): any
---   If true, a resumed run asks the agent again after a change of the field. If false, it ignores
---   the change.
---   A function returns another value that is compared in place of the field.
---@field runner boolean?   true: the value is passed to the runner unchanged

--- A call without a role inherits the role of the run, so the input hash uses the effective role.
local function role(job) return job.call.role or job.run.options.agent_role end
local function sandbox(job) return job.sandbox ~= "read-only" and job.sandbox or nil end

---@type table<string, moonlet.AgentField>
M.all = {
  name = { type = "string", input = false },  -- another name makes another step, with its own key
  prompt = { type = "string!", input = true },
  runner = { type = "string", input = function(job) return job.runner.name end },
  model = { type = "string", input = function(job) return job.model end },
  role = { type = "string", input = role },
  schema = { type = "table", input = true, runner = true },
  inputs = { type = "list", input = true },
  sandbox = { type = "string", input = sandbox },
  writes = { type = "list", input = true },
  edits = { type = "list", input = true },
  in_place = { type = "boolean", input = true },
  confine = { type = "string", input = true },
  network = { type = "boolean", input = true, runner = true },
  web_search = { type = "boolean", input = true, runner = true },
  env = { type = "list", input = true },
  argv = { type = "list", input = function(job) return job.argv end },
  events = { type = "string", input = true },
  cwd = { type = "string", input = true },
  timeout = { type = "duration", input = false },
  idle = { type = "duration", input = false },
  retry = { type = "integer", input = false },
  turns = { type = "integer", input = false, runner = true },
  budget = { type = "table", input = false },
  task_type = { type = "string", input = false },  -- only affects which runner is selected
  risk = { type = "string", input = false },
  reason = { type = "string", input = false },
  prompt_tokens = { type = "integer", input = function(job) return job.prompt_tokens end },
  base = { type = "string", input = false },
  asks = { type = "boolean", input = false },
  cut = { type = "string", input = false },
  loop = { type = "string", input = false },  -- only affects whether a looping agent is stopped
  on = { type = "string", input = function(job) return job.on end },
  continues = { type = "string", input = true, runner = true },
}

--- Maps each field to its type, for `record.check`.
---@type table<string, string>
M.types = {}
for name, field in pairs(M.all) do
  assert(field.input ~= nil,
    "ctx:agent: it is not said whether a change of " .. name .. " asks the agent again")
  M.types[name] = field.type
end

--- Returns the fields that decide whether a resumed run asks the agent again.
---@return table<string, any>
function M.input_of(job)
  local input = { verb = "agent" }
  for name, field in pairs(M.all) do
    if type(field.input) == "function" then
      input[name] = field.input(job)
    elseif field.input then
      input[name] = job.call[name]
    end
  end
  return input
end

---@param to table  a runner's call
function M.for_runner(to, call)
  for name, field in pairs(M.all) do
    if field.runner then to[name] = call[name] end
  end
  return to
end

return M
