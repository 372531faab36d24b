--- Implements gates and questions, which a person answers.
--- Without a person the run parks: parallel work finishes, and the run ends as `needs-human`.
--- `moonlet answer` resumes a parked run. An answer is valid only for the displayed text, which
--- the recorded hash identifies.
local counted = require "moonlet.engine.base.counted"
local context = require "moonlet.engine.context.context"
local journal = require "moonlet.engine.journal.journal"
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local input_hash = require "moonlet.engine.journal.input_hash"
local page = require "moonlet.engine.base.page"
local person = require "moonlet.engine.base.person"
local irreversible = require "moonlet.engine.effects.irreversible"
local values = require "moonlet.engine.journal.values"
local commands = require "moonlet.engine.runner.command"
local dry_run = require "moonlet.engine.effects.dry_run"
local task = core.task

local M = {}

local gate_fields = { action = "string!", why = "string", show = "string", timeout = "duration",
  name = "string" }
local question_fields = { text = "string!", options = "list", show = "string", timeout = "duration",
  name = "string" }
local show_cap = 64 * 1024

local function hash_of(text) return core.text.sha256(text):sub(1, 16) end

--- Hashes the fields that a person sees. The person's answer is valid only for this hash.
local function shown(fields) return hash_of(core.json.encode_record(fields)) end

--- Binds an answer to the redacted text that the person saw, so that the binding does not depend on
--- secrets in the environment. If the text contains a secret, adds a keyed hash of the full text.
local function bind_shown(run, fields)
  local all = core.json.encode_record(fields)
  local told = input_hash.hidden_json(run.journal, all)
  local function keyed() return values.keyed(all):match(":(.*)"):sub(1, 16) end
  return {
    shown = told == all and hash_of(all) or hash_of(told) .. "." .. keyed(),
    is = function(given)
      local hash, whole = tostring(given):match "^(%x+)%.?(%x*)$"
      return hash ~= nil and (hash == hash_of(told) or hash == hash_of(all)
        or whole ~= "" and whole == keyed())
    end,
  }
end

local function print_shown(item)
  local lines, out = {}, page.out(2)
  page.hang(lines, out, item.kind .. " asks: ", item.text, 4000)
  if item.why then page.hang(lines, out, "why: ", item.why, 4000) end
  if item.show then
    table.move(page.quote(item.show, out.columns), 1, show_cap, #lines + 1, lines)
  end
  for i, option in ipairs(item.options or {}) do
    page.hang(lines, out, ("  %d. "):format(i), option, 400)
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Finds the option that a text selects by its number, or by its text in upper or lower case.
local function find_option(list, text)
  for _, said in ipairs { text, (core.secret.hide(text)) } do
    for i, option in ipairs(list) do
      if option == said then return i end
    end
  end
  local number = text:find("^%d+$") and math.tointeger(tonumber(text))
  if number and list[number] then return number end
  local found
  for i, option in ipairs(list) do
    if option:lower() == text:lower() then
      if found then return nil end
      found = i
    end
  end
  return found
end

--- Parses typed text as the answer to a gate or question. Returns nil if it is not a valid answer.
---@return string? answer, integer? option  number of the option
function M.read_answer(item, line)
  local text = line:match("^%s*(.-)%s*$")
  if item.kind == "gate" then
    local word = text:lower()
    if word == "y" or word == "yes" or word == "approve" then return "approve" end
    if word == "n" or word == "no" or word == "reject" then return "reject" end
    return nil
  end
  if not item.options or #item.options == 0 then return text ~= "" and text or nil end
  local number = find_option(item.options, text)
  if number then return item.options[number], number end
end

local function kind_of(err)
  return type(err) == "table" and rawget(err, "kind") or "failed"
end

local function ask_here(run, item)
  if not run.may_ask or not core.terminal.can_ask() then return nil end
  local prompt = item.kind == "gate" and "approve? [y/n] " or "answer: "
  local wanted = item.kind == "gate" and "type y or n"
    or item.options and #item.options > 0 and "type one of the options, or its number"
      or "type some text"
  local before = print_shown(item)
  for _ = 1, 5 do
    local line = (run.ask or core.terminal.ask)(before .. prompt)
    if not line then return nil end
    local value, option = M.read_answer(item, line)
    if value then return { value = value, option = option, by = person.name() } end
    before = ("'%s' is not an answer here: %s\n"):format(core.text.printable(line, 60), wanted)
  end
end

local function forget_parked(run, item)
  for i = #run.parked, 1, -1 do
    if run.parked[i] == item then table.remove(run.parked, i) end
  end
end

--- Raises an error in the clean-up of a cancelled run, because it must not wait for a person.
local function check_cancelled(run, item)
  if run.cancels then run.end_cancelled() end
  if not run.is_cancelled() then return end
  error({ kind = "cancelled", at = item.key,
    message = ("the run was cancelled, so no person is asked: %s"):format(item.text) }, 0)
end

local function park(run, item)
  check_cancelled(run, item)
  run.parked[#run.parked + 1] = item
  run.emit("warning", { step = item.key, reported = true,
    text = ("waits for a person: %s"):format(item.text) })
  local ok, err = pcall(function()
    task.park()
    check_cancelled(run, item)
    run.end_parked()
    task.check()
  end)
  -- The gate no longer waits, because the body that contains it has ended.
  if not ok and kind_of(err) ~= "parked" then forget_parked(run, item) end
  if not ok then error(err, 0) end
  error({ kind = "parked", message = item.text }, 0)
end

--- Asks a person or parks the run. The wait for the person does not count for time limits.
local function ask_or_park(run, item)
  task.stop_clock()
  local ok, here = pcall(function() return ask_here(run, item) or park(run, item) end)
  task.start_clock()
  if not ok then error(here, 0) end
  return here
end

local function emit(run, item, state, answer)
  run.emit(item.kind == "gate" and "gate" or "question",
    { step = item.key, state = state, text = item.text, value = answer and answer.value,
      by = answer and answer.by, until_ms = item.until_ms })
end

local function expired(run, item)
  emit(run, item, "expired")
  error({ kind = "timeout", message = ("no answer came in time: %s"):format(item.text),
    at = item.key }, 0)
end

--- Reports whether the script has seen the gate expire, so that a later answer is rejected.
local function was_told_expired(run, item)
  local told = run.journal.facts[item.key .. "/expired"]
  return told ~= nil and values.get(told.result) == item.until_ms
end

--- Returns the status of a gate or question whose step raised an error.
local function status_of(err)
  local kind = kind_of(err)
  return (kind == "parked" or kind == "prepared") and kind or "failed"
end

--- Finds the answer in the record or asks the person at the terminal. Parks without an answer.
local function find_answer(run, item, timeout, bound)
  local function answered(answer)
    emit(run, item, "answered", answer)
    return answer
  end
  if run.journal.resumed then task.wait_turn() end
  local given = run.journal.answers[item.key]
  if given and given.shown ~= item.shown and not (bound and bound.is(given.shown)) then
    given = nil
  end
  if given and not timeout then return answered(given) end
  local asked = journal.fact(run, item.key .. "/asked",
    { verb = "asked", shown = item.shown:match "^%x+" }, core.clock.wall)
  item.until_ms = timeout and asked + timeout
  local function check_time(at_ms)
    if not item.until_ms or at_ms <= item.until_ms and not was_told_expired(run, item) then
      return
    end
    journal.fact(run, item.key .. "/expired", { verb = "expired", until_ms = item.until_ms },
      function() return item.until_ms end)
    expired(run, item)
  end
  check_time(given and (given.at_ms or asked) or core.clock.wall())
  if given then return answered(given) end
  if run.options.gates == "deny" then
    return answered { value = item.kind == "gate" and "reject" or nil, by = "--gates deny" }
  end
  emit(run, item, "waiting")
  local here = ask_or_park(run, item)
  local now = core.clock.wall()
  check_time(now)
  journal.answer(run, { type = "answer", key = item.key, shown = item.shown, value = here.value,
    option = here.option, by = here.by, at = core.clock.iso(now), at_ms = now })
  return answered { value = here.value, option = here.option, by = here.by,
    at = core.clock.iso(now) }
end

--- Returns the answer to a gate or question. Adds the answer and the displayed text to run.json.
local function answer_of(run, item, timeout, bound)
  if run.dry then return dry_run.answer(run, item) end
  local given = find_answer(run, item, timeout, bound)
  run.answers[#run.answers + 1] = { key = item.key, kind = item.kind, text = item.text,
    why = item.why, show = item.show, value = given.value, by = core.text.printable(given.by, 100),
    note = given.note and core.text.clean(given.note),
    at = given.at or core.clock.iso(core.clock.wall()) }
  return given
end

--- Raises an error if a run no longer waits for this answer.
---@param given table    new answer
---@param before table?  journaled answer to the same question
function M.check_open(id, rec, given, before)
  local where = core.text.printable(given.key, 80)
  if before and before.shown == given.shown then
    local value, by = (core.secret.hide(tostring(before.value))),
      (core.secret.hide(tostring(before.by)))
    record.refuse(("%s was answered at '%s' already: %s by %s"):format(id, where,
      core.text.printable(value, 80), core.text.printable(by, 80)), "moonlet show " .. id)
  end
  for _, item in ipairs(rec.ended and rec.verdict == "needs-human" and rec.parked or {}) do
    if item.key == given.key and item.shown == given.shown then
      if math.type(item.until_ms) and given.at_ms > item.until_ms then
        record.refuse(("%s: the time to answer '%s' was over at %s"):format(id, where,
          core.clock.iso(item.until_ms)),
          ("moonlet resume %s continues without an answer"):format(id))
      end
      return
    end
  end
  record.refuse(("%s no longer waits at '%s'"):format(id, where), "moonlet show " .. id)
end

local function check_show(show)
  if show and #show > show_cap then
    record.refuse(("show has %d bytes; a person is shown at most %d"):format(#show, show_cap),
      "show only what the person needs to decide, and name a file for the rest")
  end
end

--- Ends the step of a gate or question. Raises the error `given` if `ok` is false.
local function end_step(run, step, ok, given)
  run.end_step(step, not ok and status_of(given) or run.dry and "prepared" or "ok",
    not ok and { error = given } or {})
  if not ok then error(given, 0) end
end

--- Implements ctx:gate{ action, why, show, timeout }. Returns { by, note }, or raises `rejected`.
--- The answer is bound to the hash in `bound`, by default that of the displayed text.
function M.gate(ctx, call, bound)
  local state = context.of(ctx)
  local run = state.run
  record.check(call, gate_fields, "ctx:gate")
  check_show(call.show)
  task.check()
  bound = bound or bind_shown(run, { "gate", call.action, call.why or "", call.show or "" })
  local item = { kind = "gate", key = context.key(state, call.name or "gate"), text = call.action,
    why = call.why, show = call.show, shown = bound.shown }
  local step = run.begin_step(item.key, "gate")
  local ok, given = pcall(answer_of, run, item,
    call.timeout and duration.ms(call.timeout, "timeout"), bound)
  if ok and given.value ~= "approve" then
    local why = given.note and ": " .. given.note or " by " .. given.by
    ok, given = false,
      { kind = "rejected", message = ("'%s' was rejected%s"):format(item.text, why) }
  end
  end_step(run, step, ok, given)
  return { by = given.by, note = given.note }
end

local function quoted(word)
  if word:find("^[%w_@%%+=:,./~-]+$") then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function excerpt(text, cap)
  if #text <= cap then return text end
  return ("%s… (%d bytes, sha256 %s)"):format(core.text.cut(text, cap), #text,
    core.text.sha256(text))
end

--- Formats a command for a person, with its folder, environment and standard input.
local function show_command(argv, beside)
  local words, lines = {}, {}
  for i, word in ipairs(argv) do words[i] = quoted(word) end
  lines[1] = excerpt(table.concat(words, " "), 16384)
  if beside.cwd and beside.cwd ~= "" and beside.cwd ~= "." then
    lines[2] = "in: " .. excerpt(beside.cwd, 4096)
  end
  local names = {}
  for name in pairs(beside.env or {}) do names[#names + 1] = tostring(name) end
  table.sort(names)
  for i, name in ipairs(names) do
    local value = beside.env[name]
    if i > 40 then
      lines[#lines + 1] = ("and %s more"):format(counted(#names - 40, "variable"))
      break
    end
    lines[#lines + 1] = value == false and "without: " .. excerpt(name, 200)
      or ("with: %s=%s"):format(excerpt(name, 200), excerpt(tostring(value), 400))
  end
  if beside.env_names and beside.env_names[1] then
    lines[#lines + 1] = "with: " .. excerpt(table.concat(beside.env_names, ", "), 2000)
  end
  if beside.stdin then
    lines[#lines + 1] = ("standard input: %d bytes, sha256 %s"):format(#beside.stdin,
      core.text.sha256(beside.stdin))
    lines[#lines + 1] = core.text.cut(beside.stdin, 4000)
  end
  return table.concat(lines, "\n")
end

--- Returns the hash of a command with all its inputs. An approval is valid only for this hash.
--- A command with secrets gets a keyed hash, because its visible form depends on the environment.
local function bind(what, why, command, parts)
  local text = table.concat(parts)
  local digest = core.text.sha256(text)
  local function plain(told) return shown { "gate", what, why, core.text.clean(told), digest } end
  local function keyed() return values.keyed(what .. "\0" .. text):match(":(.*)"):sub(1, 16) end
  local told = core.run.redact(command)
  local open = told == command and core.run.redact(text) == text
  return {
    shown = open and plain(command) or keyed(),
    is = function(hash) return hash == plain(command) or hash == plain(told) or hash == keyed() end,
  }
end

local function ask_before(ctx, what, argv, beside)
  -- A person may see a shortened or redacted command, so hash the whole one with all its inputs.
  local parts = { beside.cwd or "", beside.stdin or "", table.unpack(argv) }
  local given = {}
  for name, value in pairs(beside.env or {}) do
    given[#given + 1] = tostring(name) .. "=" .. tostring(value)
  end
  table.sort(given)
  table.move(given, 1, #given, #parts + 1, parts)
  for i, part in ipairs(parts) do parts[i] = ("%d:%s"):format(#part, part) end
  local why = "it changes what others see, and cannot be taken back"
  local command = show_command(argv, beside)
  M.gate(ctx, { action = what, name = "gate-" .. what:gsub("[^%w]+", "-"), why = why,
    show = core.text.clean(core.run.redact(command)) }, bind(what, why, command, parts))
end

--- Asks for approval before a command if it is irreversible.
---@param beside {cwd: string?, env: table?, stdin: string?}
---@return string? what  action that a person has approved
function M.before(ctx, argv, beside)
  local what = irreversible.action(argv, beside)
  dry_run.check_command(context.of(ctx).run, argv, what)
  if what then ask_before(ctx, what, argv, beside) end
  return what
end

--- Asks before a program runs as an agent. A prompt for a shell is checked as a command.
function M.before_agent(ctx, job, prompt)
  if not job.argv then return end
  local made = commands.command { argv = job.argv, prompt = prompt, prompt_file = "{prompt_file}",
    out = "{out}" }
  local beside = { cwd = job.call.cwd, env_names = job.call.env,
    stdin = made.stdin and prompt or nil, prose = true }
  local what = irreversible.action(job.argv) or irreversible.action(made.argv, beside)
  if what then ask_before(ctx, what, made.argv, beside) end
end

--- Implements ctx:question{ text, options, show, timeout }, which returns a person's answer.
--- `agent` marks an agent's question, which the main agent of the run may also answer.
function M.question(ctx, call, agent)
  local state = context.of(ctx)
  local run = state.run
  record.check(call, question_fields, "ctx:question")
  check_show(call.show)
  for _, option in ipairs(call.options or {}) do
    if type(option) ~= "string" then record.refuse("ctx:question: options are texts") end
  end
  task.check()
  local item = { kind = "question", key = context.key(state, call.name or "question"),
    text = call.text, options = call.options, show = call.show, agent = agent }
  local bound = bind_shown(run, { "question", call.text, call.options or {}, call.show or "" })
  item.shown = bound.shown
  local step = run.begin_step(item.key, "question")
  local ok, given = pcall(answer_of, run, item,
    call.timeout and duration.ms(call.timeout, "timeout"), bound)
  if ok and not given.value then
    ok, given = false,
      { kind = "rejected", message = "a question was not answered (--gates deny): " .. item.text }
  end
  end_step(run, step, ok, given)
  -- Return the option from the script's call. In the recorded option, names may replace secrets.
  return given.option and (call.options or {})[given.option] or given.value
end

--- Asks before a step is repeated that was interrupted while it wrote in place.
function M.interrupted_writer(run, step, attempt, changed)
  local text = ("step %s wrote in place and was interrupted (attempt %d)"):format(step.key, attempt)
  local item = { kind = "gate", key = step.key .. "/again@" .. attempt,
    text = "do it again: " .. text, why = "it would find what its first attempt changed",
    show = "since it began these changed:\n" .. changed,
    -- The hash omits the changed files, so an approval stays valid if a person undoes some.
    shown = shown { "again", step.key, attempt } }
  local given = answer_of(run, item)
  if given.value ~= "approve" then
    error({ kind = "rejected", message = text .. " and is not done again" }, 0)
  end
end

--- Asks for approval before merging a worktree in which an agent deleted most of the files.
---@param total integer  number of files before the deletion
function M.mass_deletion(run, key, paths, total)
  local text = ("merge what step %s made: it deletes %d of %d files"):format(key, #paths, total)
  local list = table.concat(paths, "\n")
  local item = { kind = "gate", key = key .. "/deletes", text = text,
    show = core.text.cut(list, show_cap),
    why = "an agent that deletes most of the files may have made a mistake",
    shown = shown { "deletes", key, total, core.text.sha256(list) } }
  local given = answer_of(run, item)
  if given.value ~= "approve" then
    error({ kind = "rejected", at = key,
      message = ("step %s deletes %d of %d files, and that was rejected"):format(key,
      #paths, total) }, 0)
  end
end

--- Asks a person, or parks the run, if an unreachable machine may still run a step. Without an
--- answer a resume asks the machine again; after an approval the step is lost.
function M.unreachable(run, key, on, text, hint)
  local item = { kind = "gate", key = key .. "/unreachable", text = text,
    why = ("moonlet resume %s checks again; approve only if you know that the step no "
      .. "longer runs"):format(run.id),
    show = hint, shown = shown { "unreachable", key, on } }
  local given = answer_of(run, item)
  local is_gone = given.value == "approve"
  error({ kind = is_gone and "lost" or "rejected", at = key, may_run = not is_gone or nil,
    message = ("step %s on %s was given up: it could not be reached"):format(key, on) }, 0)
end

--- Asks before the first jobs of a run are submitted to a scheduler.
---@param on string      the machine as steps name it
---@param where string   partition and login node, for people
---@param jobs integer   number of steps that wait for the answer
function M.submission(run, on, where, jobs)
  local text = ("submit %s to %s"):format(counted(jobs, "job"), where)
  local item = { kind = "gate", key = on .. "/submit", text = text,
    why = 'machines.slurm has submit = "ask"', shown = shown { "submit", on, where, jobs } }
  local given = answer_of(run, item)
  if given.value ~= "approve" then
    error({ kind = "rejected", message = ("'%s' was rejected by %s"):format(text, given.by) }, 0)
  end
end

--- Asks a person before an irreversible command is started again.
---@param attempt integer  number of the attempt that was started
---@param how string       what is known about that attempt
function M.done_before(run, key, attempt, argv, how)
  local item = { kind = "gate", key = key .. "/again@" .. attempt, show = table.concat(argv, " "),
    text = ("do it again: step %s was started before (attempt %d) and %s"):format(key,
      attempt, how),
    why = "check whether it happened; approve to do it again, reject to end the run",
    shown = shown { "done before", key, attempt, argv } }
  local given = answer_of(run, item)
  if given.value ~= "approve" then
    error({ kind = "rejected", at = key,
      message = ("step %s was started before and is not done again"):format(key) }, 0)
  end
end

return M
