--- Runs a command line: finds the verb, prints its result and returns the exit code.
local options = require "moonlet.engine.cli.options"
local page = require "moonlet.engine.base.page"
local verbs = require "moonlet.engine.cli.verbs"
local traces = require "moonlet.engine.context.traces"

local M = {}

--- Set before the options are parsed, because an error in the options needs the output format.
local output = { json = false, events = false }

--- Wraps a text for a terminal.
--- Commands and texts with long words are not wrapped, so that they can be copied.
local function wrapped(text)
  local out = page.out()
  local columns = out.columns - 2
  for word in text:gmatch "%S+" do
    if not out.terminal or text:find "^moonlet " or core.text.width(word) > columns then
      return text
    end
  end
  return table.concat(page.wrap(text, columns), "\n  ")
end

--- Formats an error with its hint and the script's stack frames, safe for a terminal.
--- A script's error starts with its place, like a compiler's: "presets/x.lua:12: message".
local function error_text(err)
  -- Omit the script's position after a cancellation, because it does not explain the error.
  local is_cancelled = err.kind == "cancelled"
  local at = not is_cancelled and err.at ~= core.json.null and err.at or nil
  local frames, line = not is_cancelled and traces.of(err) or {}, at and at:find ":%d+$"
  local place = line and at or frames[1] and frames[1].at
  local lines = { wrapped(("%s: %s"):format(place and core.text.printable(place) or "moonlet",
    core.text.printable(err.message, 2000))) }
  if at and not line and not err.message:find(at, 1, true) then
    lines[#lines + 1] = "  at: " .. core.text.printable(at)
  end
  if err.hint ~= core.json.null and err.hint and err.hint ~= "" then
    lines[#lines + 1] = "  " .. wrapped(core.text.printable(err.hint, 2000))
  end
  local is_known = #frames == 1 and frames[1].at == place
  for _, frame in ipairs(is_known and {} or frames) do
    lines[#lines + 1] = "    "
      .. core.text.printable(("%s: in %s"):format(frame.at, frame.name), 400)
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Prints an envelope (the result of a command). `text` is its form for people.
--- `about.is_whole` means that `text` already contains the error.
--- Without `is_whole`, `about` contains further text to print, such as the problems.
--- Returns the encoded envelope if it was printed as JSON.
local function present(envelope, text, about)
  if output.silent then return nil end
  if output.json or output.events then
    local encoded = core.json.encode_record(envelope)
    core.system.print(1, encoded .. "\n")
    return encoded
  end
  about = type(about) == "table" and about or {}
  if about.is_whole then
    core.system.print(1, text)
    return
  end
  if envelope.error ~= core.json.null then
    for _, problem in ipairs(about.problems or { envelope.error }) do
      core.system.print(2, error_text(problem))
    end
  end
  if text and text ~= "" then core.system.print(1, core.text.strip(text)) end
  if about.status then core.system.print(2, about.status) end
end

local function failure(command, err)
  local code = 1
  if type(err) == "table" and (err.usage or rawget(err, "kind") == "invalid") then code = 2 end
  if type(err) == "table" and rawget(err, "kind") == "cancelled" then code = 130 end
  return { ok = false, command = command, run = core.json.null, result = core.json.null,
    error = require("moonlet.engine.run.manifest").error(err) }, code
end

local function help(words)
  local kind = words[2] == "--all" and "all" or words[2]
  if kind == "man" then return require("moonlet.engine.cli.doc.manual").text() end
  if not kind or kind == "all" then return verbs.overview(kind == "all") end
  local asked = table.move(words, 2, #words, 1, {})
  local verb = verbs.find(asked)
  if verb then return verbs.help(verb, verbs.options(verb)) end
  if not verbs.group(kind) then error(verbs.unknown(asked), 0) end
  return verbs.group_text(kind)
end

local function dispatch(words)
  local name = words[1]
  if name == nil then
    core.system.print(2, verbs.overview())
    return nil, 2
  elseif name == "help" or name == "--help" or name == "-h" then
    options.print_help(help(words), output.json)
    return nil, 0
  end
  local verb, whole = verbs.find(words)
  if verb then return require("moonlet.engine.cli." .. verb.module).main(whole, output) end
  if verbs.group(name) and (words[2] == "--help" or words[2] == "-h") then
    options.print_help(verbs.group_text(name), output.json)
    return nil, 0
  end
  error(verbs.unknown(words), 0)
end

--- Runs one command line. Returns the exit code and the envelope (the result) as JSON text.
function M.main(words)
  for _, word in ipairs(words) do
    if word == "--" then break end
    output.json = output.json or word == "--json"
    output.events = output.events or word == "--events"
  end
  local verb = verbs.find(words)
  output.command = verb and verb.name or words[1] or ""
  local ok, envelope, code, text, about = pcall(dispatch, words)
  if envelope == verbs.helped then return 0, "null" end
  if not ok then
    text, about = nil, { problems = type(envelope) == "table"
      and rawget(envelope, "problems") or nil }
    envelope, code = failure(output.command, envelope)
  end
  if envelope == nil then return code, "null" end
  envelope.command = output.command
  local encoded = present(envelope, text, about)
  return code, encoded or core.json.encode_record(envelope)
end

--- Carries out a request of the embedding program. Prints nothing and never prompts the user.
---@param verb "run"|"resume"|"answer"
---@param target string      a preset, a file or a packet; or the id of a run
---@param arguments table    arguments by name or as a list; or the text of an answer
---@param given table        options by name
---@return integer code, string envelope
function M.start(verb, target, arguments, given)
  output.silent, output.command = true, verb == "resume" and "run resume" or verb
  local ok, envelope, code = pcall(function()
    given.json = true
    if verb == "run" then
      local request = { target = target, repo = given.repo, arguments = arguments, options = given }
      return require("moonlet.engine.cli.run").start_request(request, output)
    end
    local words = verb == "resume" and { "run", "resume" } or { "answer" }
    table.move(options.words_of(given), 1, 1000, #words + 1, words)
    table.move({ "--", target, table.unpack(arguments) }, 1, #arguments + 2, #words + 1, words)
    return require("moonlet.engine.cli." .. verb).main(words, output)
  end)
  if not ok then envelope, code = failure(output.command, envelope) end
  envelope.command = output.command
  return code, core.json.encode_record(envelope)
end

--- The engine calls this function instead of the main task after it killed Lua.
--- Lua exceeded its time or memory, ignored a cancellation, or waited for an event that cannot come.
function M.killed(message, at, kind, hint)
  local err = { kind = kind, message = message, at = at ~= "" and at or nil, hint = hint }
  local ended, envelope, code = pcall(function()
    return require("moonlet.engine.run.run").killed(err)
  end)
  local check = require "moonlet.engine.cli.preset.check"
  if not ended then
    envelope, code = failure(output.command or "run", envelope)
  elseif check.begun and kind == "limit" then
    local text
    envelope, text = check.killed(err)
    envelope.command = output.command
    present(envelope, text)
    return 2, core.json.encode_record(envelope)
  elseif not envelope then
    envelope, code = failure(output.command or "run", err)
    -- If the user's config did not terminate, name the config in the error.
    -- The exit code is 2, because no run has started.
    local reading = kind == "limit" and require("moonlet.engine.load.config").reading
    if reading then
      envelope.error.message, envelope.error.hint = "the config: " .. message,
        "a config is data: return { … }"
      if at == "" then envelope.error.at = reading end
      code = 2
    end
  end
  envelope.command = output.command or envelope.command
  present(envelope)
  return code, core.json.encode_record(envelope)
end

return M
