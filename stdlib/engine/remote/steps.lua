--- Runs the program of a step on another machine, as core.process.run does on this machine.
--- Before that, an intent with a nonce is recorded, by which a later host finds the attempt.
local adoption = require "moonlet.engine.journal.adoption"
local consent = require "moonlet.engine.remote.consent"
local duration = require "moonlet.duration"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local journal = require "moonlet.engine.journal.journal"
local machines = require "moonlet.engine.remote.machines"
local offices = require "moonlet.engine.remote.office"
local per_run = require "moonlet.engine.base.per_run"
local plain_environment = require "moonlet.engine.base.plain_environment"
local scope = require "moonlet.engine.context.scope"
local ssh_queue = require "moonlet.engine.remote.ssh_queue"

local M = {}

local cancel_ms = 30 * 1000
local survey_pause_ms = 10

---@class moonlet.RemoteState
---@field offices table<string, moonlet.Office>   by `on`
---@field items table<string, moonlet.RemoteItem> attempts that this host follows, by nonce
---@field own table<string, boolean>              nonces of attempts that this host recorded
---@field reports table<string, table>?           states of earlier hosts' attempts, by nonce
---@field surveying boolean?                      true while a task asks for the states
local state_of = per_run(function() return { offices = {}, items = {}, own = {} } end)

local transports = { ssh = function() return ssh_queue end,
  slurm = function() return require "moonlet.engine.remote.slurm_queue" end }

local function office_of(run, on)
  local state = state_of(run)
  if not state.offices[on] then
    local machine = machines.of(run.config, on)
    state.offices[on] = offices.new(run, machine, transports[machine.kind]())
  end
  return state.offices[on]
end

--- Returns the machine that `on` names. Raises an error if the config does not define it.
function M.check(run, on) return machines.of(run.config, on) end

--- Returns the environment variables to send to a machine. Omits a variable that has the same value
--- in the local account, unless the machine's config lists it.
local function environment_of(machine, list)
  local env, here = {}, plain_environment.map()
  for _, entry in ipairs(list) do
    local name, value = entry:match "^([^=]+)=(.*)$"
    if name and here[name] ~= value then env[name] = value end
  end
  for _, name in ipairs(machine.env) do env[name] = core.system.env(name) end
  return env
end

local function secrets_of(env)
  local secrets = {}
  for name, value in pairs(env) do
    if #value >= 8 and name:upper():find "KEY" or name:upper():find "TOKEN"
        or name:upper():find "SECRET"
      or name:upper():find "PASSWORD" then
      secrets[name] = value
    end
  end
  return next(secrets) and secrets or nil
end

--- Builds the description of a child process for the machine. Fields of `far` replace those of `child`.
local function describe(machine, nonce, child, far)
  local env = environment_of(machine, child.env)
  local spec = { nonce = nonce, step = child.step,
    argv = core.json.array { table.unpack(child.argv) }, env = env,
    wall_ms = child.wall_ms, idle_ms = child.idle_ms, cap = child.cap, stderr_cap = child.cap,
    secrets = child.redact and secrets_of(env) or nil }
  if child.stdin then
    spec.files, spec.stdin_file = { stdin = child.stdin }, "stdin"
    if core.json.encode(child.stdin):find("\u{FFFD}", 1, true) then
      error({ kind = "invalid",
        message = "the standard input of a step on another machine must be UTF-8",
        hint = "let the program there read a file" }, 0)
    end
  end
  local text = far and far.env_text
  for name, value in pairs(far or {}) do
    if name ~= "env_text" then spec[name] = value end
  end
  if text then
    for name, value in pairs(env) do env[name] = text(value) end
  end
  return spec
end

--- Returns true only if it is certain that the machine was never asked to start this attempt.
local function is_unsent(office, item)
  return item ~= nil and item.spec ~= nil and not item.submission
    and office.keeper.sent[item.nonce] ~= "start"
end

--- Returns the function that handles a machine that is unreachable for too long. It parks the run, or
--- raises an error if the attempt was never sent and the error is permanent.
---@param item moonlet.RemoteItem?
local function unreachable(run, on, key, ask, item)
  return function(err)
    if is_unsent(office_of(run, on), item) then
      if err.final or err.kind == "failed" then
        error(infrastructure_error.mark { kind = "failed", message = err.message, hint = err.hint },
          0)
      end
      local text = err.message:gsub(" cannot be reached: ",
        " cannot be reached, and nothing was sent to it: ", 1)
      ask(run, key, on, text, err.hint)
    end
    local text = ("step %s runs on %s, and it is not known whether it still runs: %s"):format(key,
      on, err.message)
    ask(run, key, on, text, err.hint)
  end
end

--- Records how long the attempt waited in a scheduler's queue.
local function started(run, office, item)
  journal.remote_start(run, { type = "remote", key = item.key, id = item.id, nonce = item.nonce,
    on = office.machine.on, at = core.clock.wall(), queue_ms = item.queue_ms })
  run.emit("log", { step = item.key, on = office.machine.on, queue_ms = item.queue_ms,
    text = ("runs on %s after %s in the queue"):format(office.machine.on,
      duration.text(item.queue_ms)) })
end

--- Waits until an attempt has ended, and returns its result. If this task is cancelled, ends the
--- attempt's processes before raising the error.
local function follow(run, office, item, ask)
  state_of(run).items[item.nonce] = item
  item.on_start = function() started(run, office, item) end
  local report = not item.spec and (state_of(run).reports or {})[item.nonce]
  if report then office:take(item, report) end
  local ok, result = pcall(office.wait, office, item,
    unreachable(run, office.machine.on, item.key, ask, item))
  if ok then return result end
  local kind = type(result) == "table" and rawget(result, "kind")
  if kind == "parked" or core.task.pending_error() == nil then error(result, 0) end
  local ended, why = scope.shielded("the end of " .. item.key, function()
    office:cancel(item)
  end, cancel_ms)
  item.over = ended and not item.exit
  if not ended then
    run.emit("warning",
      { step = item.key, text = ("it may still run on %s: %s"):format(office.machine.on,
      tostring(type(why) == "table" and why.message or why)) })
  end
  error(result, 0)
end

local function intent_of(run, key, id) return run.journal.remotes[key .. "\0" .. id] end

--- Reports whether an attempt may still be on a machine: it was recorded there and not removed.
function M.may_live(run, key, id)
  local intent = intent_of(run, key, id)
  return intent ~= nil and not intent.removed
end

--- Runs a child on a machine. `child` is the argument of core.process.run, with `attempt` set.
---@param on string
---@param child table
---@param options {ask: function, submission: function, far: table|fun(nonce: string): table|nil, on_news: function?}
---@return table exit
function M.run(run, on, child, options)
  local office = office_of(run, on)
  consent.ask(run, office.machine, options.submission)
  local intent = { type = "remote", key = child.step, id = child.attempt,
    nonce = core.clock.random_hex(12), on = on, at = core.clock.wall() }
  local far = options.far
  if type(far) == "function" then far = far(intent.nonce) end
  local spec = describe(office.machine, intent.nonce, child, far)
  journal.remote(run, intent)
  state_of(run).own[intent.nonce] = true
  if options.before then
    office.keeper.sent[intent.nonce] = "files"
    office:insist(function()
      options.before(office, intent.nonce)
    end, unreachable(run, on, child.step, options.ask,
      { nonce = intent.nonce, spec = spec }))
  end
  return follow(run, office, { nonce = intent.nonce, key = child.step, id = child.attempt,
    spec = spec, seen = { 0, 0 }, parts = { {}, {} }, on_news = options.on_news }, options.ask)
end

--- Sends each machine one query about the unfinished attempts that earlier hosts started there.
--- Later calls return the reports of the first call.
local function survey(run)
  local state = state_of(run)
  while state.surveying do core.task.sleep(survey_pause_ms) end
  if state.reports then return state.reports end
  state.surveying = true
  local by_machine = {}
  for _, intent in pairs(run.journal.remotes) do
    local is_earlier = not state.own[intent.nonce] and not intent.removed
    if is_earlier and not run.journal.ends[intent.key] then
      by_machine[intent.on] = by_machine[intent.on] or {}
      table.insert(by_machine[intent.on], intent.nonce)
    end
  end
  local reports = {}
  for on, nonces in pairs(by_machine) do
    local ok, found = pcall(function() return office_of(run, on):survey(nonces) end)
    for _, nonce in ipairs(nonces) do
      reports[nonce] = ok and found[nonce] or { state = "unknown" }
    end
  end
  state.reports, state.surveying = reports, false
  return reports
end

--- Returns the state of an attempt that was sent to another machine, or nil for a local attempt.
local function far_state(run, key, id)
  local intent = intent_of(run, key, id)
  if not intent then return nil end
  local item = state_of(run).items[intent.nonce]
  if item then
    if not item.exit then return "running" end
    return (item.exit.why == "lost" or item.exit.why == "cancelled") and "lost" or "exited"
  end
  local report = survey(run)[intent.nonce] or { state = "none" }
  if report.state == "ended" and type(report.exit) == "table" then
    local why = report.exit.why
    if why == "not_started" then return "none" end
    return (why == "lost" or why == "cancelled") and "lost" or "exited"
  end
  -- Assume that the attempt still runs, because nobody has reported its end. An attempt that was
  -- submitted to a scheduler may still start.
  if report.state == "none" then return report.map and "running" or "none" end
  return "running"
end

local function far_take(run, key, id, ask)
  local intent = intent_of(run, key, id)
  if not intent then return nil end
  local state = state_of(run)
  local item = state.items[intent.nonce]
  if item and item.exit then return item.exit end
  item = item or { nonce = intent.nonce, key = key, id = id, queue_ms = intent.queue_ms,
    seen = { 0, 0 }, parts = { {}, {} }, sent = true,
    on_news = state.on_news and state.on_news(key) }
  return follow(run, office_of(run, intent.on), item, ask)
end

--- Makes a resumed run find its attempts on other machines.
---@param ask fun(run: table, key: string, on: string, text: string, hint: string?)  parks the run
function M.attach(run, ask)
  adoption.far = {
    state = function(key, id) return far_state(run, key, id) end,
    take = function(key, id) return far_take(run, key, id, ask) end,
    stop = function(key, id)
      local intent = intent_of(run, key, id)
      if not intent then return nil end
      local office = office_of(run, intent.on)
      office:cancel(state_of(run).items[intent.nonce] or { nonce = intent.nonce, key = key })
      return far_take(run, key, id, ask)
    end,
  }
end

--- Ends the attempts that a dead host has left on other machines.
--- If that fails, prints on standard error how many attempts are left and which command lists them.
function M.end_left(run)
  local state, by_machine = state_of(run), {}
  for _, intent in ipairs(run.journal.remote_list) do
    if not run.journal.ends[intent.key] and not state.items[intent.nonce] then
      by_machine[intent.on] = by_machine[intent.on] or {}
      table.insert(by_machine[intent.on], { nonce = intent.nonce, key = intent.key })
    end
  end
  for on, items in pairs(by_machine) do
    local ended, why = scope.shielded("the end of the steps on " .. on, function()
      local office = office_of(run, on)
      office.transport.cancel(office, items)
    end, cancel_ms)
    for _, item in ipairs(ended and items or {}) do
      item.over = true
      state.items[item.nonce] = item
    end
    if not ended then
      local text = ("%d of its attempts may still run on %s: %s"):format(#items, on,
        tostring(type(why) == "table" and why.message or why))
      core.system.print(2,
        ("moonlet: %s\nmoonlet: moonlet doctor --on %s lists what is left there\n"):format(
        core.text.printable(text, 600), on))
    end
  end
end

--- Returns the object that manages the attempts on a machine, and the nonce of an attempt that was
--- sent to this machine.
---@return moonlet.Office, string
function M.place(run, key, id)
  local intent = intent_of(run, key, id)
  return office_of(run, intent.on), intent.nonce
end

--- Calls fn(office, nonce) for an attempt on another machine. Repeats the call until the machine
--- can be reached. `office` is the object that manages the attempts on that machine.
---@param ask function  parks the run
function M.insist(run, key, id, ask, fn)
  local office, nonce = M.place(run, key, id)
  return office:insist(function()
    return fn(office, nonce)
  end, unreachable(run, office.machine.on, key, ask))
end

--- Returns the remote attempts that this host follows, by nonce, for the live view.
function M.items(run) return state_of(run).items end

--- Lists the exit reasons that leave no result for a resume to reuse.
local empty = { lost = true, cancelled = true, not_started = true }

--- Reports whether the files of an attempt on its machine are no longer needed.
--- A fetched result that is not in the journal yet is still needed, because a resume fetches it again.
local function is_over(run, state, intent)
  local item = state.items[intent.nonce]
  if run.journal.ends[intent.key] or item and (item.over or item.exit and empty[item.exit.why]) then
    return true
  end
  local step = run.step_keys[intent.key]
  return step ~= nil and (step.status == "ok" or step.status == "failed"
    and not infrastructure_error.is(step.error))
end

--- Lists, for each machine, the attempts whose files may be removed. `is_all` is false if the files
--- of other attempts must stay.
local function removable(run, state)
  local by_machine = {}
  for _, intent in ipairs(run.journal and run.journal.remote_list or {}) do
    if not intent.removed then
      local list = by_machine[intent.on] or { nonces = core.json.array {}, is_all = true }
      by_machine[intent.on] = list
      if is_over(run, state, intent) then
        table.insert(list.nonces, intent.nonce)
      else
        list.is_all = false
      end
    end
  end
  return by_machine
end

--- Removes the files of ended attempts from the machines, including attempts of a dead host. Closes
--- the connections.
function M.close(run)
  local state = state_of(run)
  local by_machine = removable(run, state)
  scope.shielded("the end of remote steps", function()
    for on, list in pairs(by_machine) do
      local ok, err = pcall(function()
        if not list.nonces[1] then return end
        local office, sent = office_of(run, on), core.json.array {}
        for _, nonce in ipairs(list.nonces) do
          local is_sent = office.link.is_reached and office.keeper.sent[nonce]
            or not state.own[nonce]
          if is_sent then sent[#sent + 1] = nonce end
        end
        local removed = not sent[1] or office:insist(function() return office:remove(sent) end,
          function(why) error(why, 0) end)
        if removed and list.is_all then journal.cleared(run, on) end
      end)
      if not ok then
        run.emit("warning",
          { text = ("%s keeps files of this run: %s; moonlet doctor --on %s lists them"):format(on,
          tostring(type(err) == "table" and err.message or err), on) })
      end
    end
    for _, office in pairs(state.offices) do pcall(office.link.close, office.link) end
  end, cancel_ms)
  adoption.far = nil
end

return M
