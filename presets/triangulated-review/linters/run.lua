--- Starts linters on the changed files in a sandbox and parses their findings.
local m = require "moonlet"
local known = require "linters.known"
local change_of = require "change"
local readers = require "linters.readers"

local M = {}

local cap = 4 << 20
local most_files = 200  -- maximum number of files per command line
local most_bytes = 60000

---@class review.Linted
---@field name string
---@field status "ok"|"absent"|"idle"|"failed"
---@field why string?       reason for a status other than ok
---@field files integer     number of checked files
---@field elsewhere integer number of findings on untouched lines
---@field findings table[]

--- Lists the names of all linters.
M.names = {}
for i, linter in ipairs(known) do M.names[i] = linter.name end

--- Lists the linters' programs, which the preset asks the user to allow.
M.programs = {}
for _, linter in ipairs(known) do
  for _, name in ipairs(linter.programs or { linter.name }) do
    M.programs[#M.programs + 1] = name
  end
end

--- Returns the linters that the user chose with --linters.
---@param words string[]  default, all, none or names
function M.chosen(words)
  local wanted, list = {}, {}
  for _, word in ipairs(words) do wanted[word] = true end
  for _, linter in ipairs(known) do
    if wanted.all or wanted.default and linter.default or wanted[linter.name] then
      list[#list + 1] = linter
    end
  end
  return list
end

-- Returns the installed programs by name. The probe succeeds even if a linter is missing.
local function installed(ctx, list)
  local script = 'for name; do command -v -- "$name" >/dev/null 2>&1 && echo "$name"; done; true'
  local argv = { "sh", "-c", script, "sh" }
  for _, linter in ipairs(list) do
    for _, name in ipairs(linter.programs or { linter.name }) do argv[#argv + 1] = name end
  end
  -- A forecast runs only commands that the read-only sandbox confines.
  argv.name, argv.sandbox = "linters-installed", "read-only"
  local ok, result = pcall(ctx.exec, ctx, argv)
  if not ok then
    argv.sandbox = nil
    result = ctx:exec(argv)
  end
  local there = {}
  for name in result.stdout:gmatch "[^\n]+" do there[name] = true end
  return there
end

-- Returns the files that differ between the work tree and the reviewed version. Linters read the
-- work tree, so they cannot check these files.
local function differing(ctx, target)
  local call = { "diff", "--no-ext-diff", "--no-textconv", "--name-only", "-z" }
  if target.kind == "worktree" or target.kind == "path" then return {} end
  if target.kind ~= "staged" then call[#call + 1] = target.head end
  call[#call + 1] = "--"
  local result, set = m.git.run(ctx, call, { cap = 4 << 20, clean = false }), {}
  for path in result.stdout:gmatch "[^%z]+" do set[path] = true end
  return set
end

local function fits(linter, file)
  if linter.below and not file.path:find(linter.below) then return false end
  -- Strip a leading dot, because a star in a glob would not match it.
  local name = file.d.name:gsub("^%.", "")
  for _, glob in ipairs(linter.files) do
    if m.glob.compile(glob)(name) then return true end
  end
  return linter.start ~= nil and (file.lines[1] or ""):find(linter.start) ~= nil
end

local function has_any(change, names)
  for _, name in ipairs(names or {}) do
    if change.tree and change.tree[name] then return true end
  end
  return false
end

-- Returns the paths for a linter, without paths that look like options.
local function paths_for(linter, change, stale)
  local list = {}
  for _, file in ipairs(change.files) do
    local odd = file.deleted or file.d.generated or stale[file.path] or file.file.withheld
    if not odd and linter.files and fits(linter, file) then
      list[#list + 1] = file.path:find "^%-" and "./" .. file.path or file.path
    end
  end
  return list
end

-- Returns the linter's command lines, which together cover all paths.
local function commands(linter, change, program, paths)
  local extra = has_any(change, linter.settings) and linter.with_settings
    or not has_any(change, linter.settings) and linter.without_settings or {}
  local function command(from, to)
    local argv = { program }
    for i = 2, #linter.command do
      local word = linter.command[i]
      if word == "{files}" then
        table.move(extra, 1, #extra, #argv + 1, argv)
        table.move(paths, from, to, #argv + 1, argv)
      else
        argv[#argv + 1] = word
      end
    end
    return argv
  end
  if not linter.files then return { command(1, 0) } end
  local list, from, bytes = {}, 1, 0
  for i, path in ipairs(paths) do
    bytes = bytes + #path
    if linter.each or i - from >= most_files or bytes > most_bytes or i == #paths then
      list[#list + 1] = command(from, i)
      from, bytes = i + 1, 0
    end
  end
  return list
end

local function first_line(text)
  return m.findings.visible(m.findings.clip(text:match "%S[^\n]*" or "", 160))
end

-- Runs one command line. Returns its output, and the reason if the output may be incomplete.
local function run_one(ctx, linter, argv, timeout)
  argv.name, argv.timeout, argv.cap = linter.name, timeout, cap
  argv.sandbox, argv.network = "read-only", false
  argv.env = { NO_COLOR = "1", MOONLET_WORKER = "1", PYTHONDONTWRITEBYTECODE = "1" }
  local ok, result = pcall(ctx.exec, ctx, argv)
  if not ok and result.kind == "denied" and linter.default then
    argv.network = nil -- Linux before 6.7 cannot block the network, but these linters do not use it
    ok, result = pcall(ctx.exec, ctx, argv)
  end
  if not ok then return "", m.findings.visible(tostring(result.message or result)) end
  if result.signal then return result.stdout, "it was ended by signal " .. result.signal end
  if result.cut then return result.stdout, ("it printed more than %d MB"):format(cap >> 20) end
  local fine = result.code == 0
  for _, code in ipairs(linter.found) do fine = fine or result.code == code end
  local output = linter.reads == "lines" and result.stdout .. "\n" .. result.stderr or result.stdout
  if fine then return output, nil, result.code end
  local said = first_line(result.stderr ~= "" and result.stderr or result.stdout)
  return output, "it ended with exit code " .. result.code .. (said ~= "" and ": " .. said or "")
end

-- Returns a path relative to the top of the work tree, or nil if it lies outside.
local function inside(ctx, path)
  if type(path) ~= "string" then return nil end
  if path:sub(1, #ctx.repo + 1) == ctx.repo .. "/" then path = path:sub(#ctx.repo + 2) end
  path = path:gsub("^%./+", "")
  if path:sub(1, 1) == "/" or ("/" .. path .. "/"):find("/../", 1, true) then return nil end
  return path
end

local function excepted(linter, item)
  for _, pair in ipairs(linter.except or {}) do
    if item.file:find(pair[1]) and item.claim:find(pair[2]) then return true end
  end
  return false
end

-- Converts a linter's finding to the format of reviewers' findings.
local function finding_of(linter, item, file)
  local rule = item.rule and (linter.name .. "-" .. item.rule):sub(1, 60) or linter.name
  return { rule = rule:gsub("[^%w-]", "-"), file = item.file, line = item.line or m.null,
    severity = item.severity, claim = item.claim, confidence = 0.9,
    evidence = file.lines[item.line] and change_of.quoted(file.lines[item.line]) or "",
    fix = linter.help and item.rule and "See " .. linter.help:format(item.rule) or "" }
end

--- Keeps the findings on lines that the change touches, and counts the other findings.
---@param linter table
---@param items table[]
---@param change review.Change
---@param whole boolean
---@return table[] findings, integer elsewhere
function M.keep(ctx, linter, items, change, whole)
  local list, elsewhere, seen = {}, 0, {}
  for _, item in ipairs(items) do
    item.file = inside(ctx, item.file)
    item.line = math.tointeger(item.line)
    if item.line and item.line < 1 then item.line = nil end
    item.claim = type(item.claim) == "string" and item.claim or "(it gave no message)"
    local file = item.file and change.by_path[item.file]
    local touched = file and (whole or item.line and file.touched[item.line] or not item.line
      and file.new)
    local key = table.concat({ item.file or "", item.line or 0, item.rule or "", item.claim }, "\0")
    if not touched or item.line and file.count and item.line > file.count then
      elsewhere = elsewhere + 1
    elseif not seen[key] and not excepted(linter, item) then
      seen[key] = true
      list[#list + 1] = finding_of(linter, item, file)
    end
  end
  return list, elsewhere
end

local function read(linter, output, code)
  local ok, items = pcall(readers[linter.reads], linter, output)
  if not ok then return {}, type(items) == "string" and items or "its output cannot be read" end
  if #items >= readers.most then
    return items, ("it has more than %d findings: the others were not read"):format(readers.most)
  end
  local meant = code and code ~= 0 and #items == 0
  return items, meant and ("it ended with exit code %d and named nothing"):format(code) or nil
end

local function program_of(linter, there)
  for _, name in ipairs(linter.programs or { linter.name }) do
    if there[name] then return name end
  end
end

local function lint(ctx, linter, job, there)
  local result = { name = linter.name, status = "ok", files = 0, elsewhere = 0,
    findings = m.array {} }
  local program = program_of(linter, there)
  local paths = paths_for(linter, job.change, job.stale)
  result.files = linter.files and #paths or #job.change.files
  if linter.files and #paths == 0
    or linter.unless and there[linter.unless] and not job.named[linter.name] then
    result.status = "idle"
  elseif linter.needs and not has_any(job.change, linter.needs) then
    local why = "it needs one of " .. table.concat(linter.needs, ", ")
    result.status, result.why = job.named[linter.name] and "failed" or "idle", why
  elseif not program then
    result.status = "absent"
  else
    for _, argv in ipairs(commands(linter, job.change, program, paths)) do
      local output, why, code = run_one(ctx, linter, argv, job.timeout)
      local items, unread = {}, nil
      if output:find "%S" or not why then items, unread = read(linter, output, code) end
      if code == 0 and (linter.reads == "lines" or not output:find "%S") then unread = nil end
      local kept, elsewhere = M.keep(ctx, linter, items, job.change, job.whole)
      table.move(kept, 1, #kept, #result.findings + 1, result.findings)
      result.elsewhere = result.elsewhere + elsewhere
      if why and linter.builds then why = why .. " (it has to write: --unconfined lets it)" end
      result.why = result.why or why or unread
      if result.why then result.status = "failed" end
    end
  end
  return result
end

--- Starts the chosen linters in parallel.
---@param change review.Change
---@return review.Linted[]
function M.run(ctx, change, args)
  local list = M.chosen(args.linters)
  if #list == 0 then return {} end
  local job = { change = change, whole = args.whole or change.whole, timeout = args.linter_timeout,
    stale = differing(ctx, change.facts.target), named = {} }
  for _, word in ipairs(args.linters) do job.named[word] = true end
  local there, old = installed(ctx, list), 0
  for _, linter in ipairs(list) do
    -- A gate in CI must not pass because the linter that it names is missing.
    local has_settings = not linter.needs or has_any(change, linter.needs)
    if job.named[linter.name] and has_settings and not program_of(linter, there) then
      m.fail { kind = "invalid", message = ("--linters: %s is not installed"):format(linter.name),
        hint = "install it, or do not name it: --linters default starts the installed ones" }
    end
  end
  for _, file in ipairs(change.files) do
    if job.stale[file.path] and not file.deleted then old = old + 1 end
  end
  if old > 0 then
    change.facts.notes[#change.facts.notes + 1] = ("the linters read the work tree, where %s: "
      .. "%s not linted"):format(old == 1 and "1 reviewed file has another text"
      or old .. " reviewed files have another text", old == 1 and "it was" or "they were")
  end
  return (ctx:parallel(list, function(c, linter) return lint(c, linter, job, there) end,
    { name = "linters", key = function(linter) return linter.name end }))
end

--- Returns the findings of a SARIF file that another program wrote.
---@param change review.Change
---@param whole boolean
---@return review.Linted
function M.from_file(ctx, path, change, whole)
  local name = path:match "[^/]*$"
  local result = { name = name, status = "ok", files = 1, elsewhere = 0, findings = m.array {} }
  local text, err, cut = ctx:read(path, { cap = 16 << 20, missing = "nil" })
  local linter = { name = "sarif", reads = "sarif" }
  local items, why = {}
  if not text or cut then
    why = text and "it is longer than 16 MB" or tostring(err and err.message or "it is not there")
  else
    items, why = read(linter, text)
  end
  for _, item in ipairs(items) do
    if type(item.tool) == "string" then item.rule = item.tool .. "-" .. (item.rule or "result") end
  end
  result.findings, result.elsewhere = M.keep(ctx, linter, items, change, whole)
  result.status, result.why = why and "failed" or "ok", why
  return result
end

return M
