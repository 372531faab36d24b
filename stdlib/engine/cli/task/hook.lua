--- `moonlet hook claude|pre-commit`: what other programs start at their own events.
local counted = require "moonlet.engine.base.counted"
local repository = require "moonlet.engine.run.repository"
local config = require "moonlet.engine.load.config"
local loader = require "moonlet.engine.load.loader"
local duration = require "moonlet.duration"
local options = require "moonlet.engine.cli.options"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = options.with_common()

local null = core.json.null
local input_cap, notes_cap = 4 << 20, 4 << 20
local patience_ms = 5000
local folder = "ambient"

--- The event on standard input; raises if it cannot be read.
local function read_input()
  local text, why = core.terminal.read(input_cap, patience_ms)
  if not text then
    error({ kind = why, message = why == "limit" and ("standard input has more than %d MB"):format(input_cap >> 20)
      or ("standard input did not end within %s"):format(duration.text(patience_ms)) }, 0)
  end
  local decoded, value = pcall(core.json.decode, text)
  if decoded and type(value) == "table" and type(value.session_id) == "string"
    and type(value.hook_event_name) == "string" then
    return value
  end
  error({ kind = "invalid", message = "standard input is no hook input of Claude Code"
    .. (decoded and "" or ": " .. value.message),
    hint = 'its settings start it: "command": "moonlet hook claude"' }, 0)
end

local function one_line(text, size) return type(text) == "string" and core.text.printable(text, size) or nil end

--- A note about an event: names and places, never the words of the conversation.
local function note_of(value)
  local name, input = value.hook_event_name, type(value.tool_input) == "table" and value.tool_input or {}
  local note = { at = core.clock.iso(core.clock.wall()), event = one_line(name, 60),
    tool = one_line(value.tool_name, 80),
    file = one_line(input.file_path, 300), reason = one_line(value.reason, 200), source = one_line(value.source, 40),
    model = one_line(value.model, 80) }
  local kind = one_line(value.notification_type, 60)
  note.denied = (name == "PermissionDenied" or name == "PermissionRequest" or kind == "permission_prompt") or nil
  return core.secret.hide(core.json.encode_record(note))
end

--- The run that a session becomes: its body reads what was noted.
local session
loader.registered["claude-session"] = function()
  local source = { name = "claude-session", origin = "claude-session", text = "", builtin = false, display = "none",
    read = function() return nil end, hash = function() return core.text.sha256 "" end }
  source.body = function(ctx)
    local seen = ctx:step("session", { input = session.id }, function() return session end)
    local lines = { ("Claude Code, session %s: %s, %s, %s"):format(seen.id, counted(seen.prompts, "prompt"),
      counted(seen.tools, "tool"), counted(#seen.denials, "denial")) }
    for _, denial in ipairs(seen.denials) do lines[#lines + 1] = "- denied: " .. denial end
    for _, file in ipairs(seen.files) do lines[#lines + 1] = "- wrote: " .. file end
    ctx:write("findings.md", table.concat(lines, "\n") .. "\n")
    return seen
  end
  return source
end

--- A summary of the notes of a session.
local function summary_of(id, text)
  local found = { id = id, prompts = 0, tools = 0, denials = core.json.array {}, files = core.json.array {} }
  local seen = {}
  for line in text:gmatch "[^\n]+" do
    local ok, note = pcall(core.json.decode, line)
    if ok and type(note) == "table" then
      found.began = found.began or note.at
      found.ended, found.model = note.at, note.model or found.model
      if note.event == "UserPromptSubmit" then found.prompts = found.prompts + 1 end
      if note.event == "PostToolUse" then found.tools = found.tools + 1 end
      if note.denied then
        table.insert(found.denials, (note.tool or "a tool") .. (note.file and " " .. note.file or ""))
      end
      if note.event == "PostToolUse" and note.file and not seen[note.file] then
        seen[note.file] = true
        table.insert(found.files, note.file)
      end
    end
  end
  return found
end

local function record_event(found)
  local value = read_input()
  local home = repository.open(found.repo)
  core.run.make_home(home.handle)
  local root = core.file.root(home.agent_path)
  local made, err = core.file.make_dirs(root, folder)
  if not made then error(err, 0) end
  local id = value.session_id:gsub("[^%w._-]", "_"):sub(1, 80)
  local name = ("%s/claude-%s.jsonl"):format(folder, id)
  local held = core.file.lock(root, folder .. "/lock", 5000)
  local before = core.file.read(root, name, notes_cap) or ""
  local text = before .. note_of(value) .. "\n"
  local done, why = nil, { message = ("the notes of this session have %d MB"):format(notes_cap >> 20) }
  if #text <= notes_cap then done, why = core.file.write(root, name, text) end
  if held then core.file.unlock(held) end
  if value.hook_event_name ~= "SessionEnd" then
    if not done then error(why, 0) end
    return nil
  end
  session = summary_of(id, text)
  local words = { "run", "claude-session", "--repo", home.top, "--title", "Claude Code session " .. id }
  local envelope = require("moonlet.engine.cli.run").main(words, { json = true })
  core.file.remove(root, name)
  if not found.json then return nil end
  envelope.command = "hook claude"
  return envelope
end

--- Records an event of Claude Code. An event that cannot be recorded is a note on standard error, never exit code 2:
--- by that a hook forbids what Claude Code is about to do.
local function claude(found)
  local ok, envelope = pcall(record_event, found)
  if ok then return envelope, 0 end
  local err = envelope
  if type(err) == "table" and rawget(err, "kind") == "cancelled" then error(err, 0) end
  core.system.print(2, ("moonlet: hook claude recorded nothing: %s\n"):format(
    core.text.printable(type(err) == "table" and err.message or tostring(err), 400)))
  return nil, 0
end

--- The envelope of a run that classifies what is staged.
local function classified(home, runner)
  local words = { "run", "precommit-classifier", "--target", "staged", "--repo", home.top, "--plain",
    runner and "--runner=" .. runner or "--offline" }
  local plan = require("moonlet.engine.cli.run.plan").of_words(words, {})
  core.event.display "none"
  return (require("moonlet.engine.cli.run").drive(plan))
end

--- The envelope of the classification by an agent; nil, with a warning, if it gave none.
local function classified_by_agent(home, runner)
  local ok, envelope = pcall(classified, home, runner)
  if ok and type(envelope.result) == "table" then return envelope end
  local err = ok and envelope.error or envelope
  if type(err) == "table" and rawget(err, "kind") == "cancelled" then error(err, 0) end
  core.system.print(2, ("moonlet: the agent did not classify the commit: %s\n"):format(core.text.printable(
    type(err) == "table" and err.message or tostring(err), 400)))
  return nil
end

--- Classifies what is staged; a risk stops the commit. An agent that fails does not: the classification without an
--- agent decides then.
local function pre_commit(found)
  local home = repository.open(found.repo)
  local runner = config.current().precommit.runner
  local envelope = runner and classified_by_agent(home, runner) or classified(home)
  local result = envelope.result
  if result == null or type(result) ~= "table" then
    return envelope, math.tointeger(envelope.run.exit_code) or 1
  end
  local lines = { ("%s: the path of this commit is %s"):format(envelope.run.id, core.text.printable(result.path, 20)) }
  for _, reason in ipairs(result.reasons) do lines[#lines + 1] = "- " .. core.text.printable(reason, 300) end
  for _, check in ipairs(result.validation) do
    lines[#lines + 1] = "run: " .. core.text.printable(check.command or tostring(check), 300)
  end
  local stops = result.path == "risk"
  if stops then lines[#lines + 1] = "the commit is stopped: look at it, then git commit --no-verify" end
  envelope.ok = not stops
  return envelope, stops and 1 or 0, table.concat(lines, "\n") .. "\n"
end

local actions = { claude = claude, ["pre-commit"] = pre_commit }

---@param words string[]
---@return table? envelope, integer exit_code, string? text
function M.main(words)
  local name = words[2]
  local found, rest = verbs.read("hook " .. name, words, M.known)
  if not found then return nil, 0 end
  -- Frameworks hand on the names of files; what is staged is the same.
  if rest[1] and name ~= "pre-commit" then error(options.usage("moonlet hook claude takes no argument"), 0) end
  return actions[name](found)
end

return M
