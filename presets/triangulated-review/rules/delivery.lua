--- Rules about how software is built and run: workflows of CI, container files, orchestration, infrastructure.

local shape = require "moonlet.text"
local V = require "rules.view"

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

-- Values of a workflow that anybody can write.
local UNTRUSTED = { "issue%.title", "issue%.body", "pull_request%.title", "pull_request%.body", "comment%.body",
  "review%.body", "pull_request%.head%.ref", "pull_request%.head%.label", "head_commit%.message", "commits",
  "discussion%.title", "discussion%.body", "pages", "workflow_run%.head_branch" }
for i, name in ipairs(UNTRUSTED) do UNTRUSTED[i] = "github%.event%." .. name end
UNTRUSTED[#UNTRUSTED + 1] = "github%.head_ref"

-- True if line n belongs to the text of a "run:" of a workflow.
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

local function injection(view, n, line, report)
  for expression in string.gmatch(line.text, "%${{(.-)}}") do
    if shape.any(expression, UNTRUSTED) and in_run(view, n) then
      report("ci-injection", view, n, "A text that anybody can write is put into the script: what it says is run.")
      return
    end
  end
end

local OF_STRANGERS = { "ref:%s*%${{%s*github%.event%.pull_request%.head", "ref:%s*%${{%s*github%.head_ref" }
local MOVING = shape.set "master main HEAD develop"

local function workflow_line(view, n, line, report)
  local code = line.code
  injection(view, n, line, report)
  if find(code, "^%s*permissions:%s*write%-all") then
    report("ci-permissions", view, n, "The workflow may write everything in the repository.")
  end
  local action, ref = match(code, "uses:%s*([%w_.-]+/[%w_./-]+)@([%w_./-]+)")
  if action and MOVING[ref] and not find(action, "^%./") then
    report("ci-moving-action", view, n, format("%s is taken from a branch: it can change under the workflow.", action))
  end
  if find(code, "^%s*%-?%s*continue%-on%-error:%s*true") and line.comment == "" then
    local before = view.lines[n - 1]
    if not (before and before.comment ~= "") then
      report("ci-errors-ignored", view, n, "When this fails, the workflow goes on as if it had not.")
    end
  end
end

local function workflow(view, report)
  local target = whole_has(view, "pull_request_target")
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and find(line.code, "%S") then
      workflow_line(view, n, line, report)
      if target and shape.any(line.text, OF_STRANGERS) then
        report("ci-untrusted-checkout", view, n,
          "pull_request_target has the secrets of the repository, and this checks out code of strangers.")
      end
    end
  end
end

-- The stages of a container file that others are built on.
local function stages(view)
  local names = {}
  for n = 1, view.count or 0 do
    local line = view.lines[n]
    local name = line and match(line.code, "^%s*[Ff][Rr][Oo][Mm]%s+%S+%s+[Aa][Ss]%s+(%S+)")
    if name then names[name] = true end
  end
  return names
end

local ROOT = { "^%s*USER%s+root%s*$", "^%s*USER%s+0%s*$", "^%s*USER%s+root:root%s*$" }

-- Root while building is common; root at the end is the user that runs.
local function ends_as_root(view, n)
  if not n or not view.whole then return false end
  for i = n + 1, view.count or n do
    local line = view.lines[i]
    if line and find(line.code, "^%s*USER%s") then return false end
  end
  return true
end

local function container(view, report)
  local known, root = stages(view), nil
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved then
      local image = match(line.code, "^%s*FROM%s+%-%-%S+%s+(%S+)") or match(line.code, "^%s*FROM%s+(%S+)")
      local own = image and (find(image, "[%$@]") or image == "scratch" or known[image])
      if image and not own and (find(image, ":latest$") or not find(image, ":[%w_.-]+$")) then
        report("moving-image", view, n, format("%s is another image tomorrow: the build cannot be repeated.", image))
      end
      if shape.any(line.code, ROOT) then root = n end
    end
  end
  if ends_as_root(view, root) then
    report("container-root", view, root, "The program runs as root in its container.")
  end
end

local PRIVILEGED = { "^%s*%-?%s*privileged:%s*true", "%-%-privileged%f[^%w%-]" }
local HOST_RIGHTS = { "^%s*hostNetwork:%s*true", "^%s*hostPID:%s*true", "allowPrivilegeEscalation:%s*true",
  "^%s*%-?%s*SYS_ADMIN%s*$", "%-%-cap%-add[= ]SYS_ADMIN", "%-%-cap%-add[= ]ALL" }

local function orchestration(view, n, line, report)
  local code = line.code
  if shape.any(code, PRIVILEGED) then
    report("privileged", view, n, "A privileged container has all rights on the machine it runs on.")
  elseif shape.any(code, HOST_RIGHTS) then
    report("privileged", view, n, "The container gets rights on the machine that it runs on.", { severity = "medium" })
  elseif find(line.text, "/var/run/docker%.sock:") then
    report("privileged", view, n, "Who holds the socket of Docker holds the machine.", { severity = "medium" })
  end
  local image = match(code, "^%s*%-?%s*image:%s*[\"']?([%w_./-]+):latest[\"']?%s*$")
  if image then
    report("moving-image", view, n, format("%s:latest is another image tomorrow.", image))
  end
end

-- True if a list of addresses stands in a block about incoming traffic.
local function in_ingress(view, n)
  for i = n - 1, math.max(1, n - 12), -1 do
    local before = view.lines[i]
    if not before or find(before.code, "%f[%w_]egress%f[^%w_]") then return false end
    if find(before.code, "%f[%w_]ingress%f[^%w_]") then return true end
  end
  return false
end

local function infrastructure(view, report)
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local everybody = find(line.text, "cidr_blocks%s*=%s*%[%s*\"0%.0%.0%.0/0\"") and not line.moved
    if everybody and in_ingress(view, n) then
      report("open-to-all", view, n, "The whole internet may connect.")
    elseif find(line.text, "acl%s*=%s*\"public%-read") then
      report("open-to-all", view, n, "Everybody can read what is stored there.")
    end
  end
end

local BEGINS_UP = { "def up%f[^%w_]", "def upgrade", "exports%.up", "async up" }
local BEGINS_DOWN = { "def down", "def downgrade", "%-%-.*%f[%w]down%f[^%w]", "exports%.down", "async down" }
local DROPS_COLUMN = { "%f[%w]DROP%s+COLUMN%f[^%w]", "%f[%w_]drop_column%(", "%f[%w_]remove_column%f[^%w]",
  "%.dropColumn%(", "migrations%.RemoveField%(", "migrations%.DeleteModel%(" }
local DROPS_ALL = { "%f[%w]DROP%s+TABLE%f[^%w]", "%f[%w]DROP%s+DATABASE%f[^%w]", "%f[%w]TRUNCATE%s+TABLE%f[^%w]",
  "%f[%w_]drop_table%f[^%w]", "%.dropTable%(" }

local function destroys(view, n, line, report)
  local text = line.text
  if shape.any(text, DROPS_ALL) and not find(text, "IF%s+EXISTS") and not find(text, "dropTableIfExists") then
    report("destructive-migration", view, n, "The table and all that it holds is gone after this.")
  elseif shape.any(text, DROPS_COLUMN) then
    report("destructive-migration", view, n,
      "The column and all that it holds is gone after this, while old code may still ask for it.")
  end
end

-- A migration that only undoes another may destroy what that made.
local function migrations(view, report)
  local path = lower(view.path)
  local migration = find(path, "migrat", 1, true) or view.d.ext == "sql"
  if not migration or find(path, "down%.sql$") then return end
  local down = false
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local low = lower(line.text)
    if shape.any(low, BEGINS_DOWN) then
      down = true
    elseif shape.any(low, BEGINS_UP) then
      down = false
    end
    if not down and (find(line.code, "%S") or line.inside == "string") then destroys(view, n, line, report) end
  end
end

local DELETES_ALL = "%f[%w]DELETE%s+FROM%s+[%w_.\"`]+%s*([;\"'`)]?)%s*;?%s*$"
local UPDATES_ALL = "%f[%w]UPDATE%s+[%w_.\"`]+%s+SET%s+[^;\"]-;%s*$"

local function statements(view, n, line, report)
  local text = line.text
  local ending = match(text, DELETES_ALL) or match(text, UPDATES_ALL)
  local sql = view.d.ext == "sql"
  if not ending or find(lower(text), "where", 1, true) or find(text, "[%+{%%]%s*$") then return end
  -- In SQL a statement ends at its semicolon, in code at the end of its text.
  if sql and not find(text, ";%s*$") or not sql and ending == "" then return end
  local following = view.lines[n + 1]
  if following and find(lower(following.text), "where", 1, true) then return end
  report("unguarded-statement", view, n, "The statement has no WHERE: it changes every row.")
end

local ORCHESTRATED = shape.set "yaml shell docker"

local function kinds_of_file(view, report)
  if view.language == "yaml" and find("/" .. view.path, "/%.github/workflows/") then
    workflow(view, report)
  elseif view.language == "docker" then
    container(view, report)
  elseif view.language == "terraform" then
    infrastructure(view, report)
  end
end

---@param view rules.View
function M.file(view, report)
  if view.generated or view.d.fixture then return end
  kinds_of_file(view, report)
  if view.test or view.example or view.d.kind == "docs" then return end
  migrations(view, report)
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and #line.text < 1000 and find(line.text, "%S") then
      if ORCHESTRATED[view.language] then orchestration(view, n, line, report) end
      local told = find(line.code, "%S") or line.inside == "string"
      if view.d.kind == "code" and told then statements(view, n, line, report) end
    end
  end
end

return M
