--- `moonlet cancel R-007` ends a run and its orphaned processes, even if another process executes
--- the run.
local options = require "moonlet.engine.cli.options"
local duration = require "moonlet.duration"
local removed = require "moonlet.engine.base.removed"
local repository = require "moonlet.engine.run.repository"
local seal = require "moonlet.engine.run.seal"
local ledger = require "moonlet.engine.run.ledger"
local store = require "moonlet.engine.run.store"
local manifest = require "moonlet.engine.run.manifest"
local interrupted_merge = require "moonlet.engine.workspace.interrupted_merge"
local kept_worktrees = require "moonlet.engine.workspace.kept_worktrees"
local worktree_places = require "moonlet.engine.workspace.worktree_places"
local values = require "moonlet.engine.journal.values"
local under_way = require "moonlet.engine.remote.under_way"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = options.with_common {
  timeout = { value = "TIME", help = "how long to wait for its end (default 30s)" },
}
local poll_ms = 50

--- Asks the host that drives the run to end the run, and waits until the run has ended.
local function ask_holder(home, id, limit)
  local started = core.clock.monotonic()
  while core.runs.holder(home.handle, id) do
    -- Repeat the request to cancel, because a new host discards requests made to its predecessor.
    core.runs.request_cancel(home.handle, id)
    if core.clock.monotonic() - started > limit then
      error({ kind = "timeout", message = ("%s did not end within %s"):format(id,
        duration.text(limit)), hint = "moonlet ps shows what runs" }, 0)
    end
    core.task.sleep(poll_ms)
  end
end

local function is_open(rec)
  return not rec.ended or rec.verdict == "needs-human" or rec.verdict == "quota"
end

--- Copies the fields with the hashes of the run's files. `seal.altered` needs the old hashes after
--- the caller has changed the record.
local function bound(rec)
  return { ended = rec.ended, files = rec.files, files_fold = rec.files_fold,
    altered = rec.altered }
end

--- Writes a run's record, whose JSON is `text`, into the ledger. If another host has replaced
--- run.json meanwhile, writes the content of the new run.json instead.
local function tell_ledger(home, root, id, text)
  local err = ledger.put(home, id, text)
  local now = core.file.read(root, "runs/" .. id .. "/run.json", store.record_cap)
  if not err and now and now ~= text then err = ledger.put(home, id, now) end
  if err then ledger.without(err) end
end

--- Writes the record of a run that no host drives, with the current hashes of the run's files.
--- Returns false if a host has taken over the run since the record was read.
local function put_record(home, id, rec, was)
  local root = store.root(home)
  local tree = seal.tree(root, rec.sidecar)
  if tree then
    local key = seal.key(root, id)
    seal.name_files(tree.files, function(path) return key and values.keyed(path, key) end)
    rec.altered = seal.altered(was, tree)
    rec.files, rec.files_fold = tree.files, tree.fold
  end
  rec.keeper_log = seal.keeper_log(root, id)
  local text = core.json.encode_record(rec, 2) .. "\n"
  local done, why = seal.change(home, id, store.hash(rec), { type = "over", verdict = rec.verdict,
    files = seal.hash_of_files(rec.files), record = core.text.sha256(text) },
    "runs/" .. id .. "/run.json", text)
  if not done then return false end
  if why then
    core.system.print(2, ("moonlet: %s\n"):format(core.text.printable(why.message, 400)))
  end
  tell_ledger(home, root, id, text)
  return true
end

--- Closes the record of a run that no host drives.
--- Returns false if a host has taken over the run since the record was read.
local function close_record(home, id, rec)
  local was = bound(rec)
  rec.ended, rec.verdict = true, "cancelled"
  rec.parked, rec.until_ms = core.json.array {}, nil
  rec.exit_code = manifest.exit_codes.cancelled
  rec.ended_at = core.clock.iso(core.clock.wall())
  rec.error = { kind = "cancelled", message = "cancelled by the user", hint = core.json.null,
    at = core.json.null }
  return put_record(home, id, rec, was)
end

--- Reports whether the run may have pending clean-up handlers, or attempts on other machines.
local function may_owe(home, id, rec)
  if rec.ended then return rec.cleanup == true or under_way.of(store.root(home), id)[1] ~= nil end
  -- A run that was only prepared, or that never began, has nothing to clean up.
  if rec.options and rec.options.dry_run then return false end
  local journal = core.file.stat(store.root(home), "runs/" .. id .. "/steps.jsonl")
  return journal ~= nil and journal.size > 0
end

--- Resumes the script only to run its clean-up handlers. Returns false if a host has driven the run
--- since the record was read. The caller must then read the record again.
local function clean_up(home, id, rec)
  local resume = require "moonlet.engine.cli.resume"
  core.event.display("none")
  local ok, err = pcall(function()
    local plan = resume.plan(home, id, rec, { cancels = true })
    plan.cancels, plan.may_ask = true, false
    require("moonlet.engine.cli.run").drive(plan)
  end)
  if not ok and store.is_stale(err) then return false end
  if not ok and not core.runs.holder(home.handle, id) then
    core.system.print(2, ("moonlet: %s is not cleaned up: %s\n"):format(id,
      core.text.printable(type(err) == "table" and tostring(err.message) or tostring(err), 400)))
  end
  return true
end

--- Returns what `interrupted_merge` needs to roll back a merge of the run, or nil if the run's work
--- tree is gone.
local function place_of(home, id, rec)
  local ok, there = pcall(function()
    return repository.of_run(home, (store.as_given(home, rec)))
  end)
  if not ok then return nil end
  return { home = there, id = id, top = there.top, sidecar = rec.sidecar,
    absolute = function(path) return there.agent_path .. "/" .. path end,
    emit = function(_, info)
      core.system.print(2, ("moonlet: %s: %s\n"):format(id, core.text.printable(info.text, 600)))
    end }
end

--- Ends the processes under the run's keeper. Returns false if a host drives the run.
local function end_orphans(home, id)
  local ended, err = pcall(core.runs.end_orphans, home.handle, id)
  if not ended and not core.runs.holder(home.handle, id) then error(err, 0) end
  return ended
end

--- Ends the processes that a dead host could not end. Returns false if a host drives the run.
local function end_left(home, id)
  local count = core.runs.left(home.handle, id)
  local ended = count == 0 or end_orphans(home, id)
  if ended and count > 0 then
    core.system.print(2,
      ("moonlet: %s had ended, and left %d %s running: that is ended now\n"):format(id, count,
      count == 1 and "process" or "processes"))
  end
  return ended
end

--- Rolls back an interrupted merge of an ended run.
--- Returns false if a host has taken over the run since the record was read.
local function end_half_merge(home, id, rec)
  local place = place_of(home, id, rec)
  if not place or not interrupted_merge.is_half_merged(place) then return true end
  interrupted_merge.bring_back(place)
  if interrupted_merge.is_half_merged(place) then
    error({ kind = "failed", hint = ("moonlet cancel %s tries it again"):format(id),
      message = ("%s has ended, and part of its interrupted merge is still in the "
        .. "work tree"):format(id) }, 0)
  end
  return put_record(home, id, rec, bound(rec))
end

--- Reports worktrees that agents left when the host died, because they may contain paid work.
local function tell_left(home, id)
  local paths = worktree_places.left(home, id)
  for _, path in ipairs(paths) do
    core.system.print(2,
      ("moonlet: %s leaves a worktree: moonlet resume %s continues with its changes, "
      .. "%s drops it\n"):format(id, id, kept_worktrees.removal(path)))
  end
  return paths
end

--- Ends a run that no host drives: ends the processes under its keeper, and closes its record.
--- Returns the new record. Returns nil if a new host executes the run; then that host must end it.
local function end_open(home, id, rec)
  if not end_orphans(home, id) then return nil end
  local place = place_of(home, id, rec)
  if place then interrupted_merge.bring_back(place) end
  if may_owe(home, id, rec) then
    if not clean_up(home, id, rec) then return nil end
    rec = select(2, store.find(home, id))
    if not is_open(rec) then return rec end
  end
  return not core.runs.holder(home.handle, id) and close_record(home, id, rec) and rec or nil
end

--- Ends a run whose folder was removed together with its record.
local function end_removed(entry)
  core.runs.end_keeper(entry.place, 0)
  return options.envelope({ id = entry.id, verdict = "cancelled", removed = true }), 0,
    ("%s: cancelled; its folder was removed, and its record with it\n"):format(entry.id)
end

function M.main(words)
  local found, rest = verbs.read("run cancel", words, M.known)
  if #rest ~= 1 then options.refuse("cancel which run?", "moonlet cancel R-007") end
  local entry = removed.find(repository.agent_path(found.repo), "runs", rest[1])
  if entry then return end_removed(entry) end
  local home = repository.open(found.repo)
  local id, found_rec = store.find(home, rest[1])
  store.check_own(found_rec, "cancelled")
  local limit = found.timeout and duration.ms(found.timeout, "--timeout") or 30000
  local ended
  local had_ended = not is_open(select(2, store.find(home, id)))
    and not core.runs.holder(home.handle, id)
  repeat
    if core.runs.holder(home.handle, id) then ask_holder(home, id, limit) end
    local rec = select(2, store.find(home, id))
    if is_open(rec) then
      ended = end_open(home, id, rec)
    else
      ended = end_left(home, id) and end_half_merge(home, id, rec) and rec or nil
    end
  until ended
  return options.envelope({ verdict = ended.verdict, worktrees = tell_left(home, id) },
    store.envelope(home, ended)), 0,
    ("%s%s: %s\n"):format(id, had_ended and " has ended already" or "", ended.verdict)
end

return M
