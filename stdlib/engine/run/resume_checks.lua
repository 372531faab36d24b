--- Checks the preconditions of a resume. The caller holds the run's lock.
local gate = require "moonlet.engine.effects.gate"
local seal = require "moonlet.engine.run.seal"
local record = require "moonlet.record"
local store = require "moonlet.engine.run.store"

local M = {}

--- Raises an error if run.json was edited, because a resume would overwrite the change.
local function check_record(run)
  local path = "runs/" .. run.id .. "/run.json"
  local text = core.run.read(path, store.record_cap)
  if not text or not next(run.journal.records) or run.journal.records[core.text.sha256(text)] then
    return
  end
  error({ kind = "failed",
    message = ("run.json of %s was changed after it was written"):format(run.id),
    at = run.absolute(path), hint = "restore the file from a backup, or start a new run" }, 0)
end

local function check_prepared(run, root)
  local now = store.read(root, run.id)
  if now and not now.ended and now.options.dry_run then return end
  record.refuse(("nothing is prepared under '%s' any more: %s was started meanwhile"):format(
    run.task_id,
    run.id), "moonlet show " .. run.id)
end

local function check_journal(run)
  -- The journal's first record is on the disk before run.json, so a run always has journal records.
  if run.journal.resumed then return end
  error({ kind = "failed",
    message = ("the journal of %s is empty or missing: what was done and paid is not known"):format(
      run.id),
    at = run.absolute("runs/" .. run.id .. "/steps.jsonl"),
    hint = "restore the file from a backup, or start a new run" }, 0)
end

local function check_key(run, root)
  if not run.journal.is_keyed or seal.key(root, run.id) then return end
  error({ kind = "failed", at = run.absolute("runs/" .. run.id .. "/key"),
    message = ("the key of %s is missing or damaged: results that depend on a secret cannot be "
      .. "recognized"):format(
      run.id), hint =
        "restore the file from a backup, or start a new run; a resume might pay again" }, 0)
end

--- Checks again that the question is open, because the plan was made without the lock.
local function check_answer(run, plan, root)
  local now = store.read(root, run.id) or plan.before.record
  gate.check_open(run.id, now, plan.answer, run.journal.answers[plan.answer.key])
end

function M.check(run, plan)
  local before = plan.before
  if not before then return end
  require("moonlet.engine.effects.host").check_provided(run.grants.host, run.journal)
  local root = core.file.root(run.home.agent_path)
  if not before.resumed then check_prepared(run, root) end
  if before.resumed then check_journal(run) end
  check_key(run, root)
  if plan.answer then check_answer(run, plan, root) end
  store.check_unchanged(root, run.id, before.was or store.hash(before.record))
  if before.resumed then check_record(run) end
end

return M
