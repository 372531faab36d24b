--- Implements ctx:session, a program on a terminal as steps of a run. The start and each input are
--- on record before they happen, so no input is typed twice. A resumed run finds the session again,
--- or raises `lost`.
local budget = require "moonlet.engine.budget.budget"
local closed = require "moonlet.engine.context.closed"
local confinement = require "moonlet.engine.session.confinement"
local duration = require "moonlet.duration"
local grants = require "moonlet.engine.context.grants"
local journal = require "moonlet.engine.journal.journal"
local log = require "moonlet.engine.session.log"
local observer = require "moonlet.engine.session.observer"
local record = require "moonlet.record"
local start = require "moonlet.engine.session.start"
local context = require "moonlet.engine.context.context"
local states = require "moonlet.engine.session.states"
local store = require "moonlet.engine.session.store"
local typing = require "moonlet.engine.session.typing"
local words = require "moonlet.engine.effects.words"
local write_lock = require "moonlet.engine.workspace.write_lock"

local M = {}

local fields = { argv = "list", cwd = "string", env = "table", timeout = "duration",
  idle = "duration", name = "string", rows = "integer", cols = "integer", agent = "string",
  detach = "boolean", writes = "boolean" }
local send_fields = { enter = "boolean", keys = "list", name = "string" }
local expect_fields = { timeout = "duration", name = "string" }
local default_expect_ms, poll_ms, close_grace_ms = 60 * 1000, 50, 3000
local read_cap = 1 << 20
local least_size = { rows = 1, cols = 2 }

local handles = setmetatable({}, { __mode = "k" })
local Session = {}

local function check_alive(own) states.check_alive(own.home, own.id) end

local function own_of(session)
  local own = handles[session]
  if not own then record.refuse("a session was expected", "write s:send(…), not s.send(…)") end
  return own
end

local function key_of(own, name)
  core.task.check()
  context.check_name(name)
  local count = (own.counts[name] or 0) + 1
  own.counts[name] = count
  local key = own.key .. "/" .. context.part(own.run, name)
  return count > 1 and ("%s#%d"):format(key, count) or key
end

local function step(own, name, input, options, live)
  input.session = own.key
  local key = key_of(own, name)
  local value, made = own.run.step(key, "session", nil, input, options, function(last, hash)
    if own.run.cancels then own.run.end_cancelled() end
    own.observer = own.observer or observer.new(own.run, own.key, own.id)
    observer.look(own.observer)
    local result = live(last, hash, key)
    observer.look(own.observer, name == "close")
    return result
  end)
  own.run.end_step(made, "ok", {})
  return value
end

--- Types a text and presses Enter by default: s:send("yes"), s:send("", { keys = { "ctrl-c" } }).
function Session:send(text, options)
  local own = own_of(self)
  options = options or {}
  record.check(options, send_fields, "session:send")
  if type(text) ~= "string" then record.refuse("session:send needs a text", 's:send("yes")') end
  local enter = options.enter
  if enter == nil then enter = not options.keys end
  local input = { verb = "send", text = text, keys = options.keys, enter = enter }
  step(own, options.name or "send", input, { once = true, paid = true }, function(last, hash, key)
    check_alive(own)
    -- The keeper types the input with a given tag only once, so a resumed run cannot type it again.
    local number = last and not last.spent and last.attempt or (last and last.attempt or 0) + 1
    if not last or last.spent then journal.begin(own.run, key, number, hash, { once = true }) end
    typing.submit(own.home, own.id, { text = text, keys = options.keys, enter = enter, by = "run",
      why = own.run.id .. " " .. key, tag = ("%s %s@%d"):format(own.run.id, key, number) })
    return { typed = #text }
  end)
  return self
end

--- Returns the size of the shortest start of `bytes` that has `length` bytes of text, not counting
--- escape sequences.
local function raw_length(bytes, length)
  local low, high = 0, #bytes
  while low < high do
    local middle = (low + high) // 2
    if #log.plain(bytes:sub(1, middle)) >= length then high = middle else low = middle + 1 end
  end
  return low
end

local function find(text, pattern)
  local ok, from, to, capture = pcall(string.find, text, pattern)
  if not ok then
    record.refuse(("session:expect: '%s' is not a Lua pattern"):format(
      core.text.printable(pattern, 80)),
      "%? %( %[ stand for the characters themselves")
  end
  return from and { from = from, to = to, text = capture or text:sub(from, to) }
end

--- Waits until the output contains a pattern. Searches only the output after the previous match.
local function await_output(own, pattern, limit)
  local since, root = core.clock.monotonic(), store.root(own.home)
  while true do
    local status = core.session.status(own.home.handle, own.id)
    local bytes, began = log.read(root, own.id, own.offset, read_cap)
    local text = log.plain(bytes)
    local found = find(text, pattern)
    if found then return { text = found.text, offset = began + raw_length(bytes, found.to) } end
    if #bytes >= read_cap then own.offset = began + #bytes // 2 end
    observer.look(own.observer, status ~= "running")
    if status ~= "running" then check_alive(own) end
    if core.clock.monotonic() - since >= limit then
      error({ kind = "timeout", message = ("%s did not print '%s' within %s"):format(own.id,
        core.text.printable(pattern, 80), duration.text(limit)),
        hint = ("its last output: %s"):format(core.text.printable(text:sub(-200), 200)) }, 0)
    end
    core.task.sleep(poll_ms)
  end
end

local conditions = { prompt = true, quiet = true, marker = true, exit = true }

--- Waits until the output matches a Lua pattern, or until the program prompts ("prompt"), prints
--- nothing for a while ("quiet"), prints a marker ("marker") or ends ("exit").
function Session:expect(what, options)
  local own = own_of(self)
  options = options or {}
  record.check(options, expect_fields, "session:expect")
  if type(what) ~= "string" or what == "" then
    record.refuse("session:expect needs a pattern",
      's:expect "ready%$"; or "prompt", "quiet", "exit"')
  end
  local limit = options.timeout and duration.ms(options.timeout, "timeout") or default_expect_ms
  if not conditions[what] then find("", what) end
  local value = step(own, options.name or "expect", { verb = "expect", what = what }, {}, function()
    if not conditions[what] then return await_output(own, what, limit) end
    if what ~= "exit" and what ~= "marker" then check_alive(own) end
    local came, row = states.wait(own.home, own.id, what, limit, own.offset, function()
      observer.look(own.observer)
    end)
    if came == "ended" then check_alive(own) end
    if came == "timeout" then
      error({ kind = "timeout", message = ("%s: no %s within %s"):format(own.id, what,
        duration.text(limit)), hint = ("it is %s: %s"):format(row.state, row.evidence[1] or "") },
        0)
    end
    local _, last = log.bounds(store.root(own.home), own.id)
    return { text = row.waits or row.state, offset = last, state = row.state,
      exit_code = row.exit_code }
  end)
  own.offset = value.offset
  return closed.record(value, "the output of a session", { "text", "offset", "state", "exit_code" })
end

function Session:screen(options)
  local own = own_of(self)
  record.check(options or {}, { name = "string" }, "session:screen")
  return step(own, options and options.name or "screen", { verb = "screen" }, {}, function()
    if core.session.status(own.home.handle, own.id) == "none" then check_alive(own) end
    local lines = states.screen(own.home, own.id, 0).lines
    while #lines > 0 and lines[#lines] == "" do lines[#lines] = nil end
    return { text = table.concat(lines, "\n") }
  end).text
end

local function close(own)
  own.closed = true
  if own.release then own.release() end
  own.release = nil
  if core.session.status(own.home.handle, own.id) == "running" then
    return states.finish(own.home, own.id, close_grace_ms)
  end
  return states.of(own.home, own.id)
end

--- Ends the session and returns { state, exit_code }.
function Session:close()
  local own = own_of(self)
  local value = step(own, "close", { verb = "close" }, {}, function()
    local row = close(own)
    return { state = row.state, exit_code = row.exit_code, why = row.ended_by }
  end)
  return closed.record(value, "the end of a session", { "state", "exit_code", "why" })
end

local metatable = closed.object("session", "a session", Session)
local method_of = metatable.__index

function metatable.__index(session, name)
  if name == "id" then return handles[session] and handles[session].id end
  return method_of(session, name)
end

local example = 'ctx:session { "python3", "-i" }'

local function find_started(run, name)
  local ids = core.session.list(run.home.handle)
  for i = #ids, 1, -1 do
    local rec = store.read(run.home, ids[i])
    if rec.run == run.id and rec.step == name
        and core.session.status(run.home.handle, ids[i]) ~= "none" then
      return ids[i]
    end
  end
end

local function rules_of(run, argv, options)
  local rules, why = confinement.rules(argv, options.agent, options.writes and run.top or nil)
  if rules or not why then return rules end
  if options.writes and not run.options.unconfined then
    error({ kind = "denied",
      message = ("a session that writes cannot be confined here: %s"):format(why),
      hint = "pass --unconfined to run it with your own rights" }, 0)
  end
  run.emit("warning", { text = "the session is not confined: " .. why })
end

local function begin(run, key, last, hash, wanted)
  local number = last and last.attempt or 0
  local left = last and find_started(run, ("%s@%d"):format(key, number))
  if left then
    run.emit("log", { step = key, taken_over = true,
      text = ("the session %s still runs since an earlier host "
      .. "started it"):format(left) })
    return left
  end
  number = number + 1
  journal.begin(run, key, number, hash, { once = true })
  wanted.run, wanted.step = run.id, ("%s@%d"):format(key, number)
  return start.start(run.home, wanted).id
end

---@return moonlet.Session
function M.session(ctx, call)
  local state = context.of(ctx)
  local run = state.run
  if type(call) ~= "table" then record.refuse("ctx:session needs a table", example) end
  local options = {}
  for name, value in pairs(call) do
    if math.type(name) ~= "integer" then options[name] = value end
  end
  record.check(options, fields, "ctx:session")
  local argv = words.of(call.argv or call, "ctx:session", example)
  grants.check_program(run.grants, argv[1])
  local what = ("the session '%s'"):format(words.shown(argv))
  if run.checking then table.insert(run.checking.commands, words.shown(argv)) end
  if run.dry then
    table.insert(run.worst.uncounted, what)
    error({ kind = "prepared", message = "a dry run stops at " .. what }, 0)
  end
  local key = context.key(state, options.name or "session")
  if run.forecast then run.forecast:stop(key, "session", what) end
  for _, name in ipairs { "rows", "cols" } do
    local size = options[name]
    if size and (size < least_size[name] or size > 500) then
      record.refuse(("ctx:session: %s = %d: a terminal has %d to 500"):format(name, size,
        least_size[name]))
    end
  end
  local input = { verb = "session", argv = argv, env = options.env, cwd = options.cwd }
  local value, made = run.step(key, "session", nil, input, { once = true, paid = true },
    function(last, hash)
    if run.cancels then run.end_cancelled() end
    context.check_spent(state)
    return budget.with(state.budget, { processes = 1 }, function()
      local env = run.child_environment(options.env)
      env[#env + 1] = "TERM=xterm-256color"
      return { id = begin(run, key, last, hash,
        { argv = argv, cwd = run.resolve_cwd(options.cwd), env = env,
        confine = rules_of(run, argv, options), rows = options.rows, cols = options.cols,
        agent = options.agent, limit = options.timeout and duration.ms(options.timeout, "timeout"),
        idle = options.idle and duration.ms(options.idle, "idle") }) }
    end)
  end)
  run.end_step(made, "ok", {})
  local own = { run = run, home = run.home, key = key, id = value.id, counts = {}, offset = 0 }
  local is_over = run.journal and run.journal.ends[key .. "/close"]
  if not is_over and core.session.status(own.home.handle, own.id) == "lost" then
    check_alive(own)
  end
  if options.writes and not is_over then own.release = write_lock.hold_for_agent(run, key) end
  local session = setmetatable({}, metatable)
  handles[session] = own
  -- In an interactive run, sessions must outlive the scope of a line, so the run owns them.
  local owner = run.prompt or state
  owner.finalizers[#owner.finalizers + 1] = function()
    if not own.closed and not options.detach then close(own) end
    if own.release then own.release() end
  end
  return session
end

return M
