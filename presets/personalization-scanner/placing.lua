--- The place of a preference: its subject, the persons or things for which it holds, and the file and section of
--- memory in which it could be written down.
local find, lower, match = string.find, string.lower, string.match

local M = {}

local function any(text, words)
  for i = 1, #words do
    if find(text, words[i]) then return true end
  end
  return false
end

-- In order: the first that fits names the section.
local TOPICS = {
  { "Communication", { "%f[%a]answer", "%f[%a]repl[yi]", "%f[%a]respon[ds]", "%f[%a]summar", "%f[%a]emoji",
    "%f[%a]apolog", "%f[%a]flatter", "%f[%a]tone%f[%A]", "%f[%a]the user%f[%A]", "%f[%a]in german",
    "%f[%a]in english", "%f[%a]in french", "%f[%a]in spanish", "%f[%a]tell ", "%f[%a]explain", "%f[%a]verbose",
    "%f[%a]concise", "%f[%a]brief", "to the point", "%f[%a]conclusions? first", "%f[%a]footnote", "%f[%a]chat%f[%A]",
    "%f[%a]confirmation", "%f[%a]every claim" } },
  { "Commits and branches", { "%f[%a]commit", "%f[%a]branch", "%f[%a]rebase", "%f[%a]squash", "%f[%a]merge",
    "%f[%a]push%f[%A]", "%f[%a]pull request", "%f[%a]tag%f[%A]", "%f[%a]changelog", "%f[%a]diffs?%f[%A]",
    "%f[%a]lfs%f[%A]", "%f[%a]release", "%f[%a]gitignore" } },
  { "Dependencies", { "%f[%a]dependenc", "%f[%a]lock ?file", "%f[%a]third.party", "%f[%a]package manager" } },
  { "Tests", { "%f[%a]tests?%f[%A]", "%f[%a]coverage", "%f[%a]mock", "%f[%a]fixture", "%f[%a]golden", "%f[%a]flaky",
    "%f[%a]benchmark", "%f[%a]regression" } },
  { "Experiments", { "%f[%a]seed", "%f[%a]experiment", "%f[%a]checkpoint", "%f[%a]training", "%f[%a]gpu",
    "%f[%a]runs?%f[%A]", "%f[%a]dataset", "%f[%a]median", "%f[%a]loss curve" } },
  { "Errors and logs", { "%f[%a]exception", "%f[%a]errors?%f[%A]", "%f[%a]logs?%f[%A]", "%f[%a]utc%f[%A]",
    "%f[%a]alert", "valueerror" } },
  { "Texts and figures", { "%f[%a]documentation", "%f[%a]spelling", "%f[%a]heading", "%f[%a]caption", "%f[%a]figure",
    "%f[%a]plots?%f[%A]", "%f[%a]cite", "%f[%a]palette", "%f[%a]screenshot", "%f[%a]passive", "%f[%a]comma%f[%A]",
    "%f[%a]tables?%f[%A]", "%f[%a]bullet", "%f[%a]markdown", "%f[%a]docs%f[%A]", "%f[%a]wording",
    "%f[%a]units?%f[%A]" } },
  { "Code style", { "%f[%a]naming", "%f[%a]names?%f[%A]", "%f[%a]indent", "%f[%a]spaces", "%f[%a]tabs%f[%A]",
    "%f[%a]quotes", "%f[%a]docstring", "%f[%a]comments?%f[%A]", "%f[%a]type hint", "%f[%a]import", "%f[%a]function",
    "%f[%a]class", "%f[%a]abbrev", "%f[%a]format", "%f[%a]lint", "%f[%a]magic number", "%f[%a]camelcase",
    "%f[%a]snake_case" } },
  { "Build and tools", { "`%l[%w_%-]+ ", "%f[%a]build", "%f[%a]run `", "%f[%a]use `", "%f[%a]compile" } },
  { "Agents", { "%f[%a]sidecar", "%f[%a]agent", "%f[%a]findings", "%f[%a]reviews?%f[%A]" } },
}

local TOOLS = {}
for word in string.gmatch([[uv pip pipx poetry conda npm pnpm yarn bun npx cargo rustup rustfmt clippy make cmake
  ninja bazel meson gradle maven docker podman kubectl helm pytest unittest tox nox ruff black isort flake8 mypy
  pyright eslint prettier biome tsc jest vitest mocha go gofmt golangci gh jq rg ripgrep grep sed awk clang gcc
  clang-format clang-tidy stylua luacheck terraform ansible pre-commit matplotlib plotly pathlib numpy pandas pytorch
  wandb codex claude gemini opencode just lerna turbo nx swift rubocop bundler rake composer phpunit phpstan sbatch
  tmux vim emacs]], "%S+") do
  TOOLS[word] = true
end

---@param text string
---@return string the section
function M.topic(text)
  local low = lower(text)
  for _, topic in ipairs(TOPICS) do
    if any(low, topic[2]) then return topic[1] end
  end
  return "General"
end

local REPOSITORY = { "%f[%a]branch", "%f[%a]commit", "%f[%a]merge%f[%A]", "%f[%a]rebase", "%f[%a]squash",
  "%f[%a]push%f[%A]", "%f[%a]pull request", "%f[%a]this repository", "%f[%a]changelog", "%f[%a]golden",
  "%f[%a]lfs%f[%A]", "`[%w_%.%-]+/[%w_/%.%-]*", "%f[%a]tag%f[%A]" }
local USER = { "%f[%a]the user%f[%A]", "%f[%a]answer%f[%A]", "%f[%a]answers%f[%A]", "%f[%a]emoji", "%f[%a]apolog",
  "%f[%a]flatter", "%f[%a]metric units", "to the point", "%f[%a]conclusions? first", "%f[%a]confirmation",
  "%f[%a]in english", "%f[%a]in german" }

local function names_tool(text, low)
  local command = match(text, "`([%w_%.%-]+)[^`]*`")
  if command and TOOLS[command] then return true end
  if not find(low, "^use ") and not find(low, "^prefer ") and not find(low, "^understand ") then return false end
  for word in string.gmatch(low, "[%l][%w%-]+") do
    if TOOLS[word] and word ~= "go" and word ~= "make" and word ~= "just" and word ~= "black"
      and word ~= "swift" then return true end
  end
  return false
end

---@param text string
---@param marks table
---@param unit table
---@return "user"|"project"|"repository"|"tool"
function M.scope(text, marks, unit)
  local low = lower(text)
  if any(low, REPOSITORY) and not any(low, { "%f[%a]emoji" }) then return "repository" end
  if marks.here then return "project" end
  if marks.user or any(low, USER) then return "user" end
  if names_tool(text, low) then return "tool" end
  if unit.kind == "chat" or unit.kind == "memory" and M.topic(text) == "Communication" then return "user" end
  return "project"
end

--- The place in memory for it. A suggestion: nothing is written.
---@param item table a merged preference
---@param memory {project: string?, user: string?} files of memory among the inputs
---@return string
function M.target(item, memory)
  if item.stands_in then
    return ("%s, section %s (stands there already)"):format(item.stands_in.path, item.stands_in.heading or item.topic)
  end
  if item.scope == "user" then
    return ("%s, section %s"):format(memory.user or "the user's own memory, outside of the repository", item.topic)
  end
  return ("%s, section %s"):format(memory.project or "AGENTS.md", item.topic)
end

--- The files of memory among the inputs.
---@param paths string[]
---@return {project: string?, user: string?}
function M.memory(paths)
  local found = {}
  for _, path in ipairs(paths) do
    local low = lower(path)
    if find(low, "agents%.md$") then found.project = path end
    if not found.project and find(low, "claude%.md$") then found.project = path end
    if find(low, "memory/") and (find(low, "user") or find(low, "preference")) then found.user = path end
  end
  return found
end

return M
