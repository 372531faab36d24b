--- `moonlet hook claude|codex|gemini|opencode|pre-commit` is called by agents and git as a hook.
local repository = require "moonlet.engine.run.repository"
local config = require "moonlet.engine.load.config"
local duration = require "moonlet.duration"
local manifest = require "moonlet.engine.run.manifest"
local options = require "moonlet.engine.cli.options"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

local null = core.json.null
local input_cap = 4 << 20
local patience_ms = 5000

local common = options.with_common()

M.verbs = {
  claude = { known = common }, codex = { known = common }, gemini = { known = common },
  opencode = { known = options.with_common {
    plugin = { help = "print the plugin file of opencode" },
  } },
  ["pre-commit"] = { known = common },
}

local function recorded_sessions() return require "moonlet.engine.task.recorded.recorder" end

local function read_input()
  local text, why = core.terminal.read(input_cap, patience_ms)
  if text then return text end
  error({ kind = why, message = why == "limit"
    and ("standard input has more than %d MB"):format(input_cap >> 20)
    or ("standard input did not end within %s"):format(duration.text(patience_ms)) }, 0)
end

--- Parses the event of an agent, or raises an error.
--- Codex passes the event as an argument, the others on standard input.
local function event_of(agent, argument)
  local text = argument or read_input()
  local decoded, value = pcall(core.json.decode, text)
  local event = decoded and type(value) == "table" and agent.event(value)
  if event then return event end
  local what = argument and "the argument" or "standard input"
  error({ kind = "invalid", hint = agent.shows,
    message = ("%s is not a hook input of %s%s"):format(what, agent.title,
      decoded and "" or ": " .. value.message) }, 0)
end

--- Creates a run that records an agent's finished session.
local function make_run(home, recorded)
  local of_run = require "moonlet.engine.task.recorded.run"
  local target = of_run.register(recorded)
  local words = { "run", target, "--repo", home.top, "--runner", "mock", "--title",
    ("%s session %s"):format(recorded.agent.title, core.text.printable(recorded.id, 80)) }
  local output = { json = true }
  local plan = require("moonlet.engine.cli.run.plan").of_words(words, output)
  of_run.complete(plan, recorded)
  core.event.display(plan.display)
  return (require("moonlet.engine.cli.run").drive(plan))
end

local function record_event(agent, found, argument)
  local event = event_of(agent, argument)
  local named = agent.by_turn and event.cwd and event.cwd:find "^/" and event.cwd or nil
  local place = found.repo or named
  local home = repository.open(place)
  core.run.make_home(home.handle)
  local recorder = recorded_sessions()
  local recorded = recorder.take(agent, home, event)
  if not recorded then return nil end
  local envelope = make_run(home, recorded)
  recorder.done(home, recorded, envelope.run.id)
  return found.json and envelope or nil
end

--- Prints an error and continues. Raises it if the command was cancelled.
local function print_error(err, about)
  if type(err) == "table" and rawget(err, "kind") == "cancelled" then error(err, 0) end
  core.system.print(2, ("moonlet: %s: %s\n"):format(about,
    core.text.printable(manifest.error(err).message, 400)))
end

--- Records an event of an agent. Prints an error, but exits with 0, because the exit code 2 of a hook
--- would block the agent's action.
local function record(name, found, rest)
  if found.plugin then
    local text = recorded_sessions().agent(name).plugin()
    return options.envelope({ plugin = text }), 0, text
  end
  local ok, envelope = pcall(function()
    local agent = recorded_sessions().agent(name)
    return record_event(agent, found, agent.name == "codex" and (rest[1] or "") or nil)
  end)
  if ok then return envelope, 0 end
  print_error(envelope, ("hook %s recorded nothing"):format(name))
  return nil, 0
end

local function classified(home, runner)
  local words = { "run", "precommit-classifier", "--target", "staged", "--repo",
    home.top, "--plain",
    runner and "--runner=" .. runner or "--offline" }
  local plan = require("moonlet.engine.cli.run.plan").of_words(words, {})
  core.event.display "none"
  return (require("moonlet.engine.cli.run").drive(plan))
end

--- Classifies the staged changes with an agent. Returns nil, and prints a warning, if the agent failed.
local function classified_by_agent(home, runner)
  local ok, envelope = pcall(classified, home, runner)
  if ok and type(envelope.result) == "table" then return envelope end
  print_error(ok and envelope.error or envelope, "the agent did not classify the commit")
end

--- Classifies the staged changes, and stops the commit if they are a risk.
--- If the agent fails, the classification without an agent decides.
local function pre_commit(found)
  local home = repository.open(found.repo)
  local runner = config.current().precommit.runner
  local envelope = runner and classified_by_agent(home, runner) or classified(home)
  local result = envelope.result
  if result == null or type(result) ~= "table" then
    return envelope, math.tointeger(envelope.run.exit_code) or 1
  end
  local lines = { ("%s: the path of this commit is %s"):format(envelope.run.id,
    core.text.printable(result.path, 20)) }
  for _, reason in ipairs(result.reasons) do
    lines[#lines + 1] = "- " .. core.text.printable(reason, 300)
  end
  for _, check in ipairs(result.validation) do
    lines[#lines + 1] = "run: " .. core.text.printable(check.command or tostring(check), 300)
  end
  local stops = result.path == "risk"
  if stops then
    lines[#lines + 1] = "the commit is stopped: look at it, then git commit --no-verify"
  end
  envelope.ok = not stops
  return envelope, stops and 1 or 0, table.concat(lines, "\n") .. "\n"
end

function M.main(words)
  local name = words[2]
  local found, rest = verbs.read("hook " .. name, words, M.verbs[name].known)
  -- Hook frameworks append file names. They are ignored, because git knows what is staged.
  if name == "pre-commit" then return pre_commit(found) end
  if rest[name == "codex" and 2 or 1] then
    local which = name == "codex" and "second argument" or "argument"
    options.refuse(("moonlet hook %s takes no %s"):format(name, which))
  end
  return record(name, found, rest)
end

return M
