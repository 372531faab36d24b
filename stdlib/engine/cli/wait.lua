--- `moonlet wait R-007` waits until the run has ended, and exits with the run's exit code.
local options = require "moonlet.engine.cli.options"
local duration = require "moonlet.duration"
local repository = require "moonlet.engine.run.repository"
local state = require "moonlet.engine.run.state"
local store = require "moonlet.engine.run.store"
local resume = require "moonlet.engine.cli.resume"
local manifest = require "moonlet.engine.run.manifest"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = options.with_common {
  timeout = { value = "TIME",
    help = "give up waiting after this (exit code 124); the run continues" },
  plain = { help = "as --verbose", hidden = true },
  verbose = { letter = "v", help = "a line for each event on stderr, in place of the live view" },
}
local poll_ms = 100
local parked_poll_ms = 500
local timed_out = 124

---@param err table?  an error of the waiting itself; default: the run's error
local function envelope(home, rec, ok, err)
  if not ok and not err and type(rec.error) == "table" then err = manifest.error(rec.error) end
  local made = options.envelope(store.result(home, rec), store.envelope(home, rec), err)
  made.ok = ok
  return made
end

local function go_on(home, id, rec, output)
  local plan = resume.plan(home, id, rec, { json = output.json })
  core.event.display(options.display({ plain = output.plain }, output))
  return require("moonlet.engine.cli.run").drive(plan)
end

--- Resumes the run in a background process, so that a person can interrupt `moonlet wait` without
--- ending the run.
local function leave(home, id)
  local answer, failure = core.detach.start { "run", "resume", id, "--detached",
    "--repo", home.top }
  if not answer then error(failure, 0) end
  if answer ~= "" then return end
  -- Another process may have resumed or ended the run.
  if core.runs.holder(home.handle, id) or not resume.is_due(select(2, store.find(home, id))) then
    return
  end
  error({ kind = "failed", message = ("%s could not be resumed"):format(id),
    hint = ("its message is above; or moonlet resume %s"):format(id) }, 0)
end

function M.main(words, output)
  local found, rest = verbs.read("run wait", words, M.known)
  if #rest ~= 1 then options.refuse("wait for which run?", "moonlet wait R-007") end
  output.json, output.plain = found.json or false, found.plain or found.verbose
  local home = repository.open(found.repo)
  local limit = found.timeout and duration.ms(found.timeout, "--timeout")
  local started = core.clock.monotonic()
  local id, rec = store.find(home, rest[1])
  while true do
    local is_due = resume.is_due(rec) and not core.runs.holder(home.handle, id)
    if is_due and limit then
      leave(home, id)
      id, rec = store.find(home, id)
    elseif is_due then
      local drove, envelope_now, code, text, about = pcall(go_on, home, id, rec, output)
      -- If another process has resumed the run first, keep waiting.
      if not drove and not store.is_stale(envelope_now)
          and not core.runs.holder(home.handle, id) then
        error(envelope_now, 0)
      end
      if drove and code ~= manifest.exit_codes.quota then return envelope_now, code, text, about end
      id, rec = store.find(home, id)
    elseif rec.ended and not resume.is_parked_for_quota(rec) then
      local code = manifest.exit_codes[rec.verdict] or 1
      local last_line = state.last_line(id, rec.verdict, rec.error, rec.parked,
        rec.steps, rec.origin)
      return envelope(home, rec, code == 0), code, ("%s: %s\n"):format(id, rec.verdict),
        { status = last_line and last_line .. "\n" }
    end
    if not rec.ended and not core.runs.holder(home.handle, id) then
      -- The run may have ended between the reading of its record and the check for its host.
      id, rec = store.find(home, id)
      if not rec.ended and rec.options.dry_run then
        error({ kind = "lost", message = ("%s does not run"):format(id),
          hint = state.prepared(home, rec) }, 0)
      elseif not rec.ended then
        error({ kind = "lost", message = ("the host of %s was ended before the run was"):format(id),
          hint = ("moonlet resume %s continues it; nothing is paid twice"):format(id) }, 0)
      end
    elseif limit and core.clock.monotonic() - started >= limit then
      local err = { kind = "timeout",
        message = ("%s has not ended after %s"):format(id, duration.text(limit)),
        hint = core.json.null, at = core.json.null }
      return envelope(home, rec, false, err), timed_out
    else
      core.task.sleep(rec.ended and parked_poll_ms or poll_ms)
      id, rec = store.find(home, id)
    end
  end
end

return M
