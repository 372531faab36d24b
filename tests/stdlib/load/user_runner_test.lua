-- Tests users' own runners: the example, and files with mistakes.
sh("cp '" .. cases .. "/../../../examples/runner-mine.lua' .")
local runners = require "moonlet.engine.load.runners"
local function config_of(file, entry)
  entry = entry or {}
  entry.file = scratch .. "/" .. file
  return { runners = { mine = entry }, routes = {}, prices = {}, limits = {}, hooks = {} }
end
local function call_of(extra)
  local call = { prompt = "do it", prompt_file = "/run/prompt.md", out = "/run/out", cwd = "/w", program = "/opt/mine",
    sandbox = "read-only", scratch = "/run/scratch", schema_file = "/run/out/schema.json", config = {} }
  for key, value in pairs(extra or {}) do call[key] = value end
  return call
end
local done = { why = "exited", code = 0 }
local function read(runner, ...)
  local state = runner.begin()
  local events = {}
  for _, line in ipairs { ... } do
    for _, event in ipairs(runner.parse(state, line)) do events[#events + 1] = event end
  end
  return runner.finish(state, done, { now = 0 }), events
end

-- The example loads and runs.
local own = config_of("runner-mine.lua", { args = { "--fast" } })
local mine, entry = runners.get("mine", own)
is(mine.name, "mine", "its name is that of the config")
local made = mine.command(call_of { config = entry, model = "m", schema = { type = "object" } })
is(table.concat(made.argv, " "), "/opt/mine --print-events --once --directory /w --no-edits --model m --schema "
  .. "/run/out/schema.json --fast", "its command line")
is(made.env_names[#made.env_names], "MINE_API_KEY", "what it sees")
is(made.sandbox, "host", "who holds it")
is(table.concat(made.writable, " "), "/run/out", "what it may write")
is(made.files["/run/out/schema.json"], '{"type":"object"}', "a file of its own")
local result, events = read(mine, "say hello", "noise", "tool ls -l", "tokens 10 5", "say you", "bye")
is(result.status .. " " .. result.text, "ok hello\nyou\n", "what it said")
is(result.usage.total_tokens, 15, "what it used")
is(events[2].name .. " " .. events[2].detail, "ls -l", "what it did")
is(read(mine, "say hello").class, "interrupted", "without an end")
is(read(mine, "oops the key is wrong: 401 Unauthorized").status, "failed", "a failure")
is(runners.parse("mine", own).name, "mine", "--runner mine")
holds(raises(function() runners.get("mone", own) end, "did you mean 'mine'?", "a near name").hint, "mine", "suggests it")

-- Mistakes in a user's runner are refused with their place.
local number = 0
local function load_text(text)
  number = number + 1
  put_file(scratch, "bad" .. number .. ".lua", text)
  return runners.get("mine", config_of("bad" .. number .. ".lua"))
end
local fine = 'return { program = "x", events = "text", command = function(call) return { argv = { "x" }, stdin = "prompt" } end }'
is(read((load_text(fine)), "a", "b").text, "a\nb\n", "text")
raises(function() load_text "return 1" end, "must return a table", "no table")
raises(function() load_text "return {" end, "syntax error", "half a file")
raises(function() load_text 'error "no"' end, "runner mine: no", "an error")
raises(function() load_text "error({})" end, "not a text", "an error that is a table")
raises(function() load_text 'return { progam = "x" }' end, "did you mean 'program'?", "a wrong key")
raises(function() load_text 'return { program = "x", command = function() end }' end, "either events or parse", "no reader")
raises(function() load_text 'return { program = "x", command = function() end, events = "codx" }' end, "did you mean 'codex'?", "a near reader")
raises(function() load_text 'return { program = require("io").x }' end, "cannot require 'io'", "modules")
raises(function() runners.get("mine", config_of "nowhere.lua") end, "cannot read", "no file")
local function command_of(text)
  return load_text('return { program = "x", events = "text", command = function(call) ' .. text .. " end }").command(call_of())
end
raises(function() command_of "return 1" end, "must give a table", "no command")
raises(function() command_of "return { argv = {} }" end, "argv is empty", "no words")
raises(function() command_of "return { argv = { 1 } }" end, "list of texts", "a number")
raises(function() command_of 'return { argv = { "a\\0" } }' end, "list of texts", "a NUL")
raises(function() command_of 'return { arg = { "a" } }' end, "did you mean 'argv'?", "a wrong key")
raises(function() command_of 'return { argv = { "a", nil, "b" } }' end,
  "argv: item 2 is nil", "a hole")
raises(function() command_of 'coroutine.yield() return { argv = { "a" } }' end, "runner mine: command() failed: it yields", "a yield")
raises(function() command_of 'error "oh"' end, "command() failed", "an error")
raises(function() command_of 'return { argv = { "x" }, files = { ["/etc/passwd"] = "" } }' end, "only beneath", "a file elsewhere")
raises(function() command_of 'return { argv = { "x" }, files = { ["/run/out/../x"] = "" } }' end, "only beneath", "a file above")
raises(function() command_of 'return { argv = { "x" }, answer_file = "/etc/passwd" }' end, "answer_file", "an answer elsewhere")
raises(function() command_of 'return { argv = { "x" }, env = { ["A=B"] = "c" } }' end, "env", "a name that is none")
raises(function() command_of 'return { argv = { "x" }, stdin = "tty" }' end, "stdin", "a wrong stdin")
is(table.concat(command_of('call.argv = 1 call.out = "/etc" return { argv = { "x" } }').writable), "/run/out", "it cannot change the call")

-- A faulty parser or finisher fails only its own attempt.
local function reader_of(text)
  return (load_text('return { program = "x", command = function() end, ' .. text .. " }"))
end
result = read(reader_of 'parse = function() error "oh" end', "a", "b")
is(result.status, "failed", "a parser that raises")
holds(result.warnings[1], "an event could not be read", "is told of")
holds(result.error.message, "parse() of the runner mine failed", "and named")
holds(read(reader_of "parse = function() coroutine.yield(5) end", "a").error.message, "it yields", "a parser that yields")
is(read(reader_of "parse = function() return 7 end", "a").status, "failed", "a parser that gives a number")
is(read(reader_of "parse = function() return { { type = {} }, 7, { type = 'done' } } end", "a").status, "ok", "odd events")
is(read(reader_of "parse = function() return setmetatable({}, { __index = error }) end", "a").status, "failed", "a table that bites")
is(read(reader_of "events = 'text', finish = function() error {} end", "a").status, "failed", "a finisher that raises")
is(read(reader_of "events = 'text', finish = function(r) return { text = r.text:upper() } end", "a").text, "A\n", "another text")
is(read(reader_of "events = 'text', finish = function() return { status = 'failed', class = 'auth' } end", "a").class, "auth", "a failure found")
is(read(reader_of "events = 'codex', finish = function() return { status = 'ok' } end", "a").status, "failed", "no success out of a failure")

-- A runner declares arguments that users may not pass, its startup files, and patterns of its screen.
local startup_files = require "moonlet.engine.base.startup_files"
local function declaring(text)
  return load_text(fine:gsub("^return {", function() return "return { " .. text .. "," end))
end
declaring 'startup_files = { ".mine" }'
is(startup_files.has "sub/.mine/hooks.json", true, "a file that the runner's agent starts programs by")
is(startup_files.has(".mine/notes", { ".mine/notes" }), false, "one that a call names in its writes")
is(startup_files.has "mine/x", false, "another file")
raises(function() declaring 'startup_files = { "/etc" }' end, "startup_files names files of a project", "an absolute path")
local told = declaring 'refused_args = { "--resume" }'
is(told.command(call_of { config = { args = { "--fast" } } }).argv[1], "/opt/mine", "another argument")
raises(function() told.command(call_of { config = { args = { "--resume=1" } } }) end, "cannot hold '--resume=1'", "a refused one")
is(declaring('screen = { prompts = { { kind = "trust", all = { "Trust%?" } } } }').screen.prompts[1].kind, "trust", "its screen")
raises(function() declaring 'screen = { prompt = {} }' end, "did you mean 'prompts'?", "a wrong field of a screen")
raises(function() declaring 'screen = { prompts = { { kind = "trust" } } }' end, "a list of patterns", "a forgotten field of a prompt")
