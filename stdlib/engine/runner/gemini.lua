--- The runner `gemini` starts Gemini CLI headless, once per attempt.
--- Gemini starts without a sandbox of its own, so the host adds a kernel sandbox.
--- Gemini reads system-wide settings only from files that root owns.
--- Each attempt gets its own Gemini home with moonlet's settings and the user's login and model.
--- Gemini is told not to trust its working directory, so it ignores the settings, hooks and
--- instructions there.
--- If an attempt may write, a policy file allows it all tools.
local lines = require "moonlet.engine.base.lines"
local shared = require "moonlet.engine.runner.shared"
local stream = require "moonlet.engine.runner.stream"
local outcome = require "moonlet.engine.runner.outcome"
local usage = require "moonlet.engine.runner.usage"

local M = { name = "gemini", program = "gemini", title = "Gemini", role = "prompt",
  limits_turns = true, takes_camel_case = true }

M.refused_args = { "-r", "--resume", "--session-file", "--session-id", "-y", "--yolo",
  "--approval-mode", "-o",
  "--output-format", "-p", "--prompt", "-i", "--prompt-interactive", "-w", "--worktree" }

local own_tokens = 12000

M.secrets = { "GEMINI_API_KEY", "GOOGLE_API_KEY" }
M.env_names = { "GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION",
  "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA", "GOOGLE_GEMINI_BASE_URL",
  "GOOGLE_APPLICATION_CREDENTIALS", "GEMINI_CLI_HOME", "NODE_EXTRA_CA_CERTS" }
--- Gemini silently truncates a prompt that is longer than this.
local prompt_limits = { bytes = 8 * 1024 * 1024 }
local object_cap = 4 << 20

local settings_cap = 1 << 20

local function home_of(config)
  return config.home and shared.home_path(config.home) or core.system.env "GEMINI_CLI_HOME"
    or shared.home_path "~"
end

M.instructions = { "GEMINI.md", "AGENTS.md" }

function M.home_instructions(config) return { home_of(config) .. "/.gemini/GEMINI.md" } end

M.startup_files = { ".gemini" }

function M.login_files(config)
  local home = home_of(config)
  local files = { home .. "/.gemini/oauth_creds.json", home .. "/.gemini/gemini-credentials.json",
    home .. "/.gemini/.env" }
  files[#files + 1] = core.system.env "GOOGLE_APPLICATION_CREDENTIALS"
  return files
end

function M.detect(config) return shared.detect(M, config) end

local function read_file(path) return (shared.read_file(path, settings_cap)) end

--- Removes comments, which Gemini allows in its settings file, from a JSON text.
local function without_comments(text)
  text = text:gsub("\\(.)", function(c) return c == '"' and "\\u0022" or nil end)
  local parts, at = {}, 1
  while at <= #text do
    local from = text:find('["/]', at) or #text + 1
    parts[#parts + 1] = text:sub(at, from - 1)
    local mark, last = text:sub(from, from + 1), from
    if mark == "//" then
      last = (text:find("\n", from, true) or #text + 1) - 1
    elseif mark == "/*" then
      last = select(2, text:find("*/", from + 2, true)) or #text
    else
      if mark:sub(1, 1) == '"' then last = text:find('"', from + 1, true) or #text end
      parts[#parts + 1] = text:sub(from, last)
    end
    at = last + 1
  end
  return table.concat(parts)
end

local function settings_of_user(home, warnings)
  local path = home .. "/.gemini/settings.json"
  local text = read_file(path)
  if not text then return {} end
  local ok, found = pcall(core.json.decode, without_comments(text))
  if ok and type(found) == "table" then return found end
  warnings[#warnings + 1] = path
    .. " cannot be read: the login and the model that it names are not used"
  return {}
end

--- Allows all tools. In an untrusted folder, only a rule with `argsPattern` allows git.
local allow_all = [=[
[[rule]]
toolName = "run_shell_command"
argsPattern = "."
decision = "allow"
priority = 500
allowRedirection = true

[[rule]]
toolName = "*"
decision = "allow"
priority = 499
]=]

local function settings(call, key, user)
  local refused = { "google_web_search", "web_fetch" }
  local auth = stream.tbl(stream.at(user, "security", "auth")) or {}
  if key then auth.selectedType = "gemini-api-key" end
  local model = stream.tbl(user.model)
  if call.turns then
    model = model or {}
    local own = math.tointeger(model.maxSessionTurns)
    model.maxSessionTurns = own and own >= 0 and math.min(own, call.turns) or call.turns
  end
  return core.json.encode({
    -- The environment variable GEMINI_CLI_TRUST_WORKSPACE decides whether the folder is trusted.
    security = { auth = next(auth) and auth or nil, folderTrust = { enabled = false } },
    model = model, modelConfigs = stream.tbl(user.modelConfigs),
    -- Only the host retries: after a retry by Gemini, the output still has the broken answer.
    general = { enableAutoUpdate = false, enableAutoUpdateNotification = false, maxAttempts = 1,
      retryFetchErrors = false },
    privacy = { usageStatisticsEnabled = false }, telemetry = { enabled = false },
    advanced = { ignoreLocalEnv = true }, hooksConfig = { enabled = false },
    skills = { enabled = false },
    tools = not call.web_search and { exclude = core.json.array(refused) } or nil,
  }, 2) .. "\n"
end

--- Returns the files of an attempt's Gemini home. Logins are copied into it, but not back.
local function home_files(call, home, key, warnings)
  local from = not call.private and home_of(call.config or {})
  local files = { [home .. "/.gemini/settings.json"] =
    settings(call, key, from and settings_of_user(from, warnings) or {}) }
  for _, name in ipairs(from and { "oauth_creds.json", "gemini-credentials.json",
      "google_accounts.json" } or {}) do
    files[home .. "/.gemini/" .. name] = read_file(from .. "/.gemini/" .. name)
  end
  if call.sandbox == "workspace-write" then
    files[home .. "/.gemini/policies/moonlet.toml"] = allow_all
  end
  files[home .. "/.env"] = from and (read_file(from .. "/.gemini/.env")
    or read_file(from .. "/.env")) or nil
  return files
end

function M.command(call)
  local config = call.config or {}
  shared.check_prompt(M.title, call.prompt, prompt_limits)
  local writes = call.sandbox == "workspace-write"
  local warnings = {}
  local argv = { call.program or M.program, "-o", "stream-json", "--approval-mode", "default",
    "-e", "none", "--allowed-mcp-server-names=none" }
  shared.add_words(argv, call, "-m")
  shared.check_argv(M.title, argv)
  if call.schema then
    warnings[#warnings + 1] = "the schema is only in the prompt: Gemini CLI takes none"
  end
  if not call.network and writes then
    warnings[#warnings + 1] = "Gemini's shell commands have the user's access to the network"
  end
  if call.prompt:find("@[%w./_~-]") then
    warnings[#warnings + 1] = "Gemini adds the files that a prompt names after an @"
  end

  local key = shared.has(config, "GEMINI_API_KEY")
  if call.private and not key then
    warnings[#warnings + 1] = "a private GEMINI_CLI_HOME has no login: set GEMINI_API_KEY"
  end
  local home = (call.scratch or call.out) .. "/gemini"
  -- Prevent Gemini from relaunching itself, because the second process would allocate more memory.
  local env = { GEMINI_CLI_HOME = home, GEMINI_CLI_TRUST_WORKSPACE = "false",
    GEMINI_CLI_NO_RELAUNCH = "1" }
  return { argv = argv, env = env, env_names = shared.env_names(M.env_names, config.env),
    stdin = "prompt", files = home_files(call, home, key, warnings), state_dirs = { home },
    sandbox = "host", writable = shared.writable(call), warnings = warnings }
end

--- Gemini's input tokens include cached tokens, and its output tokens exclude thoughts.
local function usage_of(stats)
  local input, output = stream.count(stats.input_tokens), stream.count(stats.output_tokens)
  local total = stream.count(stats.total_tokens)
  local thoughts = input and output and total and total >= input + output
    and total - input - output or nil
  return usage.of { input_tokens = input, cached_input_tokens = stream.count(stats.cached),
    output_tokens = output and output + (thoughts or 0), reasoning_output_tokens = thoughts }
end

local function usage_of_models(models)
  local sum
  for _, item in pairs(stream.tbl(models) or {}) do
    local tokens = stream.tbl(stream.at(item, "tokens")) or {}
    local output, thoughts = stream.count(tokens.candidates), stream.count(tokens.thoughts)
    sum = usage.add(sum, usage.of { input_tokens = stream.count(tokens.prompt),
      cached_input_tokens = stream.count(tokens.cached),
      output_tokens = output and output + (thoughts or 0), reasoning_output_tokens = thoughts })
  end
  return sum
end

--- Maps the messages of an early end to classes. After the first two, Gemini reports success.
local endings = { { "^Loop detected", "failed" }, { "^Agent execution blocked", "refused" },
  { "^Maximum session turns", "limit" }, { "^Reached max session turns", "limit" },
  { "without a finish reason", "network" }, { "returned an empty response", "network" },
  { "malformed function call", "network" },
  { "unexpected tool call", "network" }, { "but no final response text", "invalid-output" },
  { "exceeded the token limit", "invalid-output" },
  { "Unexpected end of JSON input", "network" }, { "is not valid JSON", "network" } }

local function class_of(message)
  for i, ending in ipairs(endings) do
    if message:find(ending[1]) then return ending[2], i <= 2 end
  end
end

--- Notes an error. If no other event follows, the agent stopped because of this error.
local function note_stop(state, events, event)
  local message = stream.str(event.message) or "an error without a message"
  local class, gives_up = class_of(message)
  if event.severity == "warning" and not gives_up then
    return stream.warn(state, events, message)
  end
  local stop = { message = core.text.cut(message, 8000), class = class }
  stream.note_error(state, stop)
  state.stop = stop
  stream.fail(events, stop)
end

local function fail(state, events, err)
  local message = stream.str(stream.at(err, "message"))
  local kind = stream.str(stream.at(err, "type"))
  state.done = false
  state.failure = not message and state.stop
    or { message = core.text.cut(message or "no reason given", 8000),
    code = kind ~= "unknown" and kind or nil, class = class_of(message or ""),
    status = outcome.status_in(message or "") }
  stream.fail(events, state.failure, true)
end

local function whole(state, events, object)
  state.events = state.events + 1
  state.session = stream.str(object.session_id)
  state.usage = usage_of_models(stream.at(object, "stats", "models"))
  for name in pairs(stream.tbl(stream.at(object, "stats", "models")) or {}) do
    state.model = state.model or stream.str(name)
  end
  if stream.tbl(object.error) then return fail(state, events, object.error) end
  local text = stream.said(state, events, object.response)
  if not text then return end
  stream.keep_text(state, text)
  stream.say(state, events, text)
  if state.usage then events[#events + 1] = { type = "usage", usage = state.usage } end
  stream.succeed(state, events)
end

--- Joins the lines of a JSON object. Returns false for a line that belongs to none.
local function gather(state, events, line)
  if not state.gathered then
    if state.events > 0 or not line:find("^%s*{%s*$") then return false end
    state.gathered, state.gathered_size = {}, 0
  end
  -- The lines inside a multi-line object are indented, so a line that begins with "{" is an event.
  if line:find("^{.") then
    state.gathered, state.malformed = nil, state.malformed + #state.gathered
    return false
  end
  state.lines = state.lines + 1
  state.gathered_size = state.gathered_size + #line + 1
  if state.gathered_size > object_cap then
    state.gathered, state.skipped = nil, state.skipped + 1
    stream.warn(state, events, "an object larger than 4 MB was skipped")
    return true
  end
  state.gathered[#state.gathered + 1] = line
  if not line:find("^}") then return true end
  local text = table.concat(state.gathered, "\n")
  state.gathered = nil
  local ok, object = pcall(core.json.decode, text)
  if ok and type(object) == "table" then
    whole(state, events, object)
  else
    state.malformed = state.malformed + 1
    stream.warn(state, events, "the object that was printed cannot be read")
  end
  return true
end

local function begin_again(state)
  state.stop = nil
  stream.begin_again(state)
end

local tool_writes = { replace = true, write_file = true, edit = true }

local function parse(state, line, events)
  if gather(state, events, line) then return end
  local event = stream.object(state, events, line)
  if not event then return end
  local kind = stream.str(event.type)
  if not kind then
    if event.response ~= nil or event.error ~= nil then whole(state, events, event) end
    return
  end
  state.events = state.events + 1
  if kind == "init" then
    begin_again(state)
    state.model, state.session = stream.str(event.model), stream.str(event.session_id)
    stream.begin_session(state, events)
  elseif kind == "message" then
    local text = event.role == "assistant" and stream.said(state, events, event.content)
    if text then
      begin_again(state)
      -- A message after a tool call begins a new text, because only the last message is the answer.
      stream.keep_text(state, text, event.delta == true and not state.fresh)
      state.fresh = false
      stream.say(state, events, text)
    end
  elseif kind == "tool_use" then
    begin_again(state)
    state.fresh = true
    local name = stream.str(event.tool_name) or "tool"
    local parameters = stream.tbl(event.parameters) or {}
    local detail = stream.str(parameters.command) or stream.str(parameters.file_path)
      or stream.str(parameters.path)
    stream.open_tool(state, event.tool_id,
      { name = name, path = tool_writes[name] and stream.str(parameters.file_path),
        about = core.json.encode(parameters) })
    stream.tool(state, events, { name = name, detail = detail, status = "running" })
  elseif kind == "tool_result" then
    state.fresh = true
    local tool = stream.close_tool(state, event.tool_id)
    local failed = event.status ~= "success"
    local said = stream.str(event.output)
    local what = stream.str(stream.at(event, "error", "type"))
    local denied = what == "tool_not_registered" or what == "policy_violation"
    if tool and tool.path and not failed then stream.changed_file(state, tool.path) end
    if denied then stream.deny(state, tool and tool.name or "tool", said) end
    stream.tool(state, events, { name = tool and tool.name or "tool",
      detail = failed and said or nil, call = tool and tool.about, result = said,
      status = denied and "denied" or failed and "failed" or "ok" })
  elseif kind == "error" then
    note_stop(state, events, event)
  elseif kind == "result" then
    local stats = stream.tbl(event.stats)
    if stats then
      state.usage = usage_of(stats)
      if state.usage then events[#events + 1] = { type = "usage", usage = state.usage } end
    end
    if event.status == "success" and not state.stop then
      stream.succeed(state, events)
    else
      fail(state, events, event.error)
    end
  end
end

M.lines = "json"
M.parse = stream.guarded(parse)
stream.make_reader(M, nil, own_tokens)

---@return {root: any, path: string}[]
function M.transcripts(scratch)
  local list, root = {}, core.file.root(scratch .. "/gemini/.gemini/tmp")
  for _, project in ipairs(root and core.file.list(root, ".") or {}) do
    local folder = project.name .. "/chats"
    for _, entry in ipairs(project.type == "directory" and core.file.list(root, folder) or {}) do
      if entry.type == "file" and entry.name:find("%.jsonl$") then
        list[#list + 1] = { root = root, path = folder .. "/" .. entry.name }
      end
    end
  end
  return list
end

--- Reads a line of the conversation, in which an answer with tool calls is stored twice.
function M.transcript(state, line)
  if not line:find('"type":"gemini"', 1, true) then return end
  local ok, message = pcall(core.json.decode, line)
  local id = ok and stream.str(stream.at(message, "id"))
  local known = state.answer_ids or {}
  if not id or message.type ~= "gemini" or known[id] then return end
  known[id] = true
  state.answer_ids = known
  local tokens = stream.tbl(message.tokens) or {}
  local input, output, thoughts = stream.count(tokens.input), stream.count(tokens.output),
    stream.count(tokens.thoughts)
  state.unpaid_answer = input == nil
  if not input then return end
  state.so_far = usage.add(state.so_far, usage.of { input_tokens = input,
    cached_input_tokens = stream.count(tokens.cached),
    output_tokens = output and output + (thoughts or 0), reasoning_output_tokens = thoughts })
  stream.report_answer(state, input)
end

--- Returns a failure if Gemini skipped moonlet's settings file, which limits its tools; else nil.
local function skipped(exit)
  for path, why in (exit.stderr_tail or ""):gmatch("Skipping [%w ]-file '([^'\n]+)':? ?([^\n]*)") do
    if path:find("/gemini/.gemini/settings.json", 1, true) then
      return { class = "refused",
        message = ("Gemini skipped moonlet's settings %s: %s"):format(path, why) }
    end
  end
end

--- Records a failure if the last answer broke off after a tool call. Gemini reports such an answer
--- as complete, but counts no tokens for it.
local function note_half_answer(state)
  if not state.done or state.counted == 0 then return end
  local counted = state.usage and state.usage.total_tokens
  -- If the reported total equals the sum of the earlier answers, it does not cover the last answer.
  local is_missing = state.awaits_model and counted == state.so_far.total_tokens
  if not (state.unpaid_answer or is_missing) then return end
  state.done, state.failure = false, { class = "network",
    message = "its provider's stream broke off in its last answer, for which no tokens were "
      .. "counted" }
  if state.usage then state.usage.partial = true end
end

--- Sets the status 429 if standard error names a quota error, which Gemini raises only for 429.
local function note_status(state, exit)
  local failure, tail = state.failure, exit.stderr_tail or ""
  local name = tail:match "%f[%a](Retryable)QuotaError: "
    or tail:match "%f[%a](Terminal)QuotaError: "
  if not failure or failure.status or not name then return end
  failure.status = 429
  local delay = stream.amount(tonumber(tail:match "\n  retryDelayMs: ([%d.]+)"))
  if name == "Terminal" then
    failure.class = "quota"
  elseif delay then
    failure.retry_after_ms = math.ceil(delay)
    failure.reset_at = core.clock.wall() + failure.retry_after_ms
  end
end

--- Gemini exits with 41 (login), 42 (request), 44 (sandbox), 52 (settings) or 53 (too many turns).
local exit_classes = { [41] = "auth", [42] = "refused", [44] = "refused", [52] = "refused",
  [53] = "limit" }

function M.finish(state, exit, answers)
  local left_out = skipped(exit)
  if left_out then state.done, state.failure = false, left_out end
  note_half_answer(state)
  note_status(state, exit)
  if exit.why == "exited" and not state.done and not state.failure then
    local class = exit_classes[exit.code]
    local said = lines.last(exit.stderr_tail or "")
    local told = (exit.stderr_tail or ""):sub(-16000):match("\n(%b{})%s*$")
    local ok, object = pcall(core.json.decode, told or "")
    local message = ok and stream.str(stream.at(object, "error", "message")) or said
    if class then
      state.failure = { message = message or "no reason given", class = class }
    elseif ok and stream.str(stream.at(object, "error", "message")) then
      state.failure = { message = message, status = outcome.status_in(message) }
    end
  end
  return outcome.conclude(M.title, state, exit, answers, state.usage)
end

return M
