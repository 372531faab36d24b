--- Rules about shell: in scripts, in the steps of CI, in container files and in makefiles.

local shape = require "moonlet.text"

local find, format, lower, match, sub = string.find, string.format, string.lower, string.match, string.sub

local M = {}

M.rules = {
  ["remove-from-root"] = { lenses = { "risks", "security", "correctness" }, severity = "high", confidence = 0.85,
    fix = "Write ${NAME:?} so that an empty value ends the script." },
  ["removes-too-much"] = { lenses = { "risks", "security", "correctness" }, severity = "critical", confidence = 0.9,
    fix = "Name what is to go, below a folder that the script itself made." },
  ["overwrites-device"] = { lenses = { "risks", "security" }, severity = "critical", confidence = 0.85,
    fix = "Take it out, or make the device an argument that is checked." },
  ["unquoted-remove"] = { lenses = { "risks", "correctness" }, severity = "medium", confidence = 0.8,
    fix = "Put the variable in double quotes." },
  ["pipe-to-shell"] = { lenses = { "security", "risks" }, severity = "medium", confidence = 0.85,
    fix = "Download it, check its checksum, then run it." },
  ["shell-eval"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.8,
    fix = "Call the program directly; keep arguments in an array or in \"$@\"." },
  ["insecure-download"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.9,
    fix = "Leave verification on." },
  ["unquoted-test"] = { lenses = { "correctness" }, severity = "medium", confidence = 0.9,
    fix = "Put the variable in double quotes." },
  ["test-of-one-word"] = { lenses = { "correctness", "risks" }, severity = "high", confidence = 0.9,
    fix = "Put spaces around the operator." },
  ["spaced-assignment"] = { lenses = { "correctness" }, severity = "high", confidence = 0.85,
    fix = "Take the spaces away." },
  ["cd-unchecked"] = { lenses = { "risks", "correctness" }, severity = "medium", confidence = 0.75,
    fix = "Write cd … || exit." },
  ["failure-ignored"] = { lenses = { "risks", "tests", "correctness" }, severity = "medium", confidence = 0.8,
    fix = "Let the failure end the script, or say in a comment why it may not." },
  ["force-push"] = { lenses = { "risks" }, severity = "medium", confidence = 0.8,
    fix = "Use --force-with-lease, and name the branch." },
}

local UNSET_ENDS = { "^%s*set%s+%-%a*u", "^%s*set%s+%-%a+%s+%-%a*u", "^%s*set%s+%-o%s+nounset", "^#!.*%s%-%a*u",
  "%-o%s+nounset" }

-- True if a variable that is not set ends the script.
local function ends_at_unset(view)
  for n = 1, 40 do
    local line = view.lines[n]
    if not line then break end
    if shape.any(line.code, UNSET_ENDS) or find(line.text, "^#!.*%s%-%a*u") then return true end
  end
  return false
end

-- Removal ----------------------------------------------------------------------------------------

local REMOVALS = { "%f[%w_]rm%s+%-%a*[rR]%a*%s+(.*)$", "%f[%w_]rm%s+%-f%s+%-[rR]%a*%s+(.*)$",
  "%f[%w_]rm%s+%-%-recursive%s+(.*)$", "%f[%w_]rm%s+%-%-force%s+%-%-recursive%s+(.*)$" }
-- Targets that are never meant: the root, the home, or all of the current folder.
local NEVER = { "^/%s*$", "^/%s*[;&|\"']", "^/%*", "^~/?%s*$", "^~/?%s*[;&|]", "^~/%*", "^\"?%$HOME\"?/?%s*$",
  "^\"?%${HOME}\"?/?%s*$", "^\"?%$HOME\"?/%*", "^/etc%s*$", "^/usr%s*$", "^/var%s*$", "^/home%s*$", "^/boot%s*$",
  "^/lib%s*$", "^/bin%s*$" }
local BELOW_VARIABLE = { "^[\"']?%${?([%a_][%w_]*)}?[\"']?/", "%s[\"']?%${?([%a_][%w_]*)}?[\"']?/",
  "^[\"']?%$%(([%a_][%w_]*)%)[\"']?/", "%s[\"']?%$%(([%a_][%w_]*)%)[\"']?/" }
local BARE_VARIABLE = { "^%${?([%a_][%w_]*)}?%s*$", "^%${?([%a_][%w_]*)}?[%s;&|]", "^%$(%d)%f[^%w]", "^%$([@*])" }
-- Variables that the system always sets.
local ALWAYS_SET = shape.set "HOME PWD TMPDIR GITHUB_WORKSPACE RUNNER_TEMP"

-- True if the file itself gives the variable a value that is not empty: a fixed one, or one with a default.
local function set_to_something(view, name)
  local set = "^%s*e?x?p?o?r?t?%s*" .. name .. "%s*[:?]?=%s*[\"']?"
  local shapes = { set .. "[^%s\"'$]", set .. "%${.*:%-[^%s}]", set .. "%$%(mktemp" }
  for _, line in pairs(view.lines) do
    if shape.any(line.text, shapes) then return true end
  end
  return false
end

local function removal(view, n, text, report)
  local target = shape.first(text, REMOVALS)
  if not target then return end
  while find(target, "^%-%S+%s") do target = match(target, "^%-%S+%s+(.*)$") or "" end
  if shape.any(target, NEVER) then
    report("removes-too-much", view, n, "This removes far more than any script should.")
    return
  end
  local name = shape.first(target, BELOW_VARIABLE)
  local safe = name and (ALWAYS_SET[name] or ends_at_unset(view) or set_to_something(view, name)
    or find(target, "%${" .. name .. ":[?%-]"))
  if name and not safe then
    report("remove-from-root", view, n,
      format("When %s is empty, this removes from the root of the file system.", name))
    return
  end
  local bare = shape.first(target, BARE_VARIABLE)
  if bare and view.language == "shell" then
    report("unquoted-remove", view, n, format("A space in %s makes this remove something else.", bare))
  end
end

local DEVICES = { "%f[%w_]dd%s.*of=/dev/[shvnx][dvm]%a*", ">%s*/dev/[shvx]d%a", ">%s*/dev/nvme%d",
  "%f[%w_]mkfs[.%w]*%s+.*/dev/%a", ":%(%)%s*{%s*:|:&%s*}%s*;%s*:" }

-- Downloads --------------------------------------------------------------------------------------

local SHELL = "%-?E?%s*[bzd]?a?sh%f[^%w]"
local PIPED = { "curl%s[^|;]*|%s*s?u?d?o?%s*" .. SHELL, "wget%s[^|;]*|%s*s?u?d?o?%s*" .. SHELL,
  "curl%s[^|;]*|%s*s?u?d?o?%s*python3?%f[^%w]", "[bzd]?a?sh%s+<%(%s*curl", "[bzd]?a?sh%s+<%(%s*wget",
  "sh%s+%-c%s+[\"']%$%(curl", "sh%s+%-c%s+[\"']%$%(wget", "eval%s+[\"']?%$%(curl", "%f[%w_]source%s+<%(%s*curl",
  "%f[%w]iwr%s[^|]*|%s*iex" }
local UNCHECKED = { "%f[%w]curl%s.*%s%-k%s", "%f[%w]curl%s+%-k%s", "%f[%w]curl%s+%-%a*k%a*%s+[\"h$]",
  "%f[%w]curl%s.*%s%-%a*k%a*%s+[\"h$]", "%f[%w]curl%s.*%-%-insecure%f[^%w%-]", "%-%-no%-check%-certificate",
  "sslVerify[= ]+false", "strict%-ssl%s+false", "StrictHostKeyChecking[= ]no", "%-%-trusted%-host%s" }

local function downloads(view, n, text, code, report)
  if shape.any(text, PIPED) then
    report("pipe-to-shell", view, n, "What a server sends is run unseen, with all rights of this script.")
  end
  if shape.any(code, UNCHECKED) then
    report("insecure-download", view, n, "The other side's identity is not checked.")
  end
end

-- Evaluation and tests ---------------------------------------------------------------------------

local EVALS = { "%f[%w_]eval%s+[\"']?%$[%a_%d{@*]", "%f[%w_]eval%s+\"[^\"$]*%$[%a_%d{@*]" }
local SHELL_RUNS = "%f[%w_][bd]?a?sh%s+%-c%s+\"[^\"]*%$[%d@*{]"

-- True if an `eval` runs the printed state of a program of the shell, which is meant to be run again.
local function holds_state(view, text)
  local name = match(text, "eval%s+[\"']?%${?([%a_][%w_]*)")
  if not name then return false end
  local set = "%f[%w_]" .. name .. "=[\"']?%$%(%s*"
  local shapes = { set .. "trap", set .. "shopt", set .. "set%s", set .. "declare", set .. "export", set .. "alias",
    set .. "typeset" }
  for _, line in pairs(view.lines) do
    if shape.any(line.text, shapes) then return true end
  end
  return false
end

local function evaluations(view, n, text, report)
  -- An escaped $ gives eval a name to look up, not a text to run.
  if shape.any(text, EVALS) then
    if find(text, "\\%$") or holds_state(view, text) then return end
    report("shell-eval", view, n, "eval runs whatever the variable holds.")
  elseif find(text, SHELL_RUNS) and not find(text, "\\%$") then
    report("shell-eval", view, n, "A shell runs text with the argument in it, whatever the argument holds.")
  end
end

local UNQUOTED = { "%[%s+!?%s*%-[nz]%s+%$([%a_][%w_]*)%s+%]", "%[%s+%$([%a_][%w_]*)%s+!?==?%s",
  "%f[%w_]test%s+%-[nz]%s+%$([%a_][%w_]*)" }
local ONE_WORD = "%[%[?%s+\"?%${?[%w_]+}?\"?!?==?[^%s%]=~]+%s+%]"

local function tests(view, n, text, code, report)
  local name = shape.first(code, UNQUOTED)
  if name and not find(code, "[[", 1, true) then
    -- With -z the test of nothing at all is true, as it should be.
    local when = find(code, "%-z%s+%$") and "holds a space" or "is empty or holds a space"
    report("unquoted-test", view, n, format("When %s %s, the test is not the one that was meant.", name, when))
  end
  if find(text, ONE_WORD) and find(code, "%[%s") then
    report("test-of-one-word", view, n, "Without spaces around it this is one word, and a word is always true.")
  end
  local set = match(code, "^%s*([%a_][%w_]*)%s+=%s*[%w\"'$]")
  if set and set ~= "test" then
    report("spaced-assignment", view, n, format("This does not set %s: it runs a command of that name.", set))
  end
end

-- Folders and failures ---------------------------------------------------------------------------

local function ends_at_failure(view, n)
  for i = 1, math.min(40, n - 1) do
    local line = view.lines[i]
    if not line then return false end
    if find(line.code, "^%s*set%s+%-%a*e") or find(line.text, "^#!.*%s%-%a*e") then return true end
  end
  return false
end

local DESTROYS = { "^%s*rm%s+%-", "^%s*git%s+clean", "^%s*git%s+reset%s+%-%-hard", "^%s*find%s.*%-delete" }

local function change_of_folder(view, n, code, report)
  if not find(code, "^%s*cd%s+[^&|;]*$") or ends_at_failure(view, n) then return end
  for i = n + 1, n + 3 do
    local later = view.lines[i]
    if later and shape.any(later.code, DESTROYS) then
      report("cd-unchecked", view, n, "When cd fails, the lines below destroy things in the wrong folder.")
      return
    end
  end
end

-- Commands that are run only to learn if they fail.
local CHECKS = { "npm%s+test", "npm%s+run%s+test", "npm%s+run%s+lint", "npm%s+audit", "yarn%s+test", "pnpm%s+test",
  "make%s+test", "make%s+check", "pytest", "python3?%s+%-m%s+unittest", "tox%f[^%w]", "cargo%s+test", "cargo%s+clippy",
  "go%s+test", "go%s+vet", "rspec", "rake%s+test", "mvn%s+test", "mvn%s+verify", "gradlew%s+test", "ctest", "eslint",
  "mypy", "phpunit", "shellcheck" }
local OR_TRUE = { "||%s*true%s*$", "||%s*:%s*$", "||%s*true%s*[;\"')]", ";%s*true%s*$", "||%s*exit%s+0%s*$" }

local function ignored_failure(view, n, line, code, report)
  if line.comment ~= "" or not shape.any(code, OR_TRUE) then return end
  local before = view.lines[n - 1]
  if before and before.comment ~= "" and not find(before.code, "%S") then return end
  for _, check in ipairs(CHECKS) do
    if find(code, "%f[%w]" .. check) then
      report("failure-ignored", view, n, "The check may fail, and nobody will know: its outcome is thrown away.")
      return
    end
  end
end

local FORCED = { "git%s+push%s+.*%-%-force%f[^%w%-]", "git%s+push%s+%-f%f[^%w]", "git%s+push%s+.*%s%-f%f[^%w]" }

local function check(view, n, line, report)
  local scripted = view.language ~= "yaml" and view.language ~= "json"
  local text = line.text
  if line.comment ~= "" then text = sub(text, 1, #text - #line.comment) end
  local code = scripted and text or line.code
  if not view.test then removal(view, n, text, report) end
  downloads(view, n, text, code, report)
  ignored_failure(view, n, line, code, report)
  if shape.any(text, DEVICES) then
    report("overwrites-device", view, n, "This destroys what is on the machine it runs on.")
  end
  if shape.any(line.code, FORCED) then
    report("force-push", view, n, "A forced push throws away what others have pushed.")
  end
  if view.language == "shell" then
    evaluations(view, n, text, report)
    tests(view, n, text, line.code, report)
    change_of_folder(view, n, line.code, report)
  end
end

local SCRIPTED = shape.set "shell docker make just yaml"

---@param view rules.View
function M.file(view, report)
  if view.generated or view.d.fixture then return end
  if not SCRIPTED[view.language] and lower(view.d.name) ~= "package.json" then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    -- A heredoc may be text for people; it is only judged if it is a step.
    local told = line.inside == "string" and view.language ~= "yaml"
    if find(line.code, "%S") and not line.moved and #line.text < 2000 and not told then check(view, n, line, report) end
  end
end

return M
