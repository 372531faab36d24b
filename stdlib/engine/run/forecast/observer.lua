--- Sees what a run comes to in its shadow: which steps are replayed, and what each other one would do. A step whose
--- answer is not known ends its body; its siblings go on to theirs.
local budget = require "moonlet.engine.budget.budget"
local dry_run = require "moonlet.engine.effects.dry_run"
local values = require "moonlet.engine.journal.values"
local words = require "moonlet.engine.effects.words"

local M = {}

--- These observations differ at each reading, so that what depends on them cannot be bound by a hash.
local volatile = { now = true, random = true, asked = true }
--- The function of such a step runs, and its own steps are seen one by one.
local descends = { step = true, preset = true }
--- These errors are no refusal of the step that meets them.
local no_refusal = { prepared = true, parked = true, cancelled = true }

---@class moonlet.ForecastStep
---@field key string
---@field kind string
---@field outcome "reused"|"adopted"|"paid"|"refused"|"asks"|"runs"|"free"
---@field why string?
---@field runner string?
---@field model string?
---@field hash string?      of all that decides its answer
---@field is_watched boolean?  a limit in USD holds for it
---@field need table?       what its first attempt reserves
---@field most table?       its worst case by the config's prices

---@class moonlet.Observer
---@field home moonlet.Home   the home of the run itself
---@field run moonlet.Run?
---@field rows table<string, moonlet.ForecastStep>
---@field order string[]
---@field seen table<string, string>   observations that were made anew: key -> hash
---@field is_volatile boolean?         something of what follows changes with each reading
---@field private ended table<string, boolean>   bodies that ended at an unknown answer
---@field private held integer         agents that the budget holds a share for
local Observer = {}
Observer.__index = Observer

---@param home moonlet.Home
---@return moonlet.Observer
function M.new(home)
  return setmetatable({ home = home, rows = {}, order = {}, seen = {}, ended = {}, held = 0 }, Observer)
end

local function body_of(key) return key:match "^(.*)/[^/]+$" or "" end

local function unknown(what)
  return { kind = "prepared", message = ("a forecast goes no further than %s"):format(what) }
end

--- Adds a row, and returns it.
---@param key string
---@param fields table
---@return moonlet.ForecastStep
function Observer:add(key, fields)
  if not self.rows[key] then self.order[#self.order + 1] = key end
  fields.key = key
  self.rows[key] = fields
  return fields
end

--- Ends the body of a step whose result is not known.
local function stop(observer, key, what)
  observer.ended[body_of(key)] = true
  error(unknown(what), 0)
end

--- Notes a program that the resume starts, and ends the body there.
---@param key string
---@param kind string
---@param what string
function Observer:stop(key, kind, what)
  self:add(key, { kind = kind, outcome = "runs", why = what })
  stop(self, key, what)
end

--- Reports whether a forecast may run a command: one that only reads, as a dry run does.
local function may_run(argv, options)
  if dry_run.only_reads(argv) then return true end
  return options.sandbox == "read-only" and core.process.confinement() ~= nil
end

--- Ends the body at a command that may change something.
---@param key string
---@param argv string[]
---@param options table
function Observer:command(key, argv, options)
  if may_run(argv, options) then return end
  self:stop(key, "exec", words.shown(argv))
end

--- Hashes all that decides an agent's answer: the call, its whole prompt, the files it is given.
local function hash_of(observer, job, hash, prompt)
  if observer.is_volatile then return "changes" end
  local parts = { hash, job.runner.name or "", job.model or "", prompt }
  for _, path in ipairs(job.call.inputs or {}) do
    local file = core.file.load(observer.run.home.root, path, 0)
    parts[#parts + 1] = path .. "=" .. (file and file.sha256 or "none")
  end
  return core.text.sha256(table.concat(parts, "\0"))
end

--- Takes an attempt's share of the budget, which no other step gets back: what it will use is not known. The shares
--- of agents that start together are certain; for later ones the earlier ones may have used less.
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
    why = why or attempt.kind == "repair" and "its answer is repaired" or "it failed, or was lost, before"
  end
  observer:add(key, { kind = "agent", outcome = is_adopted and "adopted" or "paid", why = why,
    state = attempt.state, runner = job.runner.name, model = job.model, need = seen.need, most = seen.most,
    is_watched = seen.is_watched, hash = hash_of(observer, job, hash, attempt.prompt) })
end

--- Called for a step that the journal does not answer. Returns true for one that needs no work; raises where its
--- result is not known; returns nothing if the step may be executed in the shadow.
---@param key string
---@param input table
---@param hash string
---@param options table
---@return boolean?
function Observer:reach(key, input, hash, options)
  if self.ended[body_of(key)] then error(unknown "what its body has caught", 0) end
  if options.foresee then
    foresee_agent(self, key, hash, options)
    stop(self, key, key)
  end
  if descends[input.verb] then return nil end
  if input.verb == "sleep" then return true end
  if input.verb == "exec" and may_run(input.argv, input) then return nil end
  self:stop(key, input.verb == "exec" and "exec" or input.argv and "validation" or tostring(input.verb),
    input.argv and words.shown(input.argv) or key)
end

--- Called for an observation that was made anew.
---@param key string
---@param input table
---@param value any
function Observer:observed(key, input, value)
  if volatile[input.verb] then
    self.is_volatile = true
    return
  end
  self.seen[key] = core.text.sha256(values.text(value))
end

--- Runs an agent step, and notes why it is refused if it is.
---@param key string
---@param fn fun(): any
---@return any
function Observer:watch(key, fn)
  local results = table.pack(pcall(fn))
  if results[1] then return table.unpack(results, 2, results.n) end
  local err = results[2]
  local kind = type(err) == "table" and rawget(err, "kind") or "failed"
  local step = self.run.step_keys[key]
  if not no_refusal[kind] and not self.rows[key] and not (step and step.cached) then
    self:add(key, { kind = "agent", outcome = "refused", runner = step and step.runner,
      why = type(err) == "table" and tostring(rawget(err, "message")) or tostring(err) })
  end
  error(err, 0)
end

return M
