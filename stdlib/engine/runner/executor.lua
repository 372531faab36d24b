--- The runner `executor` starts moonlet's own agent, `moonlet-executor`, once per attempt.
--- The executor works with any OpenAI-compatible server.
--- Conversations are stored in .codex-sessions/tasks at the repository's top, not in the worktree.
--- After a reply to the agent's question, the next step continues in a branch of the conversation.
--- After a lost attempt, the next attempt continues the conversation.
local moonlet = require "moonlet.engine.runner.moonlet"
local shared = require "moonlet.engine.runner.shared"
local stream = require "moonlet.engine.runner.stream"
local outcome = require "moonlet.engine.runner.outcome"

local M = { name = "executor", program = "moonlet-executor", title = "moonlet-executor",
  role = "prompt", resumes = true, limits_turns = true, begin = stream.begin }

M.refused_args = { "--json", "--fork", "--no-plan", "--unconfined", "--read-only",
  "--network", "--wall" }

M.secrets = { "OPENAI_API_KEY" }
M.env_names = { "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "REASONING_EFFORT",
  "MAX_ITERS" }
local prompt_limits = { bytes = 8 << 20 }
local longest_id = 64

--- Finds the configured program, or else moonlet-executor in moonlet's folder or in PATH.
function M.detect(config)
  local named = config and config.program
  local beside = not named and shared.parent(core.system.real_path "/proc/self/exe" or "")
  local path = beside and core.system.find_program(beside .. "/" .. M.program)
  if path then return { path = path } end
  local found, why = shared.find(named or M.program)
  return found and { path = found } or nil, why
end

--- Reports whether a URL names this machine, where a server needs no key.
local function is_loopback(url)
  local host = url:match "^https?://([^/?#]*)"
  host = host and (host:match "^%[.*%]" or host:match "^[^:]*")
  return host == "localhost" or host == "[::1]" or host ~= nil and host:find "^127%.[%d.]+$" ~= nil
end

--- Returns the server's URL and a description of the login; nil if a required key is not set.
function M.server()
  local url, key = core.system.env "OPENAI_BASE_URL", core.system.env "OPENAI_API_KEY"
  if not url or url == "" then url = "https://api.openai.com/v1" end
  if key and key ~= "" then return url, "logs in with OPENAI_API_KEY" end
  return url, is_loopback(url) and "needs no key there" or nil
end

--- Derives the id of an attempt's conversation from the prompt's folder and the attempt's number.
local function session_id(call)
  local place = call.prompt_file:match("/sidecars/(.-)/[^/]+$") or call.prompt_file
  local id = place:gsub("/steps/", "."):gsub("[^%w._-]", "-"):gsub("^[^%w]+", "")
  local ending = (call.attempt or 1) > 1 and "-a" .. call.attempt or ""
  if #id + #ending > longest_id then
    id = id:sub(1, longest_id - #ending - 13) .. "-" .. core.text.sha256(place):sub(1, 12)
  end
  return id .. ending
end

local function has_begun(folder, id)
  local root = core.file.root(folder)
  return root ~= nil and core.file.stat(root, id .. ".json") ~= nil
end

local function state_dir(call) return (call.top or call.cwd) .. "/.codex-sessions/tasks" end

function M.command(call)
  local config = call.config or {}
  shared.check_prompt(M.title, call.prompt, prompt_limits)
  local id = session_id(call)
  local branches = call.continues and not has_begun(state_dir(call), id)
  local argv = { call.program or M.program, branches and call.continues or id, "-",
    "--no-plan", "--json" }
  local function add(...) for _, word in ipairs { ... } do argv[#argv + 1] = word end end
  if branches then add("--fork", id) end
  if call.sandbox ~= "workspace-write" then add "--read-only" end
  if call.network then add "--network" end
  if call.startup_files then add "--startup-files" end
  if call.confine == "none" then
    add "--unconfined"
  elseif not core.process.confinement() then
    add "--no-bash"
  end
  if call.timeout_ms and call.timeout_ms > 0 then
    add("--wall", ("%dms"):format(call.timeout_ms))
  end
  add(table.unpack(config.args or {}))
  shared.check_argv(M.title, argv)
  local warnings = {}
  if call.web_search then warnings[#warnings + 1] = "moonlet-executor has no web search" end
  local env = { REPO_ROOT = call.cwd, STATE_DIR = state_dir(call) }
  local model = call.model or config.model
  if model then env.OPENAI_MODEL = model end
  if call.turns then env.MAX_ITERS = tostring(call.turns) end
  return { argv = argv, env = env, env_names = shared.env_names(M.env_names, config.env),
    stdin = "prompt", files = {}, state_dirs = { state_dir(call) }, sandbox = "host",
    writable = shared.writable(call), warnings = warnings,
    reads = { call.cwd .. "/CLAUDE.md", call.cwd .. "/AGENTS.md" } }
end

--- Formats a question of the agent as a text that the host recognises as a question.
local function question_text(event)
  local lines = { "[QUESTION] " .. (stream.str(event.text) or "") }
  local options = stream.tbl(event.options) or {}
  if #options > 0 then lines[#lines + 1] = "Options:" end
  for i, option in ipairs(options) do
    lines[#lines + 1] = ("%d. %s"):format(i, stream.str(option) or "")
  end
  return table.concat(lines, "\n")
end

M.lines = "object"
M.parse = stream.guarded(function(state, line, events)
  local event = stream.object(state, events, line)
  if not event then return end
  moonlet.apply(state, events, event)
  if event.type == "question" then
    state.question = question_text(event)
  elseif event.type == "blocked" then
    state.obstacle = true
  elseif event.type == "progress" then
    stream.say(state, events, "[PROGRESS] " .. (stream.str(event.text) or ""))
  end
end)

function M.finish(state, exit, answers)
  if state.last_error and not state.done then state.failure = state.failure or state.last_error end
  -- The program exits with code 3 if it stopped because the agent asked the user a question.
  local asked = state.question and state.done and exit.why == "exited" and exit.code == 3
  local own = asked and setmetatable({ code = 0 }, { __index = exit }) or exit
  if asked then
    stream.keep_text(state, state.question)
    answers = setmetatable({ file = "" }, { __index = answers })
  end
  local result = outcome.conclude(M.title, state, own, answers, state.usage)
  result.session = state.session
  if result.error and result.error.message:find("MAX_ITERS reached", 1, true) then
    result.class, result.error = "limit", outcome.error("limit", result.error.message)
  end
  -- An obstacle that the agent reports blocks the run. It does not count as the agent's failure.
  if state.obstacle and result.error and exit.why == "exited" and exit.code == 6 then
    result.error.blocked = "agent"
  end
  return result
end

return M
