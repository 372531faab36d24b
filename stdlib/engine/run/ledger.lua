--- Writes runs to the ledger, which is only an index: its failure does not affect a run.
local per_run = require "moonlet.engine.base.per_run"
local M = {}

local state_of = per_run(function() return { failed = false } end)

local rebuild_hint = "moonlet run verify --rebuild rebuilds it from the runs"

function M.trouble(err)
  local text = core.text.printable(err.message, 400)
  local hint = err.hint
  if type(hint) == "string" and hint ~= "" and not hint:find("--rebuild", 1, true) then
    text = text .. "; " .. core.text.printable(hint, 200)
  end
  return ("%s; %s"):format(text, rebuild_hint)
end

--- Writes a run into the ledger. If that fails, the ledger is rebuilt before its next use.
---@param text string   text of the run's run.json
function M.put(home, id, text)
  local done, err = core.ledger.put(home.handle, id, text)
  if done then return nil end
  core.ledger.mark_stale(home.handle)
  return err
end

--- Warns only about the first failure.
function M.put_run(run)
  local err = M.put(run.home, run.id, core.run.redact(run.record))
  local state = state_of(run)
  if not err or state.failed then return end
  state.failed = true
  run.emit("warning", { text = "the run is not in the ledger: " .. M.trouble(err) })
end

local function note(text) core.system.print(2, "moonlet: " .. text .. "\n") end

local function tell(filled, why)
  if filled.runs > 0 then
    note(("the ledger %s: %d %s read from the files"):format(why, filled.runs,
      filled.runs == 1 and "run was" or "runs were"))
  end
end

--- Removes the rows of pruned runs, which a killed `moonlet run prune` may have left.
---@return boolean? done, table? err
function M.forget_pruned(home)
  local root = core.file.root(home.agent_path)
  for _, entry in ipairs(root and core.file.list(root, "pruned") or {}) do
    local forgot, err = core.ledger.forget(home.handle, entry.name)
    if not forgot and core.ledger.present(home.handle) then return nil, err end
  end
  return true
end

--- Rebuilds a missing or stale ledger, and adds missing runs. Returns nil and an error on failure.
---@param quiet boolean?  do not report added runs
---@return boolean? ready, table? err
function M.ready(home, quiet)
  local present, stale = core.ledger.present(home.handle)
  if present and stale then
    -- Keep a damaged or newer ledger until the user asks to replace it.
    local usable, err = core.ledger.list(home.handle, {}, 1)
    if not usable then return nil, err end
  end
  if stale or not present then
    local filled, err = core.ledger.rebuild(home.handle)
    if not filled then return nil, err end
    tell(filled, stale and "was out of date" or "was not there")
    return true
  end
  local clean, why = M.forget_pruned(home)
  if not clean then return nil, why end
  local filled, err = core.ledger.complete(home.handle)
  if not filled then return nil, err end
  if not quiet then tell(filled, "lacked runs") end
  return true
end

function M.without(err) note("the ledger is not used: " .. M.trouble(err)) end

return M
