--- `moonlet run verify`: do the journals, the records and the artifacts agree, byte for byte?
local options = require "moonlet.internal.options"
local home_module = require "moonlet.internal.home"
local record_store = require "moonlet.internal.record_store"

local M = {}

local known = {
  repo = { value = "DIR", help = "the repository or folder (default: here)" },
  json = { help = "print one JSON envelope and nothing else" },
  help = { help = "this text" },
}

--- What is wrong with the journal of a run; nil when every line is as it was written.
local function check_journal(home, id)
  local report, err = core.journal.verify(home.handle, id)
  if not report then return { what = err.message, at = err.at } end
  if report.why then
    return { what = "the journal is damaged: " .. report.why, at = ("runs/%s/steps.jsonl:%d"):format(id, report.line) }
  end
  return nil, report
end

--- Compares the files of a finished run with the hashes that were recorded when they were written.
local function check_files(root, rec, problems)
  for path, sha256 in pairs(rec.files or {}) do
    local file, why = core.file.load(root, rec.sidecar .. "/" .. path, 0)
    if not file then
      problems[#problems + 1] = { what = "an artifact is missing: " .. tostring(why), at = rec.sidecar .. "/" .. path }
    elseif file.sha256 ~= sha256 then
      problems[#problems + 1] = { what = "an artifact was changed after the run", at = rec.sidecar .. "/" .. path }
    end
  end
end

local function verify(home, root, id)
  local problems = {}
  local damage, report = check_journal(home, id)
  problems[1] = damage
  local rec = record_store.read(root, id)
  if not rec then
    problems[#problems + 1] = { what = "run.json is missing or damaged", at = "runs/" .. id .. "/run.json" }
  else
    check_files(root, rec, problems)
  end
  return { id = id, records = report and report.records or core.json.null,
    fenced = report and report.fenced or core.json.null,
    torn_bytes = report and report.torn_bytes or core.json.null, problems = core.json.array(problems) }
end

---@param words string[]
---@return table? envelope, integer exit_code, string? text
function M.main(words)
  local found, rest = options.parse(words, known, 3)
  if found.help then
    core.system.print(1, "usage: moonlet run verify [RUN…] [options]\n\noptions:\n" .. options.help(known) .. "\n")
    return nil, 0
  end
  local home = home_module.open(found.repo)
  local root = record_store.root(home)
  local ids = {}
  for _, text in ipairs(rest) do ids[#ids + 1] = record_store.find(home, text) end
  if #rest == 0 then ids = record_store.ids(root) end
  local runs, lines, bad = {}, {}, 0
  for _, id in ipairs(ids) do
    local result = verify(home, root, id)
    runs[#runs + 1] = result
    if #result.problems > 0 then bad = bad + 1 end
    for _, problem in ipairs(result.problems) do
      lines[#lines + 1] = ("%s: %s (%s)"):format(id, core.text.printable(problem.what, 300),
        core.text.printable(problem.at or "", 200))
    end
  end
  lines[#lines + 1] = ("%d runs verified, %d with problems"):format(#ids, bad)
  local err = core.json.null
  if bad > 0 then
    err = { kind = "failed", message = ("%d of %d runs do not agree with their record"):format(bad, #ids),
      hint = core.json.null, at = core.json.null }
  end
  return { ok = bad == 0, command = "run verify", run = core.json.null, error = err,
    result = { runs = core.json.array(runs) } }, bad == 0 and 0 or 1, table.concat(lines, "\n") .. "\n"
end

return M
