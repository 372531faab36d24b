--- `moonlet session …` runs programs, each on its own terminal. The programs outlive the command that
--- started them.
local options = require "moonlet.engine.cli.options"
local config = require "moonlet.engine.load.config"
local confinement = require "moonlet.engine.session.confinement"
local duration = require "moonlet.duration"
local judge = require "moonlet.engine.session.judge"
local repository = require "moonlet.engine.run.repository"
local log = require "moonlet.engine.session.log"
local record = require "moonlet.record"
local removed = require "moonlet.engine.base.removed"
local markers = require "moonlet.engine.session.markers"
local report = require "moonlet.engine.session.report"
local sorted_keys = require "moonlet.engine.base.sorted_keys"
local start = require "moonlet.engine.session.start"
local states = require "moonlet.engine.session.states"
local store = require "moonlet.engine.session.store"
local stuck = require "moonlet.engine.session.stuck"
local table_of = require "moonlet.engine.cli.verbs"
local typing = require "moonlet.engine.session.typing"
local watch = require "moonlet.engine.session.watch"

local M = {}

local null = core.json.null
local with = options.with_common
local poll_ms = 50
local timed_out = 124

local function envelope(result, code, text, err)
  return options.envelope(result, nil, err), code, text
end

local function number_of(text, name, least)
  local value = math.tointeger(tonumber(text))
  if not value or value < least then
    options.refuse(("--%s must be a whole number from %d"):format(name, least))
  end
  return value
end

local function size_of(text, name)
  if not text then return nil end
  local cols, rows = text:match "^(%d+)x(%d+)$"
  cols, rows = math.tointeger(tonumber(cols)), math.tointeger(tonumber(rows))
  if not cols or cols < 2 or rows < 1 or cols > 500 or rows > 500 then
    options.refuse(("--%s must be COLSxROWS, at most 500 each"):format(name),
      ("--%s 120x40"):format(name))
  end
  return cols, rows
end

--- Maps each verb of `moonlet session` to its options and its function.
M.verbs = {}
local verbs = M.verbs

local watch_options = {
  answer = { value = "KIND=RULE", many = true,
    help = "how a prompt is answered: deny, approve, ask (a person), or a text (default: "
      .. "approval and y/n deny)" },
  poke = { value = "TIME", help = "press Enter after this time without new output (default 10m)" },
  ["give-up"] = { value = "TIME",
    help = "after this further time (default 10m), do what --then says" },
  ["then"] = { value = "WHAT", help = "kill, resume or leave (default leave)" },
}

--- Adds the options that all verbs about a repository have, and those about watching a session.
local function with_watch(own)
  for name, option in pairs(watch_options) do own[name] = option end
  return with(own)
end

local then_do = { kill = true, resume = true, leave = true }

local function policy_of(found)
  local policy = { answers = {} }
  for _, rule in ipairs(found.answer or {}) do
    local kind, answer = rule:match "^([%l/%-]+)=(.*)$"
    if not kind or not stuck.defaults.answers[kind] then
      options.refuse(("--answer '%s' is not a rule"):format(core.text.printable(rule, 60)),
        "write KIND=deny, KIND=approve, KIND=ask or KIND=TEXT; kinds: "
          .. table.concat(sorted_keys(stuck.defaults.answers), ", "))
    end
    policy.answers[kind] = answer
  end
  if found.poke then policy.poke = duration.ms(found.poke, "--poke") end
  if found["give-up"] then policy.give_up = duration.ms(found["give-up"], "--give-up") end
  if found["then"] and not then_do[found["then"]] then
    options.refuse("--then must be kill, resume or leave")
  end
  policy.then_do = found["then"]
  return policy
end

--- Starts a background process that watches a session. Without --watch, the process only runs hooks.
local function leave_watch(home, id, found, hooks)
  if not found.watch and not watch.has_hooks(hooks) then return end
  local argv = { "session", "watch", id, "--detached", "--repo", home.top }
  if not found.watch then argv[#argv + 1] = "--only-hooks" end
  for name in pairs(watch_options) do
    for _, value in ipairs(type(found[name]) == "table" and found[name] or { found[name] }) do
      argv[#argv + 1], argv[#argv + 2] = "--" .. name, value
    end
  end
  local line, err = core.detach.start(argv)
  if line == id then return end
  store.note(home, id, { type = "not-watched", why = err and err.message or line })
  core.system.print(2,
    ("moonlet: %s runs, but no process watches it: moonlet session watch %s\n"):format(id, id))
end

--- Returns the sandbox rules that --sandbox selects. Without --sandbox, returns nil, and the program
--- has the user's own rights.
local function rules_of(found, argv, home)
  if not found.sandbox then return nil end
  options.check_word("sandbox", found.sandbox, "read-only", "workspace-write")
  local folder = found.sandbox == "workspace-write"
    and core.system.real_path(found.cwd or home.top) or nil
  local rules, why = confinement.rules(argv, found.agent, folder)
  if rules then return rules end
  options.refuse(why and "the program cannot be confined here: " .. why
    or ("%s has a sandbox of its own, and two do not nest"):format(
      core.text.printable(argv[1], 60)),
    why and "leave --sandbox out to run it with your own rights" or "give its own option behind --")
end

verbs.start = {
  known = with_watch {
    name = { value = "NAME", help = "a name for it, beside its id" },
    cwd = { value = "DIR", help = "the program's working directory (default: here)" },
    limit = { value = "TIME", help = "end it after this (default: never)" },
    idle = { value = "TIME", help = "end it after this long without output (default: never)" },
    grace = { value = "TIME", help = "from asking it to end to killing it (default 5s)" },
    size = { value = "COLSxROWS", help = "of its terminal (default 120x40)" },
    ["log-cap"] = { value = "BYTES",
      help = "how much of its output is kept (default 64 MiB, at least 32768)" },
    agent = { value = "NAME",
      help = "whose prompts to look for: codex, claude (default: by the command)" },
    sandbox = { value = "read-only|workspace-write",
      help = "let it write only its temporary folder and the agent's "
      .. "state, or the work tree (--cwd) too (default: your own rights)" },
    watch = { help = "start a process that watches it, as session watch does" },
  },
  run = function(found, rest)
    if not rest[1] then options.refuse("start which command?", "moonlet session start -- codex") end
    local cols, rows = size_of(found.size, "size")
    policy_of(found)
    for name in pairs(watch_options) do
      if found[name] and not found.watch then
        options.refuse(("--%s needs --watch"):format(name))
      end
    end
    local home, hooks = repository.open(found.repo), config.load().hooks
    local rec = start.start(home, {
      argv = rest, name = found.name, cwd = found.cwd, agent = found.agent, rows = rows,
      cols = cols, limit = found.limit and duration.ms(found.limit, "--limit"),
      idle = found.idle and duration.ms(found.idle, "--idle"),
      grace = found.grace and duration.ms(found.grace, "--grace"),
      confine = rules_of(found, rest, home),
      log_cap = found["log-cap"] and number_of(found["log-cap"], "log-cap", 32768),
    })
    leave_watch(home, rec.id, found, hooks)
    return envelope({ id = rec.id, pid = rec.pid,
      dir = home.agent_path .. "/" .. store.path(rec.id) }, 0, rec.id .. "\n")
  end,
}

local function age_text(ms) return ms and duration.text(ms // 1000 * 1000) or "-" end

verbs.list = {
  known = with { all = { help = "also sessions that have ended" } },
  run = function(found, rest)
    options.no_more(rest, 0, "session list")
    local home = repository.open(found.repo)
    local rows, lines = {},
      { ("%-7s %-18s %-9s %-9s %-14s %s"):format("SESSION", "STATE", "AGE", "SILENT", "NAME",
      "COMMAND") }
    local ended = 0
    for _, id in ipairs(core.session.list(home.handle)) do
      local row = states.of(home, id)
      if not row.live and not found.all and not found.json then
        ended = ended + 1
      else
        rows[#rows + 1] = row
        lines[#lines + 1] = ("%-7s %-18s %-9s %-9s %-14s %s"):format(id, row.state,
          age_text(row.age_ms), row.live and age_text(row.silent_ms) or "-",
          core.text.printable(row.name or "-", 14), core.text.printable(row.command, 60))
        if row.waits_for then
          lines[#lines + 1] = "        " .. core.text.printable(row.waits_for, 200)
        end
        if row.removed then
          lines[#lines + 1] =
            ("        its folder was removed: moonlet session kill %s ends it"):format(id)
        end
        if row.output_missing then
          lines[#lines + 1] = "        " .. judge.loss_text(row.output_missing)
        end
      end
    end
    if #rows == 0 then lines = { "no sessions" } end
    if ended > 0 then lines[#lines + 1] = ("%d that ended: --all shows them"):format(ended) end
    return envelope({ sessions = core.json.array(rows) }, 0, table.concat(lines, "\n") .. "\n")
  end,
}

--- Returns the session that the words after the verb name. Raises an error if there is no word, or
--- more than `most` (default 1).
local function one(found, rest, verb, most)
  if #rest < 1 then
    options.refuse(("%s which session?"):format(verb), ("moonlet session %s S-001"):format(verb))
  end
  options.no_more(rest, most or 1, "session " .. verb)
  local home = repository.open(found.repo)
  return home, store.find(home, rest[1])
end

local function one_with_folder(found, rest, verb, most)
  local home, id = one(found, rest, verb, most)
  if not store.read(home, id).removed then return home, id end
  record.refuse(("the folder of %s was removed, and its log with it"):format(id),
    ("moonlet session screen %s shows what is on its terminal"):format(id))
end

local function is_live(home, id) return (core.session.status(home.handle, id)) == "running" end

--- Formats "[moonlet: 5 bytes of its output are missing: …]\n" if the log is incomplete.
local function loss_note(home, id)
  local status, exit = core.session.status(home.handle, id)
  local loss = judge.loss(exit, status == "running" and store.look(home, id) or nil)
  return loss and ("[moonlet: %s]\n"):format(judge.loss_text(loss)) or "", loss
end

local function follow(home, root, id, from)
  local rest = ""
  while not core.system.reader_is_gone() do
    local live = is_live(home, id)
    local bytes, began = log.read(root, id, from, 1 << 20)
    if bytes ~= "" then
      from = began + #bytes
      local now
      now, rest = log.settled(rest .. bytes)
      core.system.print(1, log.plain(now))
    elseif not live then
      core.system.print(1, log.plain(rest) .. loss_note(home, id))
      return from
    else
      core.task.sleep(poll_ms)
    end
  end
end

verbs.log = {
  known = with {
    tail = { value = "BYTES", help = "the last bytes (default 2000)" },
    since = { value = "OFFSET", help = "from this offset on" },
    follow = { help = "continue until it has ended" },
    cast = { help = "as an asciicast (version 3), with its times and its colours" },
  },
  run = function(found, rest)
    local home, id = one_with_folder(found, rest, "log")
    local root = store.root(home)
    if found.cast then
      if found.tail or found.since or found.follow then
        options.refuse("--cast shows the whole session: it excludes --tail, --since and --follow")
      end
      core.system.print(1, require("moonlet.engine.session.asciicast").of(root,
        store.read(home, id), is_live(home, id) and store.look(home, id) or nil))
      return nil, 0
    end
    if found.tail and found.since then options.refuse("--tail and --since exclude each other") end
    local bytes, began, first
    if found.since then
      local last
      first, last = log.bounds(root, id)
      local from = math.min(number_of(found.since, "since", 0), last)
      bytes, began = log.read(root, id, from, 64 << 20)
      if began <= from then first = 0 end
    else
      bytes, began, first = log.tail(root, id,
        found.tail and number_of(found.tail, "tail", 1) or 2000)
      if began > first then first = 0 end
    end
    local lost, loss = loss_note(home, id)
    local note = lost .. (first > 0
      and ("[moonlet: %d bytes before this are no longer kept]\n"):format(first) or "")
    if found.follow then
      if found.json then options.refuse("--follow and --json exclude each other") end
      local now, open = log.settled(bytes)
      core.system.print(1, note .. log.plain(now))
      follow(home, root, id, began + #bytes - #open)
      return nil, 0
    end
    return envelope({ id = id, offset = began, next = began + #bytes, text = log.plain(bytes),
      dropped = first, output_missing = loss }, 0, note .. log.plain(bytes))
  end,
}

verbs.screen = {
  known = with { history = { value = "LINES", help = "also this many lines above the screen" },
    resize = { value = "COLSxROWS", help = "give its terminal this size instead" } },
  run = function(found, rest)
    local home, id = one(found, rest, "screen")
    if found.resize then
      local cols, rows = size_of(found.resize, "resize")
      states.check_alive(home, id, "invalid")
      core.session.resize(home.handle, id, rows, cols)
      return envelope({ id = id, rows = rows, cols = cols }, 0, "")
    end
    local history = found.history and number_of(found.history, "history", 0) or 0
    local facts = states.screen(home, id, history)
    local lines = {}
    for i = math.max(1, #facts.history - history + 1), #facts.history do
      lines[#lines + 1] = facts.history[i]
    end
    for _, line in ipairs(facts.lines) do lines[#lines + 1] = line end
    while #lines > 0 and lines[#lines] == "" do lines[#lines] = nil end
    return envelope({ id = id, rows = facts.rows, cols = facts.cols, cursor = facts.cursor,
      alternate = facts.alternate, title = facts.title, lines = facts.lines,
      history = facts.history }, 0, table.concat(lines, "\n") .. "\n")
  end,
}

verbs.submit = {
  known = with {
    ["no-enter"] = { help = "do not press Enter after the text" },
    keys = { value = "KEYS",
      help = "press these keys after the text (if any), and no Enter: ctrl-c,up,enter" },
  },
  run = function(found, rest)
    local home, id = one(found, rest, "submit", 2)
    local keys = {}
    for key in (found.keys or ""):gmatch "[^,]+" do keys[#keys + 1] = key end
    if not rest[2] and #keys == 0 then
      options.refuse("submit which text?",
        'moonlet session submit S-001 "yes"; an empty text presses Enter')
    end
    states.check_alive(home, id, "invalid")
    typing.submit(home, id, { text = rest[2], keys = keys,
      enter = #keys == 0 and not found["no-enter"], by = "user" })
    return envelope({ id = id }, 0, "")
  end,
}

verbs.poke = {
  known = with {},
  run = function(found, rest)
    local home, id = one(found, rest, "poke")
    states.check_alive(home, id, "invalid")
    typing.submit(home, id, { text = "", enter = true, by = "user", what = "poke" })
    return envelope({ id = id }, 0, "")
  end,
}

--- Formats " (exit code 3)", or "" for a session that runs or was ended on request.
local function cause_text(row)
  local is_telling = row.ended_by ~= "cancelled" or row.output_missing
  return row.cause and is_telling and (" (%s)"):format(row.cause) or ""
end

local function end_text(row) return ("%s: %s%s\n"):format(row.id, row.state, cause_text(row)) end

verbs.kill = {
  known = with { grace = { value = "TIME",
    help = "from asking its processes to end to killing them (default 5s)" } },
  run = function(found, rest)
    local grace = found.grace and duration.ms(found.grace, "--grace") or 5000
    local entry = rest[1] and removed.find(repository.agent_path(found.repo), "sessions", rest[1])
    if entry then
      options.no_more(rest, 1, "session kill")
      core.runs.end_keeper(entry.place, grace)
      local row = { id = entry.id, state = "ended", removed = true }
      return envelope(row, 0, end_text(row))
    end
    local home, id = one(found, rest, "kill")
    local row = states.finish(home, id, grace)
    return envelope(row, 0, end_text(row))
  end,
}

verbs.wait = {
  known = with {
    ["until"] = { value = "WHAT",
      help = "exit (default), quiet, prompt, marker, or a Lua pattern in all that it printed" },
    since = { value = "OFFSET",
      help = "search for the marker or the pattern after this offset (session log --json)" },
    timeout = { value = "TIME",
      help = "give up waiting after this (exit code 124); the session continues" },
  },
  run = function(found, rest)
    local home, id = one(found, rest, "wait")
    local limit = found.timeout and duration.ms(found.timeout, "--timeout")
    local reader = markers.reader(home, id)
    local from = found.since and number_of(found.since, "since", 0)
    local came, row = states.wait(home, id, found["until"] or "exit", limit, from, function()
      markers.new(reader)
    end)
    if came == "timeout" then
      local err = { kind = "timeout",
        message = ("%s: not yet after %s"):format(id, duration.text(limit)), hint = null,
        at = null }
      return envelope(row, timed_out, nil, err)
    elseif came == "ended" then
      return envelope(row, 1, nil, { kind = "failed", at = null,
        message = ("%s has ended before that%s"):format(id, cause_text(row)),
        hint = ("moonlet session log %s"):format(id) })
    end
    local code = (found["until"] or "exit") == "exit" and row.exit_code ~= 0 and 1 or 0
    local text = found["until"] == "quiet" and row.state == "working"
      and ("%s: quiet for %s\n"):format(id,
      age_text(row.silent_ms)) or end_text(row)
    return envelope(row, code, text, code ~= 0 and { kind = "failed", hint = null, at = null,
      message = ("%s has ended: %s"):format(id, row.cause or row.state) } or nil)
  end,
}

verbs.explain = {
  known = with {},
  run = function(found, rest)
    local home, id = one(found, rest, "explain")
    local said, facts, exit = states.judge(home, id)
    local lines = { ("%s is %s%s"):format(id, said.state,
      said.waits and (" (%s)"):format(said.waits) or ""), ("rule: %s"):format(said.rule) }
    if said.since_ms then lines[#lines + 1] = "since: " .. age_text(said.since_ms) end
    for _, item in ipairs(said.evidence) do
      lines[#lines + 1] = "evidence: " .. core.text.printable(item, 300)
    end
    local loss = judge.loss(exit, facts)
    if loss and facts then lines[#lines + 1] = "output: " .. judge.loss_text(loss) end
    for _, item in ipairs(facts and states.facts_text(facts) or {}) do
      lines[#lines + 1] = "  " .. core.text.printable(item, 300)
    end
    if facts then facts.lines, facts.history = nil, nil end
    return envelope({ id = id, state = said.state, waits = said.waits, rule = said.rule,
      since_ms = said.since_ms, evidence = core.json.array(said.evidence), facts = facts,
      output_missing = loss, exit = not facts and exit or nil }, 0,
      table.concat(lines, "\n") .. "\n")
  end,
}

verbs.report = {
  known = with {},
  run = function(found, rest)
    local home, id = one_with_folder(found, rest, "report")
    markers.catch_up(home, id)
    local summary = report.of(home, store.read(home, id), states.of(home, id))
    return envelope(summary, 0, report.text(summary))
  end,
}

verbs.resume = {
  known = with { last = { help = "the agent's newest conversation, whatever its id" } },
  run = function(found, rest)
    local home, id = one_with_folder(found, rest, "resume", math.huge)
    local argv = table.move(rest, 2, #rest, 1, {})
    if found.last and argv[1] then options.refuse("--last and a command exclude each other") end
    local hooks = config.load().hooks
    local made = require("moonlet.engine.session.resume").resume(home, id,
      { last = found.last, argv = argv })
    leave_watch(home, made.rec.id, {}, hooks)
    local result = { id = made.rec.id, parent = id, conversation = made.conversation,
      context = made.context or false }
    if made.context then return envelope(result, 0, made.rec.id .. "\n") end
    return envelope(result, 1, made.rec.id .. "\n", { kind = "failed", at = null,
      message = ("%s did not bring back the conversation of %s: %s"):format(made.rec.id,
        id, made.why),
      hint = ("moonlet session screen %s"):format(made.rec.id) })
  end,
}

verbs.watch = {
  known = with_watch {
    ["only-hooks"] = { help = "only run the hooks; answer, poke and end nothing" },
    detached = { help = "this process is left to watch", hidden = true } },
  run = function(found, rest)
    local home, id = one_with_folder(found, rest, "watch")
    for name in pairs(found["only-hooks"] and watch_options or {}) do
      if found[name] then
        options.refuse(("--only-hooks and --%s exclude each other"):format(name))
      end
    end
    local policy, hooks = found["only-hooks"] and watch.only_hooks or policy_of(found),
      config.load().hooks
    if found.detached then
      core.system.print(1, id .. "\n")
      core.detach.done(home.agent_path .. "/" .. store.path(id, "watch.log"))
    end
    local row = watch.run(home, id, { policy = policy, hooks = hooks, from_start = found.detached,
      say = function(text) core.system.print(2, core.text.printable(text, 600) .. "\n") end })
    return envelope(row, 0, ("%s: %s\n"):format(row.id, row.state))
  end,
}

verbs.attach = {
  known = with { ["detach-key"] = { value = "KEY",
    help = "the key that detaches (default ctrl-])" } },
  run = function(found, rest)
    local home, id = one(found, rest, "attach")
    local letter = (found["detach-key"] or "ctrl-]"):match "^ctrl%-([a-z%[%]\\^_])$"
    if not letter then
      options.refuse("--detach-key must be ctrl- and a letter", "--detach-key ctrl-b")
    end
    if not core.terminal.can_ask() then
      record.refuse("there is no terminal here to attach the session to",
        "moonlet session screen and session submit need none")
    end
    states.check_alive(home, id, "invalid")
    store.note(home, id, { type = "attached", by = "user" })
    local how = core.session.attach(home.handle, id, letter:byte() & 0x1f)
    store.note(home, id, { type = "detached", by = "user", why = how })
    core.system.print(2, how == "key" and ("moonlet: detached; %s continues\n"):format(id)
      or how == "ended" and ("moonlet: %s has ended\n"):format(id) or "")
    return nil, 0
  end,
}

function M.main(words, output)
  local verb = M.verbs[words[2]]
  local found, rest = table_of.read("session " .. words[2], words, verb.known)
  output.json = found.json or false
  return verb.run(found, rest)
end

return M
