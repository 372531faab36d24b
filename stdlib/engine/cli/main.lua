--- The command line: finds the verb, prints its result, returns the exit code.
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local traces = require "moonlet.engine.context.traces"

local M = {}

local verbs = {
  run = { module = "moonlet.engine.cli.run",
    commands = { list = true, show = true, resume = true, wait = true, cancel = true, verify = true },
    help = "run a preset or a Lua file; list, show, resume, wait, cancel, verify" },
  preset = { module = "moonlet.engine.cli.preset",
    commands = { list = true, show = true, test = true, new = true, check = true },
    help = "list, show, test, check and make presets" },
  answer = { module = "moonlet.engine.cli.answer", help = "answer what a run waits for, and go on with it" },
  decide = { module = "moonlet.engine.cli.decide", help = "put on record what is to become of a result" },
  repl = { module = "moonlet.engine.cli.repl", help = "a prompt: try an orchestration line by line" },
  ps = { module = "moonlet.engine.cli.ps", help = "every live child with run, step, age and deadline" },
  usage = { module = "moonlet.engine.cli.usage", help = "tokens and cost, by day, run, preset, runner or model" },
  doc = { module = "moonlet.engine.cli.doc", help = "the reference of ctx and m: every name, or one with an example" },
  init = { module = "moonlet.engine.cli.init", help = "make a folder ready for presets: editor types, a first preset" },
  doctor = { module = "moonlet.engine.cli.doctor", help = "check this machine and repository" },
}

--- The output format as far as it is known: errors need it before options are parsed.
local output = { json = false, events = false }

local function usage_text()
  local names, lines = {}, {}
  for name in pairs(verbs) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do lines[#lines + 1] = ("  %-8s %s"):format(name, verbs[name].help) end
  return table.concat({
    "moonlet runs Lua presets that put coding agents to work.", "",
    "usage: moonlet COMMAND [ARGUMENTS]", "", table.concat(lines, "\n"), "",
    "moonlet COMMAND --help tells more; moonlet --version prints the version.", "",
  }, "\n")
end

--- The message, the remedy and the frames of the script's author, safe for a terminal. An error of a script begins
--- with its place, as compilers write it: "presets/x.lua:12: message".
local function error_text(err)
  -- A person who ends a run needs no place in the script.
  local is_cancelled = err.kind == "cancelled"
  local at = not is_cancelled and err.at ~= core.json.null and err.at or nil
  local frames, line = not is_cancelled and traces.of(err) or {}, at and at:find ":%d+$"
  local place = line and at or frames[1] and frames[1].at
  local lines = { ("%s: %s"):format(place and core.text.printable(place) or "moonlet",
    core.text.printable(err.message, 2000)) }
  if at and not line and not err.message:find(at, 1, true) then
    lines[#lines + 1] = "  at: " .. core.text.printable(at)
  end
  if err.hint ~= core.json.null and err.hint and err.hint ~= "" then
    lines[#lines + 1] = "  " .. core.text.printable(err.hint, 2000)
  end
  local is_known = #frames == 1 and frames[1].at == place
  for _, frame in ipairs(is_known and {} or frames) do
    lines[#lines + 1] = "    " .. core.text.printable(("%s: in %s"):format(frame.at, frame.name), 400)
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Prints an envelope in the wanted form. `text` is for a person.
local function present(envelope, text)
  if output.json or output.events then
    core.system.print(1, core.json.encode_record(envelope) .. "\n")
    return
  end
  if envelope.error ~= core.json.null then core.system.print(2, error_text(envelope.error)) end
  if text and text ~= "" then
    core.system.print(1, core.text.strip(text))
  end
end

local function failure(command, err)
  local code = 1
  if type(err) == "table" and (err.usage or rawget(err, "kind") == "invalid") then code = 2 end
  if type(err) == "table" and rawget(err, "kind") == "cancelled" then code = 130 end
  return { ok = false, command = command, run = core.json.null, result = core.json.null,
    error = require("moonlet.engine.run.manifest").error(err) }, code
end

local function dispatch(words)
  local name = words[1]
  if name == nil or name == "help" or name == "--help" or name == "-h" then
    if name then
      options.print_help(usage_text(), output.json)
    else
      core.system.print(2, usage_text())
    end
    return nil, name and 0 or 2
  end
  local verb = verbs[name]
  if not verb then
    local names = {}
    for known in pairs(verbs) do names[#names + 1] = known end
    error(options.usage(("there is no command '%s'"):format(core.text.printable(name, 60)),
      record.suggest(name, names)), 0)
  end
  return require(verb.module).main(words, output)
end

--- The command as it was given: `run`, `run show`, `answer`.
local function command_of(words)
  local name, second = words[1] or "", words[2]
  local verb = verbs[name]
  return verb and verb.commands and verb.commands[second or ""] and name .. " " .. second or name
end

--- Runs one command line. Returns the exit code and the envelope as text.
---@param words string[]
---@return integer exit_code, string envelope
function M.main(words)
  for _, word in ipairs(words) do
    if word == "--" then break end
    output.json = output.json or word == "--json"
    output.events = output.events or word == "--events"
  end
  output.command = command_of(words)
  local ok, envelope, code, text = pcall(dispatch, words)
  if not ok then
    envelope, code = failure(output.command, envelope)
    text = nil
  end
  if envelope == nil then return code, "null" end
  envelope.command = output.command
  present(envelope, text)
  return code, core.json.encode_record(envelope)
end

--- Ends the command after Lua was killed: for its time or memory, or because it did not stop when it was to end, or
--- when it waited for an event that could not come. Called by the engine with the reason, the line of the script, the
--- kind of error and a hint, in place of the main task.
---@param message string
---@param at string
---@param kind string
---@param hint string
---@return integer exit_code, string envelope
function M.killed(message, at, kind, hint)
  local err = { kind = kind, message = message, at = at ~= "" and at or nil, hint = hint }
  local ended, envelope, code = pcall(function() return require("moonlet.engine.run.run").killed(err) end)
  if not ended then
    envelope, code = failure(output.command or "run", envelope)
  elseif not envelope then
    envelope, code = failure(output.command or "run", err)
    -- A config that does not terminate is an error before anything was started.
    local reading = kind == "limit" and require("moonlet.engine.load.config").reading
    if reading then
      envelope.error.message, envelope.error.hint = "the config: " .. message, "a config is data: return { … }"
      if at == "" then envelope.error.at = reading end
      code = 2
    end
  end
  envelope.command = output.command or envelope.command
  present(envelope)
  return code, core.json.encode_record(envelope)
end

return M
