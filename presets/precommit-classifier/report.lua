--- The answer as a page for people: the decision, its reasons, and the commands to run.

local findings = require "moonlet.findings"
local git = require "moonlet.git"

local format = string.format
local concat = table.concat
local plain = findings.inline

local M = {}

local PATHS = {
  fast = { "Fast Path", "Nothing here runs. Commit after a look at the diff." },
  skill = { "Skill Path", "Skills changed. Check them, commit, then install them again." },
  code = { "Code Path", "Code, build, tests or configuration changed. Run the checks before the commit." },
  risk = { "Risk Path", "A person or a strong reviewer should look at this before it is committed." },
}

-- Markdown that no file name can break out of.
local function inline(text)
  local longest = 0
  for run in string.gmatch(text, "`+") do
    if #run > longest then longest = #run end
  end
  local fence = string.rep("`", longest + 1)
  local pad = longest > 0 and " " or ""
  return fence .. pad .. text .. pad .. fence
end

---@param result table the preset's result
---@param facts moonlet.facts.Git
---@param checks checks.Check[]
---@param runner string
---@return string
function M.markdown(result, facts, checks, runner)
  local title, meaning = PATHS[result.path][1], PATHS[result.path][2]
  local lines = {}
  local function say(...) lines[#lines + 1] = select("#", ...) > 1 and format(...) or (...) end
  say("# %s", title)
  say ""
  say(meaning)
  say ""
  say "## Why"
  for _, reason in ipairs(result.reasons) do say("- %s", plain(reason)) end
  say ""
  say "## Checks"
  local why = {}
  for _, check in ipairs(checks) do why[check.line] = check.why end
  for _, check in ipairs(result.validation) do
    say("- %s: %s%s", check.kind, inline(check.command), why[check.command] and " (" .. plain(why[check.command]) .. ")"
      or "")
  end
  if #result.validation == 0 then say "None: the repository declares none that fits this change." end
  say ""
  say "## Reinstall"
  if result.reinstall.needed then
    local names = {}
    for i, name in ipairs(result.reinstall.skills) do names[i] = inline(name) end
    say("Needed, for: %s", concat(names, ", "))
  else
    say "Not needed."
  end
  say ""
  say "## Seen"
  local t = facts.totals
  say("- branch %s, %s", facts.branch and inline(git.show_path(facts.branch)) or "none (detached HEAD)",
    facts.head and "at " .. facts.head:sub(1, 12) or "before the first commit")
  say("- %d %s: %d staged, %d unstaged, %d untracked, %d in conflict; +%d -%d lines", t.files,
    t.files == 1 and "file" or "files", t.staged, t.unstaged,
    t.untracked, t.conflicted, t.added, t.deleted)
  for _, note in ipairs(facts.notes) do say("- %s", plain(note)) end
  local judge = not runner and "the rules, without an agent" or plain(runner) .. ", over the findings of rules"
  say("- decided by %s", judge)
  say ""
  say "The classifier itself stages, commits, pushes and installs nothing."
  return concat(lines, "\n") .. "\n"
end

return M
