--- Reports secrets and conflict markers in any file.
local change_of = require "change"
local secrets = require "moonlet.secrets"

local M = {}

M.checks = {
  { name = "secret", severity = "critical", confidence = 0.85,
    help = "a key, token or password in the text",
    fix = "Take it out, revoke it, and read it from the environment." },
  { name = "secret-file", severity = "high", confidence = 0.85,
    help = "a file whose name says that it holds secrets",
    fix = "Take the file out of the repository, ignore it, and revoke what it holds." },
  { name = "conflict-mark", severity = "critical", confidence = 0.97,
    help = "the marks of an unresolved merge",
    fix = "Resolve the conflict and take the marks out." },
}

local function article(kind) return (kind:find "^[AEIOaeio]" and "an " or "a ") .. kind end

-- Reports a secret without quoting it. Private keys made for a test are skipped.
local function report_secret(file, n, kind, report)
  if file.d.test and kind == "private key" then return end
  report("secret", file, n, ("A secret is in the text: it looks like %s."):format(article(kind)), {
    evidence = ("line %d holds %s; it is not repeated here"):format(n, article(kind)),
    severity = file.d.kind == "docs" and "high" or nil })
end

-- Scans the added lines for secrets, as {line, kind}.
local function scan(file)
  local texts, list = {}, {}
  for i, n in ipairs(file.added) do texts[i] = file.lines[n] end
  local all = table.concat(texts, "\n")
  local context = file.d.kind == "docs" and "docs" or file.d.test and "test" or file.d.generated
    and "generated"
    or "code"
  local loose = file.d.kind == "config" or file.d.language == "shell" or file.d.language == "docker"
  local pos, index = 1, 1
  for _, hit in ipairs(secrets.scan(all, { context = context, loose = loose })) do
    local stop = all:find("\n", pos, true)
    while stop and stop < hit.from do
      pos, index = stop + 1, index + 1
      stop = all:find("\n", pos, true)
    end
    list[#list + 1] = { line = file.added[index], kind = hit.kind }
  end
  return list
end

local function leaked(file, report)
  local told = {}
  for _, hit in ipairs(scan(file)) do
    if not told[hit.line] then
      told[hit.line] = true
      report_secret(file, hit.line, hit.kind, report)
    end
  end
end

local function named(change, report)
  for _, file in ipairs(change.facts.files) do
    local what, maybe = secrets.name(file.path)
    local new = file.status == "added" or file.status == "untracked"
    local at = change.by_path[file.path] or { path = file.path, lines = {}, d = { test = false } }
    if what and not maybe and new and not at.d.test then
      report("secret-file", at, nil, ("The name of the file says that it holds %s."):format(what))
    end
  end
end

-- Reports whether line n of a document is inside a fenced code block.
local function in_fence(file, n)
  local open = false
  for i = 1, n - 1 do
    if (file.lines[i] or ""):find "^%s*```" then open = not open end
  end
  return open
end

-- Returns the lines that begin a conflict.
-- Texts about merges contain single markers on purpose, but seldom complete conflicts.
local function conflicts(file, report)
  local starts, closed, within = {}, false, change_of.inside(file)
  for _, n in ipairs(file.added) do
    -- Skip strings, because programs that handle merges contain conflict markers in strings.
    local line = within[n] and file.source and "" or file.lines[n]
    if line:find "^<<<<<<< %S" or line:find "^<<<<<<<$" then starts[#starts + 1] = n end
    if line:find "^>>>>>>> %S" or line:find "^>>>>>>>$" then
      closed = true
      if #starts == 0 then starts[1] = n end
    end
  end
  local about = file.d.fixture or file.d.test or file.d.kind == "docs"
  for _, n in ipairs(starts) do
    if closed or not about then
      if not file.d.fixture and not (about and in_fence(file, n)) then
        report("conflict-mark", file, n, "A merge conflict is in the text, unresolved.")
      end
    end
  end
end

---@param change review.Change
function M.look(change, report)
  for _, file in ipairs(change.files) do
    conflicts(file, report)
    leaked(file, report)
  end
  if not change.whole then named(change, report) end
end

return M
