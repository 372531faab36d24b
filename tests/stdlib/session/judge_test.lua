-- Tests verdicts about sessions from ranked evidence.
local judge = require "moonlet.engine.session.judge"

local minute = 60000

--- Returns the facts of a session with these lines on its screen. `more` overrides single facts.
local function facts(lines, more)
  local all = { lines = lines, cursor = { row = #lines - 1, col = #(lines[#lines] or "") }, history = {},
    silent_ms = 2000, same_ms = 2000, age_ms = 20 * minute, repeats = 0,
    program = { echo = true, canonical = true }, processes = { count = 1, cpu_ms = 10, running = 0, read_bytes = 0,
      written_bytes = 0, foreground = "agent", reads_terminal = false } }
  for key, value in pairs(more or {}) do all[key] = value end
  return all
end

local blocked = { count = 1, cpu_ms = 10, running = 0, foreground = "agent", reads_terminal = true }
local raw = { echo = false, canonical = false }

local function state(given, agent, more) return judge.judge("running", {}, given, agent, more).state end

local function waits(given, agent)
  local found = judge.judge("running", {}, given, agent)
  return found.state == "waiting-for-input" and found.waits or found.state
end

test("the exit record overrides all other evidence", function()
  is(judge.judge("exited", { why = "exited", code = 0 }, nil).state, "ended", "exited")
  is(judge.judge("exited", { why = "wall" }, nil).evidence[1], "the keeper recorded its end: its time limit", "a limit")
  is(judge.judge("lost", {}, facts { "Continue? [y/n]" }).state, "lost", "lost")
  is(judge.judge("none", {}, nil).rule, "never-started", "none")
end)

test("a program that reads the terminal waits, whatever it shows", function()
  is(waits(facts({ "strange" }, { processes = blocked })), "text", "a read")
  is(waits(facts({ "strange" }, { processes = blocked, program = { echo = false, canonical = true } })), "password",
    "echo off")
  is(waits(facts({ "strange" }, { processes = { count = 1 }, program = { echo = false, canonical = true } })),
    "password", "echo off, and the system does not say who reads")
  is(waits(facts({ "Continue? [y/N] " }, { processes = blocked })), "y/n", "a question")
  is(waits(facts { "Approve change [y/n]" }), "y/n", "a question of a program that polls")
  is(waits(facts { "Select directory:" }), "directory", "a directory")
  is(waits(facts { "Do you trust this folder?" }), "trust", "trust")
  is(waits(facts { "Pick one", "❯ 1. this", "  2. that" }), "menu", "a menu")
  is(waits(facts({ "user@host:~$ " }, { program = raw })), "instruction", "a shell")
  is(waits(facts({ "Continue? [y/N] " }, { input_ms = 1000 })), "working", "it was answered, and says nothing yet")
  is(waits(facts({ "Continue? [y/N] " }, { input_ms = 1000, silent_ms = 900 })), "y/n", "it asks again")
  is(waits(facts({ "Continue? [y/N] " }, { input_ms = 4000, silent_ms = 5000 })), "y/n", "it took no notice")
  is(waits(facts({ "Continue? [y/N] " }, { silent_ms = 100, same_ms = 100 })), "working", "not yet still")
end)

test("a silent session is judged late, and by the activity of its processes", function()
  local function silent(ms) return facts({ "thinking" }, { silent_ms = ms, same_ms = ms }) end
  is(state(silent(4 * minute)), "working", "four minutes")
  is(state(silent(6 * minute)), "suspect", "six minutes")
  is(state(silent(6 * minute), nil, { busy = 50, moved = 0 }), "slow", "six minutes at work")
  is(state(silent(6 * minute), nil, { busy = 0, moved = 0, edited = "src/a.lua" }), "working", "files change")
  is(state(silent(16 * minute)), "hung", "sixteen minutes")
  local function with_child(after_ms, age_ms, ms)
    local given = silent(ms or 6 * minute)
    given.processes.newest = { name = "make", after_ms = after_ms, age_ms = age_ms }
    return given
  end
  is(state(with_child(minute, 5 * minute), "codex"), "working", "an agent's tool is quiet")
  is(state(with_child(minute, 15 * minute, 16 * minute), "codex"), "hung", "an agent's tool is quiet for too long")
  is(state(with_child(2000, 5 * minute), "codex"), "suspect", "what an agent starts at first is no tool")
  is(state(with_child(minute, 5 * minute)), "suspect", "another program's child is no tool")
  is(state(silent(16 * minute), nil, { busy = 0, moved = 1 << 20 }), "slow", "sixteen minutes of reading")
end)

test("a spinner is not progress, and repeated lines are a loop", function()
  local spinner = facts({ "⠋ Working (371s)" }, { silent_ms = 100, same_ms = 6 * minute })
  is(state(spinner), "suspect", "a spinner for six minutes")
  is(state(facts({ "npm test" }, { silent_ms = 100, same_ms = 3 * minute, repeats = 40 })), "looping", "a loop")
  is(state(facts({ "npm test" }, { silent_ms = 100, same_ms = 3 * minute, repeats = 3 })), "working", "few repeats")
  is(state(facts({ "Downloading model 43% 1.2 GB, 3 MB/s" }, { silent_ms = 100, same_ms = 6 * minute })), "slow",
    "a download")
end)

test("a session that its provider refuses waits for quota", function()
  is(state(facts({ "■ You've hit your usage limit. try again at 3:04 PM", "› Ask Codex" }, { program = raw }), "codex"),
    "waiting-for-quota", "codex")
  is(state(facts({ "5-hour limit reached ∙ resets 3pm", "❯" }, { program = raw }), "claude"), "waiting-for-quota",
    "claude")
end)

--- Judges each screen of a recording and returns the verdicts with their times.
local function recorded(name, agent)
  local folder, found = assert(core.file.root(cases .. "/../../data/screens")), {}
  local text = assert(core.file.read(folder, name, 1 << 20))
  for head, body in (text .. "===== "):gmatch "===== ([^\n]*)\n(.-)%f[=]%f[=]" do
    local lines = {}
    for line in body:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
    if #lines > 0 then found[#found + 1] = head .. " => " .. waits(facts(lines, { program = raw }), agent) end
  end
  return table.concat(found, "\n")
end

test("the recorded screens of Codex and Claude are understood", function()
  local trust = recorded("codex-trust.txt", "codex")
  holds(trust, "t=3.0s mark => trust", "codex asks for trust")
  holds(trust, "t=12.0s end => instruction", "codex is ready")
  local approval = recorded("codex-approval.txt", "codex")
  holds(approval, "t=7.0s before send 'y' => approval", "codex asks for approval")
  holds(approval, "t=10.0s mark => instruction", "codex has done it")
  local claude = recorded("claude-trust.txt", "claude")
  holds(claude, "t=4.0s mark => trust", "claude asks for trust")
  holds(claude, "t=7.0s mark => instruction", "claude is ready")
  holds(claude, "t=11.0s mark => approval", "claude asks for approval")
  holds(claude, "t=13.0s mark => instruction", "claude has done it")
end)

test("a complete prompt counts at once, unless it was just answered", function()
  local screen = { "◦ Running touch ptyfile", "", "  Would you like to run the following command?", "  $ touch ptyfile",
    "› 1. Yes, proceed (y)", "  3. No, and tell Codex what to do differently (esc)",
    "  Press enter to confirm or esc to cancel" }
  local function blinking(more)
    local all = { program = raw, silent_ms = 100, same_ms = 100 }
    for key, value in pairs(more or {}) do all[key] = value end
    return waits(facts(screen, all), "codex")
  end
  is(blinking(), "approval", "a spinner blinks above it")
  is(blinking { input_ms = 400 }, "working", "it was answered a moment ago")
  is(blinking { input_ms = 4000 }, "approval", "it took no notice")
  table.remove(screen)
  is(blinking(), "working", "its last line has not come yet")
  is(waits(facts({ "> 1. this", "  2. that" }, { silent_ms = 100, same_ms = 100 })), "working", "a list in an answer")
end)

test("a shorter limit makes a silent program suspect, with the real reason", function()
  local function reason(silent, same)
    return judge.judge("running", {}, facts({ "thinking" }, { silent_ms = silent, same_ms = same }), nil,
      { limits = { suspect = 2000 } }).evidence[1]
  end
  is(reason(5000, 5000), "it has printed nothing for 5s", "silence")
  is(reason(100, 5000), "its output repeats earlier lines", "a spinner")
end)
