local recorder = require "moonlet.engine.task.recorded.recorder"

local function open()
  return a_run().home
end

local function give(home, name, kind, more)
  local event = { session = "s", name = kind, kind = kind }
  for key, value in pairs(more or {}) do event[key] = value end
  return recorder.take(recorder.agent(name), home, event)
end

local function noted() return sh "ls repo/.agent/ambient | grep -v lock || true" end

test("a session lasts from its first event to its end", function()
  local home = open()
  is(give(home, "claude", "begin"), nil, "the start is no end")
  sh "cd repo; echo x >x"
  give(home, "claude", "tool", { tool = "Write", file = "x" })
  give(home, "claude", "denied", { tool = "Bash" })
  local recorded = give(home, "claude", "end")
  is(recorded.began_ms <= recorded.ended_ms, true, "the times")
  same(recorded.files, { "x" }, "the files")
  same(recorded.denials, { "Bash" }, "the denials")
  is(recorded.tools, 1, "the tools")
  recorder.done(home, recorded, "R-001")
  is(noted(), "claude-s.start.json\n", "the notes are gone")
  is(give(home, "claude", "end"), nil, "another hook that tells the same end")
  give(home, "claude", "begin")
  is(give(home, "claude", "end").tools, 0, "the session that goes on")
end)

test("the notes stay until there is a run", function()
  local home = open()
  give(home, "claude", "begin")
  give(home, "claude", "end")
  holds(noted(), "claude-s.jsonl", "the notes")
  is(give(home, "claude", "end"), nil, "another hook makes the run")
  local wall = core.clock.wall
  core.clock.wall = function() return wall() + 61000 end
  is(#give(home, "claude", "end").denials, 0, "the end can be given again when that hook was killed")
  core.clock.wall = wall
end)

test("an end without a start has no state to compare with", function()
  local recorded = give(open(), "gemini", "end")
  is(recorded.files_known, false, "known")
  is(recorded.began_ms, recorded.ended_ms, "the times")
end)

test("the next turn begins with its own event and names the first run", function()
  local home = open()
  give(home, "opencode", "begin")
  sh "echo 1 >repo/one"
  local first = give(home, "opencode", "end")
  same(first.files, { "one" }, "the first turn")
  recorder.done(home, first, "R-001")
  sh "echo 2 >repo/users"
  give(home, "opencode", "begin")
  sh "echo 3 >repo/two"
  local second = give(home, "opencode", "end")
  same(second.files, { "two" }, "what the user wrote between them does not count")
  is(second.parent, "R-001", "the parent")
  is(second.began_ms >= first.ended_ms, true, "its start")
end)

test("ids of sessions name files of their own folder only", function()
  local home = open()
  give(home, "claude", "begin", { session = "../../x/y" })
  is(noted(), "claude-.._.._x_y.jsonl\nclaude-.._.._x_y.start.json\n", "the notes")
end)

test("notes of sessions that never ended are forgotten", function()
  local home = open()
  give(home, "claude", "begin", { session = "old" })
  sh(("touch -d @%d repo/.agent/ambient/*"):format(core.clock.wall() // 1000 - 40 * 24 * 3600))
  give(home, "claude", "begin", { session = "new" })
  is(noted(), "claude-new.jsonl\nclaude-new.start.json\n", "the notes")
end)

test("a reader that fails leaves the usage unknown", function()
  local home = open()
  local agent = { name = "claude", title = "T", read = function() error "no" end }
  local recorded = recorder.take(agent, home, { session = "s", name = "end", kind = "end" })
  is(recorded.usage, nil, "the usage")
  same(recorded.prompts, {}, "the prompts")
end)
