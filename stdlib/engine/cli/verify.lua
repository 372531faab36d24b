--- `moonlet run verify` compares ledger, journals, records and artifacts, byte for byte.
--- With --rebuild the ledger is first rebuilt from the files.
local counted = require "moonlet.engine.base.counted"
local options = require "moonlet.engine.cli.options"
local verify = require "moonlet.engine.run.verify"
local repository = require "moonlet.engine.run.repository"
local ledger = require "moonlet.engine.run.ledger"
local store = require "moonlet.engine.run.store"
local manifest = require "moonlet.engine.run.manifest"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = options.with_common {
  rebuild = { help = "rebuild the ledger from the files, even a damaged one" } }

local shown_notes = 20

local function printable(text) return core.text.printable(text, 600) end

local function wanted_ids(home, root, words)
  local ids = {}
  for _, word in ipairs(words) do
    if word == "all" then return store.ids(root), true end
    -- Accept the id of a run whose run.json is missing.
    local id = store.number(word) and word
    if not (id and root and core.file.stat(root, "runs/" .. id)) then
      id = store.find(home, word)
    end
    ids[#ids + 1] = id
  end
  if #words == 0 then return store.ids(root), true end
  return ids, false
end

--- Finds stray entries of the ledger: runs whose folders are missing, and rows that belong to no run.
local function strangers(home, root)
  local found, before = {}, nil
  repeat
    local runs = core.ledger.list(home.handle, { before = before }, 500) or {}
    for _, run in ipairs(runs) do
      if not core.file.stat(root, "runs/" .. run.id) then
        found[#found + 1] = ("the ledger has run %s, which is not on the disk"):format(run.id)
      end
      before = run.id
    end
  until #runs < 500
  for _, text in ipairs(core.ledger.strays(home.handle) or {}) do
    found[#found + 1] = ("the ledger has %s, which belongs to no run"):format(text)
  end
  return found
end

--- Rebuilds the ledger if `rebuild` is true, else checks that it is usable. Returns the result of
--- the rebuild or nil, and an error if the ledger is unusable.
local function prepare_ledger(home, rebuild)
  if not rebuild then
    local ready, err = ledger.ready(home)
    return nil, not ready and err or nil
  end
  local filled, err = core.ledger.rebuild(home.handle)
  if not filled then error(err, 0) end
  return filled
end

local function add_lines(lines, report, notes)
  for _, problem in ipairs(report.problems) do
    lines[#lines + 1] = ("%s: %s"):format(report.id, printable(problem.what))
    lines[#lines + 1] = ("  at: %s"):format(printable(problem.at))
    lines[#lines + 1] = ("  %s"):format(problem.hint)
  end
  for _, item in ipairs(report.notes) do
    notes[#notes + 1] = ("note: %s: %s (%s)"):format(report.id, printable(item.what),
      printable(item.at))
  end
end

--- Returns the report on one run.
--- If the run cannot be verified, the report contains the error, so that the other runs are still
--- verified.
local function report_of(home, root, id, with_ledger)
  local ok, report = pcall(verify.run, home, root, id, with_ledger)
  if ok then return report end
  if core.task.pending_error() then error(report, 0) end
  local err = manifest.error(report)
  return { id = id, state = core.json.null, records = core.json.null, torn_bytes = 0, fenced = 0,
    notes = core.json.array {}, problems = core.json.array { { at = "runs/" .. id,
      what = "it could not be verified: " .. err.message,
      hint = type(err.hint) == "string" and err.hint or "do not rely on this run" } } }
end

function M.main(words)
  local found, rest = verbs.read("run verify", words, M.known)
  local home = repository.open(found.repo)
  local root = store.root(home)
  local ids, all = wanted_ids(home, root, rest)
  local lines, notes, runs, bad, problems = {}, {}, {}, 0, 0
  local index = { id = "ledger", problems = core.json.array {}, notes = core.json.array {} }
  local filled, trouble
  if root then filled, trouble = prepare_ledger(home, found.rebuild) end
  if filled then
    lines[1] = ("the ledger was rebuilt from %s"):format(counted(filled.runs, "run"))
  elseif trouble and (trouble.kind == "denied" or trouble.kind == "timeout") then
    index.notes[1] = { what = "it was not checked: " .. trouble.message, at = "ledger.db" }
  elseif trouble then
    index.problems[1] = { what = trouble.message, at = "ledger.db",
      hint = "moonlet run verify --rebuild" }
  elseif all and root then
    for i, what in ipairs(strangers(home, root)) do
      index.problems[i] = { what = what, at = "ledger.db", hint = "moonlet run verify --rebuild" }
    end
  end
  add_lines(lines, index, notes)
  for i, id in ipairs(ids) do
    local report = report_of(home, root, id, trouble == nil)
    runs[i] = report
    if #report.problems > 0 then bad = bad + 1 end
    problems = problems + #report.problems
    add_lines(lines, report, notes)
  end
  problems = problems + #index.problems
  for i = 1, math.min(#notes, shown_notes) do lines[#lines + 1] = notes[i] end
  if #notes > shown_notes then
    lines[#lines + 1] = ("and %d more notes: --json has them"):format(#notes - shown_notes)
  end
  lines[#lines + 1] = ("%s verified, %s"):format(counted(#ids, "run"),
    problems > 0 and counted(problems, "problem") or index.notes[1]
      and "all as it was written; the ledger was not checked" or "all as it was written")
  local err
  if problems > 0 then
    err = { kind = "failed", hint = core.json.null, at = core.json.null,
      message = bad > 0 and ("%d of %s %s not agree with the record"):format(bad,
        counted(#ids, "run"),
          bad == 1 and "does" or "do")
        or "the ledger does not agree with the runs" }
  end
  return options.envelope({ runs = core.json.array(runs),
    ledger = { problems = index.problems, notes = index.notes,
      rebuilt = filled and filled.runs or core.json.null } }, nil, err), problems == 0 and 0 or 1,
    table.concat(lines, "\n") .. "\n"
end

return M
