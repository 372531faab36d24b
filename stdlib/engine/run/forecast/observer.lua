--- Records which steps of a forecast are replayed, and what each other step would do. If an answer
--- is unknown, raises an error in the function that called the step; parallel functions continue.
local budget = require "moonlet.engine.budget.budget"
local dry_run = require "moonlet.engine.effects.dry_run"
local values = require "moonlet.engine.journal.values"
local words = require "moonlet.engine.effects.words"

local M = {}

--- Lists observations whose values differ each time. A step that depends on one has no stable hash.
local volatile = { now = true, random = true, asked = true }
--- Lists the verbs whose function a forecast executes, to observe the steps inside it.
local descends = { step = true, preset = true }
local no_refusal = { prepared = true, parked = true, cancelled = true }

---@class moonlet.ForecastStep
---@field key string
---@field kind string
---@field outcome "reused"|"adopted"|"paid"|"refused"|"asks"|"runs"|"free"
---@field why string?
---@field runner string?
---@field model string?
---@field hash string?      hash of everything that decides the step's answer
---@field is_watched boolean?  true if a limit in USD can be enforced
---@field need table?       amounts that the first attempt reserves
---@field most table?       worst-case cost of the step at the config's prices

---@class moonlet.Observer
---@field home moonlet.Home   home of the real run
---@field run moonlet.Run?
---@field before table<string, table>   recorded steps of the resumed run
---@field rows table<string, moonlet.ForecastStep>
---@field order string[]
---@field seen table<string, string>   new observations: key -> hash
---@field over_budget table?        error of a step that the budget refuses
---@field is_volatile boolean?         true if the run has observed a value that differs each time
---@field private ended table<string, boolean>   key prefixes of functions that were stopped
---@field private held integer         number of agents with a reserved share of the budget
local Observer = {}
Observer.__index = Observer

---@return moonlet.Observer
function M.new(home)
  return setmetatable({ home = home, before = {}, rows = {}, order = {}, seen = {}, ended = {},
    held = 0 }, Observer)
end

local function body_of(key) return key:match "^(.*)/[^/]+$" or "" end

local function unknown(what)
  return { kind = "prepared", message = ("a forecast stops at %s"):format(what) }
end

---@return moonlet.ForecastStep
function Observer:add(key, fields)
  if not self.rows[key] then self.order[#self.order + 1] = key end
  fields.key = key
  self.rows[key] = fields
  return fields
end

--- Raises an error in the function that called a step, and again at its next step without a result.
local function stop(observer, key, what)
  observer.ended[body_of(key)] = true
  error(unknown(what), 0)
end

--- Records that the real run would execute this step, whose result a forecast does not know.
function Observer:stop(key, kind, what)
  self:add(key, { kind = kind, outcome = "runs", why = what })
  stop(self, key, what)
end

--- Reports whether a forecast may run a command. Only commands that change nothing may run.
local function may_run(run, argv, options)
  if dry_run.only_reads(argv) then return true end
  return options.sandbox == "read-only" and not run.options.unconfined
    and core.process.confinement() ~= nil
end

function Observer:command(key, argv, options)
  if may_run(self.run, argv, options) then return end
  self:stop(key, "exec", words.shown(argv))
end

local function hash_of(observer, job, hash, prompt)
  if observer.is_volatile then return "changes" end
  local parts = { hash, job.runner.name or "", job.model or "", prompt }
  for _, path in ipairs(job.call.inputs or {}) do
    local file = core.file.load(observer.run.home.root, path, 0)
    parts[#parts + 1] = path .. "=" .. (file and file.sha256 or "none")
  end
  return core.text.sha256(table.concat(parts, "\0"))
end

--- Reserves an agent's worst-case usage for the rest of the forecast. In a real run the real usage
--- replaces the reservation, so later agents may have more budget left.
local function reserve(observer, seen)
  local need = seen.need
  local ok, err = pcall(budget.reserve, seen.budget, need, seen.attempt.state ~= nil)
  if ok then
    observer.held = observer.held + 1
    return nil
  end
  if observer.held < observer.run.limit then error(err, 0) end
  return "if the budget lasts: " .. err.message
end

local function foresee_agent(observer, key, hash, options)
  local run = observer.run
  local seen = options.foresee(run.journal.begins[key], hash)
  local job, attempt = seen.job, seen.attempt
  local why = seen.budget and reserve(observer, seen) or seen.why
  local is_adopted = seen.is_adopted
  if not is_adopted and attempt.number > 1 then
    why = why or attempt.kind == "repair" and "its answer is repaired"
      or (observer.before[key] or {}).status == "cancelled" and "it was cancelled"
      or "it failed, or was lost, before"
  end
  observer:add(key, { kind = "agent", outcome = is_adopted and "adopted" or "paid", why = why,
    state = attempt.state, runner = job.runner.name, model = job.model, need = seen.need,
    most = seen.most, is_watched = seen.is_watched,
    hash = hash_of(observer, job, hash, attempt.prompt) })
end

--- Decides about a step without an answer on record. Returns true if it needs no work, and nothing
--- if it may be executed. Raises an error if its result cannot be known.
---@return boolean?
function Observer:reach(key, input, hash, options)
  if self.ended[body_of(key)] then error(unknown "what its body has caught", 0) end
  if options.foresee then
    foresee_agent(self, key, hash, options)
    stop(self, key, key)
  end
  if descends[input.verb] then return nil end
  if input.verb == "sleep" then return true end
  if input.verb == "exec" and may_run(self.run, input.argv, input) then return nil end
  self:stop(key, input.verb == "exec" and "exec" or input.argv and "validation"
    or tostring(input.verb),
    input.argv and words.shown(input.argv) or key)
end

--- Stores the hash of a value that the script observed for the first time, such as a file's text.
function Observer:observed(key, input, value)
  if volatile[input.verb] then
    self.is_volatile = true
    return
  end
  self.seen[key] = core.text.sha256(values.text(value))
end

--- Runs an agent step and raises its error again. If the step is refused, records the reason.
function Observer:watch(key, fn)
  local results = table.pack(pcall(fn))
  if results[1] then return table.unpack(results, 2, results.n) end
  local err = results[2]
  local kind = type(err) == "table" and rawget(err, "kind") or "failed"
  local step = self.run.step_keys[key]
  if not no_refusal[kind] and not self.rows[key] and not (step and step.cached) then
    self:add(key, { kind = "agent", outcome = "refused", runner = step and step.runner,
      why = type(err) == "table" and tostring(rawget(err, "message")) or tostring(err) })
    if kind == "budget" then self.over_budget = err end
  end
  error(err, 0)
end

return M
