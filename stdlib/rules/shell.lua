--- Rules about shell: in scripts, in the steps of CI, in container files and in makefiles.

local find, format, lower, match = string.find, string.format, string.lower, string.match

local M = {}

M.rules = {
  ["remove-from-root"] = { lenses = { "risks", "security", "correctness" }, severity = "high", confidence = 0.85,
    fix = "Write ${NAME:?} so that an empty value ends the script." },
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
  ["cd-unchecked"] = { lenses = { "risks", "correctness" }, severity = "medium", confidence = 0.75,
    fix = "Write cd … || exit." },
  ["force-push"] = { lenses = { "risks" }, severity = "medium", confidence = 0.8,
    fix = "Use --force-with-lease, and name the branch." },
}

local function careful(view)
  for n = 1, 40 do
    local line = view.lines[n]
    if not line then break end
    if find(line.code, "^%s*set%s+%-%a*u") or find(line.code, "^%s*set%s+%-o%s+nounset") or find(line.code, "^#!.*%s%-%a*u")
      or find(line.text, "^#!.*%s%-%a*u") then
      return true
    end
  end
  return false
end

local function removal(view, n, text, report)
  local target = match(text, "%f[%w_]rm%s+%-%a*[rR]%a*%s+(.*)$") or match(text, "%f[%w_]rm%s+%-f%s+%-r%s+(.*)$")
  if not target then return end
  local name = match(target, "^%-*%s*[\"']?%${?([%a_][%w_]*)}?[\"']?/") or match(target, "%s[\"']?%${?([%a_][%w_]*)}?[\"']?/")
  -- Variables that the system always sets.
  if name and name ~= "HOME" and name ~= "PWD" and name ~= "TMPDIR" and name ~= "GITHUB_WORKSPACE" and name ~= "RUNNER_TEMP"
    and not careful(view) and not find(target, "%${" .. name .. ":[?%-]") then
    report("remove-from-root", view, n, format("When %s is empty, this removes from the root of the file system.", name))
    return
  end
  local bare = match(target, "^%${?([%a_][%w_]*)}?%s*$") or match(target, "^%${?([%a_][%w_]*)}?[%s;&|]") or match(target, "^%$(%d)%f[^%w]")
    or match(target, "^%$([@*])")
  if bare and view.language == "shell" then
    report("unquoted-remove", view, n, format("A space in %s makes this remove something else.", bare))
  end
end

local function downloads(view, n, text, code, report)
  if find(text, "curl%s[^|;]*|%s*s?u?d?o?%s*%-?E?%s*[bzd]?a?sh%f[^%w]") or find(text, "wget%s[^|;]*|%s*s?u?d?o?%s*%-?E?%s*[bzd]?a?sh%f[^%w]")
    or find(text, "curl%s[^|;]*|%s*s?u?d?o?%s*python3?%f[^%w]") or find(text, "[bzd]?a?sh%s+<%(%s*curl") or find(text, "sh%s+%-c%s+[\"']%$%(curl")
    or find(text, "%f[%w]iwr%s[^|]*|%s*iex") then
    report("pipe-to-shell", view, n, "What a server sends is run unseen, with all rights of this script.")
  end
  if find(code, "%f[%w]curl%s") and (find(code, "%s%-k%s") or find(code, "%s%-%a*k%a*%s+[\"h]") or find(code, "%-%-insecure%f[^%w%-]"))
    or find(code, "%-%-no%-check%-certificate") or find(code, "sslVerify[= ]+false") or find(code, "strict%-ssl%s+false")
    or find(code, "StrictHostKeyChecking[= ]no") then
    report("insecure-download", view, n, "The other side's identity is not checked.")
  end
end

local function evaluations(view, n, text, code, report)
  if view.language ~= "shell" then return end
  if find(text, "%f[%w_]eval%s+[\"']?%$[%a_%d{@*]") or find(text, "%f[%w_]eval%s+\"[^\"$]*%$[%a_%d{@*]") then
    report("shell-eval", view, n, "eval runs whatever the variable holds.")
  elseif find(text, "%f[%w_][bd]?a?sh%s+%-c%s+\"[^\"]*%$[%d@*{]") and not find(text, "\\%$") then
    report("shell-eval", view, n, "A shell runs text with the argument in it, whatever the argument holds.")
  end
  local name = match(code, "%[%s+%-[nz]%s+%$([%a_][%w_]*)%s+%]") or match(code, "%[%s+%$([%a_][%w_]*)%s+!?==?%s")
    or match(code, "%f[%w_]test%s+%-[nz]%s+%$([%a_][%w_]*)")
  if name and not find(code, "%[%[") then
    report("unquoted-test", view, n, format("When %s is empty or holds a space, the test is not the one that was meant.", name))
  end
end

local function changes_of_folder(view, n, code, report)
  if view.language ~= "shell" then return end
  if not find(code, "^%s*cd%s+[^&|;]*$") then return end
  for i = 1, 40 do
    local line = view.lines[i]
    if not line or i >= n then break end
    if find(line.code, "^%s*set%s+%-%a*e") or find(line.text, "^#!.*%s%-%a*e") then return end
  end
  -- It matters where the next lines destroy something.
  for i = n + 1, n + 3 do
    local later = view.lines[i]
    if later and (find(later.code, "^%s*rm%s+%-") or find(later.code, "^%s*git%s+clean") or find(later.code, "^%s*git%s+reset%s+%-%-hard")) then
      report("cd-unchecked", view, n, "When cd fails, the lines below destroy things in the wrong folder.")
      return
    end
  end
end

---@param view moonlet.rules.View
function M.file(view, report)
  if view.generated or view.d.fixture then return end
  local language = view.language
  local shell = language == "shell" or language == "docker" or language == "make" or language == "just"
  local steps = language == "yaml"
  local node = lower(view.d.name) == "package.json"
  if not (shell or steps or node) then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if find(line.code, "%S") and not line.moved and #line.text < 2000 then
      -- A heredoc may be text for people; what it holds is only judged where it is a script.
      local text, code = line.text, line.code
      if not (line.inside == "string" and shell) then
        if line.comment ~= "" then text = text:sub(1, #text - #line.comment) end
        removal(view, n, text, report)
        downloads(view, n, text, shell and text or code, report)
        evaluations(view, n, text, code, report)
        changes_of_folder(view, n, code, report)
        if find(code, "git%s+push%s+.*%-%-force%f[^%w%-]") or find(code, "git%s+push%s+%-f%f[^%w]") then
          report("force-push", view, n, "A forced push throws away what others have pushed.")
        end
      end
    end
  end
end

return M
