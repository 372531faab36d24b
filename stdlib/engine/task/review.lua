--- Runs a packet's checks and its review after the body of its run.
local journal = require "moonlet.engine.journal.journal"
local workspace_lease = require "moonlet.engine.agent.workspace_lease"
local context = require "moonlet.engine.context.context"
local validation = require "moonlet.engine.effects.validation"
local worktree = require "moonlet.engine.workspace.worktree"
local verdict = require "moonlet.engine.run.verdict"

local M = {}

--- This name is recorded as the reviewer of a run that was approved because all its checks passed.
M.by_checks = "sidecar:auto"

--- Runs the checks up to the first failure and skips the others.
local function check_all(ctx, run, cwd)
  local checks, passed, failed = run.packet.validation, 0, false
  if #checks > 0 then ctx:phase("validate", #checks) end
  for i, check in ipairs(checks) do
    if failed then
      run.note_validation("validate-" .. i,
        { kind = check.kind, command = check.command, status = "skipped" }, false)
    else
      local result = validation.validate(ctx,
        { kind = check.kind, command = check.command, cwd = cwd, timeout_ms = check.timeout_ms,
          name = ("validate-%d-%s"):format(i, check.kind) })
      failed = result.status ~= "passed"
      if not failed then passed = passed + 1 end
    end
  end
  return passed
end

--- Hashes what the reviewer sees: the changes, or the answer if there is nothing to merge.
local function shown_hash(run, held)
  if #held == 1 then return held[1].work.sha256 end
  local parts = { run.read_artifact(run.sidecar .. "/output.md", 64 << 20) or "" }
  for _, item in ipairs(held) do parts[#parts + 1] = item.work.sha256 end
  return core.text.sha256(table.concat(parts, "\n"))
end

local function is_made_up(run)
  if run.mocked or run.runner_name == "mock" then return true end
  for _, step in ipairs(run.steps) do
    if step.kind == "agent" and step.runner == "mock" then return true end
  end
  return false
end

--- Merges the changes that the run holds back, or removes their worktrees and keeps their patches.
local function carry_out(run, held, word)
  if word.state == "rejected" then
    for _, item in ipairs(held) do worktree.put_away(run, item.key, item.dir, item.work) end
    return word
  end
  for _, item in ipairs(held) do
    local key = item.key .. "/merge"
    -- Repeat a failed merge, because the work tree may have changed after the failure.
    if run.journal.failures[key] then run.journal.ends[key] = nil end
    local merged, why = pcall(function()
      local value, step = run.step(key, "merge", nil, { verb = "merge", result = item.work.result },
        { paid = true }, function()
          local files, held_back = worktree.take(run, item.key, item.dir, item.work)
          return { files = core.json.array(files), held_back = core.json.array(held_back or {}) }
        end)
      step.files_changed, step.held_back, step.dir = value.files, value.held_back, item.dir
      run.end_step(step, "ok", {})
    end)
    if not merged then
      local message = type(why) == "table" and why.message or tostring(why)
      run.emit("warning", { text = "the changes are not merged: " .. message })
      local open = { type = "review", state = "pending", sha256 = word.sha256,
        reviewed_by = word.reviewed_by, note = "not merged: " .. core.text.printable(message, 400),
        at = core.clock.iso(core.clock.wall()) }
      run.journal.review = open
      journal.append(open)
      return open, why
    end
  end
  return word
end

--- Contains the error of the last merge that failed after an approval.
---@type any
M.failure = nil

function M.after(ctx)
  local run = context.of(ctx).run
  local held = workspace_lease.held(run)
  local passed = check_all(ctx, run, held[1] and held[1].work.path or nil)
  local total = #run.packet.validation
  local word, hash = run.journal.review, shown_hash(run, held)
  if passed < total then
    run.review = word and word.state == "rejected" and carry_out(run, held, word) or nil
    return
  end
  if not word and run.packet.auto_approve and total > 0 and not is_made_up(run)
      and verdict.of(run, true) == "ok" then
    word = { type = "review", state = "approved", reviewed_by = M.by_checks, sha256 = hash,
      note = ("%d of %d validation steps passed"):format(passed, total),
      at = core.clock.iso(core.clock.wall()) }
    run.journal.review = word
    journal.append(word)
  end
  if word and word.state ~= "pending" then
    word, M.failure = carry_out(run, held, word)
  end
  run.review = word or { state = "pending", sha256 = hash }
  core.event.emit("review", nil, { state = run.review.state, sha256 = run.review.sha256,
    reviewed_by = run.review.reviewed_by, note = run.review.note })
end

return M
