--- Compares a run's journal with its other files, and run.json with the ledger.
local counted = require "moonlet.engine.base.counted"
local sidecar = require "moonlet.engine.agent.sidecar"
local seal = require "moonlet.engine.run.seal"
local store = require "moonlet.engine.run.store"
local values = require "moonlet.engine.journal.values"

local M = {}

local null = core.json.null
local restore = "restore the file from a backup, or do not rely on this run"
local model_cap = 4 << 20
local answer_cap = 256 << 20
local rebuild = "moonlet run verify --rebuild"

---@class moonlet.Damage
---@field what string   the problem
---@field at string     path below `.agent`
---@field hint string   the remedy

local function new_report(id)
  local report = { id = id, state = null, records = null, torn_bytes = 0, fenced = 0,
    problems = core.json.array {}, notes = core.json.array {} }
  return report, function(what, at, hint)
    report.problems[#report.problems + 1] = { what = what, at = at, hint = hint or restore }
  end, function(what, at)
    report.notes[#report.notes + 1] = { what = what, at = at }
  end
end

--- Reports whether a run has written more than its folder and its first journal record.
local function has_begun(story, root, path, text)
  if text or story.records > 1 or story.why then return true end
  for _, mark in ipairs(story.marks) do
    if mark.type == "over" then return true end
  end
  local log = core.file.stat(root, path .. "/keeper.log")
  return log ~= nil and log.size > 0 or core.file.stat(root, path .. "/values") ~= nil
end

local function check_journal(story, path, problem, note)
  if story.records == 0 and not story.why then
    problem("the journal is empty or missing: what was done and paid is not known",
      path .. "/steps.jsonl", "restore the file from a backup, or start a new run")
  end
  if story.other_format then
    problem("the journal cannot be read: " .. story.why, path .. "/steps.jsonl",
      "use the version of moonlet that "
      .. "started the run")
  elseif story.why then
    problem(("the journal is damaged: line %d: %s"):format(story.line, story.why),
      ("%s/steps.jsonl:%d"):format(path, story.line))
  end
  if story.torn_bytes > 0 then
    note(("the last write of the journal is incomplete: %d bytes are ignored; its host "
      .. "was ended"):format(
      story.torn_bytes), path .. "/steps.jsonl")
  end
  if story.fenced > 0 then
    note(("%s of the journal %s of a host that had been taken over"):format(
      counted(story.fenced, "line"),
      story.fenced == 1 and "is" or "are"),
      path .. "/steps.jsonl")
  end
end

local function name_of_result(rec)
  local stored = rec and rec.result
  local name = type(stored) == "table" and stored["$value"]
  return type(name) == "string" and name or nil
end

local function check_values(story, result, path, problem, note)
  local function tell(names, is_what)
    for _, name in ipairs(names) do
      local at = ("%s/values/%s"):format(path, name)
      if name == result then
        problem("the result of the run " .. is_what, at)
      else
        problem(("a value of the journal %s"):format(is_what), at,
          restore .. "; a resume cannot replay its step")
      end
    end
  end
  tell(story.values.missing, "is missing")
  tell(story.values.damaged, "was changed")
  local extra = story.values.extra
  if extra > 0 and not story.why then
    note(("%d %s no record names"):format(extra, extra == 1 and "value that" or "values that"),
      path .. "/values")
  end
end

--- Reports whether files other than the journal confirm that an attempt came from a cassette.
local function is_of_cassette(rec, root, key, number)
  for _, attempt in ipairs(type(rec.attempts) == "table" and rec.attempts or {}) do
    if type(attempt) == "table" and attempt.step == key and attempt.number == number then
      return attempt.runner == "cassette"
    end
  end
  if rec.runner_name == "cassette" then return true end
  for _, dir in ipairs { rec.sidecar .. "/steps/" .. core.run.step_name(key), rec.sidecar } do
    local ok, model = pcall(core.json.decode,
      core.file.read(root, dir .. "/model.json", model_cap) or "")
    if ok and type(model) == "table" and model.step == key and model.runner == "cassette" then
      return true
    end
  end
  return false
end

--- Checks answers that came from a cassette. No process was started for them, so a file other than
--- the journal must confirm them.
local function check_played(story, rec, root, path, problem)
  for _, item in ipairs(story.played) do
    if not is_of_cassette(rec, root, item.key, item.attempt) then
      problem(("the journal has step '%s' from a cassette, and nothing else of the "
        .. "run does"):format(
        core.text.printable(item.key, 120)), path .. "/steps.jsonl",
        "check the step's artifacts before you rely on it; the journal was changed")
    end
  end
  for _, name in ipairs(story.acted) do
    problem(("keeper.log has a start of '%s', which is from a cassette by the journal"):format(
      core.text.printable(name, 120)), path .. "/steps.jsonl",
      "check the step's artifacts before you rely on it; one of the two was changed")
  end
end

--- Compares keeper.log with the journal and with its hash in run.json.
local function check_keeper(story, rec, root, path, problem)
  for _, item in ipairs(story.unlogged) do
    problem(("the journal has a result of step '%s', but keeper.log no start of its "
      .. "attempt %d"):format(
      core.text.printable(item.key, 120), item.attempt), path .. "/keeper.log",
      "check the step's artifacts before you rely on it; keeper.log was changed or lost")
  end
  if not story.why and story.records > 0 then
    for _, name in ipairs(story.unbegun) do
      problem(("keeper.log has a start of '%s', which the journal does not know: the journal "
        .. "was cut off"):format(
        core.text.printable(name, 120)), path .. "/steps.jsonl",
        "restore the file from a backup; a resume would pay for it again")
    end
  end
  local was = rec.ended and type(rec.keeper_log) == "table" and rec.keeper_log
  if not was or was == null or math.type(was.bytes) ~= "integer" then return end
  local is = core.audit.beginning(root, path .. "/keeper.log", was.bytes)
  if not is then
    problem("keeper.log is missing", path .. "/keeper.log")
  elseif is.sha256 ~= was.sha256 then
    problem("keeper.log was changed after the run", path .. "/keeper.log")
  end
end

--- Checks run.json against the hashes in the journal. A killed host may have recorded the hash of a
--- new run.json without writing it.
local function check_record(story, rec, text, path, problem, note)
  if story.why or story.records == 0 then return end  -- records after the damage were not read
  local hash, last, at = core.text.sha256(text), nil, nil
  for i, mark in ipairs(story.marks) do
    if mark.record then
      last = i
      if mark.record == hash then at = i end
    end
  end
  local place = path .. "/run.json"
  if not last then
    if rec.ended and rec.files then
      problem("the journal of a run that has ended has no record of it", path .. "/steps.jsonl")
    end
  elseif not at then
    problem(rec.ended and story.marks[last].type ~= "over"
      and "run.json says that the run has ended, the journal does not: one of them was changed "
        .. "or cut off"
      or "run.json was changed after it was written", place)
  elseif at ~= last then
    note("run.json is older than the journal: its host was ended before it could write; "
      .. "moonlet resume continues it", place)
  end
end

local function name_files(root, rec, files)
  local names, key = {}, nil
  for path, was in pairs(rec.files) do
    if type(was.named) == "string" then
      names[was.named], key = path, key or seal.key(root, rec.id)
    end
  end
  if not key then return end
  local found = {}
  for path in pairs(files) do
    local name = not rec.files[path] and names[values.keyed(path, key)]
    if name then found[path] = name end
  end
  for path, name in pairs(found) do files[name], files[path] = files[path], nil end
end

local function left_files(rec)
  local left = {}
  for path, why in pairs(rec.imported and rec.imported ~= null and rec.imported.left or {}) do
    left[path:gsub("^sidecar/", "")] = why
  end
  return left
end

local function check_files(root, rec, problem, note)
  if type(rec.files) ~= "table" or rec.files == null then return end
  local events = rec.files[seal.grows]
  local tree, err = seal.tree(root, rec.sidecar, rec.files_fold, events and events.bytes or 0)
  if not tree then
    if core.file.stat(root, rec.sidecar) then
      problem("the artifacts cannot be read: " .. err.message, rec.sidecar)
    end
    return
  end
  name_files(root, rec, tree.files)
  local left = left_files(rec)
  local extra, unhashed, first = 0, 0, nil
  for path, was in pairs(rec.files) do
    if was.unhashed then unhashed = unhashed + 1 end
    local is, at = tree.files[path], rec.sidecar .. "/" .. path
    if not is and left[path] then
      note("an artifact stayed where the run was made: "
        .. core.text.printable(left[path], 200), at)
    elseif was.error then
      note("an artifact could not be read when the run ended: " .. was.error, at)
    elseif not is then
      problem("an artifact is missing", at)
    elseif is.error then
      problem("an artifact cannot be read: " .. is.error, at, "make it readable")
    elseif not seal.is_same(is, was) then
      problem(was.files and "artifacts in a folder were changed after the run" or
        "an artifact was changed after the run", at)
    end
  end
  for path in pairs(tree.files) do
    if not rec.files[path] and path ~= seal.grows then
      extra = extra + 1
      first = first or path
    end
  end
  for _, path in ipairs(type(rec.altered) == "table" and rec.altered or {}) do
    problem(("it was %s after it had been written, and before the run continued"):format(
      tree.files[path] and "changed" or "removed"), rec.sidecar .. "/" .. path,
      "do not rely on this file")
  end
  if unhashed > 0 then
    note(("%d %s too large for a hash: only the size is on record"):format(unhashed,
      unhashed == 1 and "artifact is" or "artifacts are"), rec.sidecar)
  end
  if extra > 0 then
    note(("%d %s beside the artifacts, the first of them: %s"):format(extra,
      extra == 1 and "file lies" or "files lie", core.text.printable(first, 120)), rec.sidecar)
  end
end

local function hash_of_answer(item, root, path)
  if item.sha256 then return item.sha256 end
  local value = values.get(item.result, function(name, cap)
    return (core.file.read(root, ("%s/values/%s"):format(path, name), cap))
  end)
  local text = type(value) == "table" and value.text
  return type(text) == "string" and core.text.sha256(core.text.clean(text)) or nil
end

local function answer_paths(item, first, root, rec)
  local own = ("steps/%s/output.md"):format(core.run.step_name(item.key))
  local has_own = core.file.stat(root, rec.sidecar .. "/" .. own) ~= nil
  local paths = { has_own and own or nil }
  if first == item.key or not first and not has_own then paths[#paths + 1] = "output.md" end
  return paths
end

--- Compares the answers that people read in the sidecar with those that a replay uses.
local function check_answers(story, rec, root, path, problem)
  if #story.answers == 0 or story.why then return end
  local ok, model = pcall(core.json.decode,
    core.file.read(root, rec.sidecar .. "/model.json", model_cap) or "")
  local first = ok and type(model) == "table" and model.step or nil
  local sealed = rec.ended and type(rec.files) == "table" and rec.files or {}
  for _, item in ipairs(story.answers) do
    local hash = hash_of_answer(item, root, path)
    for _, place in ipairs(hash and answer_paths(item, first, root, rec) or {}) do
      local text, _, cut = core.file.read(root, rec.sidecar .. "/" .. place, answer_cap)
      local is = text and not cut and core.text.sha256(text)
      -- Skip a file that was changed after the end of the run, because `check_files` reports it.
      if is and is ~= hash and (not sealed[place] or sealed[place].sha256 == is) then
        problem("it is not the answer that the journal has", rec.sidecar .. "/" .. place,
          rec.ended and "do not rely on this file; moonlet show prints the result of the run"
            or "moonlet resume writes it again, as the journal has it")
      end
    end
  end
end

local function check_decision(root, rec, story, problem, note)
  local at = rec.sidecar .. "/decision.md"
  local text = core.file.read(root, at, 1 << 20)
  local hash = text and core.text.sha256(text)
  local last, known, is_old
  for _, mark in ipairs(story.marks) do
    if mark.type == "decision" then
      last, is_old = mark.sha256, false
      known = known or mark.sha256 == hash
    elseif mark.type == "drive" then
      is_old = true
    end
  end
  local made_as = type(rec.imported) == "table" and rec.imported.run or rec.id
  local form = sidecar.decision_form { id = made_as, task_id = rec.task_id,
    preset_name = rec.preset }
  if not last then
    if text and text ~= form and not story.why then
      note("decision.md was written by hand: moonlet decide records it", at)
    end
  elseif hash ~= last then
    if not text then
      problem("the decision is missing", at, "record it again with moonlet decide")
    elseif known or text == form then
      note("the last decision is incomplete: record it again with moonlet decide", at)
    else
      problem("decision.md was changed after the decision", at,
        "record it again with moonlet decide")
    end
  elseif is_old then
    note("the run has continued since the decision: record it again with moonlet decide", at)
  end
end

local function check_ledger(home, id, text, problem)
  local places, err = core.ledger.differs(home.handle, id, text)
  if not places then
    problem("the ledger cannot be read: " .. err.message, "ledger.db", rebuild)
  elseif #places > 0 then
    problem("the ledger differs from run.json: " .. table.concat(places, ", "),
      "ledger.db", rebuild)
  end
end

local function check(home, root, id, with_ledger)
  local report, problem, note = new_report(id)
  local path = "runs/" .. id
  local text, why, cut = core.file.read(root, path .. "/run.json", store.record_cap)
  local rec = not cut and store.parse(text, id)
  local result = name_of_result(rec)
  local story, err = core.audit.story(home.handle, id, result)
  if not story then
    problem(err.message, path)
    return report
  end
  report.records, report.torn_bytes, report.fenced = story.records, story.torn_bytes, story.fenced
  if not text and why.kind ~= "invalid" then
    problem(why.message, path .. "/run.json", why.hint)
    return report
  end
  report.state = core.runs.holder(home.handle, id) and "running"
    or rec and (rec.ended and rec.verdict or "interrupted")
    or null
  local begun = has_begun(story, root, path, text)
  if begun then check_journal(story, path, problem, note) end
  -- The host that executes the run still changes the run's other files, so do not check them.
  if report.state == "running" then return report end
  if not begun then
    note("the run was ended before it began; the folder can be removed", path)
    return report
  end
  if not rec then
    problem(text and "run.json is damaged" or "run.json is missing", path .. "/run.json", restore)
    return report
  end
  check_values(story, result, path, problem, note)
  check_keeper(story, rec, root, path, problem)
  check_played(story, rec, root, path, problem)
  check_record(story, rec, text, path, problem, note)
  check_answers(story, rec, root, path, problem)
  local is_imported = type(rec.imported) == "table" and rec.imported ~= null
  if is_imported then
    note(("it was imported: it is %s of another machine"):format(
      core.text.printable(rec.imported.run, 40)), path)
  end
  if story.keyed and not is_imported and not seal.key(root, id) then
    problem("the key of the run is missing or damaged: results that depend on a secret may not "
      .. "be recognized",
      path .. "/key", "restore the file from a backup")
  end
  if not core.file.stat(root, rec.sidecar) then
    problem("the artifacts are missing", rec.sidecar)
  end
  if rec.ended then
    check_files(root, rec, problem, note)
    check_decision(root, rec, story, problem, note)
  end
  if with_ledger then check_ledger(home, id, text, problem) end
  return report
end

--- Checks a run. Repeats the check if the run changed during the check.
function M.run(home, root, id, with_ledger)
  local before
  for _ = 1, 3 do
    local stat = core.file.stat(root, "runs/" .. id .. "/steps.jsonl")
    before = stat and stat.size
    local report = check(home, root, id, with_ledger)
    stat = core.file.stat(root, "runs/" .. id .. "/steps.jsonl")
    if report.state == "running" or before == (stat and stat.size) then return report end
  end
  return check(home, root, id, with_ledger)
end

return M
