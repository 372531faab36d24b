--- Rules about how software is built and run: workflows of CI, container files, orchestration, infrastructure.

local V = require "moonlet.rules.view"

local find, format, lower, match = string.find, string.format, string.lower, string.match

local M = {}

M.rules = {
  ["ci-injection"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.9,
    fix = "Put the value into an environment variable of the step, and quote that." },
  ["ci-permissions"] = { lenses = { "security", "risks" }, severity = "medium", confidence = 0.9,
    fix = "Grant only the permissions that the jobs use." },
  ["ci-untrusted-checkout"] = { lenses = { "security", "risks" }, severity = "critical", confidence = 0.85,
    fix = "Use pull_request, or never check out the head of the pull request here." },
  ["ci-moving-action"] = { lenses = { "security", "risks" }, severity = "low", confidence = 0.85,
    fix = "Pin the action to a release, or better to a commit." },
  ["ci-errors-ignored"] = { lenses = { "risks", "tests" }, severity = "medium", confidence = 0.75,
    fix = "Let the step fail, or say in a comment why it may." },
  ["container-root"] = { lenses = { "security" }, severity = "low", confidence = 0.8,
    fix = "Switch to a user without rights before the program starts." },
  ["moving-image"] = { lenses = { "risks", "practicality" }, severity = "low", confidence = 0.85,
    fix = "Name a version, or better a digest." },
  ["privileged"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.85,
    fix = "Give the one capability that is needed." },
  ["open-to-all"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.75,
    fix = "Name the addresses that need access." },
  ["destructive-migration"] = { lenses = { "risks", "compatibility" }, severity = "high", confidence = 0.8,
    fix = "Stop using it first; remove it in a later release, after a backup." },
  ["unguarded-statement"] = { lenses = { "risks", "correctness" }, severity = "high", confidence = 0.85,
    fix = "Add a WHERE." },
}

local UNTRUSTED = { "github%.event%.issue%.title", "github%.event%.issue%.body", "github%.event%.pull_request%.title",
  "github%.event%.pull_request%.body", "github%.event%.comment%.body", "github%.event%.review%.body", "github%.head_ref",
  "github%.event%.pull_request%.head%.ref", "github%.event%.pull_request%.head%.label", "github%.event%.head_commit%.message",
  "github%.event%.commits", "github%.event%.discussion%.title", "github%.event%.discussion%.body",
  "github%.event%.pages", "github%.event%.workflow_run%.head_branch" }

-- Whether line n belongs to the text of a "run:" of a workflow.
local function in_run(view, n)
  local line = view.lines[n]
  if find(line.text, "^%s*%-?%s*run:%s") then return true end
  local indent = V.indent(line.text)
  for i = n - 1, math.max(1, n - 60), -1 do
    local before = view.lines[i]
    if not before then return false end
    if find(before.text, "%S") and V.indent(before.text) < indent then
      if find(before.text, "^%s*%-?%s*run:%s*[|>]") then return true end
      if find(before.text, "^%s*%-?%s*[%w_-]+:") then return false end
      indent = V.indent(before.text)
    end
  end
  return false
end

local function whole_has(view, pattern)
  for _, line in pairs(view.lines) do
    if find(line.code, pattern) then return true end
  end
  return false
end

local function workflow(view, report)
  local target = whole_has(view, "pull_request_target")
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local text, code = line.text, line.code
    if not line.moved and find(code, "%S") then
      for expression in string.gmatch(text, "%${{(.-)}}") do
        for _, pattern in ipairs(UNTRUSTED) do
          if find(expression, pattern) and in_run(view, n) then
            report("ci-injection", view, n, "A text that anybody can write is put into the script: what it says is run.")
            break
          end
        end
      end
      if find(code, "^%s*permissions:%s*write%-all") then
        report("ci-permissions", view, n, "The workflow may write everything in the repository.")
      end
      if target and (find(text, "ref:%s*%${{%s*github%.event%.pull_request%.head") or find(text, "ref:%s*%${{%s*github%.head_ref")) then
        report("ci-untrusted-checkout", view, n,
          "pull_request_target has the secrets of the repository, and this checks out code of strangers.")
      end
      local action, ref = match(code, "uses:%s*([%w_.-]+/[%w_./-]+)@([%w_./-]+)")
      if action and (ref == "master" or ref == "main" or ref == "HEAD" or ref == "develop") and not find(action, "^%./") then
        report("ci-moving-action", view, n, format("%s is taken from a branch: it can change under the workflow.", action))
      end
      if find(code, "^%s*%-?%s*continue%-on%-error:%s*true") and line.comment == "" then
        local before = view.lines[n - 1]
        if not (before and before.comment ~= "") then
          report("ci-errors-ignored", view, n, "When this fails, the workflow goes on as if it had not.")
        end
      end
    end
  end
end

local function container(view, report)
  local last_user, stage = nil, {}
  for n = 1, view.count or 0 do
    local line = view.lines[n]
    local name = line and match(line.code, "^%s*[Ff][Rr][Oo][Mm]%s+%S+%s+[Aa][Ss]%s+(%S+)")
    if name then stage[name] = true end
  end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved then
      local image = match(line.code, "^%s*FROM%s+%-%-%S+%s+(%S+)") or match(line.code, "^%s*FROM%s+(%S+)")
      if image and not find(image, "[%$@]") and image ~= "scratch" and not stage[image]
        and (find(image, ":latest$") or not find(image, ":[%w_.-]+$")) then
        report("moving-image", view, n, format("%s is another image tomorrow: the build cannot be repeated.", image))
      end
      if find(line.code, "^%s*USER%s+root%s*$") or find(line.code, "^%s*USER%s+0%s*$") then last_user = n end
    end
  end
  -- Root while building is common; root at the end is what runs.
  if last_user and view.whole then
    for i = last_user + 1, view.count or last_user do
      local line = view.lines[i]
      if line and find(line.code, "^%s*USER%s") then last_user = nil break end
    end
    if last_user then report("container-root", view, last_user, "The program runs as root in its container.") end
  end
end

local function orchestration(view, n, line, report)
  local code = line.code
  if find(code, "^%s*%-?%s*privileged:%s*true") or find(code, "%-%-privileged%f[^%w%-]") then
    report("privileged", view, n, "A privileged container has all rights on the machine it runs on.")
  elseif find(code, "^%s*hostNetwork:%s*true") or find(code, "^%s*hostPID:%s*true") or find(code, "allowPrivilegeEscalation:%s*true") then
    report("privileged", view, n, "The container gets rights on the machine that it runs on.", { severity = "medium" })
  elseif find(line.text, "/var/run/docker%.sock:") then
    report("privileged", view, n, "Who holds the socket of Docker holds the machine.", { severity = "medium" })
  end
  local image = match(code, "^%s*%-?%s*image:%s*[\"']?([%w_./-]+):latest[\"']?%s*$")
  if image then
    report("moving-image", view, n, format("%s:latest is another image tomorrow.", image))
  end
end

local function infrastructure(view, report)
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if find(line.text, "cidr_blocks%s*=%s*%[%s*\"0%.0%.0%.0/0\"") and not line.moved then
      for i = n - 1, math.max(1, n - 12), -1 do
        local before = view.lines[i]
        if not before or find(before.code, "%f[%w_]egress%f[^%w_]") then break end
        if find(before.code, "%f[%w_]ingress%f[^%w_]") then
          report("open-to-all", view, n, "The whole internet may connect.")
          break
        end
      end
    elseif find(line.text, "acl%s*=%s*\"public%-read") then
      report("open-to-all", view, n, "Everybody can read what is stored there.")
    end
  end
end

local function migrations(view, report)
  local words = lower(view.path)
  local migration = find(words, "migrat", 1, true) or view.d.ext == "sql"
  if not migration or view.d.kind == "docs" or view.test then return end
  local down = false
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local text = line.text
    local low = lower(text)
    if find(low, "def down", 1, true) or find(low, "def downgrade", 1, true) or find(low, "%-%-.*%f[%w]down%f[^%w]")
      or find(low, "exports%.down") or find(low, "async down") or find(words, "down%.sql$") then
      down = true
    elseif find(low, "def up", 1, true) or find(low, "exports%.up") or find(low, "async up") then
      down = false
    end
    if not down and find(text, "%S") and (find(line.code, "%S") or line.inside == "string") then
      if find(text, "%f[%w]DROP%s+TABLE%f[^%w]") and not find(text, "IF%s+EXISTS") then
        report("destructive-migration", view, n, "The table and all that it holds is gone after this.")
      elseif find(text, "%f[%w]DROP%s+COLUMN%f[^%w]") or find(text, "%f[%w_]drop_column%(") or find(text, "%f[%w_]remove_column%f[^%w]")
        or find(text, "%.dropColumn%(") or find(text, "migrations%.RemoveField%(") or find(text, "migrations%.DeleteModel%(") then
        report("destructive-migration", view, n, "The column and all that it holds is gone after this, while old code may still ask for it.")
      end
    end
  end
end

local function statements(view, n, line, report)
  local text = line.text
  local statement = match(text, "%f[%w]DELETE%s+FROM%s+[%w_.\"`]+%s*([;\"'`)]?)%s*;?%s*$") or match(text, "%f[%w]UPDATE%s+[%w_.\"`]+%s+SET%s+[^;\"]-;%s*$")
  if statement and (statement ~= "" or view.d.ext == "sql") and not find(lower(text), "where") and not find(text, "[%+{%%]%s*$") then
    local following = view.lines[n + 1]
    if following and find(lower(following.text), "where") then return end
    if view.d.ext == "sql" and not find(text, ";%s*$") then return end
    report("unguarded-statement", view, n, "The statement has no WHERE: it changes every row.")
  end
end

---@param view moonlet.rules.View
function M.file(view, report)
  if view.generated or view.d.fixture then return end
  local path = view.path
  if view.language == "yaml" and (find(path, "^%.github/workflows/") or find(path, "/%.github/workflows/")) then
    workflow(view, report)
  elseif view.language == "docker" then
    container(view, report)
  elseif view.language == "terraform" then
    infrastructure(view, report)
  end
  if view.test or view.example or view.d.kind == "docs" then return end
  migrations(view, report)
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and #line.text < 1000 and find(line.text, "%S") then
      if view.language == "yaml" or view.language == "shell" or view.language == "docker" then orchestration(view, n, line, report) end
      if view.d.kind == "code" and (find(line.code, "%S") or line.inside == "string") then statements(view, n, line, report) end
    end
  end
end

return M
