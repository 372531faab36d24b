--- `moonlet run prune` removes old runs with their artifacts.
--- A run that is live, unfinished, or the parent of a remaining run stays.
--- The newest run stays, so that its number is not reused.
--- A run's folder moves to `.agent/pruned` in one rename, so that a killed prune leaves no partial run.
--- After a killed prune, readers of the ledger drop the run's row, and the next prune deletes its files.
local counted = require "moonlet.engine.base.counted"
local duration = require "moonlet.duration"
local repository = require "moonlet.engine.run.repository"
local ledger = require "moonlet.engine.run.ledger"
local options = require "moonlet.engine.cli.options"
local store = require "moonlet.engine.run.store"
local state_of = require "moonlet.engine.run.state"
local verbs = require "moonlet.engine.cli.verbs"
local worktree = require "moonlet.engine.workspace.worktree"
local worktree_places = require "moonlet.engine.workspace.worktree_places"

local M = {}

M.known = options.with_common {
  older = { value = "TIME", help = "runs that ended longer ago than this: 30d, 12h" },
  keep = { value = "N", help = "all but the newest N runs" },
  worktrees = { help = "the worktrees that wait for the next agent that writes" },
  ["dry-run"] = { help = "print what would be removed; remove nothing" },
}

local null = core.json.null
local most_tries = 100

local function reason_to_stay(home, id, rec)
  if not rec then return "its record cannot be read: moonlet run verify " .. id end
  if core.runs.holder(home.handle, id) then return "it runs" end
  if core.runs.left(home.handle, id) > 0 then return "its processes still run" end
  local state = state_of.of(home, id, rec)
  if state == "needs-human" or state == "quota" then return "it is parked" end
  if state == "interrupted" then return "it was interrupted: moonlet resume or cancel it" end
  if type(rec.review) == "table" and rec.review.state == "pending" then
    return "it waits for a review: moonlet review show " .. id
  end
  if #worktree_places.left(home, id) > 0 then return "a worktree of it is kept" end
end

--- Reports whether the options select a run: it is older than --older, and not among the newest
--- runs that --keep counts.
local function is_asked(rec, place, wanted, now)
  if wanted.keep and place <= wanted.keep then return false end
  if not wanted.older then return true end
  local ended = rec
    and core.clock.parse(tostring(rec.ended_at ~= null and rec.ended_at or rec.started_at))
  return ended ~= nil and now - ended > wanted.older
end

--- Selects the runs to remove, newest first so that no parent goes before its children.
--- Also returns the requested runs that must stay: { id, why }.
local function choose(home, root, wanted)
  local ids, records, go, stay = store.ids(root), {}, {}, core.json.array {}
  local now = core.clock.wall()
  for place, id in ipairs(ids) do
    local rec = store.look(root, id)
    records[id] = rec or nil
    local function is_there() return core.file.stat(root, "runs/" .. id) ~= nil end
    if (rec or is_there()) and is_asked(rec, place, wanted, now) then
      local ok, why = true, "it is the newest run"
      if place > 1 then ok, why = pcall(reason_to_stay, home, id, rec) end
      -- Another prune may have removed the run, so ignore the error if the run is gone.
      if not ok and is_there() then error(why, 0) end
      if ok and why then stay[#stay + 1] = { id = id, why = why } elseif ok then go[id] = true end
    end
    core.task.sleep(0)
  end
  -- A child run is newer than its parent, so one pass from the newest run on keeps all ancestors of
  -- a run that stays.
  for _, id in ipairs(ids) do
    local parent = not go[id] and records[id] and records[id].parent_run_id
    if type(parent) == "string" and go[parent] then
      go[parent] = nil
      stay[#stay + 1] = { id = parent, why = id .. " was made from it" }
    end
  end
  local list = {}
  for _, id in ipairs(ids) do
    if go[id] then list[#list + 1] = id end
  end
  return list, stay, records
end

local function checked(done, err) if not done then error(err, 0) end end

--- Lists the sidecar folders of the remaining runs, which must not be deleted.
local function used_sidecars(root)
  local used = {}
  for _, id in ipairs(store.ids(root)) do
    local other = store.look(root, id)
    if other then used[other.sidecar] = true end
  end
  return used
end

--- Empties `.agent/pruned`.
--- A record is deleted last, because it names the ledger rows and sidecars.
--- Several processes may prune at once, so a missing file is not an error.
local function empty(home, root)
  local used
  checked(ledger.forget_pruned(home))
  local pruned = core.file.root(home.agent_path .. "/pruned")
  for _, entry in ipairs(pruned and core.file.list(pruned, ".") or {}) do
    local text = core.file.read(pruned, entry.name .. "/run.json", store.record_cap)
    local ok, rec = pcall(core.json.decode_record, text or "")
    local sidecar = ok and type(rec) == "table" and rec.sidecar
    if type(sidecar) == "string" and sidecar:find "^sidecars/[%w][%w._-]*$" then
      used = used or used_sidecars(root)
      if not used[sidecar] then checked(core.file.remove(root, sidecar)) end
    end
    checked(core.file.remove(pruned, entry.name))
  end
  core.file.remove_empty(root, "pruned")
end

--- Removes one run, unless a host drives it or another process has removed it.
local function remove(home, root, id)
  local lock = core.file.lock(root, ("runs/%s/lock.next"):format(id), 0)
  if not lock or core.runs.holder(home.handle, id) then return false end
  local moved, err
  for _ = 1, most_tries do
    checked(core.file.make_root(home.agent_path .. "/pruned"))
    moved, err = core.file.rename(root, "runs/" .. id, "pruned/" .. id)
    -- The error kind `invalid` means that a path is missing. If another prune has removed only the
    -- empty folder `pruned`, try again.
    if moved or err.kind ~= "invalid" or not core.file.stat(root, "runs/" .. id) then break end
  end
  core.file.unlock(lock)
  if not moved and core.file.stat(root, "runs/" .. id) then error(err, 0) end
  return moved ~= nil
end

local function wanted_of(found)
  if not found.older and not found.keep and not found.worktrees then
    options.refuse("prune which runs?",
      "moonlet run prune --older 30d, --keep 9 or --worktrees; --dry-run shows them")
  end
  local keep = found.keep and math.tointeger(tonumber(found.keep))
  if found.keep and (not keep or keep < 0) then
    options.refuse("--keep must be a whole number from 0", "moonlet run prune --keep 100")
  end
  return { keep = keep, older = found.older and duration.ms(found.older, "--older"),
    is_for_runs = keep ~= nil or found.older ~= nil }
end

local function report_text(list, stay, is_dry, trees)
  local lines = {}
  local done = is_dry and "would be removed" or "removed"
  if trees then lines[1] = ("%s %s"):format(counted(trees, "waiting worktree"), done) end
  if not list then return table.concat(lines, "\n") .. "\n" end
  for _, item in ipairs(stay) do lines[#lines + 1] = ("%s stays: %s"):format(item.id, item.why) end
  local named = #list > 0 and #list <= 20 and ": " .. table.concat(list, ", ") or ""
  lines[#lines + 1] = ("%s %s%s"):format(counted(#list, "run"), done, named)
  return table.concat(lines, "\n") .. "\n"
end

function M.main(words)
  local found, rest = verbs.read("run prune", words, M.known)
  options.no_more(rest, 0, "run prune")
  local wanted = wanted_of(found)
  local home = repository.open(found.repo)
  local root = store.root(home)
  local list, stay, removed, trees = {}, core.json.array {}, core.json.array {}, nil
  if found.worktrees then
    trees = found["dry-run"] and worktree.waiting(home) or worktree.empty_pool(home)
  end
  if root and wanted.is_for_runs then
    core.runs.sweep(home.handle)
    list, stay = choose(home, root, wanted)
    if not found["dry-run"] then
      for _, id in ipairs(list) do
        if remove(home, root, id) then removed[#removed + 1] = id end
        core.task.check()
      end
      empty(home, root)
    end
  end
  local is_dry = found["dry-run"] or false
  local would_remove = is_dry and core.json.array(list) or nil
  return options.envelope { removed = removed, would_remove = would_remove, stay = stay,
    worktrees = trees }, 0, report_text(wanted.is_for_runs and (is_dry and list or removed), stay,
    is_dry, trees)
end

return M
