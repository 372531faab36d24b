--- The runner `claude` starts Claude Code (`claude -p`) once per attempt.
--- The host adds a sandbox, because even an allowed command such as `git diff --output=FILE` can
--- write a file.
local shared = require "moonlet.engine.runner.shared"
local stream = require "moonlet.engine.runner.stream"
local outcome = require "moonlet.engine.runner.outcome"
local schema = require "moonlet.engine.runner.schema"
local quota_reset = require "moonlet.engine.runner.quota_reset"
local usage = require "moonlet.engine.runner.usage"

local M = { name = "claude", program = "claude", title = "Claude", role = "flag",
  limits_turns = true }

M.refused_args = { "-c", "--continue", "-r", "--resume", "--fork-session", "--from-pr",
  "--session-id",
  "--dangerously-skip-permissions", "--allow-dangerously-skip-permissions", "--permission-mode",
  "--output-format",
  "--input-format", "--bg", "--background", "-w", "--worktree" }

--- Reports whether a word of joined short options, such as -pc, contains a refused option.
function M.refuses_word(word) return word:find("^%-[pdvh]+[crw]") ~= nil end

local own_tokens = 3700

M.secrets = { "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN" }
M.env_names = { "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL",
  "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR", "CLAUDE_CODE_USE_BEDROCK",
  "CLAUDE_CODE_USE_VERTEX", "NODE_EXTRA_CA_CERTS" }
local prompt_limits = { bytes = 10 * 1000 * 1000, slash = true }

local function home_of(config)
  return config.home and shared.home_path(config.home) or core.system.env "CLAUDE_CONFIG_DIR"
    or shared.home_path "~/.claude"
end

function M.login_files(config)
  return { home_of(config) .. "/.credentials.json" }
end

M.instructions = { "CLAUDE.md", "AGENTS.md" }

function M.home_instructions(config)
  return { home_of(config) .. "/CLAUDE.md" }
end

M.startup_files = { ".claude", ".claude-plugin", ".mcp.json" }

--- Describes Claude's screen for `moonlet session`; codex.lua explains the fields.
M.screen = {
  state = { ".claude", ".claude.json" },
  enter_pause_ms = 300,
  prompts = {
    { kind = "trust", all = { "Quick safety check", "❯ ?1%. Yes, I trust this folder" },
      approve = { keys = { "enter" } }, deny = { keys = { "escape" } } },
    { kind = "approval", all = { "Do you want to ", "❯ ?%d%. ", "Esc to cancel" },
      shows = { "^%s*%S+ command$", "^   %S" }, approve = { text = "1" },
      deny = { keys = { "escape" } } },
    { kind = "menu", all = { "❯ ?%d%. ", "Esc to cancel" }, deny = { keys = { "escape" } } },
    { kind = "menu", all = { "❯ ?%d%. ", "Enter to confirm" }, deny = { keys = { "escape" } } },
  },
  working = { "[Ee]sc to interrupt", "⎿  Waiting", "⎿  Running" },
  ready = { "^❯" },
  quota = { "limit reached", "hit your limit", "limit will reset", "resets %d+[ap]m" },
  resume = {
    id = "claude %-%-resume ([%x%-]+)",
    by_id = function(id) return { "--resume", id } end,
    last = { "--continue" },
    valued = { ["--model"] = true, ["--settings"] = true, ["--permission-mode"] = true,
      ["--mcp-config"] = true,
      ["--allowedTools"] = true, ["--disallowedTools"] = true, ["--append-system-prompt"] = true },
    said = { "^❯ (.+)", "^● (.+)" },
    unsaid = { "^%s*%d%. ", "^Try \"", "/effort$" },
    transcript = {
      variable = "CLAUDE_CONFIG_DIR", folder = ".claude", beneath = "projects",
      message = function(entry)
        local is_said = (entry.type == "user" or entry.type == "assistant") and not entry.isMeta
        return is_said and type(entry.message) == "table" and entry.message.content or nil
      end,
    },
  },
}

local reading = { "Read", "Grep", "Glob", "Bash" }
--- Lists the tools that a read-only agent may use. The shell commands in the list have no option
--- that names a program to start.
local looking = { "Read", "Grep", "Glob", "Bash(git diff *)", "Bash(git log *)", "Bash(git show *)",
  "Bash(git status *)", "Bash(git blame *)", "Bash(git ls-files *)", "Bash(ls *)", "Bash(wc *)" }

local function native_places(real)
  local package = shared.parent(real)
  if package and package:find("/bin$") then package = shared.parent(package) end
  local beside = package and shared.parent(package)
  if not beside or not package:find("/claude%-code$") then return {} end
  local places = { package .. "/bin/claude.exe" }
  for _, platform in ipairs { "linux-x64", "linux-arm64", "linux-x64-musl", "linux-arm64-musl",
      "darwin-arm64",
    "darwin-x64" } do
    places[#places + 1] = beside .. "/claude-code-" .. platform .. "/claude"
    places[#places + 1] = package .. "/node_modules/@anthropic-ai/claude-code-" .. platform
      .. "/claude"
  end
  return places
end

function M.detect(config) return shared.detect(M, config, native_places) end

function M.command(call)
  local config = call.config or {}
  shared.check_prompt(M.title, call.prompt, prompt_limits)
  local writes = call.sandbox == "workspace-write"
  local warnings = {}
  local tools, allowed = { table.unpack(reading) }, { table.unpack(writes and reading or looking) }
  local function add(list, ...)
    for _, name in ipairs { ... } do list[#list + 1] = name end
  end
  if writes then
    add(tools, "Edit", "Write", "NotebookEdit", "TodoWrite")
    add(allowed, "Edit", "Write", "NotebookEdit")
  end
  if call.web_search then
    add(tools, "WebSearch", "WebFetch")
    add(allowed, "WebSearch", "WebFetch")
  end
  if writes then
    warnings[#warnings + 1] = "Claude's shell commands see the key that it was given"
    if not call.network then
      warnings[#warnings + 1] = "Claude's shell commands have the user's access to the network"
    end
  end
  -- Join options to their values by "=", because some options would consume the words after them.
  local argv = { call.program or M.program, "-p", "--output-format", "stream-json", "--verbose",
    "--no-session-persistence", "--strict-mcp-config", "--setting-sources=",
    "--disable-slash-commands", "--no-chrome",
    "--permission-mode", writes and "acceptEdits" or "dontAsk",
    "--tools=" .. table.concat(tools, ","),
    "--allowedTools=" .. table.concat(allowed, ",") }
  if writes then
    for _, path in ipairs { call.out, table.unpack(call.writable or {}) } do
      argv[#argv + 1] = "--add-dir=" .. path
    end
  end
  if call.turns then argv[#argv + 1] = "--max-turns=" .. call.turns end
  if call.role then argv[#argv + 1] = "--append-system-prompt=" .. shared.role_line(call.role) end
  if call.schema then
    local object, why = schema.object(call.schema)
    local text = object and core.json.encode(object)
    if not text then
      warnings[#warnings + 1] = "the schema is only in the prompt: " .. why
    elseif shared.fits("--json-schema=" .. text) then
      argv[#argv + 1] = "--json-schema=" .. text
    else
      warnings[#warnings + 1] =
        "the schema is only in the prompt: it is too long for the command line"
    end
  end
  shared.add_words(argv, call, "--model=")
  shared.check_argv(M.title, argv)

  local env = { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC = "1", DISABLE_AUTOUPDATER = "1",
    DISABLE_TELEMETRY = "1", DISABLE_ERROR_REPORTING = "1", CLAUDE_CODE_SAFE_MODE = "1",
    CLAUDE_CODE_MAX_RETRIES = tostring(shared.retries) }
  local state_dirs
  if call.private then
    env.CLAUDE_CONFIG_DIR = call.scratch .. "/claude"
    if not (shared.has(config, "ANTHROPIC_API_KEY") or shared.has(config, "ANTHROPIC_AUTH_TOKEN")
      or shared.has(config, "CLAUDE_CODE_OAUTH_TOKEN")) then
      warnings[#warnings + 1] =
        "a private CLAUDE_CONFIG_DIR has no login: set ANTHROPIC_API_KEY or "
        .. "CLAUDE_CODE_OAUTH_TOKEN"
    end
    state_dirs = { env.CLAUDE_CONFIG_DIR }
  else
    if config.home then env.CLAUDE_CONFIG_DIR = shared.home_path(config.home) end
    local home = env.CLAUDE_CONFIG_DIR or core.system.env "CLAUDE_CONFIG_DIR"
    state_dirs = home and { home }
      or { shared.home_path "~/.claude", shared.home_path "~/.claude.json" }
  end
  return { argv = argv, env = env, env_names = shared.env_names(M.env_names, config.env),
    stdin = "prompt", files = {}, state_dirs = state_dirs, sandbox = "host",
    writable = shared.writable(call), warnings = warnings }
end

--- Unwraps an answer whose schema had to be wrapped in an object.
function M.normalise(data, shape) return schema.unwrap(data, shape) end

local function detail_of(input)
  for _, name in ipairs { "command", "file_path", "pattern", "path", "url", "query",
      "description" } do
    local value = stream.str(stream.at(input, name))
    if value then return value end
  end
  return nil
end

local writers = { Edit = true, Write = true, MultiEdit = true, NotebookEdit = true }

local most_messages = 2000

local function size_of(block)
  local text = stream.str(stream.at(block, "text")) or stream.str(stream.at(block, "thinking"))
  if text then return #text end
  local input = stream.tbl(stream.at(block, "input"))
  return input and #core.json.encode(input) or 0
end

-- Adds the usage of a message. Claude prints several events for one message, and each has the usage
-- so far, so only the increase is added. If the reported output tokens are fewer than the size of
-- the text suggests, estimates them from this size.
local function so_far(state, events, message)
  local given, id = stream.tbl(message.usage), stream.str(message.id)
  local reported = given and usage.claude(given)
  if not reported or not reported.input_tokens or not id then return end
  local messages = state.messages or { count = 0, of = {} }
  local before = messages.of[id]
  -- The events of one message arrive one after another, so old messages can be forgotten.
  if not before and messages.count >= most_messages then messages = { count = 0, of = {} } end
  local bytes = before and before.bytes or 0
  for i, block in ipairs(stream.tbl(message.content) or {}) do
    if i > 500 then break end
    bytes = bytes + size_of(block)
  end
  local now = { input_tokens = reported.input_tokens,
    cached_input_tokens = reported.cached_input_tokens,
    output_tokens = math.max(reported.output_tokens or 0, bytes // usage.bytes_a_token) }
  if not before then
    messages.count = messages.count + 1
    stream.report_answer(state, now.input_tokens)
  end
  local sum = state.so_far or { estimated = true }
  for name, value in pairs(now) do
    sum[name] = (sum[name] or 0) + value - (before and before[name] or 0)
  end
  sum.total_tokens, now.bytes = sum.input_tokens + sum.output_tokens, bytes
  messages.of[id], state.messages, state.so_far = now, messages, sum
  events[#events + 1] = { type = "usage", usage = { total_tokens = sum.total_tokens } }
end

local function assistant(state, events, event)
  local message = stream.tbl(event.message) or {}
  so_far(state, events, message)
  local model = stream.str(message.model)
  local failed = model == "<synthetic>" and stream.str(event.error)
  local is_main = stream.str(event.parent_tool_use_id) == nil
  if model and model ~= "<synthetic>" and not state.model then state.model = model end
  for i, block in ipairs(stream.tbl(message.content) or {}) do
    if i > 500 then break end
    local kind = stream.str(stream.at(block, "type"))
    local text = kind == "text" and stream.said(state, events, block.text)
    if text and failed then
      local told = { message = core.text.cut(text, 8000), code = failed }
      if is_main then stream.note_error(state, told) else state.last_error = told end
      events[#events + 1] = { type = "error", text = stream.printable(text, 300) }
    elseif text then
      -- A subagent's text is not the answer.
      if is_main then
        stream.begin_again(state)
        stream.keep_text(state, text)
      end
      stream.say(state, events, text)
    elseif kind == "tool_use" and stream.str(block.name) then
      if is_main then stream.begin_again(state) end
      stream.open_tool(state, block.id, { name = block.name, path = writers[block.name]
        and stream.str(stream.at(block.input, "file_path")
          or stream.at(block.input, "notebook_path")),
        about = core.json.encode(block.input) })
      stream.tool(state, events, { name = block.name, detail = detail_of(block.input),
        status = "running" })
    end
  end
end

local function shown_by(content)
  if type(content) == "string" then return content end
  local texts = {}
  for i, part in ipairs(stream.tbl(content) or {}) do
    texts[i] = stream.str(stream.at(part, "text")) or ""
  end
  return table.concat(texts, "\n")
end

local function tool_results(state, events, event)
  for i, block in ipairs(stream.tbl(stream.at(event, "message", "content")) or {}) do
    if i > 500 then break end
    if stream.at(block, "type") == "tool_result" then
      local tool = stream.close_tool(state, block.tool_use_id)
      local failed = block.is_error == true
      if tool and tool.path and not failed then stream.changed_file(state, tool.path) end
      local content = stream.str(block.content) or stream.str(stream.at(block.content, 1, "text"))
      stream.saw(state, tool and tool.about, shown_by(block.content))
      stream.tool(state, events, { name = tool and tool.name or "tool",
        detail = failed and content or nil, call = tool and tool.about,
        result = shown_by(block.content), status = failed and "failed" or "ok" })
    end
  end
end

--- Returns the usage in Claude's last event. Claude's count of input tokens excludes cached tokens.
local function usage_of(event)
  local per_model, sum = stream.tbl(event.modelUsage), nil
  local unknown = {}
  for _, item in pairs(per_model or {}) do
    local input = stream.count(stream.at(item, "inputTokens"))
    local output = stream.count(stream.at(item, "outputTokens"))
    local read = stream.count(stream.at(item, "cacheReadInputTokens")) or 0
    local made = stream.count(stream.at(item, "cacheCreationInputTokens")) or 0
    unknown.input_tokens, unknown.output_tokens = unknown.input_tokens or not input,
      unknown.output_tokens or not output
    sum = usage.add(sum, usage.of { input_tokens = input and input + read + made,
      cached_input_tokens = input and read, cache_write_tokens = made > 0 and made or nil,
      output_tokens = output, cost_usd = stream.amount(stream.at(item, "costUSD")) })
  end
  if sum then
    -- If a count is missing for one model, the sum over all models is unknown.
    if unknown.input_tokens then
      sum.input_tokens, sum.cached_input_tokens, sum.total_tokens = nil, nil, nil
    end
    if unknown.output_tokens then sum.output_tokens, sum.total_tokens = nil, nil end
    sum.partial = nil
  else
    local given = stream.tbl(event.usage) or {}
    sum = usage.claude(given)
  end
  local cost = stream.amount(event.total_cost_usd)
  if cost then
    sum = sum or {}
    sum.cost_usd, sum.cost_is = cost, "reported"
  end
  return sum and next(sum) ~= nil and sum or nil
end

--- If a limit cut the answer short, returns an error class and a message, otherwise nil.
local function cut_by(event)
  if event.stop_reason == "max_tokens" and type(event.structured_output) ~= "table" then
    return "invalid-output", "its answer was cut short: it reached its limit of tokens (max_tokens)"
  elseif event.terminal_reason == "max_turns" then
    return "limit", "it reached its limit of turns before it was done (max_turns)"
  end
end

--- Keeps the structured answer. If the agent's last text is the same JSON, keeps that text instead.
local function keep_answer(state, text, structured)
  if type(structured) ~= "table" then
    if text then stream.keep_text(state, text) end
    return
  end
  local given = core.json.encode(structured)
  local ok, said = pcall(core.json.decode, text or "")
  stream.keep_text(state, ok and core.json.encode(said) == given and text or given)
end

--- Returns the error class of a failure event, or nil, and a message if the agent was interrupted.
local function failure_class(event, subtype)
  local ending = stream.str(event.terminal_reason) or ""
  if event.stop_reason == "refusal" then return "refused" end
  if ending == "prompt_too_long" then return "context" end
  if subtype == "error_max_turns" or ending == "max_turns" then return "limit" end
  if ending:find("^aborted") then return "interrupted", "it was interrupted while it worked" end
  if subtype == "error_max_structured_output_retries" then return "invalid-output" end
  if subtype == "error_max_budget_usd" then return "refused" end
end

local function result(state, events, event)
  state.usage = usage_of(event) or state.usage
  local models = stream.tbl(event.modelUsage)
  if models and not state.model then
    for name in pairs(models) do state.model = state.model or stream.str(name) end
  end
  state.retry = nil
  if state.usage then events[#events + 1] = { type = "usage", usage = state.usage } end
  for i, denial in ipairs(stream.tbl(event.permission_denials) or {}) do
    if i > 100 then break end
    stream.deny(state, stream.str(stream.at(denial, "tool_name")) or "tool",
      detail_of(stream.at(denial, "tool_input")))
  end
  local text, subtype = stream.said(state, events, event.result), stream.str(event.subtype)
  local class, message
  if event.is_error == false and subtype == "success" and event.stop_reason ~= "refusal" then
    keep_answer(state, text, event.structured_output)
    class, message = cut_by(event)
    if not class then
      stream.succeed(state, events)
      return
    end
  else
    class, message = failure_class(event, subtype)
    message = message or text or stream.str(stream.at(event, "errors", 1)) or subtype
      or "no reason given"
  end
  state.done = false
  state.failure = { message = core.text.cut(message, 8000),
    status = stream.count(event.api_error_status),
    code = state.last_error and state.last_error.code, class = class }
  if state.limit and (state.failure.status == 429 or not state.failure.status) then
    state.failure.retry_after_ms, state.failure.reset_at = state.limit.retry_after_ms,
      state.limit.reset_at
    state.failure.class = class or "quota"
  end
  stream.fail(events, state.failure, true)
end

local function system(state, events, event)
  local subtype = stream.str(event.subtype)
  if subtype == "init" then
    stream.begin_again(state)
    state.model, state.session = stream.str(event.model) or state.model,
      stream.str(event.session_id)
    stream.begin_session(state, events)
  elseif subtype == "api_retry" then
    local status = stream.count(event.error_status)
    local delay = stream.amount(event.retry_delay_ms)
    local code = stream.str(event.error)
    state.retry = { message = ("%s%s"):format(code or "the request failed",
      status and " (" .. status .. ")" or ""), status = status, code = code }
    events[#events + 1] = { type = "retry", attempt = stream.count(event.attempt),
      delay_ms = delay and delay // 1 | 0, text = stream.printable(state.retry.message, 300) }
  end
end

local function parse(state, events, event, kind)
  if kind == "system" then
    system(state, events, event)
  elseif kind == "assistant" then
    assistant(state, events, event)
  elseif kind == "user" then
    tool_results(state, events, event)
  elseif kind == "result" then
    result(state, events, event)
  elseif kind == "rate_limit_event" then
    local info = stream.tbl(event.rate_limit_info) or {}
    if stream.str(info.status) == "rejected" then
      state.limit = quota_reset.moment(info.resetsAt, core.clock.wall()) or {}
      stream.warn(state, events,
        "the provider's limit is reached: " .. (stream.str(info.rateLimitType) or "unnamed"))
    end
  end
end

M.lines, M.shows_tools, M.reports_cost = "object", true, true
stream.make_reader(M, parse, own_tokens, true)

function M.finish(state, exit, answers)
  return outcome.conclude(M.title, state, exit, answers, state.usage)
end

return M
