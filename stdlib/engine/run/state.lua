--- Describes the state of a run for people, and the command that continues it.
--- A run's state is running, interrupted, prepared or its verdict.
local command_line = require "moonlet.engine.base.command_line"
local duration = require "moonlet.duration"
local repository = require "moonlet.engine.run.repository"

local M = {}

local null = core.json.null

local function target_word(home, rec)
  local word = type(rec.packet) == "table" and rec.packet.id or rec.target
  if type(rec.path) == "string" then
    word = repository.moved(home, rec, rec.path)
    local here = core.system.cwd() .. "/"
    if word:sub(1, #here) == here then word = word:sub(#here + 1) end
    if not word:find("/", 1, true) and word:sub(-4) ~= ".lua" then word = "./" .. word end
  end
  return require("moonlet.git.names").shell_word(word) or "PRESET"
end

function M.start_prepared(home, rec)
  local is_answered = M.runner(rec) or rec.script or rec.options.offline
  return ("moonlet run %s --prepared %s%s"):format(target_word(home, rec), rec.id,
    is_answered and "" or " --runner R")
end

function M.prepared(home, rec)
  return ("it is only prepared: %s starts it"):format(M.start_prepared(home, rec))
end

function M.runner(rec)
  if type(rec.runner_name) == "string" then return rec.runner_name end
  return type(rec.runner) == "string" and rec.runner or nil
end

---@param prepared any  true after a dry run
function M.open(home, id, prepared)
  if core.runs.holder(home.handle, id) then return "running" end
  return prepared and "prepared" or "interrupted"
end

--- Returns the verdict of an ended run; else running, prepared or interrupted.
function M.of(home, id, rec)
  if rec.ended then return rec.verdict end
  return M.open(home, id, rec.options and rec.options.dry_run)
end

function M.took(rec)
  return rec.duration_ms ~= null and rec.duration_ms and duration.text(rec.duration_ms) or "-"
end

--- Returns the possible answers to a question as words for a command line. A long answer is
--- replaced by its number.
local function option_words(options)
  local words = {}
  for i, option in ipairs(options or {}) do
    local is_short = #option <= 20 and core.text.printable(option) == option
    words[i] = is_short and command_line.quoted(option) or tostring(i)
  end
  return words[1] and words or { "'TEXT'" }
end

---@param with_key boolean?  true: each command names its question by --key
function M.answers(id, parked, with_key)
  local list = {}
  for _, item in ipairs(parked) do
    local which = with_key and " --key " .. core.text.printable(command_line.quoted(item.key), 400)
      or ""
    local words = item.kind == "gate" and { "approve", "reject" } or option_words(item.options)
    local others = table.concat(words, ", ", 2)
    if item.kind == "gate" and item.key:find "/unreachable$" then
      list[#list + 1] =
        ("moonlet resume %s   # or, if the step no longer runs: moonlet answer %s "
          .. "approve%s"):format(id,
        id, which)
    else
      list[#list + 1] = ("moonlet answer %s %s%s%s"):format(id, words[1], which,
        others ~= "" and ("   # or %s"):format(others) or "")
    end
  end
  return list
end

local over = { degraded = true, blocked = true }

local function is_worth_resuming(steps)
  for _, step in ipairs(steps) do
    local is_made_up = step.kind == "agent" and step.runner == "mock"
    if not is_made_up and (step.kind == "agent" or step.status ~= "ok") then return true end
  end
  return false
end

--- Reports whether all steps of a blocked or degraded run succeeded, so that a resume has no use.
local function is_done(state, steps)
  local is_over = false
  for _, step in ipairs(over[state] and steps ~= null and steps or {}) do
    if step.status ~= "ok" then return false end
    is_over = is_over or state == "blocked" or step.beside ~= nil
  end
  return is_over
end

local function is_rejected(state, err)
  return state == "failed" and type(err) == "table" and rawget(err, "kind") == "rejected"
end

--- Returns the option that the error's hint suggests for a resume; nil if there is none.
function M.remedy(state, err)
  local hint = type(err) == "table" and rawget(err, "hint")
  if type(hint) ~= "string" then return nil end
  if state == "budget" then return hint:match "%-%-budget %l+=[%w.]+" end
  return state == "failed" and rawget(err, "kind") == "denied" and hint:match "%-%-allow .*$" or nil
end

--- Matches messages that Lua itself raises, not error() calls of the script.
local lua_messages = { "^attempt to ", "^bad argument #", "^'for' ",
  "has no integer representation$", "^stack overflow", "^table index is ",
  "^invalid order function", "^invalid value %(at index ", "^malformed pattern" }

--- Returns the place of an error that is a mistake in the author's own Lua, otherwise nil.
local function mistake_at(state, err, origin)
  local at = type(err) == "table" and rawget(err, "at")
  if type(err) == "string" then at, err = err:match "^([^\n]-:%d+): (.*)$" end
  local is_own = state == "failed" and origin ~= "built in" and type(at) == "string"
    and at:find "%.lua:%d+$"
  if not is_own then return nil end
  local kind = type(err) == "table" and rawget(err, "kind") or "failed"
  local message = type(err) == "table" and rawget(err, "message") or err
  local is_absent = type(message) == "string" and message:find "^the runner '.*' is not installed"
  if kind == "limit" or kind == "invalid" and not is_absent then return at end
  for _, pattern in ipairs(kind == "failed" and type(message) == "string" and lua_messages or {}) do
    if message:find(pattern) then return at end
  end
end

--- Returns the command that continues a run; nil if nothing is left, or a person rejected it.
---@param err moonlet.Error?
---@param parked table[]?     the gates and questions that wait for a person
---@param steps table[]?
function M.go_on(id, state, err, parked, steps)
  if over[state] and steps and steps ~= null and not is_worth_resuming(steps) then return nil end
  if is_rejected(state, err) or is_done(state, steps) then return nil end
  if state == "ok" or state == "findings" or state == "prepared" or state == "running" then
    return nil
  end
  if state == "needs-human" then
    if not parked or not parked[1] then return "moonlet answer " .. id end
    return table.concat(M.answers(id, parked, #parked > 1), "\n       ")
  end
  if state == "quota" then return "moonlet wait " .. id end
  local is_unanswered = type(err) == "table" and rawget(err, "kind") == "no-runner"
  if is_unanswered then return ("moonlet run replay %s --runner R"):format(id) end
  local more = M.remedy(state, err)
  return ("moonlet resume %s%s"):format(id, more and " " .. more or "")
end

---@param err moonlet.Error|string|nil
---@param origin string?  origin of the script, from run.json
function M.last_line(id, state, err, parked, steps, origin)
  local command = M.go_on(id, state, err, parked, steps)
  local mistake = command and mistake_at(state, err, origin)
  if mistake then
    return ("Go on: edit %s, then %s"):format(core.text.printable(mistake, 400), command)
  end
  if command then return "Go on: " .. command end
  local starts_over = is_rejected(state, err) or is_done(state, steps)
  return starts_over and ("Again: moonlet run replay " .. id) or nil
end

---@param ms integer   wall clock
function M.ago(ms, now)
  local seconds = math.max(now - ms, 0) // 1000
  if seconds < 60 then return "just now" end
  if seconds < 3600 then return ("%d min ago"):format(seconds // 60) end
  if seconds < 86400 then return ("%d h ago"):format(seconds // 3600) end
  if seconds < 14 * 86400 then return ("%d d ago"):format(seconds // 86400) end
  return core.clock.iso(ms):sub(1, 10)
end

return M
