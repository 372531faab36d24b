--- Runs a script whose lines a person types at a prompt. Each line is recorded.
--- A resumed run evaluates the recorded lines against the journal, then continues at the prompt.
local scope = require "moonlet.engine.context.scope"
local commands = require "moonlet.engine.repl.commands"
local complete = require "moonlet.engine.repl.complete"
local grants = require "moonlet.engine.context.grants"
local input = require "moonlet.engine.repl.input"
local journal = require "moonlet.engine.journal.journal"
local loader = require "moonlet.engine.load.loader"
local manifest = require "moonlet.engine.run.manifest"
local record = require "moonlet.record"
local show = require "moonlet.engine.repl.show"
local context = require "moonlet.engine.context.context"
local task = core.task

local M = {}

--- Each line gets a huge time limit, because the journal records an interrupt as the line's timeout.
local no_limit_ms = 1 << 40

local look_ms = 20

local sources = { ["line"] = "a line at the prompt" }

---@class moonlet.ReplLine
---@field number integer
---@field text string
---@field chunk function
---@field body any        task that ends after all tasks that the line started
---@field scope any       cancel scope of the line
---@field task any?       task that evaluates the line itself
---@field ok boolean
---@field results table   values that the line returned, or the line's error
---@field interrupted boolean?
---@field job string?     variable that holds the task of a line started with :bg
---@field rights table[]    rights that the line used: { kind, name }

---@class moonlet.Repl
---@field run table
---@field ctx moonlet.Ctx?           ctx of the current or last line
---@field environment table
---@field lines moonlet.ReplLine[]
---@field prompt any                 value of core.line
---@field prompts boolean
---@field json boolean
---@field running moonlet.ReplLine?
---@field background integer         number of lines that continue in the background

local function say(session, text)
  if session.json then return end
  core.system.print(1, core.text.strip(text) .. "\n")
end

local function error_of(session, err)
  local told = manifest.error(err)
  local lines = { "error: " .. core.text.printable(told.message, 2000) }
  local excerpt = type(err) == "table" and rawget(err, "excerpt")
  if excerpt then
    lines[#lines + 1] = excerpt
  elseif told.at ~= core.json.null and told.at and not told.message:find(told.at, 1, true) then
    lines[#lines + 1] = "  at: " .. core.text.printable(told.at)
  end
  if told.hint ~= core.json.null and told.hint and told.hint ~= "" then
    lines[#lines + 1] = "  " .. core.text.printable(told.hint, 2000)
  end
  for i = #session.run.steps, 1, -1 do
    local step = session.run.steps[i]
    local is_it = step.status == "failed" and step.dir and step.error
      and step.error.message == told.message
    if is_it then return table.concat(lines, "\n") .. "\n  " .. session.run.absolute(step.dir) end
  end
  return table.concat(lines, "\n")
end

local function json_value(value)
  local ok, copy = pcall(function() return core.json.decode(core.json.encode(value)) end)
  if ok then return copy end
  return show.text(value)
end

local function present(session, line)
  if session.json then
    core.system.print(1, core.json.encode_record { ok = line.ok, command = "repl",
      run = core.json.null, result = line.ok and line.results.n > 0 and line.results[1] ~= nil
        and json_value(line.results[1])
        or core.json.null,
      error = line.ok and core.json.null or manifest.error(line.results[1]) } .. "\n")
    return
  end
  if not line.ok then
    return core.system.print(2, core.text.strip(error_of(session, line.results[1])) .. "\n")
  end
  for i = 1, line.results.n do
    if i > 1 or line.results[1] ~= nil then say(session, show.text(line.results[i])) end
  end
end

--- Shows the running agents while a line runs, and hides them while a person answers.
local function watch_line(session, on)
  if session.prompts and not session.json then
    core.event.display(on and session.shown and "prompt" or "messages")
  end
end

local function says_yes(answer) return answer ~= nil and answer:lower():find("^%s*y") ~= nil end

local function ask_leave(session)
  if session.background == 0 or not session.prompts then return true end
  local how, text = core.line.read(session.prompt, session.background == 1
    and "1 line still runs: end it and quit? [y/N] "
    or ("%d lines still run: end them and quit? [y/N] "):format(session.background))
  return how ~= "line" or says_yes(text)
end

--- Prints a question and reads the answer. The last line of the question becomes the prompt.
local function read_answer(session, text)
  local shown, last = text:match("^(.*\n)([^\n]*)$")
  if shown then say(session, (shown:gsub("\n$", ""))) end
  local how, answer = core.line.read(session.prompt, last or text)
  return how == "line" and answer or nil
end

--- Asks the question of a background task. The caller restores the line that the user was typing.
local function answer_question(session)
  local question = session.question
  session.question = nil
  question.answer = read_answer(session, question.text)
  task.cancel_scope(question.wake, { kind = "cancelled", message = "it is answered" })
end

--- Asks the person a question for the running line. If no line is running, the question comes from
--- a background task, and the person may be typing.
local function ask(session, text)
  while session.question or session.asking do core.task.sleep(look_ms) end
  if session.running then
    session.asking = true
    watch_line(session, false)
    local ok, answer = pcall(read_answer, session, text)
    watch_line(session, true)
    session.asking = nil
    if not ok then error(answer, 0) end
    return answer
  end
  local question = { text = text, wake = task.open_scope { what = "a question" } }
  session.question = question
  core.line.cancel(session.prompt)
  pcall(core.task.sleep, no_limit_ms)
  task.close_scope(question.wake)
  task.check()
  return question.answer
end

--- Reads one line and answers requests for completion.
--- Returns nil at the end of the input, and false after an interrupt.
local function read_line(session, prompt, initial)
  while session.asking do core.task.sleep(look_ms) end
  session.interrupted = nil
  local how, text, cursor = core.line.read(session.prompt, prompt, initial)
  while how == "complete" do
    local ok, from, words = pcall(complete.words, session, text:sub(1, cursor))
    how, text, cursor = core.line.complete(session.prompt, ok and from or cursor,
      ok and words or {})
  end
  if how == "line" then return text end
  session.interrupted = nil
  if how == "cancelled" and session.question then
    answer_question(session)
    return read_line(session, prompt, text)
  end
  if how == "cancelled" then return false, text end
  return nil
end

--- Reads lines until they form complete Lua or a command. Returns nil at the end of the input.
local function read_input(session)
  local text, interrupts = nil, 0
  while true do
    local prompt = ("%d%s "):format(#session.lines + 1, text and ">>" or ">")
    local line, typed = read_line(session, prompt, session.next_text)
    session.next_text = nil
    if line == nil then return text end
    if line == false then
      interrupts = (typed == "" and not text) and interrupts + 1 or 0
      text = nil
      if interrupts == 2 then return nil end
      if interrupts == 1 then say(session, "^C again, or ^D, quits") end
    else
      text = text and text .. "\n" .. line or line
      if text:match("^%s*:") then return text end
      local _, _, more = input.load(session.environment, text, "line")
      if not text:find "%S" then text = nil elseif not more then return text end
    end
  end
end

--- Records that a typed line was interrupted while its code ran without waiting, so that a resumed
--- run skips the line.
local function note_stopped(session, line, err)
  if type(err) ~= "table" or err.stopped ~= true or line.stopped then return end
  line.stopped = true
  journal.fact(session.run, ("stopped %d"):format(line.number), sources, function()
    return err.message
  end)
end

local function announce(session, line, ok, err)
  session.background = session.background - 1
  local handle = ok and line.job and rawget(session.environment, line.job)
  local text = "has ended"
  if handle then
    local results = table.pack(pcall(handle.join, handle))
    text = results[1] and ("%s = %s"):format(line.job, show.text(results[2])) or text
  end
  say(session, ("[%d] %s"):format(line.number, ok and text or error_of(session, err)))
end

--- Starts an entered line as a task. The task ends after all tasks that the line started.
local function start(session, line)
  local state = session.state
  local key = context.key(state, tostring(line.number))
  local what = ("line %d"):format(line.number)
  line.what = what
  line.body = task.spawn(state.scope, function()
    local ok, err = pcall(scope.body, session.run, key,
      { budget = state.budget, timeout = no_limit_ms, what = what }, function(ctx)
        line.scope, session.ctx = context.of(ctx).scope, ctx
        -- Ctrl-C was pressed before this line had a scope to cancel, so interrupt the line now.
        if session.interrupted or line.interrupted then
          session.interrupted, line.interrupted = nil, nil
          session.interrupt()
        end
        line.task = task.spawn(line.scope, function()
          context.of(ctx).task = task.current()
          line.results = table.pack(pcall(line.chunk))
          line.ok = table.remove(line.results, 1)
          line.results.n = line.results.n - 1
        end)
        task.join(line.task)
        if not line.ok then error(line.results[1], 0) end
      end)
    if not line.results then line.ok, line.results = false, table.pack(err) end
    note_stopped(session, line, not ok and err or nil)
    if line.announced then announce(session, line, ok, err) end
    line.ended = true
  end)
end

--- Waits until the Lua code of an entered line has returned. Tasks that it started may still run.
--- Waits only in task.join and scope.yield, so that the run can park meanwhile.
local function wait_for(session, line)
  while not line.task and not line.ended do scope.yield(session.root) end
  if line.task then task.join(line.task) end
  -- Yield a few times, because the tasks that the line started may be about to end.
  for _ = 1, 3 do
    if line.ended then break end
    scope.yield(session.root)
  end
  if not line.results then task.join(line.body) end
  if not line.ended then
    line.announced = true
    session.background = session.background + 1
  end
end

--- Clears the failures of earlier lines, so that only the last line decides the run's verdict.
local function forget_earlier(run)
  for _, step in ipairs(run.steps) do
    if step.status == "failed" then step.gone = true end
  end
  run.degraded, run.validation = {}, {}
end

--- Returns the reason why a resumed run skips a recorded line, or nil. An interrupted line is
--- skipped. A line that ended the prompt is skipped unless the person wants to evaluate it again.
local function why_skipped(session, number)
  local run = session.run
  if not run.journal or number > session.recorded then return nil end
  local stopped = run.journal.facts[("stopped %d"):format(number)]
  if stopped then
    return journal.fact(run, ("stopped %d"):format(number), sources, function()
      return "stopped"
    end)
  end
  local key = ("again %d"):format(number)
  local ended = number == session.recorded and run.sealed and run.sealed.error
  local ended_prompt = type(ended) == "table" and ended.kind == "limit"
  if not ended_prompt and not run.journal.facts[key] then return nil end
  local again = journal.fact(run, key, sources, function()
    if not session.prompts then return false end
    say(session, ("line %d ended the prompt: %s\n  %s"):format(number,
      core.text.printable(ended.message, 400),
      core.text.printable(session.lines[number].text, 200)))
    return says_yes(read_answer(session, "evaluate it again? [y/N] "))
  end)
  return not again and "it had ended the prompt, and was not evaluated again" or nil
end

local function evaluate(session, text, replayed)
  local number = #session.lines + 1
  local line = { number = number, text = text, job = text:match("^(job%d+) = ctx:spawn"),
    rights = {} }
  grants.used[session.run.grants] = line.rights
  session.lines[number] = line
  forget_earlier(session.run)
  local skipped = why_skipped(session, number)
  local chunk, message, _, excerpt = input.load(session.environment, text, "line " .. number)
  if skipped then
    line.ok, line.ended, line.skipped = false, true, true
    line.results = table.pack { kind = "cancelled", message = skipped, at = "line " .. number }
  elseif chunk then
    line.chunk = chunk
    session.running = line
    watch_line(session, true)
    start(session, line)
    wait_for(session, line)
    watch_line(session, false)
    session.running = nil
  else
    line.ok, line.ended = false, true
    line.results = table.pack { kind = "invalid", message = message, at = "line " .. number,
      excerpt = excerpt }
  end
  if not replayed and not skipped then present(session, line) end
  return line
end

--- Interrupts the running line, or discards the line that the person types.
--- The interrupt of a running line is recorded, so that a replay stops the line at the same point.
local function interrupt(session)
  local line = session.running
  if not line then
    session.interrupted = true
    return core.line.cancel(session.prompt, "^C")
  end
  local err = { kind = "cancelled", message = "interrupted" }
  if line.interrupted then return task.cancel_scope(session.state.scope, err) end
  line.interrupted = true
  if not line.scope then return end
  if session.run.journal then journal.append { type = "timeout", key = line.what, error = err } end
  task.cancel_scope(line.scope, err)
end

--- Returns the text of the next line, from the journal or from the person; nil at the end of the input.
local function next_text(session)
  local run = session.run
  local key = context.key(session.state, "line", true)
  local recorded = run.journal and run.journal.facts[key]
  if recorded then
    task.wait_turn(recorded.order)
    return journal.fact(run, key, sources, function() return "" end), true
  end
  while true do
    local text = read_input(session)
    if text == nil then
      if ask_leave(session) then return nil end
    else
      core.line.remember(session.prompt, (core.secret.hide(text)))
      local plain = text:match("^%s*(%a+)%s*$")
      local is_command = plain == "help" or plain == "exit" or plain == "quit"
      if is_command and rawget(session.environment, plain) == nil then text = ":" .. plain end
      local word, rest = text:match("^%s*(:%a+)%s*(.-)%s*$")
      if not word and not text:match("^%s*:") then
        return journal.fact(run, key, sources, function() return text end), false
      end
      local made, leave = commands.run(session, word or text, rest or "", say)
      if leave and ask_leave(session) then return nil end
      if made then return journal.fact(run, key, sources, function() return made end), false end
    end
  end
end

local function count_recorded(run)
  local count = 0
  while run.journal and run.journal.facts[count == 0 and "line" or "line#" .. count + 1] do
    count = count + 1
  end
  return count
end

--- Asks the person to grant a right that the run lacks. The answer is recorded, so that a resume does
--- not ask again.
local function ask_grant(session, grant)
  local run, key = session.run, "grant " .. grant
  local known = run.journal and run.journal.facts[key]
  if not known and (not session.prompts or not session.running) then return false end
  local given = journal.fact(run, key, sources, function()
    return says_yes(ask(session, ("this needs --allow %s: grant it to this run? [y/N] "):format(
      core.text.printable(grant, 200))))
  end)
  if given then grants.parse(run.grants, grant) end
  return given
end

--- Prints how many lines a resumed run has evaluated again, and which of them failed.
local function tell_replayed(session, recorded)
  local failed, skipped = {}, 0
  for _, line in ipairs(session.lines) do
    if line.skipped then skipped = skipped + 1 end
    if line.number <= recorded and not line.ok then
      failed[#failed + 1] = ("  line %d: %s"):format(line.number,
        core.text.printable(manifest.error(line.results[1]).message, 200))
    end
  end
  local count = recorded - skipped
  say(session, ("%s: %d %s evaluated again; recorded steps cost nothing"):format(session.run.id,
    count, count == 1 and "line" or "lines"))
  if #failed > 0 then
    say(session, "these lines had failed and were not evaluated again:\n"
      .. table.concat(failed, "\n"))
  end
end

local function environment_of(session, source)
  local globals = loader.globals(source)
  local function missing(name)
    if name == "ctx" then return session.ctx end
    local names = { "ctx" }
    for key in pairs(session.environment) do names[#names + 1] = key end
    local near = record.nearest(tostring(name), names)
    record.refuse(("there is no variable '%s'"):format(core.text.printable(tostring(name), 60)),
      near and ("did you mean '%s'?"):format(near) or nil)
  end
  return core.script.environment(globals, missing, rawset)
end

---@param source moonlet.Source   source whose field `words` has names for completion
---@return fun(ctx: moonlet.Ctx): any
function M.body(source)
  return function(ctx)
    local state = context.of(ctx)
    local session = setmetatable({ run = state.run, root = ctx, ctx = ctx, state = state,
      lines = {}, background = 0, json = source.json }, { __index = source.words })
    source.words.home = state.run.home
    state.run.prompt = state
    session.environment = environment_of(session, source)
    session.forget_module = source.forget
    session.own_names = {}
    for name in pairs(session.environment) do session.own_names[name] = true end
    local recorded = count_recorded(state.run)
    session.recorded = recorded
    local opened, why = pcall(function()
      local _
      session.prompt, _, session.prompts = core.line.open(source.history or "")
    end)
    if not opened then
      if not session.json then
        core.system.print(2, core.text.strip(error_of(session, why)) .. "\n")
      end
      error(why, 0)
    end
    if not session.prompt then
      record.refuse("this program may not read its standard input", "use the command moonlet repl")
    end
    session.interrupt = function() interrupt(session) end
    state.run.ask = function(text) return ask(session, text) end
    grants.askers[state.run.grants] = function(grant) return ask_grant(session, grant) end
    local watcher = task.open_scope { what = "the prompt" }
    task.spawn(watcher, function()
      while true do
        core.line.interrupted(session.prompt)
        interrupt(session)
      end
    end)
    if session.prompts and recorded == 0 then
      say(session, ("moonlet %s, %s, %s. :help lists the commands; ^D quits."):format(
        core.system.version,
        session.run.id, session.run.runner_name and "runner " .. session.run.runner_name
          or "no runner"))
    end
    local last
    local ok, err = pcall(function()
      while true do
        local replaying = #session.lines < recorded
        if not session.json and not session.shown and #session.lines >= recorded - 1 then
          session.shown = true
          core.event.display "messages"
        end
        local text, replayed = next_text(session)
        if text == nil then break end
        local is_last = #session.lines + 1 == recorded
        last = evaluate(session, text, replayed and not is_last)
        if replaying and is_last then tell_replayed(session, recorded) end
      end
    end)
    core.line.close(session.prompt)
    task.cancel_scope(watcher, { kind = "cancelled", message = "the prompt is closed" })
    task.wait_scope(watcher)
    task.close_scope(watcher)
    for _, line in ipairs(session.lines) do
      if line.announced and not line.ended and session.prompts and line.scope then
        task.cancel_scope(line.scope, { kind = "cancelled", message = "the user quit the prompt" })
      end
    end
    if not ok then error(err, 0) end
    if last and not last.ok then error(last.results[1], 0) end
    return last and last.results.n > 0 and json_value(last.results[1]) or nil
  end
end

return M
