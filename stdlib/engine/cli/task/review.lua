--- `moonlet review` lets a person approve or reject the changes of a packet's run.
local person = require "moonlet.engine.base.person"
local repository = require "moonlet.engine.run.repository"
local about = require "moonlet.engine.task.about"
local comments = require "moonlet.engine.task.comments"
local ledger = require "moonlet.engine.run.ledger"
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local run_state = require "moonlet.engine.run.state"
local store = require "moonlet.engine.run.store"
local resume = require "moonlet.engine.cli.resume"
local task_review = require "moonlet.engine.task.review"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

local null = core.json.null
local patch_cap = 256 << 20
local most_shown = 60000
local most_listed = 500

M.known = options.with_common {
  note = { value = "TEXT", help = "why, for the record" },
  by = { value = "NAME", help = "who reviews (default: the user of this shell)" },
  sha = { value = "HASH",
    help = "the hash that review show printed; refused if it has changed since" },
}
local known = { list = options.with_common(), show = options.with_common(), approve = M.known,
  reject = M.known, comment = options.with_common { by = M.known.by, sha = M.known.sha } }
M.known_of = known

--- Returns the changes of a run as a text, and its hash; nil if there are none.
local function patch_of(home, rec)
  local root = store.root(home)
  local text = root and core.file.read(root, rec.sidecar .. "/changes.patch", patch_cap)
  if not text or text == "" then return nil end
  return text, core.text.sha256(text)
end

local function state_of(rec)
  return type(rec.review) == "table" and rec.review ~= null and rec.review.state or "none"
end

local function files_of(rec)
  return type(rec.files_changed) == "table" and rec.files_changed or {}
end

local function row_of(home, rec)
  local packet = type(rec.packet) == "table" and rec.packet or {}
  return { run = rec.id, task = packet.id or null, title = packet.title or null,
    verdict = rec.verdict, state = state_of(rec), sha256 = rec.review.sha256 or null,
    files_changed = core.json.array(files_of(rec)), dir = home.agent_path .. "/" .. rec.sidecar }
end

--- Reports whether a run that replays this run has a review. That review replaces the review of
--- this run.
local function is_replayed(home, root, id)
  for _, child in ipairs(about.children(home, id)) do
    local other = not child.pipeline and store.look(root, child.id)
    if other and (other.ended and state_of(other) ~= "none"
        or is_replayed(home, root, child.id)) then
      return true
    end
  end
  return false
end

--- Reports whether a later run of the same packet was approved.
local function is_done_since(home, root, rec)
  for _, id in ipairs(require("moonlet.engine.task.status").runs(home, rec.packet.id)) do
    if store.number(id) <= store.number(rec.id) then return false end
    local other = store.look(root, id)
    if other and state_of(other) == "approved" then return true end
  end
  return false
end

--- Reports whether the run waits for a review and no later run has replaced it.
local function is_open(home, root, rec)
  return state_of(rec) == "pending" and type(rec.packet) == "table"
    and not is_replayed(home, root, rec.id)
    and not is_done_since(home, root, rec)
end

local function list(home, _, rest)
  options.no_more(rest, 0, "review list")
  local root, rows = store.root(home), {}
  local lines = { ("%-7s %-7s %-9s %-6s %s"):format("RUN", "TASK", "VERDICT", "FILES", "TITLE") }
  local ids = {}
  for _, verdict in ipairs(root and ledger.ready(home) and { "ok", "degraded" } or {}) do
    for _, row in ipairs(core.ledger.list(home.handle, { verdict = verdict }, most_listed) or {}) do
      ids[#ids + 1] = row.id
    end
  end
  table.sort(ids, function(a, b) return store.number(a) > store.number(b) end)
  for _, id in ipairs(ids) do
    local rec = store.look(root, id)
    if rec and is_open(home, root, rec) then
      local row = row_of(home, rec)
      rows[#rows + 1] = row
      lines[#lines + 1] = ("%-7s %-7s %-9s %-6d %s"):format(id,
        core.text.printable(tostring(row.task), 20), rec.verdict, #row.files_changed,
        core.text.printable(tostring(row.title), 60))
    end
  end
  if #rows == 0 then lines = { "nothing waits for a review" } end
  return options.envelope({ reviews = core.json.array(rows) }), 0, table.concat(lines, "\n") .. "\n"
end

local function find(home, rest, command)
  if #rest ~= 1 then
    options.refuse(command .. " which run?", ("moonlet review %s R-007"):format(command))
  end
  return store.find(home, rest[1])
end

--- Returns the decision (approved or rejected) that a host was carrying out when it was killed, or nil.
local function killed_word(home, id, rec)
  return not rec.ended and rec.reviewing and not core.runs.holder(home.handle, id)
    and rec.reviewing.state or nil
end

local verb_of = { approved = "approve", rejected = "reject" }

local function show(home, _, rest)
  local id, rec = find(home, rest, "show")
  local patch, hash = patch_of(home, rec)
  local review = type(rec.review) == "table" and rec.review or {}
  local killed = killed_word(home, id, rec)
  local lines = { ("%s  review %s  %s"):format(id, killed or state_of(rec),
    run_state.of(home, id, rec)) }
  if type(rec.packet) == "table" then
    lines[#lines + 1] = ("task %s: %s"):format(rec.packet.id,
      core.text.printable(rec.packet.title, 200))
  end
  if review.reviewed_by then
    lines[#lines + 1] = "reviewed by " .. core.text.printable(review.reviewed_by, 80)
  end
  if review.note then lines[#lines + 1] = "note: " .. core.text.printable(review.note, 400) end
  for _, item in ipairs(rec.validation ~= null and rec.validation or {}) do
    lines[#lines + 1] = ("  %-8s %-10s %s"):format(item.status, item.kind,
      core.text.printable(item.command, 200))
  end
  for _, path in ipairs(files_of(rec)) do
    lines[#lines + 1] = "  changed  " .. core.text.printable(path, 400)
  end
  local is_other = patch and review.sha256 and hash ~= review.sha256
  if review.sha256 then lines[#lines + 1] = "hash: " .. review.sha256 end
  if is_other then
    lines[#lines + 1] = "changes.patch was changed since: it no longer shows what would be merged"
  end
  if patch then
    local cut = #patch > most_shown and patch:sub(1, most_shown)
      .. "\n… the rest is in changes.patch\n" or patch
    lines[#lines + 1] = "\n" .. core.text.clean(cut)
  end
  local remarks = comments.of(store.root(home), rec, patch)
  for _, remark in ipairs(remarks) do
    lines[#lines + 1] = ("comment  %s:%d  %s: %s%s"):format(core.text.printable(remark.file, 200),
      remark.place or remark.line, core.text.printable(tostring(remark.by), 80),
      core.text.printable(tostring(remark.text), 400),
      remark.outdated and "  (outdated: the line is gone)" or "")
  end
  if state_of(rec) == "pending" then
    -- The changes of this run were approved, but could not be merged.
    lines[#lines + 1] = review.reviewed_by
      and ("moonlet review approve %s merges it, once your files fit; "
        .. "moonlet run replay %s repeats the task; moonlet review reject %s keeps only "
          .. "the patch"):format(id, id, id)
      or ("moonlet review approve %s merges it, moonlet review reject %s keeps only "
        .. "the patch"):format(id, id)
  elseif killed then
    lines[#lines + 1] = ("moonlet review %s %s completes it"):format(verb_of[killed], id)
  end
  return options.envelope({ state = state_of(rec), reviewed_by = review.reviewed_by or null,
    note = review.note or null, sha256 = review.sha256 or null,
    patch = patch and core.text.clean(patch) or null, patch_is_current = not is_other,
    comments = remarks }, store.envelope(home, rec)), 0, table.concat(lines, "\n") .. "\n"
end

--- Rejects a review of a run that has not ended.
--- Allows it only if `word` repeats the decision that a host was carrying out when it was killed.
local function refuse_unended(home, id, rec, word)
  local killed = killed_word(home, id, rec)
  if killed == word then return end
  if killed then
    record.refuse(("%s is half %s: that review was killed"):format(id, killed),
      ("moonlet review %s %s completes it"):format(verb_of[killed], id))
  end
  local state = run_state.of(home, id, rec)
  local hint = state == "running" and "moonlet wait " .. id
    or state == "prepared" and run_state.prepared(home, rec) or "moonlet resume " .. id
  record.refuse(("%s is %s, and does not wait for a review"):format(id, state), hint)
end

local function check_open(home, id, rec, word, sha)
  if type(rec.packet) ~= "table" then
    record.refuse(("%s is not the run of a packet: there is nothing to review"):format(id),
      "moonlet review list")
  end
  if not rec.ended then return refuse_unended(home, id, rec, word) end
  local state = state_of(rec)
  if state == "approved" or state == "rejected" then
    record.refuse(("%s is %s already"):format(id, state), "moonlet review show " .. id)
  end
  if word == "approved" and state ~= "pending" or rec.verdict ~= "ok" and rec.verdict ~= "degraded"
    and rec.verdict ~= "blocked" then
    record.refuse(("%s ended with: %s, and does not wait for a review"):format(id, rec.verdict),
      ("moonlet show %s; moonlet run replay %s tries again"):format(id, id))
  end
  local patch, hash = patch_of(home, rec)
  local bound = type(rec.review) == "table" and rec.review.sha256
  if sha and sha ~= bound then
    record.refuse(("%s has a different result now than the one that was shown"):format(id),
      "moonlet review show " .. id)
  end
  if word == "approved" and patch and bound and hash ~= bound and #files_of(rec) > 0 then
    record.refuse(("changes.patch of %s was changed since its run: it no longer shows what "
      .. "would be merged")
      :format(id), "moonlet run verify " .. id,
      home.agent_path .. "/" .. rec.sidecar .. "/changes.patch")
  end
end

local function decide(home, found, rest, command)
  local word = command == "approve" and "approved" or "rejected"
  local by = found.by or person.name()
  local id, rec = find(home, rest, command)
  local function plan_of(of)
    check_open(home, id, of, word, found.sha)
    local plan = resume.plan(home, id, of, {})
    plan.review = plan.review or { type = "review", state = word,
      reviewed_by = core.text.printable(by, 100),
      note = found.note and core.text.clean(found.note) or nil,
      at = core.clock.iso(core.clock.wall()),
      sha256 = of.review ~= null and of.review.sha256 or nil }
    return plan
  end
  local plan = plan_of(rec)
  core.event.display "none"
  task_review.failure = nil
  local envelope = resume.drive(home, id, plan, plan_of)
  if task_review.failure then error(task_review.failure, 0) end
  local review = envelope.run.review
  if review.state ~= word then
    error(envelope.error ~= null and envelope.error
      or { kind = "failed", message = ("%s is not %s: %s"):format(id, word, review.state) }, 0)
  end
  local files = envelope.run.files_changed
  return options.envelope({ state = word, reviewed_by = review.reviewed_by, note = review.note },
    envelope.run), 0, word == "approved" and ("%s approved: %d %s merged\n"):format(id, #files,
      #files == 1 and "file is" or "files are")
      or #files == 0 and ("%s rejected: it has changed no file\n"):format(id)
      or ("%s rejected: its changes are only in %s/changes.patch\n"):format(id, envelope.run.dir)
end

local function comment(home, found, rest)
  if #rest < 3 then
    options.refuse("comment on which line?",
      "moonlet review comment R-007 src/a.py:12 'why not a set?'")
  end
  local id, rec = store.find(home, rest[1])
  local patch, hash = patch_of(home, rec)
  if not rec.ended or not patch then
    record.refuse(("%s has no changes to comment on"):format(id), "moonlet show " .. id)
  end
  if found.sha and found.sha ~= (type(rec.review) == "table" and rec.review.sha256 or hash) then
    record.refuse(("%s has a different result now than the one that was shown"):format(id),
      "moonlet review show " .. id)
  end
  local made = comments.add(store.root(home), rec, patch, hash, rest[2], table.concat(rest, " ", 3),
    found.by or person.name())
  return options.envelope { comment = made }, 0,
    ("%s:%d has your comment\n"):format(made.file, made.line)
end

local actions = { list = list, show = show, approve = decide, reject = decide, comment = comment }

function M.main(words)
  local name = words[2]
  local found, rest = verbs.read("review " .. name, words, known[name])
  return actions[name](repository.open(found.repo), found, rest, name)
end

return M
