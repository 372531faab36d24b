--- The runner `opencode` starts `opencode run` once for each attempt.
--- opencode's permissions remove some tools, and the host's sandbox restricts the other tools.
--- opencode always saves its session, so a hermetic run needs a private state directory.
--- If a provider refuses a request, opencode waits and retries, but prints no event.
--- Only opencode's log on standard error reports the refusal.
local classify = require "moonlet.engine.runner.classify"
local shared = require "moonlet.engine.runner.shared"
local stream = require "moonlet.engine.runner.stream"
local outcome = require "moonlet.engine.runner.outcome"
local quota_reset = require "moonlet.engine.runner.quota_reset"
local usage = require "moonlet.engine.runner.usage"

local M = { name = "opencode", program = "opencode", title = "opencode", role = "prompt",
  takes_camel_case = true }

M.refused_args = { "-c", "--continue", "-s", "--session", "--fork", "--format", "--attach", "-i",
  "--interactive",
  "--auto", "--share" }

local own_tokens = 7700

--- The keys of other providers are in variables that the user's config names.
M.secrets = { "OPENCODE_API_KEY" }
M.env_names = { "OPENCODE_API_KEY", "OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR",
  "NODE_EXTRA_CA_CERTS" }
local prompt_limits = { bytes = 64 << 20 }

M.instructions = { "AGENTS.md" }
--- opencode reads these instruction files as soon as it reads a file in their folder.
M.nested_instructions = { "AGENTS.md", "CONTEXT.md" }

--- Returns the settings folder, whose AGENTS.md opencode reads.
local function settings_folder()
  return core.system.env "OPENCODE_CONFIG_DIR"
    or (core.system.env "XDG_CONFIG_HOME" or shared.home_path "~/.config") .. "/opencode"
end

function M.home_instructions() return { settings_folder() .. "/AGENTS.md" } end

M.startup_files = { ".opencode", "opencode.json", "opencode.jsonc" }

function M.login_files(config)
  local data = config.home and shared.home_path(config.home) .. "/data"
    or core.system.env "XDG_DATA_HOME"
    or shared.home_path "~/.local/share"
  return { data .. "/opencode/auth.json" }
end

local function native_places(real)
  local package = shared.parent(shared.parent(real))
  local beside = package and shared.parent(package)
  local places = {}
  for _, platform in ipairs(beside and { "linux-x64", "linux-arm64", "darwin-arm64", "darwin-x64" }
      or {}) do
    places[#places + 1] = beside .. "/opencode-" .. platform .. "/bin/opencode"
    places[#places + 1] = package .. "/node_modules/opencode-" .. platform .. "/bin/opencode"
  end
  return places
end

function M.detect(config) return shared.detect(M, config, native_places) end

local function permissions(call)
  local writes = call.sandbox == "workspace-write"
  local web = call.web_search and "allow" or "deny"
  local bash = "allow"
  if not writes then
    -- The last matching rule wins. "*" comes first, because keys are encoded in byte order.
    bash = { ["*"] = "deny", ["git diff*"] = "allow", ["git log*"] = "allow",
      ["git show*"] = "allow", ["git status*"] = "allow", ["git blame*"] = "allow",
      ["git ls-files*"] = "allow" }
  end
  return { edit = writes and "allow" or "deny", bash = bash, webfetch = web, websearch = web,
    codesearch = web, external_directory = "deny", question = "deny", doom_loop = "deny",
    task = "deny", skill = "deny" }
end

function M.command(call)
  local config = call.config or {}
  shared.check_prompt(M.title, call.prompt, prompt_limits)
  local warnings = {}
  local argv = { call.program or M.program, "run", "--format", "json", "--pure",
    "--title", "moonlet",
    "--print-logs", "--log-level", "INFO" }
  shared.add_words(argv, call, "-m")
  shared.check_argv(M.title, argv)
  if call.schema then
    warnings[#warnings + 1] = "the schema is only in the prompt: opencode takes none"
  end
  if not call.network and call.sandbox == "workspace-write" then
    warnings[#warnings + 1] = "opencode's shell commands have the user's access to the network"
  end
  local env = { OPENCODE_DISABLE_AUTOUPDATE = "1", OPENCODE_DISABLE_MODELS_FETCH = "1",
    OPENCODE_DISABLE_LSP_DOWNLOAD = "1", OPENCODE_DISABLE_DEFAULT_PLUGINS = "1",
    OPENCODE_CONFIG_CONTENT = core.json.encode { permission = permissions(call), share = "disabled",
      autoupdate = false, instructions = core.json.array {} } }
  -- With these variables opencode ignores Claude's and the project's settings and instructions.
  env.OPENCODE_DISABLE_PROJECT_CONFIG, env.OPENCODE_DISABLE_CLAUDE_CODE_PROMPT = "1", "1"
  local state_dirs, folders, links = {}, {}, nil
  local function place(name, folder, usual)
    if call.private then
      env[name] = call.scratch .. "/opencode/" .. folder
    elseif config.home and folder ~= "config" then
      env[name] = shared.home_path(config.home) .. "/" .. folder
    end
    local base = env[name] or core.system.env(name) or shared.home_path(usual)
    local list = (folder ~= "config" or call.private) and state_dirs or folders
    list[#list + 1] = base .. "/opencode"
  end
  place("XDG_DATA_HOME", "data", "~/.local/share")
  place("XDG_STATE_HOME", "state", "~/.local/state")
  place("XDG_CACHE_HOME", "cache", "~/.cache")
  place("XDG_CONFIG_HOME", "config", "~/.config")
  -- opencode still reads the AGENTS.md beside the user's settings, so use a folder without it.
  if core.system.env "OPENCODE_CONFIG_DIR" then
    env.OPENCODE_CONFIG_DIR, links = shared.without(settings_folder(), { "AGENTS.md" },
      call.scratch and call.scratch .. "/opencode/settings")
  elseif core.system.state_dir() then
    env.OPENCODE_CONFIG_DIR = core.system.state_dir() .. "/opencode"
    folders[#folders + 1] = env.OPENCODE_CONFIG_DIR
  end
  if call.private and not (config.env and #config.env > 0)
      and not shared.has(config, "OPENCODE_CONFIG") then
    warnings[#warnings + 1] =
      "a private opencode has no login and no config: grant it a key with env in the config"
  end
  return { argv = argv, env = env, env_names = shared.env_names(M.env_names, config.env),
    stdin = "prompt", files = {}, state_dirs = state_dirs, folders = folders, links = links,
    sandbox = "host", writable = shared.writable(call), warnings = warnings }
end

--- opencode's input tokens exclude cached tokens, and its output tokens exclude reasoning.
local function usage_of(part)
  local tokens = stream.tbl(stream.at(part, "tokens")) or {}
  local input, output = stream.count(tokens.input), stream.count(tokens.output)
  local read = stream.count(stream.at(tokens, "cache", "read")) or 0
  local made = stream.count(stream.at(tokens, "cache", "write")) or 0
  local reasoned = stream.count(tokens.reasoning)
  local cost = stream.amount(part.cost)
  return usage.of { input_tokens = input and input + read + made,
    cached_input_tokens = input and read, cache_write_tokens = made > 0 and made or nil,
    output_tokens = output and output + (reasoned or 0), reasoning_output_tokens = reasoned,
    -- A cost of 0 may mean that opencode does not know the model's price.
    cost_usd = cost and cost > 0 and cost or nil }
end

local function tool(state, events, part)
  local now = stream.tbl(part.state) or {}
  local input = stream.tbl(now.input) or {}
  local name = stream.str(part.tool) or "tool"
  local status = stream.str(now.status)
  local said = stream.str(now.error) or stream.str(now.output)
  local denied = name == "invalid" or (status == "error" and (said or ""):find("reject", 1, true)
    or status == "error" and (said or ""):find("prevents", 1, true)) and true or false
  local detail = stream.str(input.command) or stream.str(input.filePath) or stream.str(input.path)
    or stream.str(input.pattern) or stream.str(now.title)
  if denied then
    stream.deny(state, name == "invalid" and stream.str(input.tool) or name,
      stream.str(input.error) or said or detail)
  end
  if status == "completed" and (name == "edit" or name == "write" or name == "patch"
      or name == "multiedit") then
    stream.changed_file(state, input.filePath)
  end
  if status == "completed" or status == "error" then stream.saw(state, detail, said) end
  stream.tool(state, events, { name = name, detail = detail,
    exit_code = stream.int(stream.at(now, "metadata", "exit")), call = core.json.encode(input),
    result = said, status = denied and "denied" or status == "completed" and "ok"
      or status == "error" and "failed"
      or "running" })
end

local function is_broken(message)
  return message:find("^JSON parsing failed: ") ~= nil
    or message:find("^Type validation failed: ") ~= nil
end

local function parse(state, events, event, kind)
  local part = stream.tbl(event.part) or {}
  if not state.session and stream.str(event.sessionID) then
    state.session = event.sessionID
    stream.begin_session(state, events)
  end
  if kind == "step_start" then
    -- The text of the last step is the answer.
    stream.begin_again(state)
    stream.begin_answer(state)
    state.fresh, state.retry = true, nil
    -- Tool calls are reported only at their end, so assume that tools run from the step's start.
    state.at_work_since = stream.count(event.timestamp) or core.clock.wall()
  elseif kind == "text" then
    local text = stream.said(state, events, part.text)
    if text then
      stream.begin_again(state)
      stream.keep_text(state, text, not state.fresh)
      state.fresh = false
      stream.say(state, events, text)
    end
  elseif kind == "tool_use" then
    stream.begin_again(state)
    tool(state, events, part)
  elseif kind == "step_finish" then
    local used = usage_of(part)
    state.usage, state.at_work_since = usage.add(state.usage, used), nil
    if used and used.input_tokens then stream.report_answer(state, used.input_tokens) end
    stream.end_answer(state)
    if state.usage then events[#events + 1] = { type = "usage", usage = state.usage } end
    local reason = stream.str(part.reason)
    if reason ~= "unknown" then state.broken_off = nil end
    if reason == "stop" then
      stream.succeed(state, events)
    elseif reason == "unknown" then
      -- Count the broken streams, because opencode retries at once after each.
      state.broken_off = (state.broken_off or 0) + 1
      state.failure = { message = "its provider's stream broke off", class = "network" }
    elseif reason and reason ~= "tool-calls" then
      state.failure = { message = "the step ended with: " .. reason,
        class = reason == "length" and "invalid-output"
          or reason == "content-filter" and "refused" or nil }
    end
  elseif kind == "error" then
    local data = stream.tbl(stream.at(event, "error", "data")) or {}
    local headers = stream.tbl(data.responseHeaders) or {}
    local name = stream.str(stream.at(event, "error", "name"))
    local message = stream.str(data.message) or name or "an error without a message"
    local now = core.clock.wall()
    local ms = stream.str(headers["retry-after-ms"])
    local wait = ms and ms:match("^%d+$") and #ms < 13
      and { retry_after_ms = math.tointeger(tonumber(ms)),
        reset_at = now + math.tointeger(tonumber(ms)) }
      or quota_reset.header(headers["retry-after"], now) or {}
    state.done = false
    state.failure = { message = core.text.cut(message, 8000),
      status = stream.count(data.statusCode), code = name, retry_after_ms = wait.retry_after_ms,
      reset_at = wait.reset_at,
      class = name == "ProviderAuthError" and "auth" or name == "MessageOutputLengthError"
        and "invalid-output"
        or name == "MessageAbortedError" and "interrupted"
          or name == "ContextOverflowError" and "context"
        or is_broken(message) and "network" or nil }
    if name == "ContextOverflowError" then state.overflow = state.failure end
    stream.fail(events, state.failure, true)
  end
end

M.lines, M.shows_tools = "object", true
stream.make_reader(M, parse, own_tokens, true)

--- Returns the value of a field in a log line, which is a JSON string if it has spaces, or nil.
local function logged(line, name)
  local _, stop = line:find(" " .. name .. "=", 1, true)
  if not stop then return nil end
  local quoted, at = line:sub(stop + 1, stop + 1) == '"', stop + 2
  if not quoted then return line:match("^%S+", stop + 1) end
  while true do
    local special = line:find('["\\]', at)
    if not special then return nil end
    if line:sub(special, special) == '"' then
      local ok, text = pcall(core.json.decode, line:sub(stop + 1, special))
      return ok and type(text) == "string" and text or line:sub(stop + 2, special - 1)
    end
    at = special + 2
  end
end

--- Parses a line of opencode's log. Records in `state` whether opencode waits for its provider.
function M.log(state, line)
  local level = line:match("^timestamp=%S+ level=(%u+) ")
  if not level or logged(line, "small") ~= "false" then return end
  local message = logged(line, "message")
  if message == "stream" then
    state.waiting, state.requests = nil, (state.requests or 0) + 1
  elseif level == "ERROR" and message == "stream error" then
    state.requests = math.max(0, (state.requests or 0) - 1)
    local said = (logged(line, "error.error") or "no reason given"):gsub("^AI_%a+Error: ", "")
    -- A stream error in the log comes from the provider. opencode reports other errors as events.
    state.waiting = { message = core.text.cut(said, 8000),
      class = classify.classify(said) or "network" }
  end
end

--- Matches lines of opencode's log, which moonlet enables.
M.log_line = "^timestamp=%S+ level=[IWD]%u+ "

--- Reports whether opencode failed because another process was creating its database at that time.
local function is_late_migration(text)
  return text:find("Failed query:%s+%u+ ") ~= nil or text:find("database is locked", 1, true) ~= nil
end

function M.finish(state, exit, answers)
  local rest = shared.without_log(M, state, exit.stderr_tail)
  local own = setmetatable({ stderr_tail = rest }, { __index = exit })
  if state.done and state.overflow and exit.code ~= 0 then state.failure = state.overflow end
  local result = outcome.conclude(M.title, state, own, answers, state.usage)
  if result.status ~= "ok" and state.events == 0 and exit.why == "exited"
      and is_late_migration(rest) then
    result.class = "crashed"
    result.error = outcome.error("crashed",
      "opencode failed to make its database beside another one that did",
      { retryable = true })
  end
  return result
end

return M
