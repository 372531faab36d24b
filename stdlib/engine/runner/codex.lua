--- The runner `codex` starts Codex CLI (`codex exec`) once per attempt.
--- Codex has its own kernel sandbox, which cannot run inside another; confine = "host" disables it.
--- No option makes Codex ignore the AGENTS.md in its home folder.
--- So an attempt gets a temporary home folder, with links to all other files of the real one.
--- Codex follows these links when it renews its login.
--- Codex's events report usage only at the end of a turn, but its log has the usage of each answer.
local shared = require "moonlet.engine.runner.shared"
local stream = require "moonlet.engine.runner.stream"
local schema = require "moonlet.engine.runner.schema"
local outcome = require "moonlet.engine.runner.outcome"
local usage = require "moonlet.engine.runner.usage"

local M = { name = "codex", program = "codex", title = "Codex", role = "flag" }

M.refused_args = { "resume", "fork", "--last", "-s", "--sandbox",
  "--dangerously-bypass-approvals-and-sandbox",
  "--approve-for-me", "--full-auto", "--yolo", "--json", "-o", "--output-last-message", "-C",
  "--cd", "--worktree",
  "--add-dir" }
-- Lists settings of Codex that have the same effect as a refused argument.
local refused_settings = { sandbox_mode = true, sandbox_workspace_write = true,
  default_permissions = true, permissions = true, approval_policy = true }

--- Reports whether an argument such as `-c NAME=…` changes a refused setting.
function M.refuses_word(word)
  local setting = word:match("^%-%-config=(.*)$") or word:match("^%-c=?(.*)$") or word
  local key = setting:match("^[%s\"']*([%w_]+)[\"']*%s*[.=]")
  return key ~= nil and refused_settings[key] == true
end

--- Codex rejects prompts with more characters than this.
local longest_prompt = 1048576
--- These variables have the provider's keys, so Codex hides them from its tools.
M.secrets = { "CODEX_API_KEY", "OPENAI_API_KEY" }
M.env_names = { "CODEX_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORGANIZATION",
  "OPENAI_PROJECT", "CODEX_HOME", "CODEX_CA_CERTIFICATE" }

--- Lists the names of the project's instruction file; the first existing one is used.
M.instructions = { "AGENTS.md" }
local own_instructions = { "AGENTS.override.md", "AGENTS.md" }

local function home_of(config)
  return config.home and shared.home_path(config.home) or core.system.env "CODEX_HOME"
    or shared.home_path "~/.codex"
end

function M.home_instructions(config)
  return { home_of(config) .. "/AGENTS.override.md", home_of(config) .. "/AGENTS.md" }
end

function M.login_files(config) return { home_of(config) .. "/auth.json" } end

--- A change of these project files can make Codex start programs, so a person must merge it.
M.startup_files = { ".codex" }

--- Describes Codex's screen for `moonlet session`. A prompt is recognised if all its patterns match
--- lower lines of the screen; `deny` and `approve` are the keys that answer it.
M.screen = {
  sandbox = "runner",
  enter_pause_ms = 400,
  prompts = {
    { kind = "trust", all = { "Trust this folder%?", "^%s*› ?%d%. ", "Trust and continue" },
      approve = { keys = { "enter" } }, deny = { keys = { "ctrl-c" } } },
    { kind = "approval", all = { "^%s*Would you like to ", "1%. Yes, ", "esc to cancel" },
      shows = { "^%s*%$ ", "^%s*Reason: " }, approve = { text = "y" },
      deny = { keys = { "escape" } } },
    { kind = "menu", all = { "^%s*› ?%d%. ", "[Pp]ress enter to " },
      deny = { keys = { "escape" } } },
  },
  working = { "[Ee]sc to interrupt", "^%s*[◦•]+ Working" },
  ready = { "^› " },
  quota = { "You've hit your usage limit", "[Uu]sage limit reached", "[Rr]ate limit reached",
    "try again at %d" },
  resume = {
    id = "codex resume ([%x%-]+)",
    by_id = function(id) return { "resume", id } end,
    last = { "resume", "--last" },
    valued = { ["-c"] = true, ["--config"] = true, ["-m"] = true, ["--model"] = true, ["-a"] = true,
      ["-s"] = true, ["--ask-for-approval"] = true, ["--sandbox"] = true, ["-C"] = true,
      ["--cd"] = true,
      ["-p"] = true, ["--profile"] = true },
    -- `said` matches a message by the mark in front of it. `unsaid` matches texts that the start-up
    -- screen shows after the same mark.
    said = { "^› (.+)", "^• (.+)" },
    unsaid = { "^%s*%d%. ", "^Ask Codex", "^Booting ", "^Starting MCP", "^Working",
      "^Explain this codebase", "^Summarize recent commits", "^Implement {feature}",
      "^Find and fix a bug in @filename", "^Write tests for @filename",
      "^Improve documentation in @filename", "^Run /review on my current changes",
      "^Use /skills to list" },
    transcript = {
      variable = "CODEX_HOME", folder = ".codex", beneath = "sessions",
      message = function(entry)
        local payload = type(entry.payload) == "table" and entry.payload or {}
        local is_said = payload.type == "user_message" or payload.type == "agent_message"
        if is_said then return payload.message end
        return payload.type == "message" and (payload.role == "user" or payload.role == "assistant")
          and payload.content or nil
      end,
    },
  },
}

local platforms = {
  { "codex-linux-x64", "x86_64-unknown-linux-musl" },
  { "codex-linux-arm64", "aarch64-unknown-linux-musl" },
  { "codex-darwin-arm64", "aarch64-apple-darwin" }, { "codex-darwin-x64", "x86_64-apple-darwin" },
}

local function native_places(wrapper)
  local package = shared.parent(shared.parent(wrapper))       -- …/@openai/codex
  local beside = package and shared.parent(package)           -- …/@openai
  local places = {}
  for _, platform in ipairs(beside and platforms or {}) do
    for _, folder in ipairs { package .. "/node_modules/@openai/" .. platform[1],
        beside .. "/" .. platform[1],
      package } do
      for _, file in ipairs { "/bin/codex", "/codex/codex" } do
        places[#places + 1] = folder .. "/vendor/" .. platform[2] .. file
      end
    end
  end
  return places
end

function M.detect(config) return shared.detect(M, config, native_places) end

--- Codex's own instructions and tools use about this many tokens of each request.
local own_tokens = 9900

--- Limits Codex's log to errors, the start, the token counts of each answer, and unreadable items.
local log_filter = table.concat({ "error", "codex_otel.trace_safe[{mcp_server_count}]=info",
  "codex_otel.trace_safe[{input_token_count}]=info", "codex_api::sse::responses=debug" }, ",")

local function toml(text)
  return '"' .. text:gsub('[%z\1-\31\\"\127]', function(c)
    if c == "\\" or c == '"' then return "\\" .. c end
    return ("\\u%04X"):format(c:byte())
  end) .. '"'
end

local function toml_list(list)
  local parts = {}
  for i, text in ipairs(list) do parts[i] = toml(text) end
  return "[" .. table.concat(parts, ",") .. "]"
end

--- Returns the named model provider in the user's arguments: only its retries can be limited.
local function provider_of(args)
  local name
  for i, word in ipairs(args or {}) do
    local value = word:match("^%-%-config=(.*)$")
      or ((args[i - 1] == "-c" or args[i - 1] == "--config") and word)
    name = value and value:match('^model_provider%s*=%s*"?([%w_-]+)"?$') or name
  end
  return name
end

local always = {
  "features.plugins=false", "features.apps=false", "features.hooks=false",
  "features.shell_snapshot=false", "features.multi_agent=false", "features.goals=false",
  "features.unbounded_connection_retries=false", "check_for_update_on_startup=false",
  "analytics.enabled=false", "project_doc_max_bytes=0", "allow_login_shell=false",
}

function M.command(call)
  local config = call.config or {}
  shared.check_prompt(M.title, call.prompt, { characters = longest_prompt })
  local host = call.confine == "host"
  local writes = call.sandbox == "workspace-write"
  local warnings, files = {}, {}
  local argv = { call.program or M.program, "exec", "--json", "--color", "never", "--ephemeral",
    "--ignore-user-config",
    "--ignore-rules", "--skip-git-repo-check", "-C", call.cwd,
    "-s", host and "danger-full-access" or writes and "workspace-write" or "read-only" }
  local function set(value)
    argv[#argv + 1] = "-c"
    argv[#argv + 1] = value
  end
  for _, value in ipairs(always) do set(value) end
  set('web_search="' .. (call.web_search and "live" or "disabled") .. '"')
  local hidden = shared.secret_names(M.secrets, config.env)
  hidden[#hidden + 1] = "RUST_LOG"
  set("shell_environment_policy.exclude=" .. toml_list(hidden))
  if writes and not host then
    set("sandbox_workspace_write.network_access=" .. tostring(call.network == true))
    -- Make /tmp read-only, because other programs use it and the attempt has its own TMPDIR.
    if call.scratch then set("sandbox_workspace_write.exclude_slash_tmp=true") end
    local roots = { call.out }
    for _, path in ipairs(call.writable or {}) do roots[#roots + 1] = path end
    set("sandbox_workspace_write.writable_roots=" .. toml_list(roots))
  elseif host and call.network == false then
    warnings[#warnings + 1] = "Codex's shell commands have the user's access to the network"
  elseif call.network and not host then
    warnings[#warnings + 1] = "Codex gives its tools the network only together with workspace-write"
  end
  if call.role then set("developer_instructions=" .. toml(shared.role_line(call.role))) end
  argv[#argv + 1] = "-o"
  argv[#argv + 1] = call.out .. "/output.md"
  if call.schema then
    local strict, why = schema.strict(call.schema)
    if strict and call.schema_file then
      files[call.schema_file] = core.json.encode(strict, 2) .. "\n"
      argv[#argv + 1] = "--output-schema"
      argv[#argv + 1] = call.schema_file
    elseif why then
      warnings[#warnings + 1] = "the schema is only in the prompt: " .. why
    end
  end
  shared.add_words(argv, call, "-m")
  local provider = provider_of(config.args)
  if provider then
    set(("model_providers.%s.request_max_retries=%d"):format(provider, shared.retries))
    set(("model_providers.%s.stream_max_retries=%d"):format(provider, shared.retries))
  end
  argv[#argv + 1] = "-"
  shared.check_argv(M.title, argv)

  local env, home, links = { RUST_LOG = log_filter }, home_of(config), nil
  if call.private then
    home = call.scratch .. "/codex"
    env.CODEX_HOME = home
    warnings[#warnings + 1] = not shared.has(config, "CODEX_API_KEY") and not provider
      and "a private CODEX_HOME has no login: set CODEX_API_KEY" or nil
  else
    env.CODEX_HOME, links = shared.without(home, own_instructions,
      call.scratch and call.scratch .. "/codex")
    env.CODEX_HOME = env.CODEX_HOME or config.home and home or nil
  end
  -- npm's wrapper, which is skipped, would add the folder of Codex's bundled tools to PATH.
  local tools = call.program and call.program:match("^(.*/vendor/[^/]+)/bin/codex$")
  if tools and core.system.find_program(tools .. "/codex-path/rg") then
    env.PATH = tools .. "/codex-path:" .. (core.system.env "PATH" or "/usr/local/bin:/usr/bin:/bin")
  end
  return { argv = argv, env = env, env_names = shared.env_names(M.env_names, config.env),
    stdin = "prompt", files = files, links = links, state_dirs = { home, links and env.CODEX_HOME },
    answer_file = call.out .. "/output.md",
    sandbox = host and "host" or "runner", writable = shared.writable(call), warnings = warnings }
end

--- Removes the nulls that strict mode added to an answer.
function M.normalise(data, shape) return schema.normalise(data, shape) end

local tool_status = { completed = "ok", failed = "failed", declined = "denied",
  in_progress = "running" }

local function item_event(state, events, kind, item)
  local id, type_of = item.id, stream.str(item.type)
  local status = tool_status[stream.str(item.status) or ""]
    or (kind == "item.started" and "running") or "ok"
  if type_of == "agent_message" then
    local text = stream.said(state, events, item.text)
    if text and kind == "item.completed" then
      stream.begin_again(state)
      stream.keep_text(state, text)
      stream.say(state, events, text)
    end
    return
  elseif type_of == "error" then
    local message = stream.str(item.message)
    if message then stream.warn(state, events, stream.message(message)) end
    return
  elseif type_of == "reasoning" or type_of == "todo_list" or not type_of then
    state.retry = nil
    return
  end
  local name, detail = type_of, nil
  if type_of == "command_execution" then
    name, detail = "shell", stream.str(item.command)
  elseif type_of == "file_change" then
    local paths = {}
    for _, change in ipairs(stream.tbl(item.changes) or {}) do
      local path = stream.str(stream.at(change, "path"))
      if path and #paths < 50 then paths[#paths + 1] = path end
      if path and status ~= "failed" and status ~= "denied" and kind == "item.completed" then
        stream.changed_file(state, path)
      end
    end
    name, detail = "edit", table.concat(paths, " ")
  elseif type_of == "mcp_tool_call" then
    name, detail = "mcp", (stream.str(item.server) or "") .. " " .. (stream.str(item.tool) or "")
  elseif type_of == "web_search" then
    detail = stream.str(item.query)
  end
  if kind == "item.completed" and type_of == "command_execution" then
    stream.saw(state, detail, stream.str(item.aggregated_output))
  elseif kind == "item.completed" and type_of == "mcp_tool_call" then
    stream.saw(state, detail, item.result ~= nil and core.json.encode(item.result) or nil)
  end
  if kind == "item.started" then
    stream.begin_again(state)
    stream.open_tool(state, id, name)
  else
    stream.close_tool(state, id)
  end
  if status == "denied" then stream.deny(state, name, detail) end
  stream.tool(state, events, { name = name, detail = detail, status = status,
    exit_code = stream.int(item.exit_code), call = detail,
    result = stream.str(item.aggregated_output)
      or item.result ~= nil and core.json.encode(item.result)
      or nil })
end

local function parse(state, events, event, kind)
  if kind == "thread.started" then
    state.session = stream.str(event.thread_id)
    stream.begin_session(state, events)
  elseif kind == "turn.started" then
    stream.begin_again(state)
  elseif kind == "item.started" or kind == "item.updated" or kind == "item.completed" then
    local item = stream.tbl(event.item)
    if item then item_event(state, events, kind, item) end
  elseif kind == "turn.completed" then
    state.retry = nil
    local given = stream.tbl(event.usage)
    -- Codex reports the usage of the whole thread, so the last report is the total.
    if given then
      state.usage, state.reported = usage.codex(given), stream.answers(state)
      events[#events + 1] = { type = "usage", usage = state.usage }
    end
    stream.succeed(state, events)
  elseif kind == "turn.failed" then
    local message = stream.str(stream.at(event, "error", "message")) or "the turn failed"
    state.done, state.retry = false, nil
    -- For status 400, Codex prints only the body of the response. For others, it prints the status.
    local body = message:find('^%s*{.*"error"') ~= nil
    state.failure = { message = core.text.cut(message, 8000),
      status = outcome.status_in(message) or body and 400 or nil }
    stream.fail(events, state.failure, true)
  elseif kind == "error" then
    local message = stream.str(event.message) or "an error without a message"
    local attempt = message:match("^Reconnecting%.%.%. (%d+)/%d+")
    if attempt or message:find("^Reconnecting%.%.%.") then
      state.retry = { message = message:match("^Reconnecting%.%.%. [%d/]*%s*(.*)$"):sub(1, 8000) }
      events[#events + 1] = { type = "retry", text = stream.printable(message, 300),
        attempt = tonumber(attempt) }
    else
      stream.note_error(state, { message = core.text.cut(message, 8000) })
      stream.fail(events, state.last_error)
    end
  end
end

-- Codex enforces its own sandbox with the kernel.
M.lines, M.shows_tools, M.own_sandbox = "object", true, true
stream.make_reader(M, parse, own_tokens)

--- Matches lines of Codex's log, which moonlet enables because it contains the usage.
M.log_line = "^%d%d%d%d%-%S+Z +[ID]%u+ codex_"

function M.log(state, line)
  local said = line:match("^%d%d%d%d%-%S+Z +%u+ (.*)$")
  if not said then return end
  local function count(name)
    return stream.count(tonumber(said:match(" " .. name .. "_token_count=(%d+)")))
  end
  if said:find('^codex_otel.trace_safe: event.name="codex.conversation_starts"') then
    state.reports = true
  elseif said:find(
      '^codex_otel.trace_safe: event.name="codex.sse_event" event.kind=response.completed ') then
    local input = count "input"
    if not input then return end
    state.so_far = usage.add(state.so_far,
      usage.of { input_tokens = input, cached_input_tokens = count "cached",
      output_tokens = count "output", reasoning_output_tokens = count "reasoning" })
    stream.report_answer(state, input)
    -- An unreadable item belongs to the answer that ends here, so do not count it for the next one.
    state.lost_item, state.unread_item = state.unread_item, nil
  elseif said == "codex_api::sse::responses: failed to parse ResponseItem from "
    .. "output_item.done" then
    state.unread_item = true
  end
end

--- Detects a refusal of the model: an item that Codex cannot parse, followed by an empty answer.
local function note_hidden_refusal(state, answers)
  local said = answers and answers.file or stream.text(state) or ""
  if not (state.done and state.lost_item) or said:find("%S") then return end
  state.done, state.failure = false, { class = "refused",
    message = "its model's last answer holds no text, but an item that Codex cannot read, as a "
      .. "refusal is" }
end

function M.finish(state, exit, answers)
  -- Codex reports a refused tool call only on standard error.
  for said in (exit.stderr_tail or ""):gmatch("ERROR codex_core::tools::router: error=([^\n]+)") do
    stream.deny(state, "shell", said)
  end
  exit = setmetatable({ stderr_tail = shared.without_log(M, state, exit.stderr_tail) },
    { __index = exit })
  note_hidden_refusal(state, answers)
  -- Without --json, Codex prints the answer on standard output, and a token count as the last line
  -- of standard error.
  local tail = exit.stderr_tail
  if state.events == 0 and exit.code == 0 and answers and answers.stdout
      and tail:find("OpenAI Codex v", 1, true)
    and tail:find("\ntokens used\n[%d,]+%s*$") then
    state.done = true
    stream.keep_text(state, (answers.stdout:gsub("\n$", "")))
  end
  return outcome.conclude(M.title, state, exit, answers, state.usage)
end

return M
